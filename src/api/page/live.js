/* Asks the service, again and again, and sparingly; keeps the key; starts everything. */

const KEY = "proxy-checker-key";
const THEME = "proxy-checker-theme";
const POLL_MS = 3000;
const HIDDEN_MS = 60000;
const HISTORY_MS = 10000;
const ROWS_MS = 10000;
const PATIENCE_MS = 15000;
/* The only 503 that says what is alive; any other says that the service cannot answer now. */
const NOTHING_ALIVE = "No alive proxies available";

const live = {
  paused: false, failures: 0, timer: 0, epoch: 0, busy: false, ahead_ms: 0,
  stat: null, history_at: 0, rows_generation: -1, rows_due: 0, rows_tag: null, in_sight: false, loading: false,
};

/* Now by the clock of the service: its figures have its times. */
function serverNow() {
  return Date.now() + live.ahead_ms;
}

class Refused extends Error {
  constructor(answer, words) {
    super(`status ${answer.status}`);
    this.status = answer.status;
    this.words = words;
    this.wait_ms = 1000 * (Number(answer.headers.get("retry-after")) || 0);
  }
}

/* What a refusal says; nothing if it comes from something else on the way. */
async function wordsOf(answer) {
  try {
    return (await answer.json()).error;
  } catch {
    return undefined;
  }
}

