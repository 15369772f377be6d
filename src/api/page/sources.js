/* The sources: what each gave, and what went wrong with it. */

function sourceRow(source) {
  const name = make("td", "", { class: "source" }, make("bdi", plain(source.URL)));
  if (source.Error) name.append(make("p", "", { class: "error" }, make("bdi", plain(source.Error))));
  const fetched = Date.parse(source.fetched_at);
  const ago = Number.isFinite(fetched) ? `${span((serverNow() - fetched) / 1000)} ago` : "never";
  const number = (text) => make("td", text, { class: "number" });
  return make(
    "tr", "", source.Error ? { class: "failed" } : {},
    name, number(count(source.ProxiesFound)), number(count(source.alive)),
    number(percent(source.alive, source.ProxiesFound)), number(count(source.skipped)), make("td", ago),
  );
}

let sourcesShown = "";

/* The rows are made again only if they differ: a selection of text outlives a poll. */
function showSources(sources) {
  const all = Object.values(sources ?? {});
  const told = JSON.stringify(all) + Math.floor(serverNow() / 10000);
  const body = byId("sources");
  if (told === sourcesShown && body.children.length > 0) return;
  sourcesShown = told;
  all.sort((a, b) => b.alive - a.alive || b.ProxiesFound - a.ProxiesFound);
  const none = make("tr", "", {}, make("td", "No source is configured.", { colspan: "6" }));
  body.replaceChildren(...(all.length > 0 ? all.map(sourceRow) : [none]));
}
