// The game in the plane: D's field, G's points, and the arrow along which D pushes each of them.

view({
  id: "field",
  order: 0.5,
  title: "The game in the plane",
  caption: "Each dot is a point that G makes. The colour behind it is D's verdict on that place, and its arrow shows where D's gradient pushes it.",
  hints: (runs) => [
    ...(runs.some((run) => run.has("centres")) ? [
      `Real points lie within the green rings. In a good run the dots gather in all of them, and D turns white there${whiteMeans(runs)}. Between the rings it may stay sure, as there are no data.`,
      "Mode collapse: the dots crowd into a few rings, D turns those blue, and the dots move on to the next ones together, round and round.",
    ] : [`Real points are the small green dots. In a good run G's dots come to lie among them, and D turns white there${whiteMeans(runs)}.`]),
    ...(runs.some((run) => run.judgesByProbability) ? ["A probability has the same colour at every step."] : []),
    ...(runs.some((run) => run.threshold === null) ? ["A critic's scores only mean something beside each other, so their colours are stretched again at each step."] : []),
    `Where the field is flat the arrows are short: dots there learn nothing, however wrong they are.${runs.some((run) => run.has("slopes")) ? " A critic with a gradient penalty keeps a slope everywhere." : ""}`,
  ],
  suits: hasField,
  make: (body, runs) => {
    const state = { arrows: "film" };
    const lengths = { film: "arrows: one scale for all steps", equal: "all the same length", none: "none" };
    body.append(choice(lengths, state.arrows, (key) => { state.arrows = key; repaint(); }, "arrows"));
    return beside(body, runs, (panel, run) => plane(panel, run, state));
  },
});

/** What white means, if D's verdicts are probabilities. */
function whiteMeans(runs) {
  return runs.some((run) => run.judgesByProbability) ? ": one half, because it can't tell" : "";
}

function hasField(run) {
  return run.game !== undefined && run.has("field", "samples", "score_gradient");
}

function plane(panel, run, state) {
  const canvas = planeCanvas("D's field, G's points and their arrows"), { reach, within = 0, probability, threshold } = run.recording;
  const n = run.array("samples").shape[1], field = run.array("field");
  const centres = run.has("centres") ? run.array("centres") : null, real = run.has("data") ? run.array("data") : null;
  const verdictAt = (frame) => {
    if (probability) return (score) => 2 * sigmoid(score) - 1;
    const shown = threshold === null ? at(field, frame) : field; // a critic's scores mean something only beside each other
    const middle = threshold ?? mean(shown), spread = greatest(shown, (score) => Math.abs(score - middle)) || 1;
    return (score) => clamp((score - middle) / spread, -1, 1);
  };
  const usual = usualPush(run), counts = h("p", { class: "counts" });
  const charts = [
    ["modes", "Modes covered", `How many of the ${centres?.shape[0]} modes have a dot within three standard deviations of their centre.`, { low: 0, high: centres?.shape[0] }],
    ["high_quality", "Share of good points", "The share of dots that are as close to a centre as that.", { low: 0, high: 1 }],
  ].filter(([name]) => run.has(name)).map(([name, title, caption, ends]) => chart({
    title, caption, height: 120, place: placeOfFrames(run), events: run.events, ...ends, lines: [{ name: title.toLowerCase(), x: run.recorded, y: run.array(name) }],
  }));
  panel.append(h("div", { class: "plot" }, h("div", {}, canvas, fieldKey(probability), counts), h("div", {}, charts.map((one) => one.element))));

  return (step) => {
    const frame = run.frame(step), samples = at(run.array("samples"), frame), scores = at(run.array("score_fake"), frame), verdict = verdictAt(frame);
    const { context, x, y, size } = drawPlane(canvas, [-reach, reach], [-reach, reach], at(field, frame), (score) => tint(verdict(score)));
    if (real) for (let i = 0; i < real.shape[0]; i++) drawDot(context, x(real[2 * i]), y(real[2 * i + 1]), 1.2, "rgb(0 110 80 / 70%)");
    context.lineWidth = 2;
    if (centres) for (let i = 0; i < centres.shape[0]; i++) drawDot(context, x(centres[2 * i]), y(centres[2 * i + 1]), Math.max(8, (within / (2 * reach)) * size), null, "rgb(0 120 85)");
    context.strokeStyle = "rgb(30 30 40 / 75%)";
    context.lineWidth = 1.2;
    for (let i = 0; i < n && state.arrows !== "none"; i++) {
      const [u, v] = pushOn(run, frame, i, run.loss, scores[i]);
      const reachOf = state.arrows === "equal" ? 0.05 / (Math.hypot(u, v) || 1) : 0.08 / usual;
      const long = Math.min(1, 0.2 / (Math.hypot(u, v) * reachOf || 1)); // an arrow crosses a fifth of the plane at most
      drawArrow(context, x(samples[2 * i]), y(samples[2 * i + 1]), u * reachOf * long * size, -v * reachOf * long * size);
    }
    context.lineWidth = 1;
    for (let i = 0; i < n; i++) drawDot(context, x(samples[2 * i]), y(samples[2 * i + 1]), 2.5, "rgb(20 20 30)", "white");
    describe(canvas, `x of G's points ${extent(samples.filter((_, i) => i % 2 === 0))}, y ${extent(samples.filter((_, i) => i % 2))}; D gives them ${probability ? `${extent(scores.map(sigmoid), percent)} real` : `scores ${extent(scores)}`}`);
    counts.replaceChildren(...(centres ? [
      h("b", { class: "number modes" }, short(run.array("modes")[frame])), ` of ${centres.shape[0]} modes covered; `,
      h("b", { class: "number good" }, percent(run.array("high_quality")[frame])), " of the points are good",
    ] : []));
    charts.forEach((one) => one.paint(step));
  };
}

/** The length that nine tenths of all arrows, over all steps, don't exceed. */
function usualPush(run) {
  const [frames, n] = run.array("samples").shape, scores = run.array("score_fake"), judged = scores.shape[1], lengths = [];
  for (let frame = 0; frame < frames; frame++) for (let i = 0; i < n; i += 4) lengths.push(norm(pushOn(run, frame, i, run.loss, scores[frame * judged + i])));
  return lengths.sort((a, b) => a - b)[Math.floor(0.9 * lengths.length)] || 1;
}

/** A pale colour for a verdict from -1, fake, to 1, real: blue by way of white to orange. */
function tint(verdict) {
  const end = verdict > 0 ? [244, 165, 96] : [104, 168, 216], share = Math.abs(verdict);
  return end.map((one) => Math.round(250 + share * (one - 250)));
}

function fieldKey(probability) {
  const canvas = h("canvas", { width: 64, height: 1 });
  drawPixels(canvas, (i) => tint(i / 31.5 - 1));
  return h("div", { class: "key" }, probability ? "D: certainly fake" : "D's score: low", canvas, probability ? "certainly real" : "high");
}
