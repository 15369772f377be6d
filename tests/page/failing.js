// Answers for the rows that a test wants: `window.refusal` in place of the service's own, and held
// back for as long as `window.hold` is a promise. `window.times` has when the rows were asked for;
// `window.publish()` makes them due again.
const whole = window.fetch;
const realNow = Date.now;
let [ahead_ms, publications] = [0, 0];
Date.now = () => realNow() + ahead_ms;
window.times = [];
window.publish = () => {
  ahead_ms += 60000;
  publications += 1;
};
window.fetch = async (path, options) => {
  if (path === "stat" && publications > 0) {
    const stat = await (await whole(path, options)).json();
    return new Response(JSON.stringify({ ...stat, generation: stat.generation + publications }));
  }
  if (!String(path).startsWith("get-proxy")) return whole(path, options);
  window.times.push(Date.now());
  const { refusal } = window;
  const answer = refusal
    ? new Response(refusal.body, { status: 503, headers: { "Retry-After": refusal.wait } })
    : await whole(path, options);
  await window.hold;
  return answer;
};
