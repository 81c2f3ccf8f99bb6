// The map of a step: its networks, what goes in and comes out, and the loss, with the front of the walk moving over it.

const STAGE = { height: 44, gap: 12, room: 96 }; // pixels of a stage, between two above each other, and for one with its arrow

/** The map as { element, paint(all) }; onstage(id): goes to a box of the tape. */
function stepMap(state, onstage) {
  const drawing = svg("svg", { class: "map", role: "group", "aria-label": "map of the step" });
  const paint = (all) => {
    const width = Math.max(280, drawing.clientWidth || 600);
    const whole = stagesOf(state.step.graph, true), small = whole.columns * STAGE.room > width;
    drawMap(drawing, state, small ? stagesOf(state.step.graph, false) : whole, all, width, onstage);
  };
  return { element: drawing, paint };
}

/**
 * A tape in few boxes: { stages: [{ name, network, input, nodes, makes, column, row }], edges: [[from, to]], columns, home }.
 * Boxes of one network are one stage, and so is each named value: z, G(z), D(x), the loss.  values: whether the values
 * that ops make are stages, too, or only what goes in.  makes: the name of what a network gives, if it
 * has one.  home: the stage of each box, or the one that it leads to.
 */
function stagesOf({ nodes, edges }, values) {
  const stages = new Map(), home = new Map();
  const nameOf = (node) => {
    if (node === nodes.at(-1)) return "loss";
    if (node.network) return node.network;
    return node.named && (values || ["constant", "input"].includes(node.kind)) ? node.title : null;
  };
  for (const node of nodes) {
    const name = nameOf(node);
    if (name === null) continue;
    if (!stages.has(name)) stages.set(name, { name, network: node.network, input: ["constant", "input"].includes(node.kind), nodes: [], column: 0 });
    stages.get(name).nodes.push(node.id);
    if (node.network && node.named) stages.get(name).makes = node.title;
    home.set(node.id, stages.get(name));
  }
  for (const { id } of nodes.toReversed()) if (!home.has(id)) home.set(id, home.get(edges.find((edge) => edge.source === id)?.target));
  const links = linksBetween(nodes, edges, home, stages);
  for (const { id } of nodes) { // an edge back, as in a cycle of two networks, has no say in where a stage stands
    for (const [from, to] of links) if (to.nodes[0] === id) to.column = Math.max(to.column, from.column + 1);
  }
  const order = [...stages.values()], columns = greatest(order, (stage) => stage.column) + 1;
  order.at(-1).column = columns - 1;
  for (const stage of order.filter((one) => one.input)) { // just before what reads it, so that its arrow passes behind nothing
    const readers = links.filter(([from]) => from === stage).map(([, to]) => to.column);
    if (readers.length) stage.column = Math.max(0, Math.min(...readers) - 1);
  }
  for (const stage of order) stage.row = order.filter((one) => one.column === stage.column).indexOf(stage);
  return { stages: order, edges: links, columns, home };
}

/** The pairs of stages between which a value goes, directly or through boxes that belong to none; the later one second. */
function linksBetween(nodes, edges, home, stages) {
  const own = new Set([...stages.values()].flatMap((stage) => stage.nodes)), order = [...stages.values()], found = new Map();
  const sources = (id) => edges.filter((edge) => edge.target === id).flatMap((edge) => (own.has(edge.source) ? [home.get(edge.source)] : sources(edge.source)));
  for (const { id } of nodes.filter((node) => own.has(node.id))) for (const from of new Set(sources(id))) {
    const to = home.get(id);
    if (from !== to && (from.input || order.indexOf(from) < order.indexOf(to))) found.set(`${from.name}>${to.name}`, [from, to]);
  }
  return [...found.values()];
}

