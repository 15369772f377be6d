// Every word of every answer is one that an attacker would have written.
const whole = window.fetch;
const hostile = (text) =>
  `"'><img src=x onerror="window.isHurt = 1"><script>window.isHurt = 2</scr` + `ipt>\u202e${"long".repeat(80)}${text}`;
const spoil = (value) => {
  if (typeof value === "string") return hostile(value);
  if (Array.isArray(value)) return value.map(spoil);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, spoil(inner)]));
};
const spoilKeys = (words) => Object.fromEntries(Object.entries(words).map(([word, inner]) => [hostile(word), inner]));
window.fetch = async (path, options) => {
  const answer = spoil(await (await whole(path, options)).json());
  if (path === "stat") {
    Object.assign(answer, { stale: true, stale_reason: hostile(""), stale_since: hostile(""), storage: { failing_since: hostile(""), saved_at: hostile("") } });
    for (const key of ["verdicts", "protocols", "targets"]) answer[key] = spoilKeys(answer[key]);
    answer.targets[hostile("target")] = { up: false, verdict: hostile(""), latency_ms: 1, reached: 1 };
    for (const source of Object.values(answer.sources)) source.Error = hostile("");
  }
  for (const proxy of answer.proxies ?? []) Object.assign(proxy, { exit: hostile(""), anonymity: hostile("") });
  return new Response(JSON.stringify(answer));
};
