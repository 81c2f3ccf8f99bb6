// Samples through training, for runs without a pixel push.

view({
  id: "samples",
  order: 1.5,
  title: "Samples",
  caption: (runs) => `What the model makes of the same ${[runs.some((run) => !run.restores) ? "random numbers" : null, runs.some((run) => run.restores) ? "images" : null].filter(Boolean).join(" or ")} at each step, so that you can watch it learn.`,
  hints: (runs) => [
    runs.some(hasImages)
      ? `Blobs first, then ${runs.some((run) => run.hasStrokes) ? "strokes, then " : ""}shapes: coarse things are learnt before fine ones.`
      : "Coarse things are learnt before fine ones.",
    ...(runs.some((run) => run.adversarial) ? ["Samples that come to look like each other are a sign of collapse: the model has found one that passes, and makes it again and again."] : []),
  ],
  suits: (run) => (hasImages(run) && !hasPush(run)) || hasPlainPoints(run) || Object.keys(run.pictures).length > 0,
  make: (body, runs) => beside(body, runs, (panel, run) => (hasImages(run) ? recordedSamples : hasPlainPoints(run) ? recordedPoints : samplePictures)(panel, run)),
});

function hasImages(run) {
  return Boolean(run.image) && run.has("samples");
}

/** Whether its samples are points in the plane that the game in the plane doesn't show. */
function hasPlainPoints(run) {
  return run.has("samples") && !run.image && !hasField(run) && run.array("samples").shape[2] === 2 && run.array("samples").shape.length === 3;
}

function recordedPoints(panel, run) {
  const canvas = planeCanvas(`${run.array("samples").shape[1]} generated points`), samples = run.array("samples"), real = run.has("data") ? run.array("data") : null;
  const reach = 1.1 * greatest(at(samples, samples.shape[0] - 1), Math.abs) || 1;
  panel.append(canvas, h("p", { class: "quiet small" }, `${samples.shape[1]} points${real ? "; green: real ones" : ""}.`));
  return (step) => {
    const points = at(samples, run.frame(step)), { context, x, y } = drawPlane(canvas, [-reach, reach], [-reach, reach]);
    if (real) for (let i = 0; i < real.shape[0]; i++) drawDot(context, x(real[2 * i]), y(real[2 * i + 1]), 2, styled("--c3"));
    for (let i = 0; i < points.shape[0]; i++) drawDot(context, x(points[2 * i]), y(points[2 * i + 1]), 2.5, styled("--c1"));
    describe(canvas, `x ${extent(points.filter((_, i) => i % 2 === 0))}, y ${extent(points.filter((_, i) => i % 2))}`);
  };
}

function samplePictures(panel, run) {
  const picture = h("img", { class: "sheet pixels", }), steps = Object.keys(run.pictures).map(Number);
  panel.append(picture);
  return (step) => {
    const own = steps.findLast((one) => one <= step) ?? steps[0];
    picture.src = run.pictures[own];
    picture.alt = `samples at step ${whole(own)}`;
  };
}

function recordedSamples(panel, run) {
  const tiles = Array.from({ length: run.array("samples").shape[1] }, (_, i) => pixelCanvas(run.image, `image ${i + 1}`));
  panel.append(h("div", { class: "tiles sheet" }, tiles));
  return (step) => tiles.forEach((canvas, i) => drawImage(canvas, at(run.array("samples"), run.frame(step), i), run.image[2]));
}
