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
  caption: captionOfPush,
  hints: (runs) => [...hintsOnPictures(runs), ...hintsOnLosses(runs), ...hintsOnVerdicts(runs)],
  suits: hasPush,
  make: (body, runs) => beside(body, runs, pixelPush),
});

function hasPush(run) {
  return Boolean(run.image && run.game) && run.has("score_gradient", "score_gradient_scale", "score_fake");
}

function captionOfPush(runs) {
  const sources = new Set(runs.map(sourceOfLearning)), [source] = sources.size === 1 ? sources : ["This is what D tells G"];
  return `${source}: for each pixel, whether a little more or a little less of it would look more real to D.`;
}

function sourceOfLearning(run) {
  if (run.restores) return "Beside the error of its pixels, G learns from this";
  if (run.has("reconstructions")) return "Beside the likeness of its copies, G learns from this";
  if (lowersMore(run)) return `G never sees a real ${run.example}. Beside the rest of its loss, it learns from this`;
  return `G never sees a real ${run.example}. All that it learns from is this`;
}

/** Whether G's loss depends on more than each image's own score. */
function lowersMore(run) {
  return run.has("pixel_gradient") && run.recording.separable !== false;
}

function hintsOnPictures(runs) {
  return [
    "Early in training the push is noise; later it follows the shapes, completes them, and wipes out specks.",
    "After a small step along the push the verdict rises. If a step that you can hardly see changes it a lot, D judges by details that you don't see. The estimate is a straight line along the gradient; D bends, so don't trust it over a long step.",
    "Compare the estimate with the next recorded step. G can't move one image without the others, D learns at the same time, and there may be many steps between, so expect the same tendency and not the same picture.",
  ];
}

function hintsOnLosses(runs) {
  const fading = lossesThat(runs, (run, loss) => fadesFor(run, loss)), turning = lossesThat(runs, turnsFor);
  return [
    "Under all losses of the score the push on an image lies along the same line; they differ in how hard it is. (D was trained for one of them; the others read its score as if it were theirs.)",
    fading.length && `Choose ${fading.map((loss) => loss.title).join(" or ")} while D is sure that an image is fake: the push all but vanishes. The direction is still there (stretch the colours to see it), but G gets almost no signal. That is the vanishing gradient.`,
    ...turning.map((loss) => `The push of ${loss.title} turns around where the score is above ${short(turningPoint(loss))}: there a step along it lowers the verdict.`),
  ].filter(Boolean);
}

function hintsOnVerdicts(runs) {
  const packs = runs.find((run) => run.config.pack > 1);
  return [
    packs && `D judges packs of ${packs.config.pack} images, so a verdict is that on an image's pack.`,
    !packs && runs.some((run) => run.recording.separable === false) && "This D looks at the images of a batch together, so an image's score depends on the others: the push shown is that of all their scores.",
  ].filter(Boolean);
}

/** The losses of the runs for which something holds in some run, each title once. */
function lossesThat(runs, holds) {
  const found = runs.flatMap((run) => Object.values(run.losses).filter((loss) => holds(run, loss)));
  return [...new Map(found.map((loss) => [loss.title, loss])).values()];
}

/** Whether D is ever so sure that an image is fake that this loss has lost nine tenths of its push. */
function fadesFor(run, loss) {
  const push = (score) => Math.abs(slopeAt(loss, score));
  return Boolean(run.recording.probability) && whenFake(loss) === "fades" && shownScores(run).some((score) => score < 0 && push(score) < 0.1 * push(0));
}

/** Whether the push of this loss turns around at a score that an image of the run has. */
function turnsFor(run, loss) {
  const turn = turningPoint(loss);
  return turn !== undefined && shownScores(run).some((score) => score > turn);
}

/** The scores of the images that are shown, at all recorded steps. */
function shownScores(run) {
  const scores = run.array("score_fake"), n = run.array("samples").shape[1];
  return run.recorded.flatMap((_, frame) => [...at(scores, frame).subarray(0, n)]);
}

/** The pictures; below or beside them the choice of an image, of a loss, and of a step. */
function pixelPush(panel, run) {
  const state = { image: leastReal(run), loss: run.loss, stretch: "same", reach: 0.1 };
  const change = (one) => { Object.assign(state, one); paint(clock.step); };
  const pushes = pushesThroughTraining(run), longest = greatest(pushes.flatMap((line) => line.lengths).filter(Number.isFinite));
  const parts = [pushPictures(run), imageChoice(run, change), lossChoice(run, longest, change)];
  const strengths = chart({ title: "The push through training", caption: "Its mean length over these images under each loss, on a logarithmic scale.", lines: pushes, log: true, place: placeOfFrames(run), events: run.events });
  panel.append(h("div", { class: "push" }, parts.map((part) => part.element)), strengths.element);

  function paint(step) {
    const seen = pushSeen(run, run.frame(step), state);
    for (const part of parts) part.paint(seen);
    strengths.paint(run.recorded[seen.frame]);
  }
  return paint;
}

