// Figures as a service in use has them, in place of those of a farm that is a second old. The shapes
// are the service's own: each answer is changed, not made up.
const whole = window.fetch;
let seed = 7;
const chance = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const VERDICTS = {
  alive: 1204, refused: 11873, connect_timeout: 9310, unreachable: 1988, reset: 640, response_timeout: 1420,
  closed: 873, bad_protocol: 702, auth_required: 415, denied: 268, own_page: 391, redirected: 144, tls_intercepted: 97,
};
const LATENCY = [0, 21, 96, 148, 231, 214, 160, 152, 81, 58, 32, 9, 2];
const SOURCES = [
  ["https://lists.example/socks5.txt", 8200, 511, 37, ""], ["https://lists.example/http.csv", 14310, 463, 218, ""],
  ["https://mirror.example/all.json", 6815, 230, 4, ""], ["https://gone.example/proxies.html", 0, 0, 0, "the answer has status 404 Not Found"],
];

async function stat(answer) {
  const figures = await answer.json();
  const dead = Object.entries(VERDICTS).reduce((all, [word, number]) => all + (word === "alive" ? 0 : number), 0);
  for (const word of Object.keys(figures.verdicts)) figures.verdicts[word] = VERDICTS[word] ?? 0;
  const latency = figures.latency_ms;
  latency.histogram.forEach((range, place) => (range.count = LATENCY[place]));
  const started = new Date(Date.parse(figures.updated) - 94000).toISOString();
  const source = ([URL, ProxiesFound, alive, skipped, Error]) =>
    [URL, { URL, ProxiesFound, Error, skipped, alive, fetched_at: Error ? null : started }];
  return {
    ...figures, total_alive: 1204, total_dead: dead, total_scraped: 29570, generation: 4812, updated: new Date().toISOString(),
    alive_percent: `${((1204 / (1204 + dead)) * 100).toFixed(2)}%`, latency_ms: { ...latency, p50: 486, p95: 1840 },
    protocols: { http: 512, https: 0, socks4: 188, socks5: 531 }, sources: Object.fromEntries(SOURCES.map(source)),
    sweep: { id: 3, total: 29570, done: 21340, started, finished: null },
    targets: { shop: { up: true, verdict: "alive", latency_ms: 41, reached: 1204 } },
  };
}

async function history() {
  const points = Array.from({ length: 359 }, (_, nth) => {
    const alive = Math.round(1086 + 70 * Math.sin(nth / 40) + 45 * Math.sin(nth / 11) + 12 * chance() + nth / 8);
    const at = new Date(Date.now() - (359 - nth) * 10000).toISOString();
    return { at, alive, dead: 28000, total: 29570, generation: 4400 + nth, stale: nth > 150 && nth < 166 };
  });
  return { interval_seconds: 10, points };
}

async function proxies() {
  const row = (nth) => ({
    address: `198.51.100.${(nth * 37) % 254}:${[8080, 3128, 1080][nth % 3]}`, protocol: ["http", "http", "socks5"][nth % 3],
    alive: true, latency_ms: 71 + nth * 3, last_check: new Date(Date.now() - 1000 * Math.round(600 * chance())).toISOString(),
    targets: ["shop"], exit: `203.0.113.${(nth * 53) % 254}`, anonymity: ["elite", "anonymous", "elite"][nth % 3],
  });
  return { alive: 1231, proxies: Array.from({ length: 1231 }, (_, nth) => row(nth)), total: 1231 };
}

window.fetch = async (path, options) => {
  const answer = await whole(path, options);
  const made = path === "stat" ? await stat(answer) : path === "history" ? await history() : await proxies();
  return new Response(JSON.stringify(made));
};
