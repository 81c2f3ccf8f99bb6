// The game in the plane: D's field, G's points, and the arrow along which D pushes each of them.

view({
  id: "field",
  order: 0.5,
  title: "The game in the plane",
  caption: "Each black dot is a point that G makes. The colour behind it is D's verdict on that place, and its arrow shows where D's gradient pushes it.",
  hints: (runs) => [...hintsOnPoints(runs), ...hintsOnColours(runs), ...hintsOnArrows(runs), ...hintOnPacks(runs)],
  suits: hasField,
  make: (body, runs) => {
    const state = { arrows: "film" }, motion = new SlowMotion(body);
    const lengths = { film: "arrows: one scale for all steps", equal: "all the same length", none: "none" };
    body.append(motion.controls);
    const paint = beside(body, runs, (panel, run) => plane(panel, run, state, motion));
    body.append(h("div", { class: "arrows" }, choice(lengths, state.arrows, (key) => { state.arrows = key; repaint(); }, "arrows")));
    return (step) => {
      motion.follow();
      paint(step);
    };
  },
});

function hasField(run) {
  return run.game !== undefined && run.has("field", "samples", "score_gradient");
}

function hintsOnPoints(runs) {
  const rings = runs.some((run) => run.has("centres")), scatter = runs.some((run) => !run.has("centres"));
  return [
    rings && "Real points lie within the green rings. In a good run the dots gather in all of them.",
    scatter && "Real points are the small green dots. In a good run G's dots come to lie among them.",
    rings && "Mode collapse: the dots crowd into a few rings, D turns those blue, and the dots move on to the next ones together, round and round.",
  ].filter(Boolean);
}

function hintsOnColours(runs) {
  const judges = runs.filter((run) => run.threshold !== null), critic = runs.length > judges.length;
  const half = judges.some((run) => run.recording.probability), score = [...new Set(judges.filter((run) => !run.recording.probability).map((run) => run.threshold))];
  return [
    half && "White means one half: D can't tell there. In a good run it turns white where the dots lie among real points. Elsewhere it may stay sure, as there are no data.",
    ...score.map((threshold) => `White means a score of ${threshold}, halfway between real and fake: D can't tell there. In a good run it turns white where the dots lie among real points.`),
    critic && "A critic's scores only mean something beside each other, so the colours are stretched again at each step: orange for the higher scores, blue for the lower ones.",
  ].filter(Boolean);
}

function hintsOnArrows(runs) {
  const flat = "Where the field is flat the arrows are short: dots there learn nothing, however wrong they are.";
  return [runs.some((run) => run.has("slopes")) ? `${flat} A gradient penalty keeps a slope everywhere.` : flat];
}

function hintOnPacks(runs) {
  const packed = runs.find((run) => run.config.pack > 1);
  return packed ? [`This D judges packs of ${packed.config.pack} points. The colour of a place is its verdict on a whole pack there, and a point's arrow depends on the others in its pack.`] : [];
}

function plane(panel, run, state, motion) {
  const canvas = planeCanvas("D's field, G's points and their arrows"), usual = usualPush(run);
  const way = h("p", { class: "quiet small way" }), counts = h("p", { class: "counts" }), charts = modeCharts(run);
  panel.append(h("div", { class: "plot" },
    h("div", {}, canvas, gameKey(run.recording.probability), counts, way),
    h("div", {}, charts.map((one) => one.element))));
  return (step) => {
    const frame = run.frame(step), [from, to] = motion.ends.map((end) => run.frame(end));
    const seen = motion.turn ? gameBetween(run, from, to, motion) : recordedGame(run, frame);
    drawGame(canvas, seen, arrowLength(state.arrows, usual, motion.turn === "arrows" ? motion.share : 1));
    describe(canvas, gameText(run, frame, seen.points));
    way.textContent = wayText(run, from, to);
    counts.replaceChildren(...countsText(run, frame, seen.points));
    charts.forEach((one) => one.paint(step));
  };
}

/** Where G's points lie and what D gives them, in words. */
function gameText(run, frame, points) {
  const scores = at(run.array("score_fake"), frame), along = (axis) => extent(points.map((point) => point[axis]));
  const given = run.recording.probability ? `${extent(scores.map(sigmoid), percent)} real` : `scores ${extent(scores)}`;
  return `x of G's points ${along(0)}, y ${along(1)}; D gives them ${given}`;
}

