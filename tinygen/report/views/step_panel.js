// The panel beside the tape: what an op did, its rule, its value and the gradients that arrive and leave.

/** A hop's place in an array, as Python writes it. */
function placeIn(index) {
  return index.length ? `[${index.join(", ")}]` : "";
}

/** The hops of the followed number in a box: one, or several in a layer of several ops. */
function hopsIn(node, { followed }) {
  const own = new Set([node.id, ...(node.inner?.nodes ?? []).map((one) => one.id)]);
  return (followed?.hops ?? []).filter((hop) => own.has(hop.node));
}

/** Arriving × local = passed on, for each hop of the followed number in a box. */
function followedHere(node, state) {
  const hops = hopsIn(node, state);
  if (!hops.length) return [];
  return [
    h("h4", {}, `Following ${numberName(state.followed)}`),
    ...hops.map((hop) => h("p", { class: "product" },
      h("span", {}, h("b", { class: "number" }, short(hop.arriving)), h("small", {}, `arrives at ${placeIn(hop.out) || "the value"}`)), " × ",
      h("span", {}, h("b", { class: "number" }, short(hop.local)), h("small", {}, `local: how far it moves with ${hop.argument}${placeIn(hop.into)}`)), " = ",
      h("span", {}, h("b", { class: "number" }, short(hop.passed)), h("small", {}, "passed on")))),
    hops[0].ways > 1 ? h("p", { class: "small quiet" }, `This is the strongest of ${whole(hops[0].ways)} ways from ${hops[0].argument}${placeIn(hops[0].into)} to the loss at this op; all of them together pass on ${short(hops[0].total)}.`) : null,
  ];
}

/** The text of the panel on the current op. */
function aboutNode({ node, phase }, state) {
  const forward = phase === "forward", off = offTape(node, state);
  const kinds = { parameter: "a parameter", constant: "a constant: it needs no gradient", input: "an input", rule: "a rule, recorded on the second tape" };
  const ruled = !forward && Object.keys(node.rules).length > 0;
  return [
    h("h3", { class: "of" }, forward ? "Forward: " : "Backward: ", node.title, " ", h("span", { class: "quiet" }, [node.path, kinds[node.kind], node.part && node.part !== "second tape" ? `on the way of ${node.part}` : ""].filter(Boolean).join(" · "))),
    off ? h("p", { class: "stop" }, node.kind === "parameter" && !isCutOff(state.step) ? "Frozen: it passes the gradient on and keeps none." : "This is not on the tape: no gradient will come here.") : null,
    node.op ? h("p", {}, h("code", {}, node.op), node.formula ? `: ${node.formula}` : "") : null,
    ...(ruled ? ruleOf(node) : []),
    !ruled || !leavesOut(node, state) ? null : h("p", { class: "stop" }, `Of these, only gx is computed: ${node.network} is frozen, so its parameters get nothing.`),
    !forward && node.inner && !ruled ? h("p", { class: "quiet" }, "Several ops: click on it to see the rule of each.") : null,
    ...(forward ? [] : followedHere(node, state)),
    h("div", { class: "two" },
      summaryBox("Its value", node.value, "value", node.shape),
      forward ? null : summaryBox("The gradient that arrives, dL/d(value)", node.gradient, "gradient", node.shape)),
    ...(forward ? [] : leaving(node, state)),
    ...linesOf(node),
  ].flat().filter(Boolean);
}

/** The rule of an op; one that calls helpers of its own is longer than its mathematics, so it is folded away. */
function ruleOf({ rules, helpers }) {
  const text = h("pre", { class: "rules" }, Object.entries(rules).map(([name, rule]) => (name === "all" ? rule : `${name} = ${rule}`)).join("\n"));
  if (!Object.keys(helpers).length && !("all" in rules)) return [h("h4", {}, "Its rule, as it stands in the code"), text];
  return [h("details", {}, h("summary", {}, "Its rule, as it stands in the code"), text, Object.entries(helpers).map(([name, about]) => h("p", { class: "small quiet" }, h("code", {}, name), `: ${about}`)))];
}

