/* The line of the last hour: an SVG, drawn again when its figures or its width change. */

const HOUR_MS = 3600000;
const chart = { points: [], end: 0, places: [], width: 0 };
const HEIGHT = 200;
const EDGE = { left: 48, right: 12, top: 10, bottom: 24 };

function draw(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/* The smallest of 1, 2, 5 × 10ⁿ of which four reach `most`. */
function stepFor(most) {
  const rough = Math.max(1, most) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  return Math.max(1, step);
}

function short(number) {
  return number >= 10000 ? `${number / 1000}k` : String(number);
}

/* `history` is what /history says; the moment itself comes from /stat. */
function showHistory(history, stat) {
  const points = history.points.map((point) => ({ ...point, ms: Date.parse(point.at) }));
  chart.end = serverNow();
  if (stat.generation > 0) {
    points.push({ ms: chart.end, alive: stat.total_alive, dead: stat.total_dead, stale: stat.stale });
  }
  chart.points = points.filter((point) => point.ms > chart.end - HOUR_MS && point.ms <= chart.end);
  const slider = byId("moment");
  const wasLast = slider.value === slider.max;
  slider.max = String(Math.max(0, chart.points.length - 1));
  if (wasLast) slider.value = slider.max;
  drawChart();
  tellHour();
}

function tellHour() {
  if (chart.points.length === 0) return say("hour-text", "No figures yet.");
  const alive = chart.points.map((point) => point.alive);
  const from = clock(chart.points[0].ms);
  const held = chart.points.some((point) => point.stale) ? " Shaded: the snapshot was held as stale." : "";
  say("hour-text", `Since ${from}: between ${count(Math.min(...alive))} and ${count(Math.max(...alive))} alive.${held}`);
  tellMoment(Number(byId("moment").value), false);
}

function drawChart() {
  const svg = byId("hour");
  chart.width = Math.max(240, byId("chart").clientWidth);
  const bottom = HEIGHT - EDGE.bottom;
  const wide = chart.width - EDGE.left - EDGE.right;
  const most = Math.max(1, ...chart.points.map((point) => point.alive));
  const step = stepFor(most);
  const top = step * Math.max(1, Math.ceil(most / step));
  const x = (ms) => EDGE.left + wide * (1 - (chart.end - ms) / HOUR_MS);
  const y = (alive) => bottom - ((bottom - EDGE.top) * alive) / top;
  svg.setAttribute("viewBox", `0 0 ${chart.width} ${HEIGHT}`);
  const drawn = [];
  for (let line = 0; line <= top; line += step) {
    drawn.push(draw("line", { class: "grid", x1: EDGE.left, x2: chart.width - EDGE.right, y1: y(line), y2: y(line) }));
    drawn.push(draw("text", { class: "axis", x: EDGE.left - 6, y: y(line) + 4, "text-anchor": "end" }, short(line)));
  }
  for (const minutes of chart.width < 480 ? [60, 30, 0] : [60, 45, 30, 15, 0]) {
    const anchor = minutes === 0 ? "end" : minutes === 60 ? "start" : "middle";
    const label = minutes === 0 ? "now" : `−${minutes} min`;
    drawn.push(draw("text", { class: "axis", x: x(chart.end - minutes * 60000), y: HEIGHT - 6, "text-anchor": anchor }, label));
  }
  chart.places = chart.points.map((point) => [x(point.ms), y(point.alive)]);
  drawn.push(...staleBands(bottom), ...aliveLine(bottom));
  drawn.push(draw("line", { id: "cross", class: "cross", y1: EDGE.top, y2: bottom, visibility: "hidden" }));
  drawn.push(draw("circle", { id: "dot", class: "dot", r: 4, visibility: "hidden" }));
  svg.replaceChildren(...drawn);
}

function staleBands(bottom) {
  const bands = [];
  chart.points.forEach((point, place) => {
    if (!point.stale) return;
    const [from] = chart.places[Math.max(0, place - 1)];
    const width = Math.max(2, chart.places[place][0] - from);
    bands.push(draw("rect", { class: "held", x: from, y: EDGE.top, width, height: bottom - EDGE.top }));
  });
  return bands;
}

function aliveLine(bottom) {
  if (chart.places.length === 0) return [];
  const path = chart.places.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join("L");
  const [first, last] = [chart.places[0][0], chart.places[chart.places.length - 1][0]];
  return [
    draw("path", { class: "area", d: `M${first},${bottom}L${path}L${last},${bottom}Z` }),
    draw("path", { class: "line", d: `M${path}` }),
  ];
}

/* One moment, by pointer or arrow keys. */
function tellMoment(place, isShown) {
  const point = chart.points[place];
  const [cross, dot] = [byId("cross"), byId("dot")];
  if (!point || !cross) return;
  const words = `${clock(point.ms)}: ${count(point.alive)} alive, ${count(point.dead)} dead${point.stale ? ", stale" : ""}`;
  byId("moment").setAttribute("aria-valuetext", words);
  for (const mark of [cross, dot]) mark.setAttribute("visibility", isShown ? "visible" : "hidden");
  if (!isShown) return;
  const [px, py] = chart.places[place];
  cross.setAttribute("x1", px);
  cross.setAttribute("x2", px);
  dot.setAttribute("cx", px);
  dot.setAttribute("cy", py);
  say("hour-text", words);
}

function startChart() {
  const slider = byId("moment");
  const show = () => tellMoment(Number(slider.value), true);
  slider.addEventListener("input", show);
  slider.addEventListener("focus", show);
  slider.addEventListener("blur", tellHour);
  const box = byId("chart");
  box.addEventListener("pointermove", (event) => {
    if (chart.places.length === 0) return;
    const px = event.clientX - byId("hour").getBoundingClientRect().left;
    const away = chart.places.map((place) => Math.abs(place[0] - px));
    slider.value = String(away.indexOf(Math.min(...away)));
    show();
  });
  box.addEventListener("pointerleave", tellHour);
  new ResizeObserver(() => {
    if (box.clientWidth !== chart.width) drawChart();
  }).observe(box);
}