/** The chosen image at a recorded step, and the push on it under the chosen loss. */
function pushSeen(run, frame, state) {
  const { image } = state, score = at(run.array("score_fake"), frame)[image];
  const slope = gradientOf(run, "score_gradient", frame, image), push = pushOn(run, frame, image, state.loss, score);
  const largest = greatest(state.stretch === "own" ? push : slope, Math.abs);
  return { ...state, frame, score, slope, push, largest, x: at(run.array("samples"), frame, image) };
}

function imageChoice(run, change) {
  const channels = run.image[2], tiles = Array.from({ length: run.array("samples").shape[1] }, (_, image) => {
    const canvas = pixelCanvas(run.image, `image ${image + 1}`), verdict = h("span", { class: "number" });
    return { canvas, verdict, button: h("button", { type: "button", onclick: () => change({ image }) }, canvas, verdict) };
  });
  const slider = h("input", { type: "range", min: 0.02, max: 1, step: 0.02, value: 0.1, "aria-label": "length of the step", oninput: () => change({ reach: Number(slider.value) }) });
  const colours = choice({ same: "colours: one scale for all losses", own: "stretched to this loss" }, "same", (stretch) => change({ stretch }), "colours");
  const element = h("div", { class: "images" },
    h("h3", {}, "Choose an image"), h("div", { class: "tiles" }, tiles.map((tile) => tile.button)),
    h("p", { class: "quiet small" }, `Below each: ${verdictMeaning(run.recording)}`),
    h("label", { class: "row" }, "length of the step", slider), colours);
  return {
    element,
    paint({ frame, image }) {
      const scores = at(run.array("score_fake"), frame), samples = at(run.array("samples"), frame);
      tiles.forEach(({ button, canvas, verdict }, k) => {
        drawImage(canvas, at(samples, k), channels);
        verdict.textContent = verdictText(run, scores[k]);
        button.setAttribute("aria-pressed", String(k === image));
      });
    },
  };
}

/** longest: the push that fills a bar. */
function lossChoice(run, longest, change) {
  const whole = run.has("pixel_gradient") ? [{ key: "whole", title: "the whole loss of this G", formula: "more than D's score" }] : [];
  const rows = [...distinctLosses(run), ...whole].map(({ key, title, formula, own }) => {
    const fill = h("i", {}), number = h("span", { class: "number" });
    const button = h("button", { type: "button", "data-loss": key, onclick: () => change({ loss: key }) },
      h("span", {}, title, own ? " (this run's)" : "", h("small", { class: "number" }, formula)),
      h("span", { class: "bar" }, fill), number);
    return { key, fill, number, button };
  });
  const element = h("div", { class: "hardness" },
    h("h3", {}, "How hard G is pushed: choose a loss"),
    h("div", { class: "losses" }, rows.map((row) => row.button)),
    h("p", { class: "quiet small" }, "The length of −dL/dx, where L is the loss of the chosen image alone. The bars are logarithmic: a full bar is the longest in this run, half a bar is a hundredth of that, an empty one a ten-thousandth."));
  return {
    element,
    paint({ frame, image, loss, score }) {
      for (const { key, fill, number, button } of rows) {
        const length = norm(pushOn(run, frame, image, key, score));
        fill.style.width = `${100 * clamp(1 + Math.log10(length / longest) / 4, 0, 1)}%`;
        number.textContent = short(length);
        button.setAttribute("aria-pressed", String(key === loss));
      }
    },
  };
}

/** The image that D finds least real at the end: there is most to see. */
function leastReal(run) {
  const scores = [...at(run.array("score_fake"), run.recorded.length - 1)].slice(0, run.array("samples").shape[1]);
  return scores.indexOf(Math.min(...scores));
}

/** What the number below an image is. */
function verdictMeaning({ probability, threshold }) {
  if (probability) return "D's probability that it is real.";
  return threshold == null ? "D's score; higher looks more real to D." : `D's score; above ${threshold} D takes it for real.`;
}

function verdictText(run, score) {
  return run.recording.probability ? percent(sigmoid(score)) : short(score, 2);
}

/** "D says 12% real", or "D scores it 0.31", as pieces of text. */
function verdictWords(run, score, id, { says = "D says ", scores = "D scores it " } = {}) {
  const { probability } = run.recording;
  return [probability ? says : scores, h("b", { id }, probability ? `${percent(sigmoid(score))} real` : short(score))];
}

/** One image of "score_gradient", ds/dx, or "pixel_gradient", in units of the pixels' values. */
function gradientOf(run, name, frame, image) {
  const scale = at(run.array(`${name}_scale`), frame)[image];
  return Float32Array.from(at(run.array(name), frame, image), (value) => value * scale);
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
