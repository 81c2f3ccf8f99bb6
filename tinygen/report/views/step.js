// Follow one gradient: a whole training step on its tape, op by op, forward and back, with the usual mistakes.

const COLOURS = { "--c1": "blue", "--c2": "orange", "--c3": "green", "--c5": "pale blue", "--c6": "yellow" };
const PARTS = { mu: "--c3", logvar: "--c6" }; // the two ways from the encoder to z
const walks = []; // the walks on the page, which the keys move

view({
  id: "step",
  order: 2,
  title: "Follow one gradient",
  timeless: true,
  caption: (runs) => `One training step of this run's newest checkpoint, as it stands on the tape: forward from left to right, each op makes its value; backward from right to left, each op's rule turns the gradient that arrives into one for each of its arguments. ${runs.some((run) => run.adversarial) ? "D and G share one tape; which of them learns is decided by where the gradient is stopped. " : ""}${runs.some((run) => hasDraw(run) && !run.adversarial) ? "Encoder and decoder share one tape; between them lies the draw of z, which passes the gradient on in two ways." : ""}`,
  hints: (runs) => [
    "Press next, or →, and read the panel: what comes in, what the op does, which line of code called it. Click a layer to see the ops inside.",
    "The rule that you see is the one that ran: the text is read from tinygen's source. gy is the gradient that arrives.",
    ...(runs.some((run) => run.adversarial) ? ["In G's step, the gradient runs all the way through D before it reaches G: G sees no image, only what D's layers pass on."] : []),
    ...(runs.some((run) => run.adversarial && hasDraw(run)) ? ["The encoder's gradient comes through D as well: images are compared by what D makes of them on the way, and not by their pixels."] : []),
    ...(runs.some((run) => run.follow.steps.some((step) => step.shielded.length)) ? ["Take the guard off and look at the table: another network gets a gradient, too, and not that of its own loss."] : []),
    ...(runs.some((run) => !run.adversarial && hasDraw(run)) ? ["z = mu + e^(logvar/2) · eps: on the way back the gradient splits at z, one way through mu and one through logvar, and the KL term joins them from below."] : []),
    ...(runs.some((run) => hasSecondTape(run)) ? ["The dashed boxes are a second tape: the rules of D's own backward, recorded, because the penalty is on a gradient. The gradient runs back through them, too. (x̂ is a point between a real image and a generated one.)"] : []),
  ],
  suits: (run) => Boolean(run.follow),
  make: (body, runs) => {
    walks.length = 0;
    return beside(body, runs, stepPanel);
  },
  key: (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input, summary")) return false;
    const moves = { ArrowRight: (walk) => walk.move(1), ArrowLeft: (walk) => walk.move(-1), Home: (walk) => walk.go(0), End: (walk) => walk.go(Infinity) };
    const act = moves[event.key] ?? (event.key === " " && !event.target.matches("button, [tabindex]") ? (walk) => walk.toggle() : null);
    if (!act) return false;
    walks.forEach(act);
    return true;
  },
});

function hasSecondTape(run) {
  return run.follow.steps.some((step) => step.graph.nodes.some((node) => node.part === "second tape"));
}

/** Whether z is drawn from the encoder's mu and logvar. */
function hasDraw(run) {
  return run.follow.steps.some((step) => step.graph.nodes.some((node) => node.part === "logvar"));
}

/** What each colour means. */
function hueText(run) {
  const drawn = new Set(run.follow.steps.flatMap((step) => step.graph.nodes.map((node) => node.network))), names = {};
  const add = (hue, name) => (names[hue] ??= []).push(name);
  for (const name of run.way.filter((one) => drawn.has(one))) add(run.hue(name), name);
  if (hasDraw(run)) for (const [part, hue] of Object.entries(PARTS)) add(hue, `the way of ${part}`);
  const text = Object.entries(names).map(([hue, list]) => `${COLOURS[hue]}: ${list.join(" and ")}`).join("; ");
  return text ? `${text[0].toUpperCase()}${text.slice(1)}. ` : "";
}

