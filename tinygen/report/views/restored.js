// What a model that restores images makes of degraded ones, beside the simplest means and the truth.

view({
  id: "restored",
  order: 2.4,
  title: "Restored",
  caption: "Test images, degraded and restored: the true image, what the simplest means make of what is left of it, and what the model makes of that.",
  hints: () => [
    "The simplest means stand still: they are what the model must be better than.",
    "A model that lowers the squared error alone draws the mean of all images that would fit, which is blurred; an adversary makes it choose one.",
  ],
  suits: (run) => Boolean(run.image) && run.has("plain", "reconstructions", "data"),
  make: (body, runs) => beside(body, runs, (panel, run) => {
    const rows = ["data", "plain", "reconstructions"], shown = run.array("plain").shape[0];
    const triples = Array.from({ length: shown }, (_, i) => [
      pixelCanvas(run.image, `image ${i + 1}`), pixelCanvas(run.image, `image ${i + 1}, restored by the simplest means`), pixelCanvas(run.image, `image ${i + 1}, restored by the model`),
    ]);
    panel.append(h("h3", {}, "Images above, restored by the simplest means and by the model below"),
      h("div", { class: "pairs" }, triples.map((triple) => h("div", {}, triple))));
    return (step) => triples.forEach((triple, i) => triple.forEach((canvas, row) => {
      const array = run.array(rows[row]);
      drawImage(canvas, row === 2 ? at(array, run.frame(step), i) : at(array, i), run.image[2]);
    }));
  }),
});
