// Pixel push: what D's gradient tells G to change in each image, under each GAN loss on the same networks.

/**
 * G lowers a loss L of D's score s of its image x. By the chain rule -dL/dx = -L'(s) ds/dx: the loss decides one number,
 * the push -L'(s), and D the direction.
 */
function pushOf(run, key, score) {
  return -slopeAt(run.losses[key], score);
}

/** -dL/dx of one image, L a loss by its key, or "whole": all that this run's G lowers, where that is more. */
function pushOn(run, frame, i, key, score) {
  if (key === "whole") return gradientOf(run, "pixel_gradient", frame, i).map((value) => -value * run.recording.scores);
  const push = pushOf(run, key, score);
  return gradientOf(run, "score_gradient", frame, i).map((value) => value * push);
}

function sigmoid(s) {
  return 1 / (1 + Math.exp(-s));
}

view({
  id: "pixels",
  order: 1,
  title: "Pixel push",
  caption: (runs) => {
    const push = "for each pixel, whether a little more or a little less of it would look more real to D.";
    return runs.some((run) => run.restores)
      ? `Beside the error of its pixels, G learns from this: ${push}`
      : `G never sees a real image. All that it learns from is this: ${push}`;
  },
  hints: (runs) => [
    `Early in training the push is noise all over the image; later it ${runs.some((run) => run.hasStrokes) ? "draws strokes, thickens them, or" : "draws shapes and"} wipes out specks.`,
    ...lossesThat(runs.filter((run) => run.judgesByProbability), (loss) => whenFake(loss) === "fades", (titles) => `Choose ${titles} while D is sure that an image is fake: the push all but vanishes. The direction is still there (stretch the colours to see it), but G gets almost no signal. That is the vanishing gradient.`),
    "On the same two networks all losses push in the same direction; they differ only in how hard. (D was trained for one of them; the others read its score as if it were theirs.)",
    ...lossesThat(runs.filter((run) => run.threshold !== null), (loss) => turningPoint(loss) !== undefined, (titles, [loss]) => `The push of ${titles} turns around where the score is above ${short(turningPoint(loss))}.`),
    "After one small step the verdict rises. If a step that you can hardly see changes it a lot, D judges by details that you don't see. The estimate is a straight line along the gradient; D bends, so don't trust it over a long step.",
    ...(runs.some((run) => run.recording.separable === false) ? ["This D has batch norm, so an image's score depends on the others in its batch: the push shown is that of all their scores together."] : []),
  ],
  suits: hasPush,
  make: (body, runs) => beside(body, runs, pixelPush),
});

/** A sentence on those of the first run's losses for which something holds; none if there are none. */
function lossesThat([run], holds, sentence) {
  const losses = Object.values(run?.losses ?? {}).filter(holds);
  return losses.length ? [sentence(losses.map((loss) => loss.title).join(" or "), losses)] : [];
}

function hasPush(run) {
  return Boolean(run.image && run.game) && run.has("score_gradient", "score_gradient_scale", "score_fake");
}