/* One request. The key goes into a header, never into the URL. */
async function ask(path, key, headers = {}) {
  const all = new Headers(headers);
  if (key) all.set("X-Api-Key", key);
  const signal = AbortSignal.timeout(path.startsWith("get-proxy") ? 4 * PATIENCE_MS : PATIENCE_MS);
  const answer = await fetch(path, { headers: all, signal, cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" });
  const date = Date.parse(answer.headers.get("date"));
  // It has whole seconds: half of one is the best guess, and small differences are that.
  if (Number.isFinite(date) && Math.abs(date + 500 - serverNow()) > 1500) live.ahead_ms = date + 500 - Date.now();
  if (!answer.ok && answer.status !== 304) throw new Refused(answer, await wordsOf(answer));
  return answer;
}

const figures = async (path) => (await ask(path, sessionStorage.getItem(KEY))).json();

/* The state of the connection, in words. */
function tell(state, words) {
  byId("link").dataset.state = state;
  say("link", words);
}

function later(delay_ms) {
  clearTimeout(live.timer);
  live.timer = setTimeout(turn, delay_ms);
}

/* One turn: the figures, now and then the history, and the rows if someone looks at them. */
async function turn() {
  clearTimeout(live.timer);
  if (live.paused || live.busy || byId("ask").open) return;
  live.busy = true;
  const epoch = live.epoch;
  let next_ms = document.hidden ? HIDDEN_MS : POLL_MS;
  try {
    const stat = await figures("stat");
    const isHistoryDue = Date.now() - live.history_at >= HISTORY_MS;
    const history = isHistoryDue ? await figures("history") : null;
    if (epoch !== live.epoch) return;
    live.stat = stat;
    live.failures = 0;
    showStat(stat);
    showAge();
    if (history) {
      live.history_at = Date.now();
      showHistory(history, stat);
    }
    byId("sign-out").hidden = !sessionStorage.getItem(KEY);
    if (!live.paused) tell("live", "Live");
    loadRows();
  } catch (error) {
    if (epoch !== live.epoch) return;
    next_ms = failed(error);
  } finally {
    live.busy = false;
    if (epoch !== live.epoch) later(0);
    else if (next_ms !== null && !live.paused) later(next_ms);
  }
}

/* What to do about it, and after how long to ask again; `null`: not before the reader has acted. */
function failed(error) {
  if (error.status === 401) {
    const had = sessionStorage.getItem(KEY);
    signOut(had ? "This key is not accepted any more." : "");
    return null;
  }
  live.failures += 1;
  const pause_ms = Math.max(error.wait_ms ?? 0, Math.min(HIDDEN_MS, POLL_MS * 2 ** (live.failures - 1)));
  const known = live.stat ? " What is shown is old." : "";
  if (error.status === 429) tell("waiting", "The service limits requests. Asking again soon.");
  else if (error.status) tell("lost", `The service answers with an error (${error.status}).${known}`);
  else tell("lost", `Disconnected: the service does not answer. Trying again.${known}`);
  return pause_ms;
}

/* The rows: only if they are in sight and have changed, and the more there are the less often. */
async function loadRows() {
  const isDue = live.stat && live.in_sight && live.stat.generation !== live.rows_generation && Date.now() >= live.rows_due;
  if (!isDue || live.loading || live.paused || document.hidden) return;
  live.loading = true;
  const [epoch, generation, started] = [live.epoch, live.stat.generation, Date.now()];
  if (table.all.length === 0) say("count", "Loading…");
  let again_ms = ROWS_MS;
  try {
    const headers = live.rows_tag ? { "If-None-Match": live.rows_tag } : {};
    const answer = await ask("get-proxy?all=1&format=json", sessionStorage.getItem(KEY), headers);
    if (answer.status !== 304) {
      const { proxies } = await answer.json();
      if (epoch === live.epoch && (await takeProxies(proxies))) live.rows_tag = answer.headers.get("etag");
    }
    // Whoever signed out meanwhile has dropped the rows: the next one loads them anew.
    if (epoch === live.epoch) live.rows_generation = generation;
  } catch (error) {
    if (epoch !== live.epoch) return;
    if (error.status === 503 && error.words === NOTHING_ALIVE) {
      live.rows_tag = null;
      live.rows_generation = generation;
      await takeProxies([]);
      say("count", "No proxy is alive now.");
    } else if (error.status !== 401) {
      again_ms = Math.max(again_ms, error.wait_ms ?? 0);
      say("count", table.all.length > 0 ? "The list cannot be loaded now. What is shown is old." : "The list cannot be loaded now.");
    }
  } finally {
    live.loading = false;
    if (epoch === live.epoch) live.rows_due = Date.now() + Math.max(again_ms, 10 * (Date.now() - started));
  }
}

function showAge() {
  const published = live.stat && live.stat.generation > 0 ? Date.parse(live.stat.updated) : NaN;
  say("age", Number.isFinite(published) ? span((serverNow() - published) / 1000) : "–");
}

function setKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
  live.epoch += 1;
  Object.assign(live, { stat: null, history_at: 0, rows_generation: -1, rows_due: 0, rows_tag: null, failures: 0 });
}

/* Forgets the key and all that came with it, and asks for another one. */
function signOut(why) {
  setKey(null);
  sourcesShown = "";
  chart.points = [];
  showNothing();
  dropProxies();
  byId("sign-out").hidden = true;
  tell("waiting", "Signed out");
  byId("key").value = "";
  say("ask-error", why);
  if (!byId("ask").open) byId("ask").showModal();
  byId("key").focus();
}

async function signIn(event) {
  event.preventDefault();
  const key = byId("key").value.trim();
  const send = byId("ask-send");
  if (key === "" || send.disabled) return byId("key").focus();
  send.disabled = true;
  say("ask-error", "");
  try {
    await ask("stat", key);
    byId("key").value = "";
    setKey(key);
    byId("ask").close();
    tell("starting", "Connecting");
    later(0);
  } catch (error) {
    say("ask-error", whyNot(error));
    byId("key").select();
  } finally {
    send.disabled = false;
  }
}

function whyNot(error) {
  if (error.status === 401) return "Wrong key: the service does not accept it.";
  if (error.status === 429) return `Too many tries. Wait ${span((error.wait_ms || 60000) / 1000)} and try again.`;
  if (error.status) return `The service answers with an error (${error.status}). Try again.`;
  return "The service does not answer, or this cannot be a key. Try again.";
}

function startTools() {
  byId("ask").addEventListener("cancel", (event) => event.preventDefault());
  byId("ask-form").addEventListener("submit", signIn);
  byId("sign-out").addEventListener("click", () => signOut(""));
  byId("pause").addEventListener("click", () => {
    live.paused = !live.paused;
    byId("pause").setAttribute("aria-pressed", String(live.paused));
    if (live.paused) tell("waiting", "Paused");
    else tell("starting", "Connecting");
    later(0);
  });
  const theme = byId("theme");
  const paint = () => (document.documentElement.dataset.theme = theme.value);
  theme.value = sessionStorage.getItem(THEME) ?? "";
  theme.addEventListener("change", () => {
    sessionStorage.setItem(THEME, theme.value);
    paint();
  });
  paint();
}

function start() {
  startTools();
  startChart();
  startTable();
  startSave();
  new IntersectionObserver((seen) => {
    live.in_sight = seen[seen.length - 1].isIntersecting;
    loadRows();
  }, { rootMargin: "200px" }).observe(byId("proxies"));
  const now = () => (document.hidden ? undefined : later(0));
  document.addEventListener("visibilitychange", now);
  window.addEventListener("online", now);
  setInterval(() => (document.hidden ? undefined : showAge()), 1000);
  turn();
}

start();
