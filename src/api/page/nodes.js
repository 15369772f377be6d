/* The nodes of a cluster; hidden where there is none. */

function nodeRow(node) {
  const name = make("td", "", {}, make("bdi", plain(node.name, 80)));
  const state = node.leads ? "leads" : node.idle_because ? `idle: ${plain(node.idle_because)}` : "follows";
  const number = (value) => make("td", count(value), { class: "number" });
  return make(
    "tr", "", node.idle_because ? { class: "failed" } : {},
    name, number(node.lanes), number(node.in_flight), number(node.taken), number(node.lag), make("td", state),
  );
}

function showNodes(cluster) {
  byId("cluster").hidden = !cluster;
  if (!cluster) return byId("nodes").replaceChildren();
  const link = cluster.link === "up" ? "" : ` The others cannot be heard: ${plain(cluster.link)}.`;
  const leader = cluster.leader === null ? "Nobody is known to lead." : `${plain(cluster.leader, 80)} leads.`;
  say("cluster-text", `This is ${plain(cluster.node, 80)}. ${leader}${link}`);
  byId("nodes").replaceChildren(...cluster.nodes.map(nodeRow));
}
