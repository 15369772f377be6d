/* The alive proxies: searched and sorted as a whole, drawn only as far as they are in sight. */

const COLUMNS = [
  { name: "Address", key: "address", order: (row) => row.order, show: (row) => row.address },
  { name: "Protocol", key: "protocol", order: (row) => row.protocol, show: (row) => row.protocol },
  { name: "Latency", key: "latency", order: (row) => row.latency_ms, show: (row) => milliseconds(row.latency_ms), kind: "number" },
  { name: "Checked", key: "checked", order: (row) => -row.checked, show: (row) => `${span((serverNow() - row.checked) / 1000)} ago`, kind: "more" },
  { name: "Targets", key: "targets", order: (row) => row.targets.join(" "), show: (row) => row.targets.join(", "), kind: "more" },
  { name: "Exit", key: "exit", order: (row) => row.exit ?? "", show: (row) => row.exit ?? "", kind: "more" },
  { name: "Anonymity", key: "anonymity", order: (row) => row.anonymity ?? "", show: (row) => row.anonymity ?? "", kind: "more" },
];
const ROW_PX = 36;
const SPARE_ROWS = 12;
const PIECE = 5000;

const table = { all: [], sorted: [], shown: [], by: COLUMNS[2], down: false, drawn: new Map(), pending: 0 };

/* Lets the browser paint and answer before the next piece. */
const breathe = () => new Promise((go) => setTimeout(go, 0));

/* An IPv4 address and its port as one number, which sorts fast; what is none comes behind. */
function orderOf(address) {
  const parts = /^(\d+)\.(\d+)\.(\d+)\.(\d+):(\d+)$/.exec(address);
  if (!parts) return Number.MAX_VALUE;
  const [a, b, c, d, port] = parts.slice(1).map(Number);
  return (((a * 256 + b) * 256 + c) * 256 + d) * 65536 + port;
}

function rowOf(proxy) {
  const row = { ...proxy, targets: proxy.targets ?? [] };
  row.order = orderOf(row.address);
  row.checked = Date.parse(row.last_check);
  row.words = [row.address, row.protocol, ...row.targets, row.exit ?? "", row.anonymity ?? ""].join(" ").toLowerCase();
  return row;
}

/* Takes a list in, in pieces; false if another one came meanwhile. */
async function takeProxies(proxies) {
  const ticket = ++table.pending;
  const rows = [];
  for (let from = 0; from < proxies.length; from += PIECE) {
    for (const proxy of proxies.slice(from, from + PIECE)) rows.push(rowOf(proxy));
    if (proxies.length > PIECE) await breathe();
    if (ticket !== table.pending) return false;
  }
  table.all = rows;
  order();
  arrange(false);
  return true;
}

function dropProxies() {
  table.pending += 1;
  table.all = [];
  table.sorted = [];
  byId("search").value = "";
  arrange(true);
  say("count", "Loaded when it comes into view.");
}

/* Sorts all of them, so that a search has only to leave some out. */
function order() {
  const sign = table.down ? -1 : 1;
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  const keyed = table.all.map((row) => [table.by.order(row), row]);
  keyed.sort((a, b) => sign * compare(a[0], b[0]) || compare(a[1].order, b[1].order) || compare(a[1].address, b[1].address));
  table.sorted = keyed.map((pair) => pair[1]);
}

/* Searches: every word that was typed must occur in a row. */
function arrange(fromTop) {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = table.sorted.filter((row) => words.every((word) => row.words.includes(word)));
  table.shown = rows;
  const scroller = byId("scroller");
  if (fromTop) scroller.scrollTop = 0;
  table.drawn.clear();
  byId("table").setAttribute("aria-rowcount", String(rows.length + 1));
  const part = rows.length === table.all.length ? `${count(rows.length)} rows` : `${count(rows.length)} of ${count(table.all.length)} rows`;
  say("count", `${part}, one for each protocol that works.`);
  for (const button of document.querySelectorAll("#copy, [data-save]")) button.disabled = rows.length === 0;
  drawRows();
}

function tableRow(row, place) {
  const cells = COLUMNS.map((column) =>
    make("td", "", { class: `${column.kind ?? ""} ${column.key}` }, make("bdi", plain(column.show(row), 120))));
  const copy = make("button", "Copy", { type: "button", class: "small", "aria-label": `Copy ${plain(row.address, 120)}` });
  copy.addEventListener("click", () => copyText(row.address, copy));
  cells.push(make("td", "", { class: "act" }, copy));
  return make("tr", "", { "aria-rowindex": String(place + 2), class: place % 2 ? "odd" : "" }, ...cells);
}

/* A gap as tall as the rows that are not drawn. */
function gap(rows) {
  const cell = make("td", "", { colspan: String(COLUMNS.length + 1) });
  cell.style.height = `${rows * ROW_PX}px`;
  return make("tr", "", { class: "gap", "aria-hidden": "true" }, cell);
}

function drawRows() {
  const scroller = byId("scroller");
  const first = Math.max(0, Math.floor(scroller.scrollTop / ROW_PX) - SPARE_ROWS);
  const inSight = Math.ceil(scroller.clientHeight / ROW_PX) + 2 * SPARE_ROWS;
  const last = Math.min(table.shown.length, first + inSight);
  const rows = [];
  for (let place = Math.min(first, last); place < last; place += 1) {
    rows.push(table.drawn.get(place) ?? tableRow(table.shown[place], place));
  }
  table.drawn = new Map(rows.map((row, nth) => [first + nth, row]));
  const above = Math.min(first, last);
  const gaps = [above > 0 ? [gap(above)] : [], last < table.shown.length ? [gap(table.shown.length - last)] : []];
  byId("rows").replaceChildren(...gaps[0], ...rows, ...gaps[1]);
}

function sortBy(column) {
  table.down = table.by === column && !table.down;
  table.by = column;
  markOrder();
  order();
  arrange(true);
}

function markOrder() {
  COLUMNS.forEach((column, place) => {
    const state = table.by === column ? (table.down ? "descending" : "ascending") : "none";
    byId("columns").children[place].setAttribute("aria-sort", state);
  });
}

function startTable() {
  const heads = COLUMNS.map((column) => {
    const sort = make("button", column.name, { type: "button", class: "sort" });
    sort.addEventListener("click", () => sortBy(column));
    return make("th", "", { scope: "col", class: `${column.kind ?? ""} ${column.key}` }, sort);
  });
  heads.push(make("th", "", { scope: "col", class: "act", "aria-label": "Copy" }));
  byId("columns").replaceChildren(...heads);
  markOrder();
  let frame = 0;
  const soon = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(drawRows);
  };
  byId("scroller").addEventListener("scroll", soon, { passive: true });
  new ResizeObserver(soon).observe(byId("scroller"));
  let typed = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => arrange(true), 120);
  });
  for (const button of document.querySelectorAll("#copy, [data-save]")) button.disabled = true;
}