function modeCharts(run) {
  const modes = run.has("centres") ? run.array("centres").shape[0] : 0;
  return [
    ["modes", "Modes covered", `How many of the ${modes} modes have a dot within three standard deviations of their centre.`, { low: 0, high: modes }],
    ["high_quality", "Share of good points", "The share of dots that are as close to a centre as that.", { low: 0, high: 1 }],
  ].filter(([name]) => run.has(name)).map(([name, title, caption, ends]) => chart({
    title, caption, height: 120, place: placeOfFrames(run), events: run.events, ...ends, lines: [{ name: title.toLowerCase(), x: run.recorded, y: run.array(name) }],
  }));
}

/** What is seen at a recorded step. */
function recordedGame(run, frame) {
  const points = pairs(at(run.array("samples"), frame)), scores = at(run.array("score_fake"), frame);
  const pushes = points.map((_, i) => pushOn(run, frame, i, run.loss, scores[i]));
  return { ...realGame(run), verdicts: verdictsAt(run, frame), points, starts: points, pushes };
}

/** What stays the same at all steps. */
function realGame(run) {
  const { reach, within = 0 } = run.recording, read = (name) => (run.has(name) ? pairs(run.array(name)) : []);
  return { reach, real: read("data"), rings: read("centres").map(([x, y]) => ({ x, y, radius: within })) };
}

/** What is seen on the way from one recorded step to another: D's colours change, arrows grow, G's points move. */
function gameBetween(run, from, to, { turn, share }) {
  const [before, after] = [from, to].map((frame) => at(run.array("samples"), frame)), starts = pairs(before);
  const [judged, judging] = [from, to].map((frame) => verdictsAt(run, frame));
  return {
    ...realGame(run),
    verdicts: Object.assign(mix(judged, judging, turn === "D" ? share : 1), { shape: judging.shape }),
    points: pairs(mix(before, after, turn === "G" ? share : 0)),
    starts,
    pushes: turn === "D" ? [] : pushesOfField(run, to, starts),
  };
}

/** The push on points of another step: D's slope there as the recorded field has it. */
function pushesOfField(run, frame, points) {
  const field = at(run.array("field"), frame);
  return points.map(([x, y]) => {
    const place = gridAt(field, run.recording.reach, x, y);
    return place ? place.slope.map((slope) => slope * pushOf(run, run.loss, place.value)) : [0, 0];
  });
}

function verdictsAt(run, frame) {
  const { probability, threshold } = run.recording, field = at(run.array("field"), frame);
  const shown = threshold === null ? field : run.array("field"); // a critic's scores mean something only beside each other
  const middle = threshold ?? mean(shown), spread = greatest(shown, (score) => Math.abs(score - middle)) || 1;
  const verdict = (score) => (probability ? 2 * sigmoid(score) - 1 : clamp((score - middle) / spread, -1, 1));
  return Object.assign(Float32Array.from(field, verdict), { shape: field.shape });
}

function countsText(run, frame, points) {
  const { reach } = run.recording, outside = points.filter((point) => greatest(point, Math.abs) > reach).length;
  const covered = run.has("centres") ? [
    h("b", { class: "number modes" }, short(run.array("modes")[frame])), ` of ${run.array("centres").shape[0]} modes covered; `,
    h("b", { class: "number good" }, percent(run.array("high_quality")[frame])), " of the points are good. ",
  ] : [];
  return [...covered, ...(outside ? outsideText(outside, points.length) : [])];
}

/** What slow motion shows of the steps between two recorded ones, and what it can't know. */
function wayText(run, from, to) {
  const [first, last] = [from, to].map((frame) => run.recorded[frame]), steps = last - first;
  if (steps === 0) return "In slow motion nothing moves here: this run recorded no step between.";
  const between = `In slow motion: from step ${whole(first)} to step ${whole(last)}.`;
  if (steps === 1) return `${between} Each way is drawn straight.`;
  return `${between} D and G took turns ${steps === 2 ? "twice" : `${whole(steps)} times`}; here all of D's moves come first, and then all of G's. Between recorded steps the way is drawn straight.`;
}

/** How long an arrow is for a push: in proportion, up to a fifth of the plane, or all equal.  grown: how much of it. */
function arrowLength(arrows, usual, grown = 1) {
  const long = { none: () => 0, equal: () => 0.05, film: (push) => Math.min(0.2, (0.08 * push) / usual) }[arrows];
  return (push) => grown * long(push);
}

/** The usual length of a push over all steps. */
function usualPush(run) {
  const [frames, n] = run.array("samples").shape, scores = run.array("score_fake"), judged = scores.shape[1], lengths = [];
  for (let frame = 0; frame < frames; frame++) for (let i = 0; i < n; i += 4) lengths.push(norm(pushOn(run, frame, i, run.loss, scores[frame * judged + i])));
  return usualLength(lengths);
}
