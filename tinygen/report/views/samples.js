// Samples through training, of runs for which there is no pixel push.

view({
  id: "samples",
  order: 1.5,
  title: "Samples",
  caption: "What the model makes of the same random numbers at each step, so that one sees it learn.",
  look: [
    "Blobs first, then strokes, then shapes: coarse things are learnt before fine ones.",
    "Images that come to look like each other are a sign of collapse: the model has found one that passes, and makes it again and again.",
  ],
  suits: (run) => (Boolean(run.image) && !run.has("score_gradient")) || Object.keys(run.pictures).length > 0,
  make: (body, runs) => beside(body, runs, (panel, run) => (run.image ? recordedSamples : samplePictures)(panel, run)),
});

function samplePictures(panel, run) {
  const picture = h("img", { class: "sheet pixels", alt: "samples" });
  panel.append(picture);
  return (step) => {
    picture.src = run.pictures[run.recorded[run.frame(step)]];
  };
}

function recordedSamples(panel, run) {
  const tiles = Array.from({ length: run.array("samples").shape[1] }, (_, i) => pixelCanvas(run.image, `image ${i + 1}`));
  panel.append(h("div", { class: "tiles sheet" }, tiles));
  return (step) => tiles.forEach((canvas, i) => drawImage(canvas, at(run.array("samples"), run.frame(step), i), run.image[2]));
}
