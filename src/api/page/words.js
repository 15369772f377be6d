/* The words of the service, and what they mean to whoever reads the page. */

const VERDICTS = {
  alive: "the target’s answer came back through the proxy",
  refused: "its host refused the connection",
  unreachable: "its host cannot be reached",
  reset: "the connection was reset after it stood",
  connect_timeout: "no connection in time",
  handshake_timeout: "connected, but no handshake in time",
  response_timeout: "no whole answer in time",
  closed: "closed before the answer was whole",
  bad_protocol: "does not speak what it was tried with",
  auth_required: "asks for credentials, or refuses those it was given",
  denied: "speaks its protocol and declines the request",
  wrong_status: "answered with another status than expected",
  own_page: "answered with a page that is not the target’s",
  redirected: "sent us elsewhere",
  tls_intercepted: "the certificate is not the target’s",
  tampered: "changed the target’s answer on its way",
  too_large: "its answer exceeds the cap",
  local_descriptors: "this host: out of descriptors",
  local_ports: "this host: out of ports",
  local_memory: "this host: out of memory",
  local_late: "this host: its CPUs were late",
  local_network: "this host: no network towards it",
  local_names: "its name could not be resolved",
  local_target: "the target does not answer without a proxy either",
  local_cancelled: "cancelled before its end",
  local_fault: "a fault of the service: please report it",
};

const STALE = {
  target_unreachable: "the targets cannot be reached without a proxy either, so verdicts wait",
  nothing_alive: "the targets answer, but no proxy is alive any more",
  cluster_unreachable: "the other nodes cannot be heard, or none of them leads",
};

const NUMBERS = new Intl.NumberFormat("en");

function count(number) {
  return Number.isFinite(number) ? NUMBERS.format(number) : "–";
}

function milliseconds(number) {
  return Number.isFinite(number) ? `${count(number)} ms` : "–";
}

/* Part of a whole: 12.3%, and never 0.0% of what is there. */
function percent(part, whole) {
  if (!(whole > 0)) return "–";
  const hundredths = (100 * part) / whole;
  return part > 0 && hundredths < 0.1 ? "<0.1%" : `${hundredths.toFixed(1)}%`;
}

/* Seconds as a person says them. */
function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

function clock(milliseconds) {
  return Number.isFinite(milliseconds) ? new Date(milliseconds).toLocaleTimeString("en-GB") : "–";
}

/* The same with its day, for what may be long ago. */
function dayAndClock(milliseconds) {
  return Number.isFinite(milliseconds) ? new Date(milliseconds).toLocaleString("en-GB") : "–";
}

/* What a peer wrote, harmless to the reader: controls and marks that turn the direction of text are
   shown by their number, and no text is longer than a screen. Markup needs nothing here, as text is
   only ever put in as text. */
function plain(text, most = 300) {
  const marks = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  const number = (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const shown = String(text ?? "").slice(0, most + 1).replace(marks, number);
  return shown.length > most ? `${shown.slice(0, most)}…` : shown;
}
