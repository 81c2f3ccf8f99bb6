// Vanishing signal: a quantity of each layer by training step, as a heatmap, with D's accuracy below.

const QUANTITIES = {
  gradient_norm: { name: "gradient's length", log: true, about: "the length of the gradient of G's loss as it passes each layer's output" },
  gradient_zeros: { name: "zeros in the gradient", about: "the share of that gradient that is exactly zero: units through which nothing is learnt" },
  activation_norm: { name: "activation's length", log: true, about: "the length of each layer's output" },
  activation_zeros: { name: "zeros in the activation", about: "the share of each layer's output that is exactly zero: units that are switched off" },
  update_ratio: { name: "update to weight", log: true, about: "how far one step moves a layer's weights, as a share of their own length; about 0.001 is usual" },
  weight_norm: { name: "weights' length", log: true, about: "the length of each layer's weights" },
};

view({
  id: "vanishing",
  order: 3,
  title: "Vanishing signal",
  caption: "G's loss is measured at the top; its gradient runs down through D and on through G, and here you see how much of it arrives at each layer.",
  look: [
    "Read a column from top to bottom: that is the way of the gradient. Where it turns dark on the way down, the layers below learn slowly.",
    "If whole columns turn dark as D's accuracy comes near 100%, D has won: what G gets no longer says anything.",
    "A layer that is much brighter than its neighbours shakes the training; a batch norm or a smaller learning rate calms it.",
    "Rows of zeros near 100% are dead units (ReLU) or a saturated end.",
  ],
  suits: (run) => run.has("gradient_norm"),
  make: (body, runs) => {
    const state = { quantity: "gradient_norm" };
    const there = Object.keys(QUANTITIES).filter((key) => runs.some((run) => run.layers(key).length));
    const about = h("p", { class: "quiet small" });
    body.append(choice(Object.fromEntries(there.map((key) => [key, QUANTITIES[key].name])), state.quantity, (key) => { state.quantity = key; repaint(); }, "quantity"), about);
    const paintAll = beside(body, runs, (panel, run) => heatmap(panel, run, state));
    return (step) => {
      about.textContent = `Shown: ${QUANTITIES[state.quantity].about}.`;
      paintAll(step);
    };
  },
});

const WAY = ["D", "G", "decoder"]; // of the gradient: through these networks first, in this order

/** The layers in the order in which the gradient passes them: each network from its last layer to its first. */
function wayOfGradient(layers) {
  const rank = ({ network }) => (WAY.includes(network) ? WAY.indexOf(network) : WAY.length);
  return layers.slice().reverse().sort((a, b) => rank(a) - rank(b));
}

function heatmap(panel, run, state) {
  const canvas = h("canvas", { class: "heat", role: "img" });
  const scale = h("div", { class: "key" });
  const table = h("table", {});
  const accuracy = accuracyChart(run);
  const across = placeOfFrames(run), left = 52, right = 10, row = 22;
  panel.append(scale, canvas, ...(accuracy ? [accuracy.element] : []), h("details", { open: true }, h("summary", {}, "The numbers at this step"), h("div", { class: "scroll" }, table)));
  canvas.onpointerdown = canvas.onpointermove = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const share = (event.offsetX - left) / (canvas.clientWidth - left - right);
    clock.seek(stepAt(share, run.recorded.at(-1), across));
  };

  return (step) => {
    const { log } = QUANTITIES[state.quantity], frame = run.frame(step);
    const layers = wayOfGradient(run.layers(state.quantity));
    const turn = log ? (value) => (value > 0 ? Math.log10(value) : NaN) : (value) => value;
    const all = layers.flatMap((layer) => [...layer.values].map(turn)).filter(Number.isFinite);
    const low = log ? Math.min(...all) : 0, high = log ? Math.max(...all) : 1;
    const share = (value) => (Number.isFinite(turn(value)) ? (turn(value) - low) / (high - low || 1) : log && value === 0 ? 0 : NaN);
    drawHeat(canvas, layers, run.recorded, frame, share, { left, right, row });
    canvas.setAttribute("aria-label", `${QUANTITIES[state.quantity].name}, layer by step`);
    scale.replaceChildren(log ? short(10 ** low) : "0%", rampKey(), log ? `${short(10 ** high)} (each shade is a factor)` : "100%");
    table.replaceChildren(...layers.map(({ network, name, title, values }) =>
      h("tr", {}, h("td", {}, layerName({ network, name })), h("td", {}, title ?? ""), h("td", { class: "number" }, log ? short(values[frame]) : percent(values[frame])))));
    accuracy?.paint(step);
  };
}

function drawHeat(canvas, layers, steps, frame, share, { left, right, row }) {
  const width = canvas.clientWidth, height = row * layers.length + 4, density = devicePixelRatio || 1;
  canvas.width = width * density;
  canvas.height = height * density;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d"), cell = (width - left - right) / Math.max(1, steps.length - 1);
  context.scale(density, density);
  context.font = "12px system-ui, sans-serif";
  layers.forEach(({ network, name, values }, i) => {
    const gap = i && network !== layers[i - 1].network ? 2 : 0;
    context.fillStyle = styled(network === "D" ? "--c2" : "--c1");
    context.fillText(layerName({ network, name }), 0, i * row + row - 7);
    values.forEach((value, t) => {
      const shade = share(value), start = Math.max(left, left + (t - 0.5) * cell), end = Math.min(width - right, left + (t + 0.5) * cell);
      context.fillStyle = Number.isNaN(shade) ? styled("--line") : `rgb(${ramp(shade)})`;
      context.fillRect(start, i * row + gap, end - start + 0.5, row - 1 - gap);
    });
  });
  context.strokeStyle = styled("--ink");
  context.lineWidth = 2;
  context.strokeRect(left + frame * cell - 3, 0, 6, height - 1);
}

function layerName({ network, name }) {
  return name ? `${network}.${name}` : network;
}

function rampKey() {
  const canvas = h("canvas", { width: 64, height: 1 });
  drawPixels(canvas, (i) => ramp(i / 63));
  return canvas;
}

/** D's accuracy as the training measured it, else on the recorded images; a critic has none, but a gap. */
function accuracyChart(run) {
  const { acc, gap, step } = run.metrics, threshold = run.recording.threshold;
  const more = { place: placeOfFrames(run), height: 130, events: run.events };
  if (!run.has("score_fake") || (!acc && threshold === null && !gap)) return null;
  if (!acc && threshold === null) {
    return chart({ ...more, title: "The critic's gap", caption: "How much higher the critic scores real images than made ones.", lines: [{ name: "gap", x: step, y: gap }] });
  }
  const right = (frame) => 0.5 * (mean(at(run.array("score_real"), frame).map((s) => s > threshold)) + mean(at(run.array("score_fake"), frame).map((s) => s <= threshold)));
  const line = acc ? { x: step, y: acc } : { x: run.recorded, y: run.recorded.map((_, frame) => right(frame)) };
  return chart({ ...more, title: "D's accuracy", caption: "The share of images, real and made, that D tells apart; one half is guessing.", low: 0, high: 1, lines: [{ name: "D gets right", ...line }] });
}
