// The pictures of a pixel push: G's image, D's push on it, the step along it, a real image, and what training made.

/** The pictures of a run. paint(seen): see pushSeen; seen.reach is the length of the step. */
function pushPictures(run) {
  const titles = { made: "G's image", real: run.restores ? "The original" : "A real image", push: "D's push", step: "One step on", next: "What came next" };
  if (!realImages(run)) delete titles.real;
  const figures = Object.fromEntries(Object.entries(titles).map(([name, title]) => [name, pushFigure(run, name, title)]));
  const compared = h("p", { class: "small compared" });
  const key = h("div", { class: "about" }, pushKey(run));
  const element = h("div", {}, h("div", { class: "pictures" }, Object.values(figures).map((figure) => figure.element), key), compared);
  return {
    element,
    paint(seen) {
      paintEstimate(run, figures, seen);
      if (figures.real) paintReal(run, figures.real, seen);
      compared.replaceChildren(...paintNext(run, figures.next, seen));
    },
  };
}

function pushFigure(run, name, title) {
  const canvas = pixelCanvas(run.image, title), text = h("figcaption", {});
  return { canvas, text, element: h("figure", { "data-picture": name, style: `grid-area: ${name}` }, h("h3", {}, title), canvas, text) };
}

/** G's image, the push on it and, to first order, what a step along the push does. */
function paintEstimate(run, { made, push, step }, seen) {
  const channels = run.image[2], moved = smallStep(run, seen.x, seen.push, greatest(seen.slope, Math.abs), seen.reach);
  const after = seen.score + moved.gain(seen.slope);
  drawImage(made.canvas, seen.x, channels);
  drawPush(push.canvas, seen.x, seen.push, channels, seen.largest);
  drawImage(step.canvas, moved.image, channels);
  made.text.replaceChildren(...verdictWords(run, seen.score, "before"));
  push.text.replaceChildren("length ", h("b", { class: "number", id: "length" }, short(norm(seen.push))));
  const would = { says: "D would say about ", scores: "D would score it about " };
  step.text.replaceChildren(...verdictWords(run, after, "after", would), h("span", { class: "quiet" }, " (first-order estimate)"));
}

/** The array of real images that D judged, "score_real" in the same order; undefined if they were not recorded. */
function realImages(run) {
  if (run.has("real")) return "real";
  return run.has("data") && !run.has("reconstructions") && !run.has("mu") ? "data" : undefined; // else they are others
}

/** The number of a real image for one of G's: its original, or one with its label if there is one, or any. */
function realFor(run, image) {
  const count = run.array(realImages(run)).shape[0];
  const alike = run.has("labels", "data_labels") ? run.array("data_labels").subarray(0, count).indexOf(run.array("labels")[image]) : -1;
  return alike >= 0 ? alike : image % count;
}

function paintReal(run, { canvas, text }, { frame, image }) {
  const real = realFor(run, image);
  drawImage(canvas, at(run.array(realImages(run)), real), run.image[2]);
  text.replaceChildren(...(run.has("score_real")
    ? verdictWords(run, at(run.array("score_real"), frame)[real], "real")
    : ["D's verdict on it was not recorded."]));
}

/** What G makes of the same input at the next recorded step; returns how that compares with the push. */
function paintNext(run, { canvas, text }, { frame, image, x, push }) {
  const last = frame === run.recorded.length - 1, input = run.restores ? "input" : "z", later = frame + 1;
  canvas.hidden = last;
  if (last) {
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    describe(canvas, "nothing yet");
    text.replaceChildren("This is the last recorded step. Go back to an earlier one to see what training made next.");
    return [];
  }
  const steps = stepsText(run.recorded[later] - run.recorded[frame]), next = at(run.array("samples"), later, image);
  drawImage(canvas, next, run.image[2]);
  const then = { says: "D then says ", scores: "D then scores it " };
  text.replaceChildren(`${steps} later, from the same ${input}. `, ...verdictWords(run, at(run.array("score_fake"), later)[image], "next", then));
  const cosine = cosineOf(push, Float32Array.from(next, (value, i) => value - x[i]));
  return [
    `The estimate moves this image alone, and D stays as it is. Training (here ${steps}) moved G's weights, and so all of its images at once, and D as well. Cosine between the push and the image's real change: `,
    h("b", { class: "number", id: "cosine" }, short(cosine, 2)), " (1: the same direction; 0: nothing in common).",
  ];
}

function stepsText(steps) {
  return steps === 1 ? "1 step" : `${whole(steps)} steps`;
}

function cosineOf(a, b) {
  return a.reduce((sum, value, i) => sum + value * b[i], 0) / (norm(a) * norm(b));
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

function pushKey(run) {
  const key = (colour, text) => h("div", { class: "key" }, h("span", { style: `flex:none;width:14px;height:14px;border-radius:3px;background:rgb(${colour})` }), text);
  const colours = run.image[2] > 1 ? h("p", { class: "quiet small" }, "The mean of a pixel's colours.") : null;
  return [key(MORE, "brighter looks more real to D"), key(LESS, "darker looks more real to D"), colours].filter(Boolean);
}