function drawMap(drawing, state, { stages, edges, columns, home }, all, width, onstage) {
  const rows = greatest(stages, (stage) => stage.row) + 1, height = rows * (STAGE.height + STAGE.gap) + STAGE.gap;
  const column = width / columns, wide = Math.min(column - 18, 120);
  const middle = (stage) => {
    const beside = stages.filter((one) => one.column === stage.column).length;
    return [(stage.column + 0.5) * column, height * ((stage.row + 0.5) / beside)];
  };
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.style.height = `${height}px`;
  const done = all.slice(0, state.index + 1), now = all[state.index];
  const ids = (phase, list) => new Set(list.filter((one) => one.phase === phase).map((one) => one.node.inside ?? one.node.id));
  const there = { forward: ids("forward", all), backward: ids("backward", all) };
  const passed = { forward: ids("forward", done), backward: ids("backward", done) };
  const share = ({ nodes }, phase) => {
    const mine = nodes.filter((id) => there[phase].has(id));
    return mine.length ? mine.filter((id) => passed[phase].has(id)).length / mine.length : 0;
  };
  const lines = edges.map(([from, to]) => {
    const [x, y] = middle(from), [x2, y2] = middle(to), kind = share(from, "backward") ? "back" : share(from, "forward") === 1 ? "passed" : "";
    const [start, end] = [x + wide / 2, x2 - wide / 2], bend = (start + end) / 2;
    const label = from.makes && (end - start) > 7.5 * from.makes.length ? svg("text", { class: "label", x: bend, y: (y + y2) / 2 - 6 }, from.makes) : null;
    // past other columns a way leads above or below their boxes
    const lane = y + y2 < height ? 4 : height - 4, over = [from.column + 1, to.column - 1].map((one, i) => (one + 0.5 + (i - 0.5) * 0.8) * column);
    const d = to.column - from.column > 1 ? way([[start, y], [over[0], lane], [over[1], lane], [end, y2]]) : way([[start, y], [end, y2]]);
    return svg("g", {}, svg("path", { class: `edge ${kind}`, d }), label);
  });
  const here = home.get(now.node.inside ?? now.node.id);
  const boxes = stages.map((stage) => stageBox(stage, state, middle(stage), wide, { forward: share(stage, "forward"), backward: share(stage, "backward") }, stage === here, now.phase, onstage));
  drawing.replaceChildren(...lines, ...boxes, front(here, now, passed, middle(here), wide));
}

/** A curve through places, level at each of them. */
function way([[x, y], ...places]) {
  return places.reduce(({ d, from }, [x2, y2]) => {
    const middle = (from[0] + x2) / 2;
    return { d: `${d}C${middle} ${from[1]} ${middle} ${y2} ${x2} ${y2}`, from: [x2, y2] };
  }, { d: `M${x} ${y}`, from: [x, y] }).d;
}

function stageBox(stage, state, [x, y], wide, shares, isHere, phase, onstage) {
  const hue = stage.network ? state.run.hue(stage.network) : "--quiet", left = x - wide / 2, top = y - STAGE.height / 2;
  const said = `${stage.name}: ${shares.backward ? `gradient in ${percent(shares.backward)} of it` : shares.forward === 1 ? "computed" : "not computed yet"}`;
  const go = () => onstage(phase === "backward" ? stage.nodes.at(-1) : stage.nodes[0]);
  return svg("g", {
    class: `stage ${shares.backward ? "reached" : ""} ${isHere ? "now" : ""}`, style: `--hue: var(${hue})`, role: "button", tabindex: 0, "aria-label": said, onclick: go,
    onkeydown: (event) => { if (event.key === "Enter") go(); },
  },
    svg("rect", { class: "box", x: left, y: top, width: wide, height: STAGE.height, rx: stage.network ? 6 : STAGE.height / 2 }),
    svg("rect", { class: "fill", x: left, y: top, width: wide * shares.forward, height: STAGE.height, rx: stage.network ? 6 : STAGE.height / 2 }),
    svg("rect", { class: "gradient", x: left + wide * (1 - shares.backward), y: top + STAGE.height - 5, width: wide * shares.backward, height: 5 }),
    svg("text", { x, y: y + 4.5, textLength: 7.3 * stage.name.length > wide - 4 ? wide - 4 : null, lengthAdjust: "spacingAndGlyphs" }, stage.name));
}

/** The dot at the place of the walk: within its stage, as far as that is passed. */
function front(stage, { node, phase }, passed, [x, y], wide) {
  const i = stage.nodes.indexOf(node.inside ?? node.id), share = i < 0 ? 0 : (i + 0.5) / stage.nodes.length;
  return svg("circle", { class: `front ${phase}`, cx: x + (share - 0.5) * wide, cy: y - STAGE.height / 2, r: 6 });
}