/** The line of the model that called an op, and folded away all those that led to it. */
function linesOf({ where }) {
  if (!where.length) return [];
  const outermost = [...where].reverse(), written = (lines) => h("pre", {}, lines.map((line) => line.replace(": ", "\n    ")).join("\n"));
  return [
    h("h4", {}, "The line that called it"), written(outermost.slice(0, 1)),
    where.length > 1 ? h("details", {}, h("summary", {}, `The ${where.length - 1} ${where.length > 2 ? "calls" : "call"} inside it`), written(outermost.slice(1))) : null,
  ];
}

/** The gradients that an op passes on: one for each argument that gets one. */
function leaving(node, state) {
  const kept = Object.entries(node.leaves).filter(([name]) => name === "gx" || !leavesOut(node, state));
  if (!kept.length) return [];
  return [h("h4", {}, "The gradients that leave"), h("div", { class: "two" }, kept.map(([name, summary]) => summaryBox(name, summary, "gradient", summary.shape)))];
}

/** Whether a layer passes the gradient on and computes none for its own parameters. */
function leavesOut(node, { careful, step }) {
  return careful && step.shielded.includes(ownerOf(node, step)) && Object.keys(node.rules).some((key) => !["gx", "all"].includes(key));
}

/** The name of a node's network in the step's cases: that of its parameters. */
function ownerOf({ network }, step) {
  const inside = step.graph.nodes.filter((node) => node.network === network).flatMap((node) => node.inner?.nodes ?? []);
  return inside.find((node) => node.kind === "parameter")?.sources[0] ?? network;
}

/** An array in a few numbers: its picture or its histogram. */
function summaryBox(title, summary, kind, shape) {
  if (!summary) return h("div", {}, h("h4", {}, title), h("p", { class: "quiet" }, "not kept"));
  if ("item" in summary) return h("div", { class: kind }, h("h4", {}, title), h("p", { class: "number" }, short(summary.item, 4)));
  const most = Math.max(...summary.bins) || 1, width = 192, bar = width / summary.bins.length;
  const zero = summary.low < 0 && summary.high > 0 ? width * (-summary.low / (summary.high - summary.low)) : null;
  const histogram = svg("svg", { class: `histogram ${kind}`, viewBox: `0 0 ${width} 56`, role: "img", "aria-label": `${title}: values from ${short(summary.low)} to ${short(summary.high)}, ${percent(summary.zeros)} of them zero` },
    summary.bins.map((count, i) => svg("rect", { x: i * bar, width: Math.max(1, bar - 1), y: 54 - 52 * Math.sqrt(count / most), height: 52 * Math.sqrt(count / most) + 1 })),
    zero === null ? null : svg("line", { x1: zero, x2: zero, y1: 0, y2: 56 }));
  return h("div", { class: kind },
    h("h4", {}, title),
    summary.picture ? smallPicture(summary.picture, kind === "gradient", title) : null,
    histogram,
    h("p", { class: "small quiet ends" }, h("span", {}, short(summary.low)), h("span", {}, short(summary.high))),
    h("p", { class: "small" }, `(${shape.join(", ")}) · length `, h("b", { class: "number length" }, short(summary.norm, 4)), summary.zeros > 0 ? ` · ${percent(summary.zeros)} zeros` : ""));
}

function smallPicture(picture, signed, title) {
  const values = decode(picture), [height, width, channels] = picture.shape, canvas = pixelCanvas([height, width], `${title}: the first image`);
  const low = greatest(values, (value) => -value) * -1, span = greatest(values) - low || 1;
  if (signed) drawPush(canvas, new Uint8Array(values.length), values, channels, 127);
  else drawImage(canvas, Uint8Array.from(values, (value) => ((value - low) / span) * 255), channels);
  return canvas;
}