/** The picture of one run's step, its buttons, its panel and its table. */
function stepPanel(panel, run) {
  const { steps } = run.follow;
  const state = { run, step: steps.at(-1), careful: true, clear: true, open: new Set(), index: 0, timer: null };
  const drawing = svg("svg", { class: "tape", role: "img", "aria-label": "the tape of a training step" });
  const frame = h("div", { class: "scroll tapes", tabindex: -1 }, drawing);
  const place = h("span", { class: "number place" }), about = h("div", { class: "about" }), table = h("div", {});
  const guard = h("button", { type: "button", class: "guard", onclick: () => { state.careful = !state.careful; show(); } });
  const clear = h("button", { type: "button", class: "clear", onclick: () => { state.clear = !state.clear; show(); } });
  const fold = h("button", { type: "button", class: "fold", onclick: () => {
    const layers = state.step.graph.nodes.filter((node) => node.inner).map((node) => node.id);
    change(() => { state.open = new Set(state.open.size ? [] : layers); });
  } });
  const play = h("button", { type: "button", class: "walk", onclick: () => walk.toggle() });
  const choose = choice(Object.fromEntries(steps.map((step) => [step.name, `${step.name}'s step`])), state.step.name, (name) => {
    Object.assign(state, { step: steps.find((step) => step.name === name), index: 0, open: new Set() });
    show();
  }, "step");
  panel.append(
    ...(run.follow.generated ? [h("p", { class: "quiet small" }, "Here x are samples of the model's own: this run's data are unavailable, and its recording keeps none. Train again to record some.")] : []),
    ...(steps.length > 1 ? [choose] : []),
    h("div", { class: "row" }, guard, clear, fold),
    frame,
    h("p", { class: "quiet small" }, hueText(run), "Filled: its value is computed; thick pink outline: a gradient has arrived. ", steps.some((step) => step.shielded.length) ? "Dotted: left out of the tape, or frozen." : ""),
    h("div", { class: "row moves" }, h("button", { type: "button", class: "previous", onclick: () => walk.move(-1) }, "← previous"), play, h("button", { type: "button", class: "next", onclick: () => walk.move(1) }, "next →"), place),
    h("div", { class: "step" }, about, table),
  );

  /** Do something to the picture and stay at the same op. */
  function change(act) {
    const now = walked(state)[state.index];
    act();
    const after = walked(state);
    const same = after.findIndex((one) => one.phase === now.phase && (one.node.id === now.node.id || one.node.inside === now.node.id || now.node.inside === one.node.id));
    state.index = Math.max(0, same);
    show();
  }

  const walk = {
    go(index) { state.index = clamp(index, 0, walked(state).length - 1); show(); },
    move(by) { walk.pause(); walk.go(state.index + by); },
    pause() { clearInterval(state.timer); state.timer = null; },
    toggle() {
      if (state.timer) { walk.pause(); show(); return; }
      if (state.index >= walked(state).length - 1) state.index = -1;
      state.timer = setInterval(() => {
        if (!drawing.isConnected || state.index >= walked(state).length - 1) { walk.pause(); if (drawing.isConnected) show(); }
        else walk.go(state.index + 1);
      }, 700);
      walk.go(state.index + 1);
    },
  };
  walks.push(walk);

  function show() {
    const all = walked(state);
    state.index = clamp(state.index, 0, all.length - 1);
    const now = all[state.index], { step } = state;
    guard.hidden = !step.shielded.length;
    guard.textContent = `${guardOf(step)}: ${state.careful ? "on" : "off"}`;
    guard.setAttribute("aria-pressed", String(state.careful));
    clear.textContent = `gradients cleared: ${state.clear ? "yes" : "no"}`;
    clear.setAttribute("aria-pressed", String(state.clear));
    fold.textContent = state.open.size ? "fold all layers" : "unfold all layers";
    play.textContent = state.timer ? "❚❚ pause" : "▶ play";
    place.textContent = `${now.phase} · ${state.index + 1} of ${all.length}`;
    drawTape(drawing, state, all, (node) => {
      if (node.inner || node.inside) change(() => { const id = node.inside ?? node.id; state.open.has(id) ? state.open.delete(id) : state.open.add(id); });
      else walk.go(all.findIndex((one) => one.node.id === node.id));
    });
    about.replaceChildren(...aboutNode(now, state));
    table.replaceChildren(...received(state));
    const { x, y } = drawing.dataset;
    frame.scrollTo({ left: x - frame.clientWidth / 2, top: y - frame.clientHeight / 2, behavior: state.timer ? "smooth" : "instant" });
  }
  return show;
}

