/* Figures of /stat into the page. Everything is put in as text or as a number, never as markup. */

const byId = (id) => document.getElementById(id);

/* An element with this text, these attributes and children. */
function make(tag, text = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (text !== "") element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/* Says something new only: what a screen reader has said once it need not say again. */
function say(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/* Bars of one list: [label, note, count]. Rows are kept, so that a bar grows instead of jumping. */
function showBars(id, rows, whole, none) {
  const list = byId(id);
  const most = Math.max(1, ...rows.map((row) => row[2]));
  while (list.children.length > rows.length || list.firstChild?.classList.contains("none")) {
    list.lastChild.remove();
  }
  while (list.children.length < rows.length) {
    const bar = make("span", "", { class: "fill", "aria-hidden": "true" });
    list.append(make("li", "", {}, make("b"), make("span", "", { class: "note" }), make("span", "", { class: "value" }), bar));
  }
  rows.forEach(([label, note, value], place) => {
    const [name, meaning, number, bar] = list.children[place].children;
    name.textContent = label;
    meaning.textContent = note;
    number.textContent = `${count(value)} · ${percent(value, whole)}`;
    bar.style.transform = `scaleX(${value / most})`;
    bar.classList.toggle("good", label === "alive");
  });
  if (rows.length === 0) list.append(make("li", none, { class: "none minor" }));
}

function sum(numbers) {
  return numbers.reduce((all, number) => all + number, 0);
}

function showVerdicts(verdicts) {
  const rows = Object.entries(verdicts ?? {}).filter(([, number]) => number > 0);
  rows.sort((a, b) => (b[0] === "alive") - (a[0] === "alive") || b[1] - a[1]);
  const known = rows.map(([word, number]) => [plain(word), VERDICTS[word] ?? "", number]);
  showBars("verdicts", known, sum(rows.map((row) => row[1])), "No verdict yet.");
}

function showLatency(latency) {
  const all = latency?.histogram ?? [];
  const last = all.findLastIndex((range) => range.count > 0);
  let from = 0;
  const rows = all.map((range) => {
    const label = range.up_to === null ? `over ${count(from)} ms` : `${count(from)}–${count(range.up_to)} ms`;
    from = range.up_to;
    return [label, "", range.count];
  });
  showBars("latency", rows.slice(0, last + 1), sum(rows.map((row) => row[2])), "Nothing is alive.");
}

function showProtocols(protocols) {
  const rows = Object.entries(protocols ?? {}).filter(([, number]) => number > 0);
  const known = rows.map(([word, number]) => [plain(word), "", number]);
  showBars("protocols", known, sum(rows.map((row) => row[1])), "Nothing is alive.");
}

function showSweep(sweep) {
  const bar = byId("sweep");
  bar.max = Math.max(1, sweep.total);
  bar.value = sweep.total > 0 ? sweep.done : 0;
  const started = Date.parse(sweep.started);
  const ended = sweep.finished ? Date.parse(sweep.finished) : serverNow();
  const took = Number.isFinite(started) ? span((ended - started) / 1000) : "–";
  const part = `${count(sweep.done)} of ${count(sweep.total)} candidates (${percent(sweep.done, sweep.total)})`;
  say("sweep-text", sweep.finished ? `Sweep ${sweep.id}: complete, ${part}, in ${took}.` : `Sweep ${sweep.id}: ${part}, for ${took}.`);
}

function showTargets(targets) {
  const row = ([name, target]) => {
    const state = target.up === null ? "unasked" : target.up ? "up" : "down";
    const words = { up: "answers", down: "does not answer", unasked: "not asked without a proxy" }[state];
    const note = target.up === null ? words : `${words} (${plain(target.verdict)}, ${milliseconds(target.latency_ms)})`;
    return make("li", "", { "data-state": state }, make("bdi", plain(name, 80)), make("span", ` ${note}, ${count(target.reached)} reach it`));
  };
  byId("targets").replaceChildren(...Object.entries(targets ?? {}).map(row));
}

function showStale(stat) {
  const banner = byId("stale");
  banner.hidden = !stat.stale;
  if (!stat.stale) return say("stale", "");
  const why = STALE[stat.stale_reason] ?? plain(stat.stale_reason ?? "no reason given");
  const since = stat.stale_since ? ` Since ${clock(Date.parse(stat.stale_since))}.` : "";
  say("stale", `Stale: ${why}. What is shown is the last good snapshot.${since}`);
}

function showStorage(storage) {
  const since = storage?.failing_since;
  byId("storage").hidden = !since;
  const saved = storage?.saved_at ? `what came after ${dayAndClock(Date.parse(storage.saved_at))}` : "what is known";
  say("storage", since ? `Saving has failed since ${dayAndClock(Date.parse(since))}: a restart would lose ${saved}. The log says why.` : "");
}

/* Everything of one answer, so that all figures on the page belong together. */
function showStat(stat) {
  say("alive", count(stat.total_alive));
  say("alive-percent", `${plain(stat.alive_percent, 12)} of those checked`);
  say("dead", count(stat.total_dead));
  say("total", count(stat.total_scraped));
  say("held", stat.held > 0 ? `${count(stat.held)} verdicts wait` : "unique candidates");
  const some = stat.total_alive > 0;
  say("p50", some ? milliseconds(stat.latency_ms.p50) : "–");
  say("p95", some ? `95% within ${milliseconds(stat.latency_ms.p95)}` : "");
  say("generation", `generation ${count(stat.generation)}`);
  showStale(stat);
  showStorage(stat.storage);
  showSweep(stat.sweep);
  showTargets(stat.targets);
  showVerdicts(stat.verdicts);
  showLatency(stat.latency_ms);
  showProtocols(stat.protocols);
  showSources(stat.sources);
  showNodes(stat.cluster);
  byId("figures").setAttribute("aria-busy", "false");
  document.title = `${count(stat.total_alive)} alive – proxy-checker`;
}

/* As before the first answer: nothing of what was shown stays for whoever comes next. */
function showNothing() {
  for (const id of ["alive", "dead", "total", "p50", "age", "sweep-text"]) say(id, "–");
  for (const id of ["alive-percent", "held", "p95", "generation", "stale", "storage"]) say(id, "");
  for (const id of ["verdicts", "latency", "protocols", "sources", "targets", "hour"]) byId(id).replaceChildren();
  byId("stale").hidden = byId("storage").hidden = true;
  showNodes(undefined);
  byId("sweep").value = 0;
  say("hour-text", "No figures yet.");
  document.title = "proxy-checker";
}