function pixelPush(panel, run) {
  const channels = run.image[2], n = run.array("samples").shape[1];
  const state = { image: leastReal(run), loss: run.loss, stretch: "same", reach: 0.1 };
  const repaintHere = () => paint(clock.step);
  const tiles = Array.from({ length: n }, (_, i) => {
    const canvas = pixelCanvas(run.image, `image ${i + 1}`), verdict = h("span", { class: "number" });
    const button = h("button", { type: "button", onclick: () => { state.image = i; repaintHere(); } }, canvas, verdict);
    return { button, canvas, verdict };
  });
  const figures = ["G's image", "D's push", "One step on"].map((title) => {
    const canvas = pixelCanvas(run.image, title), text = h("figcaption", {});
    return { canvas, text, element: h("figure", {}, h("h3", {}, title), canvas, text) };
  });
  const whole = run.has("pixel_gradient") ? [{ key: "whole", title: "the whole loss of this G", formula: "more than D's score" }] : [];
  const rows = [...distinctLosses(run), ...whole].map(({ key, title, formula, own }) => {
    const fill = h("i", {}), number = h("span", { class: "number" });
    const button = h("button", { type: "button", "data-loss": key, onclick: () => { state.loss = key; repaintHere(); } },
      h("span", {}, title, own ? " (this run's)" : "", h("small", { class: "number" }, formula)),
      h("span", { class: "bar" }, fill), number);
    return { key, fill, number, button };
  });
  const slider = h("input", { type: "range", min: 0.02, max: 1, step: 0.02, value: state.reach, "aria-label": "length of the step", oninput: () => { state.reach = Number(slider.value); repaintHere(); } });
  const pushes = pushesThroughTraining(run), longest = greatest(pushes.flatMap((line) => line.lengths).filter(Number.isFinite));
  const strengths = chart({ title: "The push through training", caption: "Its mean length over these images under each loss, on a logarithmic scale.", lines: pushes, log: true, place: placeOfFrames(run), events: run.events });
  panel.append(
    h("div", { class: "push" },
      h("div", {}, h("h3", {}, "Choose an image"), h("div", { class: "tiles" }, tiles.map((tile) => tile.button)),
        h("p", { class: "quiet small" }, run.recording.probability ? "Below each: D's probability that it is real." : "Below each: D's score; higher looks more real to D."),
        h("label", { class: "row" }, "length of the step", slider),
        choice({ same: "colours: one scale for all losses", own: "stretched to this loss" }, state.stretch, (key) => { state.stretch = key; repaintHere(); }, "colours")),
      h("div", {},
        h("div", { class: "three" }, figures.map((figure) => figure.element)),
        pushKey(),
        h("h3", {}, "How hard G is pushed: choose a loss"),
        h("div", { class: "losses" }, rows.map((row) => row.button)),
        h("p", { class: "quiet small" }, "The length of −dL/dx, where L is the loss of the chosen image alone. The bars are logarithmic: a full bar is the longest in this run, half a bar is a hundredth of that, an empty one a ten-thousandth."))),
    strengths.element,
  );

  function paint(step) {
    const frame = run.frame(step), i = state.image;
    const scores = at(run.array("score_fake"), frame), samples = at(run.array("samples"), frame);
    tiles.forEach(({ button, canvas, verdict }, k) => {
      drawImage(canvas, at(samples, k), channels);
      verdict.textContent = verdictText(run, scores[k]);
      button.setAttribute("aria-pressed", String(k === i));
    });
    const x = at(samples, i), slope = gradientOf(run, "score_gradient", frame, i), push = pushOn(run, frame, i, state.loss, scores[i]);
    const largest = greatest(state.stretch === "own" ? push : slope, Math.abs);
    const moved = smallStep(run, x, push, greatest(slope, Math.abs), state.reach);
    drawImage(figures[0].canvas, x, channels);
    drawPush(figures[1].canvas, x, push, channels, largest);
    drawImage(figures[2].canvas, moved.image, channels);
    const after = scores[i] + moved.gain(slope);
    figures[0].text.replaceChildren("D says ", h("b", { id: "before" }, verdictText(run, scores[i], true)));
    figures[1].text.replaceChildren("length ", h("b", { class: "number", id: "length" }, short(norm(push))));
    figures[2].text.replaceChildren("D would say about ", h("b", { id: "after" }, verdictText(run, after, true)), h("span", { class: "quiet" }, " (first-order estimate)"));
    for (const row of rows) {
      const length = norm(pushOn(run, frame, i, row.key, scores[i]));
      row.fill.style.width = `${100 * clamp(1 + Math.log10(length / longest) / 4, 0, 1)}%`;
      row.number.textContent = short(length);
      row.button.setAttribute("aria-pressed", String(row.key === state.loss));
    }
    strengths.paint(run.recorded[frame]);
  }
  return paint;
}

/** The image that D finds least real at the end: there is most to see. */
function leastReal(run) {
  const scores = [...at(run.array("score_fake"), run.recorded.length - 1)].slice(0, run.array("samples").shape[1]);
  return scores.indexOf(Math.min(...scores));
}

function verdictText(run, score, words = false) {
  if (run.recording.probability) return percent(sigmoid(score)) + (words ? " real" : "");
  return words ? `score ${short(score)}` : short(score, 2);
}

/** One image of "score_gradient", ds/dx, or "pixel_gradient", in units of the pixels' values. */
function gradientOf(run, name, frame, image) {
  const scale = at(run.array(`${name}_scale`), frame)[image];
  return Float32Array.from(at(run.array(name), frame, image), (value) => value * scale);
}

/**
 * The image one step along the push, and by how much the score rises to first order: ds/dx · (x' - x).
 * reach: the share of the value range by which the strongest pixel moves under a push of 1.
 */
function smallStep(run, x, push, strongest, reach) {
  const rate = strongest > 0 ? (255 * reach) / strongest : 0;
  const image = Float32Array.from(x, (value, i) => clamp(value + rate * push[i], 0, 255));
  const [low, high] = run.recording.value_range;
  return { image, gain: (slope) => image.reduce((sum, value, i) => sum + (slope[i] * (value - x[i]) * (high - low)) / 255, 0) };
}

/** A line for each loss: the mean length of the push over the images at each recorded step. */
function pushesThroughTraining(run) {
  const scores = run.array("score_fake"), judged = scores.shape[1], n = run.array("samples").shape[1];
  const slopes = run.recorded.map((_, frame) => Array.from({ length: n }, (_, i) => norm(gradientOf(run, "score_gradient", frame, i))));
  return distinctLosses(run).map(({ key, title }) => {
    const lengths = slopes.map((row, frame) => row.map((slope, i) => slope * Math.abs(pushOf(run, key, scores[frame * judged + i]))));
    return { name: title, x: run.recorded, y: lengths.map(mean), lengths: lengths.flat() };
  });
}

function pushKey() {
  const key = (colour) => h("span", { style: `display:inline-block;width:14px;height:14px;border-radius:3px;background:rgb(${colour})` });
  return h("div", { class: "key" }, key(MORE), "brighter looks more real", key(LESS), "darker does");
}