/** Whether the gradient of a step ends before it reaches the other networks: none of them comes after one that learns. */
function isCutOff({ shielded, cases, graph }) {
  const learns = Object.keys(cases[0].received).filter((name) => !shielded.includes(name));
  return shielded.length > 0 && !graph.nodes.some((node) => shielded.includes(node.network) && learns.some((name) => node.sources.includes(name)));
}

/** What keeps the gradient of a step from the other networks. */
function guardOf(step) {
  return step.shielded.length === 1 && isCutOff(step) ? "no_grad / detach" : step.shielded.map((other) => `frozen(${other})`).join(", ");
}

/** Whether an op is off the tape, or a parameter gets no gradient, because only shielded networks lead to it. */
function offTape(node, { step, careful }) {
  return careful && node.sources.length > 0 && node.sources.every((one) => step.shielded.includes(one));
}

/** The way of a step: each op forward, and those that a gradient reaches once more, backward. */
function walked(state) {
  const nodes = visible(state).nodes;
  const back = nodes.filter((node) => node.gradient && !offTape(node, state)).reverse();
  return [...nodes.map((node) => ({ node, phase: "forward" })), ...back.map((node) => ({ node, phase: "backward" }))];
}

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
  drawing.setAttribute("width", width);
  drawing.setAttribute("height", height);
  const here = nodes.find((node) => node.id === now.node.id);
  Object.assign(drawing.dataset, { x: here.x, y: here.y });
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
}

function boxOf(node, state, kind, onclick) {
  const hue = node.network ? state.run.hue(node.network) : PARTS[node.part] ?? "--quiet";
  const off = offTape(node, state) ? "off" : "", top = node.y - node.height / 2, open = kind === "open";
  const texts = open ? [`${node.title} ${node.path}`] : [node.title, ...node.lines];
  const named = node.inner ? `${node.title} ${node.path}, ${open ? "fold" : "show its ops"}` : node.title;
  return svg("g", { class: `node ${node.kind} ${kind} ${off}`, style: `--hue: var(${hue})`, "data-id": node.id, onclick: () => onclick(open ? { ...node, inside: node.id } : node) },
    svg("title", {}, named),
    svg("rect", { x: node.x - node.width / 2, y: top, width: node.width, height: node.height, rx: ["parameter", "input", "constant"].includes(node.kind) ? 14 : 5 }),
    texts.map((text, i) => svg("text", { x: node.x, y: top + 17 + 15 * i, class: i ? "" : "title" }, text)));
}

