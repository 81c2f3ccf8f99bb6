// Vanishing signal: a quantity of each layer by training step, as a heatmap, with D's accuracy below.

const QUANTITIES = {
  gradient_norm: { name: "gradient's length", log: true, about: "the length of the loss's gradient as it passes each layer's output" },
  gradient_zeros: { name: "zeros in the gradient", about: "the share of that gradient that is exactly zero: units through which nothing is learnt" },
  activation_norm: { name: "activation's length", log: true, about: "the length of each layer's output" },
  activation_zeros: { name: "zeros in the activation", about: "the share of each layer's output that is exactly zero: units that are switched off" },
  update_ratio: { name: "update to weight", log: true, about: "how far one training step moves a layer's weights, as a share of their own length; about 0.001 is usual (grey: not measured, as at the first step and the last)" },
  weight_norm: { name: "weights' length", log: true, about: "the length of each layer's weights" },
};

const FONT = "12px system-ui, sans-serif";

const WHEN_SURE = { // what becomes of G's gradient, by what the run's loss does
  fades: "Under this run's loss their columns turn dark: D has won, and almost no signal reaches G.",
  grows: "Under this run's loss their columns turn bright: the surer D is, the harder it pushes.",
  stays: "Under this run's loss D pushes as hard as before: how much arrives is decided by D's layers alone.",
};

view({
  id: "vanishing",
  order: 3,
  title: "Vanishing signal",
  caption: "The loss stands at the top. Its gradient runs down, through one network after the other, and here is how much of it arrives at each layer.",
  hints: (runs) => [
    "Read a column from top to bottom: that is the way of the gradient. Where it turns dark on the way down, the layers below learn slowly.",
    ...(runs.some((run) => run.game && run.threshold !== null) ? [`Where D's accuracy comes near 100%, look at G's layers. ${WHEN_SURE[whenFake(runs.find((run) => run.game).game)]}`] : []),
    "A layer that is much brighter than its neighbours shakes the training; batch norm or a smaller learning rate calms it.",
    "Zeros near 100% are dead units (ReLU), or an activation that is saturated.",
  ],
  suits: (run) => run.layers("gradient_norm").length > 0,
  make: (body, runs) => {
    const state = { quantity: "gradient_norm" };
    const there = Object.keys(QUANTITIES).filter((key) => runs.some((run) => run.layers(key).length));
    const about = h("p", { class: "quiet small" });
    body.append(choice(Object.fromEntries(there.map((key) => [key, QUANTITIES[key].name])), state.quantity, (key) => { state.quantity = key; repaint(); }, "quantity"), about);
    const paintAll = beside(body, runs, (panel, run) => heatmap(panel, run, runs, state));
    return (step) => {
      about.textContent = `Shown: ${QUANTITIES[state.quantity].about}.`;
      paintAll(step);
    };
  },
});

/** The layers in the order in which the gradient passes them: each network from its last layer to its first. */
function wayOfGradient(run, layers) {
  const { way } = run, rank = ({ network }) => way.indexOf(network);
  const changing = layers.filter(({ title }) => !/^(Flatten|Reshape)/.test(title)); // a new shape alone changes no number
  return changing.reverse().sort((a, b) => rank(a) - rank(b));
}

/** The shades mean the same in all of the runs. */
function heatmap(panel, run, runs, state) {
  const canvas = h("canvas", { class: "heat" }), paintSlider = stepSlider(canvas);
  const scale = h("div", { class: "key" }), none = h("p", { class: "none" }, "None: at no recorded step is anything of it zero.");
  const table = h("table", {});
  const across = placeOfFrames(run, 0.5), right = 64, row = 22, names = 12 + widest(run.recording.layers.map(layerName));
  const left = (width) => Math.max(52, names + (width > 640 ? 190 : 0));
  const accuracy = accuracyChart(run, { left, right });
  panel.append(scale, none, canvas, ...(accuracy ? [accuracy.element] : []), h("details", {}, h("summary", {}, "The numbers at this step, as a table"), scrolling("the numbers of each layer", table)));
  canvas.onpointerdown = canvas.onpointermove = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const start = left(canvas.clientWidth), share = (event.offsetX - start) / (canvas.clientWidth - start - right);
    clock.seek(stepAt(share, run.recorded.at(-1), across));
  };

  return (step) => {
    const { log } = QUANTITIES[state.quantity], frame = run.frame(step);
    const layers = wayOfGradient(run, run.layers(state.quantity));
    const format = log ? short : percent, turn = log ? (value) => (value > 0 ? Math.log10(value) : NaN) : (value) => value;
    const all = runs.flatMap((one) => one.layers(state.quantity)).flatMap((layer) => layer.values.map(turn)).filter(Number.isFinite);
    none.hidden = log || all.some((value) => value > 0);
    canvas.hidden = scale.hidden = !none.hidden;
    const low = log ? -greatest(all, (value) => -value) : 0, high = log ? greatest(all) : 1;
    const share = (value) => (Number.isFinite(turn(value)) ? (turn(value) - low) / (high - low || 1) : log && value === 0 ? 0 : NaN);
    if (!canvas.hidden) drawHeat(canvas, run, layers, frame, share, format, { left: left(canvas.clientWidth), names, right, row });
    paintSlider(heatSeen(layers, state.quantity, format), layers.map((layer) => `${layerName(layer)} ${format(layer.values[frame])}`).join(", "));
    scale.replaceChildren(log ? short(10 ** low) : "0%", rampKey(), log ? `${short(10 ** high)} (logarithmic)` : "100%");
    table.replaceChildren(...layers.map(({ network, name, title, values }) =>
      h("tr", {}, h("td", {}, layerName({ network, name })), h("td", {}, title ?? ""), h("td", { class: "number" }, format(values[frame])))));
    accuracy?.paint(step);
  };
}

