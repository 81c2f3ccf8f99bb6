// The picture of a step's tape: boxes, edges, and layers that open.

/** The boxes and edges that are drawn, where they are drawn: open layers make room for their ops, all else moves on. */
function visible({ step, open }) {
  const { graph } = step, opened = graph.nodes.filter((node) => open.has(node.id));
  const wider = gaps(opened, "x", "width", 8), higher = gaps(opened, "y", "height", 30);
  const stretch = (value, grown) => grown.reduce((sum, { low, high, more }) => sum + more * clamp((value - low) / (high - low), 0, 1), value);
  const moved = ([x, y]) => [stretch(x, wider), stretch(y, higher)];
  const nodes = [], edges = [], frames = [];
  for (const node of graph.nodes) {
    const [x, y] = moved([node.x, node.y]);
    if (!open.has(node.id)) { nodes.push({ ...node, x, y }); continue; }
    const left = x - node.inner.width / 2, top = y - node.inner.height / 2 + 11;
    frames.push({ ...node, x, y, width: node.inner.width + 8, height: node.inner.height + 30 });
    nodes.push(...node.inner.nodes.map((one) => ({ ...one, x: left + one.x, y: top + one.y, inside: node.id, network: node.network })));
    edges.push(...node.inner.edges.map((edge) => ({ ...edge, points: edge.points.map(([a, b]) => [left + a, top + b]) })));
  }
  const drawn = new Map([...nodes, ...frames].map((node) => [node.id, node])); // of an open layer its frame, the later one
  const side = (id, sign) => [drawn.get(id).x + (sign * drawn.get(id).width) / 2, drawn.get(id).y];
  edges.push(...graph.edges.map((edge) => ({ ...edge, points: [side(edge.source, 1), ...edge.points.slice(1, -1).map(moved), side(edge.target, -1)] })));
  const [width, height] = moved([graph.width, graph.height]);
  return { nodes, edges, frames, width, height };
}

/** How much room the open layers need along an axis: layers side by side grow together, by the most that one needs. */
function gaps(opened, along, size, frame) {
  const found = [];
  for (const node of opened.toSorted((a, b) => a[along] - a[size] / 2 - (b[along] - b[size] / 2))) {
    const low = node[along] - node[size] / 2, high = low + node[size], more = Math.max(0, node.inner[size] + frame - node[size]), last = found.at(-1);
    if (last && low < last.high) Object.assign(last, { high: Math.max(high, last.high), more: Math.max(more, last.more) });
    else found.push({ low, high, more });
  }
  return found;
}

function drawTape(drawing, state, all, onclick) {
  const { nodes, edges, frames, width, height } = visible(state), now = all[state.index];
  const passed = new Set(all.slice(0, state.index + 1).filter((one) => one.phase === "forward").map((one) => one.node.id));
  const reached = new Set(all.slice(0, state.index + 1).filter((one) => one.phase === "backward").map((one) => one.node.id));
  for (const frame of frames) {
    const inner = nodes.filter((node) => node.inside === frame.id);
    if (inner.some((node) => passed.has(node.id))) passed.add(frame.id);
    if (inner.some((node) => reached.has(node.id))) reached.add(frame.id);
  }
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("width", width * state.scale);
  drawing.setAttribute("height", height * state.scale);
  const here = nodes.find((node) => node.id === now.node.id);
  Object.assign(drawing.dataset, { x: here.x * state.scale, y: here.y * state.scale });
  const focused = document.activeElement?.closest?.(".tape .node")?.dataset.id; // the boxes are drawn anew: keep the focus
  const curve = (points) => points.map(([x, y], i) => {
    if (i === 0) return `M${x} ${y}`;
    const [before, level] = points[i - 1], middle = (before + x) / 2;
    return i % 2 ? `C${middle} ${level} ${middle} ${y} ${x} ${y}` : `L${x} ${y}`;
  }).join("");
  drawing.replaceChildren(
    ...frames.map((frame) => boxOf(frame, state, "open", onclick)),
    ...edges.map((edge) => {
      const back = reached.has(edge.target) && reached.has(edge.source);
      const kind = back ? "edge back" : passed.has(edge.target) && passed.has(edge.source) ? "edge passed" : "edge";
      return svg("path", { class: kind, d: curve(edge.points) });
    }),
    ...nodes.map((node) => boxOf(node, state, [
      passed.has(node.id) ? "passed" : "", reached.has(node.id) ? "reached" : "", node.id === now.node.id ? `now ${now.phase}` : "",
    ].join(" "), onclick)),
  );
  if (focused) (drawing.querySelector(`[data-id="${focused}"]`) ?? drawing.querySelector(".now"))?.focus();
}

function boxOf(node, state, kind, onclick) {
  const hue = node.network ? state.run.hue(node.network) : PARTS[node.part] ?? "--quiet";
  const off = offTape(node, state) ? "off" : "", top = node.y - node.height / 2, open = kind === "open";
  const texts = open ? [`${node.title} ${node.path}`] : [node.title, ...node.lines];
  const named = node.inner ? `${node.title} ${node.path}, ${open ? "fold" : "show its ops"}` : node.title;
  const act = () => onclick(open ? { ...node, inside: node.id } : node);
  return svg("g", {
    class: `node ${node.kind} ${kind} ${off}`, style: `--hue: var(${hue})`, "data-id": node.id, role: "button", "aria-label": named, onclick: act,
    tabindex: open || kind.includes("now") ? 0 : -1, onkeydown: (event) => { if (event.key === "Enter") act(); }, // the arrows walk to the others
  },
    svg("title", {}, named),
    svg("rect", { x: node.x - node.width / 2, y: top, width: node.width, height: node.height, rx: ["parameter", "input", "constant"].includes(node.kind) ? 14 : 5 }),
    texts.map((text, i) => svg("text", { x: node.x, y: top + 17 + 15 * i, class: i ? "" : "title" }, text)),
    !open && hopsIn(node, state).length ? svg("circle", { class: "followed", cx: node.x + node.width / 2 - 2, cy: top + 2, r: 5 }) : null);
}