/** The text of the panel on the current op. */
function aboutNode({ node, phase }, state) {
  const forward = phase === "forward", off = offTape(node, state);
  const kinds = { parameter: "a parameter", constant: "a constant: it needs no gradient", input: "an input", rule: "a rule, recorded on the second tape" };
  const where = node.where.length ? [h("h4", {}, "The line that called it"), h("pre", {}, [...node.where].reverse().map((line) => line.replace(": ", "\n    ")).join("\n"))] : [];
  return [
    h("h3", { class: "of" }, forward ? "Forward: " : "Backward: ", node.title, " ", h("span", { class: "quiet" }, [node.path, kinds[node.kind], node.part && node.part !== "second tape" ? `on the way of ${node.part}` : ""].filter(Boolean).join(" · "))),
    off ? h("p", { class: "stop" }, node.kind === "parameter" && !isCutOff(state.step) ? "Frozen: it passes the gradient on and keeps none." : "This is not on the tape: no gradient will come here.") : null,
    node.op ? h("p", {}, h("code", {}, node.op), node.formula ? `: ${node.formula}` : "") : null,
    forward || !Object.keys(node.rules).length ? null : h("h4", {}, "Its rule, as it stands in the code"),
    forward || !Object.keys(node.rules).length ? null : h("pre", { class: "rules" }, Object.entries(node.rules).map(([name, rule]) => (name === "all" ? rule : `${name} = ${rule}`)).join("\n")),
    forward ? null : Object.entries(node.helpers).map(([name, text]) => h("p", { class: "small quiet" }, h("code", {}, name), `: ${text}`)),
    forward || !leavesOut(node, state) ? null : h("p", { class: "stop" }, `Of these, only gx is computed: ${node.network} is frozen, so its parameters get nothing.`),
    !forward && node.inner && !Object.keys(node.rules).length ? h("p", { class: "quiet" }, "Several ops: click on it to see the rule of each.") : null,
    h("div", { class: "two" },
      summaryBox("Its value", node.value, "value", node.shape),
      forward ? null : summaryBox("The gradient that arrives, dL/d(value)", node.gradient, "gradient", node.shape)),
    ...where,
  ].flat().filter(Boolean);
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
  const histogram = svg("svg", { class: `histogram ${kind}`, viewBox: `0 0 ${width} 56`, role: "img", "aria-label": `${title}: histogram` },
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

/** The gradient that each network gets in each case, and the mistake in it. */
function received({ run, step, careful, clear }) {
  const networks = Object.keys(step.cases[0].received), now = step.cases.find((one) => one.careful === careful && one.clear === clear);
  const caseName = (one) => [one.careful ? null : `without ${guardOf(step)}`, one.clear ? null : "not cleared"].filter(Boolean).join(", ") || "as it should be";
  return [
    h("h3", {}, "Who gets a gradient"),
    h("p", { class: "quiet small" }, "The length of all of a network's gradients together after ", h("code", {}, "loss.backward()"), ", as measured on this checkpoint."),
    h("table", { class: "received" },
      h("tr", {}, h("th", {}, ""), networks.map((name) => h("th", {}, name))),
      step.cases.map((one) => h("tr", { class: one === now ? "now" : "" }, h("td", {}, caseName(one)), networks.map((name) =>
        h("td", { class: "number", "data-network": name }, one.received[name] === null ? "nothing" : short(one.received[name], 4)))))),
    h("p", { class: "verdict" }, verdict(run, step, now)),
  ];
}

/** The harm done by a gradient that the step of one network leaves in another. */
function harm(run, step, other) {
  const [judge, maker] = run.adversarial ? run.way : [];
  if (step.name === judge && other === maker) return `If ${other}'s optimiser steps on it, ${other} learns to be caught; and the way back through ${other} wastes time.`;
  if (step.name === maker && other === judge) return `If it is still there when ${other}'s optimiser steps, ${other} learns to be fooled.`;
  return `If ${other}'s optimiser steps on it, ${other} learns from a loss that is not its own.`;
}

/** The mistake of a case in plain words. */
function verdict(run, step, { careful, clear, received, along }) {
  const parts = [];
  for (const other of careful ? [] : step.shielded.filter((name) => received[name] !== null)) {
    const way = along[other] === null ? "" : ` It points ${along[other] < 0 ? "against" : "partly along"} what ${other} itself wants (cosine ${short(along[other])}).`;
    parts.push(`Mistake: ${other} was not kept out, so ${step.name}'s loss leaves a gradient of ${short(received[other])} in ${other}.${way} ${harm(run, step, other)}`);
  }
  if (!clear) parts.push("Mistake: the gradients of the last backward were not cleared. backward() adds to what is there, so the gradient came out twice as long (here it is the same one twice; left over from another loss, it would point elsewhere): call zero_grad() before it, or take grad(loss, parameters), which keeps nothing.");
  if (parts.length) return parts.join(" ");
  const others = step.shielded.join(" and ");
  if (!others) return "Right: one loss, and each network gets its gradient once.";
  if (isCutOff(step)) return `Right: the images are constants for ${step.name}'s step, so ${step.name} learns and nothing is left in ${others}.`;
  if (step.shielded.length === 1) return `Right: ${others} passes the gradient on to ${step.name} and keeps none.`;
  return `Right: the gradient runs through ${others} where they are on its way, and stays in ${step.name} alone.`;
}