/** A row for each layer, with its name on the left and its number at this step on the right. */
function drawHeat(canvas, run, layers, frame, share, format, { left, names, right, row }) {
  if (!layers.length) return; // the other run has this quantity, and this one hasn't
  const width = canvas.clientWidth, height = row * layers.length + 4, density = devicePixelRatio || 1;
  canvas.width = width * density;
  canvas.height = height * density;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d"), room = width - left - right, column = room / layers[0].values.length;
  context.scale(density, density);
  context.font = FONT;
  layers.forEach((layer, i) => {
    const y = i * row, gap = i && layer.network !== layers[i - 1].network ? 3 : 0;
    context.fillStyle = styled(run.hue(layer.network));
    context.fillText(layerName(layer), 0, y + row - 7);
    context.fillStyle = styled("--ink");
    if (left > names + 100) context.fillText(fitted(context, layer.title, left - names - 16), names, y + row - 7);
    context.fillText(format(layer.values[frame]), width - right + 8, y + row - 7);
    layer.values.forEach((value, t) => {
      const shade = share(value);
      context.fillStyle = Number.isNaN(shade) ? styled("--line") : `rgb(${ramp(shade)})`;
      context.fillRect(left + t * column, y + gap, column + 0.5, row - 1 - gap);
    });
  });
  for (const [colour, thick] of [["white", 5], ["black", 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(left + frame * column, 1, column, height - 3);
  }
}

/** What the heatmap shows: the ends of the first and of the last layer on the way, through training. */
function heatSeen(layers, quantity, format) {
  const way = (layer) => {
    const known = layer.values.filter((value) => !Number.isNaN(value));
    return `${layerName(layer)} ${known.length ? `${extent(known, format)}, and ${format(known.at(-1))} at the end` : "not measured"}`;
  };
  const ends = [...new Set([layers[0], layers.at(-1)].filter(Boolean))];
  return `${QUANTITIES[quantity].name} of ${layers.length} layers at each recorded step: ${ends.map(way).join("; ")}.`;
}

/** The width of the widest of some texts, as the heatmap writes them. */
function widest(texts) {
  const context = h("canvas", {}).getContext("2d");
  context.font = FONT;
  return greatest(texts, (text) => context.measureText(text).width);
}

/** As much of a text as fits a width. */
function fitted(context, text, width) {
  while (text && context.measureText(text).width > width) text = text.slice(0, -2).trimEnd() + "…";
  return text;
}

function layerName({ network, name }) {
  return name ? `${network}.${name}` : network;
}

function rampKey() {
  const canvas = h("canvas", { width: 64, height: 1 });
  drawPixels(canvas, (i) => ramp(i / 63));
  return canvas;
}

/** D's accuracy as the training measured it, else on the recorded images; of a critic, which has none, the gap. */
function accuracyChart(run, room) {
  if (!run.adversarial || !run.has("score_real", "score_fake")) return null;
  const { acc, gap, step } = run.metrics, { threshold } = run, { recorded } = run;
  const more = { place: placeOfFrames(run, 0.5), height: 130, events: run.events, ...room };
  const measured = (of) => ({ x: recorded, y: recorded.map((_, frame) => of(at(run.array("score_real"), frame), at(run.array("score_fake"), frame))) });
  if (!acc && threshold === null) {
    const line = gap ? { x: step, y: gap } : measured((real, fake) => mean(real) - mean(fake));
    return chart({ ...more, title: "The critic's gap", caption: "How much higher the critic scores real examples than generated ones.", lines: [{ name: "gap", ...line }] });
  }
  const line = acc ? { x: step, y: acc } : measured((real, fake) => shareRight(threshold, real, fake));
  return chart({ ...more, title: "D's accuracy", caption: "The share of examples, real and generated, that D gets right; one half is guessing.", low: 0, high: 1, lines: [{ name: "D gets right", ...line }] });
}
