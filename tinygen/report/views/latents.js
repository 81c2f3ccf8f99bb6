// Inside an autoencoder: the codes of the data, their reconstructions, and the two ways by which the gradient arrives.

view({
  id: "latents",
  order: 2.5,
  title: "Latents",
  caption: (runs) => (clouded(runs)
    ? `The encoder turns each ${exampleOf(runs)} into a small cloud in latent space, with a centre μ and a width σ; the decoder has to recover the ${exampleOf(runs)} from a place drawn from that cloud.`
    : `The encoder turns each ${exampleOf(runs)} into one place in latent space; the decoder has to recover the ${exampleOf(runs)} from it.`),
  hints: (runs) => [
    `${exampleOf(runs) === "image" ? "Images" : "Examples"} of one kind gather, though nobody told the model which is which; where two kinds overlap, the reconstructions look like both.`,
    ...(clouded(runs) ? [
      `A latent whose KL is near 0 carries nothing: its cloud is the same for every ${exampleOf(runs)}. If all latents are like that, the decoder has stopped listening (posterior collapse).`,
      "z = μ + σ ε lets the gradient through to μ and to σ. Reconstruction wants narrow clouds far apart; the KL term pulls them to 0 and to width 1. A latent stands still where the mean pulls cancel. The lines of the chart needn't meet for that: they are lengths over all examples, with the noise of one draw (lesson 5).",
    ] : ["Nothing keeps the points together or fills the gaps between them, so a point drawn there may decode to nothing in particular: that is what a VAE mends."]),
  ],
  suits: (run) => run.has("mu", "reconstructions", "data"),
  make: (body, runs) => beside(body, runs, latents),
});

/** What an example is. */
function exampleOf(runs) {
  return runs.every((run) => run.example === runs[0].example) ? runs[0].example : "example";
}

function clouded(runs) {
  return runs.some((run) => run.has("logvar"));
}

function latents(panel, run) {
  const [, n, dimensions] = run.array("mu").shape, chosen = mostTelling(run, dimensions);
  const canvas = planeCanvas(`the codes of ${n} ${run.example}s`), shown = run.array("reconstructions").shape[1];
  const pairs = run.image ? Array.from({ length: shown }, (_, i) => [pixelCanvas(run.image, `image ${i + 1}`), pixelCanvas(run.image, `reconstruction ${i + 1}`)]) : [];
  const bars = run.has("kl") ? svg("svg", { class: "chart", role: "img" }) : null;
  const half = Math.floor(run.recorded.length / 2); // KL starts with a spike, which would hide all that follows
  const usualKL = run.has("kl") ? greatest(run.recorded.slice(half), (step) => greatest(at(run.array("kl"), run.frame(step)))) : 1;
  const total = h("b", { class: "number", id: "kl" });
  const paths = ["mu_gradient", "logvar_gradient", "mu_gradient_kl", "logvar_gradient_kl"].filter((name) => run.has(name));
  const names = { mu_gradient: "reconstruction on μ", logvar_gradient: "reconstruction on log σ²", mu_gradient_kl: "KL on μ", logvar_gradient_kl: "KL on log σ²" };
  const pulls = paths.length ? chart({
    title: "The pull on the encoder", caption: "The length of the gradient that arrives through μ and through σ, from each of the two terms of the loss.", log: true, place: placeOfFrames(run),
    lines: paths.map((name) => ({ name: names[name], x: run.recorded, y: run.recorded.map((_, frame) => norm(at(run.array(name), frame))) })),
  }) : null;
  panel.append(
    h("div", { class: "plot" },
      h("div", {}, h("h3", {}, dimensions > 1 ? `The latent plane: latents ${chosen[0] + 1} and ${chosen[1] + 1}` : "The latent line"), canvas,
        h("p", { class: "quiet small" }, `${n} ${run.example}s, ${run.has("data_labels") ? "each drawn as its label" : "a dot each"}${run.has("logvar") ? "; each ellipse is a cloud, one σ wide" : ""}.${dimensions > 2 ? " These two latents carry the most." : ""}`)),
      h("div", {}, pairs.length ? [h("h3", {}, "Images above, their reconstructions below"), h("div", { class: "pairs" }, pairs.map((pair) => h("div", {}, pair)))] : null,
        bars ? [h("h3", {}, "KL of each latent, in nats"), bars, h("p", { class: "quiet small" }, `What each latent says about ${run.image ? "an image" : `one ${run.example}`}, on average; all together `, total, ". A nat is 1.44 bits.")] : null)),
    ...(pulls ? [pulls.element] : []),
  );

  return (step) => {
    const frame = run.frame(step);
    drawLatents(canvas, run, frame, chosen);
    describe(canvas, chosen.map((j) => `latent ${j + 1} ${extent(at(run.array("mu"), frame).filter((_, i) => i % dimensions === j))}`).join(", "));
    pairs.forEach(([image, copy], i) => {
      drawImage(image, at(run.array("data"), i), run.image[2]);
      drawImage(copy, at(run.array("reconstructions"), frame, i), run.image[2]);
    });
    if (bars) {
      const kl = at(run.array("kl"), frame);
      drawBars(bars, kl, usualKL);
      bars.setAttribute("aria-label", `KL of each of ${dimensions} latents: ${extent(kl)} nats, the most in latent ${kl.indexOf(greatest(kl)) + 1}.`);
      total.textContent = short(dimensions * mean(kl));
    }
    pulls?.paint(step);
  };
}

/** The two latents of which the last recorded step has the greatest KL, or spread where there is no KL. */
function mostTelling(run, dimensions) {
  if (dimensions === 1) return [0, 0];
  const last = run.recorded.length - 1, mu = at(run.array("mu"), last);
  const spread = (j) => norm(mu.filter((_, i) => i % dimensions === j));
  const weight = run.has("kl") ? (j) => at(run.array("kl"), last)[j] : spread;
  return [...Array(dimensions).keys()].sort((a, b) => weight(b) - weight(a)).slice(0, 2).sort((a, b) => a - b);
}

function drawLatents(canvas, run, frame, [first, second]) {
  const mu = at(run.array("mu"), frame), [n, dimensions] = mu.shape;
  const logvar = run.has("logvar") ? at(run.array("logvar"), frame) : null, labels = run.has("data_labels") ? run.array("data_labels") : null;
  const reach = 1.1 * greatest(at(run.array("mu"), run.recorded.length - 1), Math.abs);
  const { context, x, y, size } = drawPlane(canvas, [-reach, reach], [-reach, reach]);
  const kinds = SERIES.map((name) => styled(name.slice(4, -1)));
  context.font = "bold 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const place of roundTicks(-0.9 * reach, 0.9 * reach, 6)) {
    context.fillStyle = styled("--quiet");
    context.fillText(short(place), x(place), size - 10);
  }
  for (let i = 0; i < n; i++) {
    const u = x(clamp(mu[i * dimensions + first], -reach, reach)), v = y(clamp(mu[i * dimensions + second], -reach, reach));
    const label = labels?.[i] ?? 0;
    context.fillStyle = context.strokeStyle = kinds[label % kinds.length];
    if (logvar) {
      const width = (j) => (Math.exp(0.5 * logvar[i * dimensions + j]) / (2 * reach)) * size;
      context.globalAlpha = 0.25;
      context.beginPath();
      context.ellipse(u, v, Math.min(size, width(first)), Math.min(size, width(second)), 0, 0, 2 * Math.PI);
      context.stroke();
      context.globalAlpha = 1;
    }
    labels ? context.fillText(String(label), u, v) : drawDot(context, u, v, 2.5, kinds[0]);
  }
}

/** Bars from the left, one for each number, the longest as long as `top` says. */
function drawBars(drawing, values, top) {
  const height = 150, width = fit(drawing, height), step = (width - 44) / values.length;
  const y = (value) => 8 + (1 - Math.min(1, value / (top || 1))) * (height - 30), thick = Math.max(1, Math.min(40, step - 2));
  const x = (i) => 42 + (i + 0.5) * step, every = Math.ceil(20 / step); // a number takes 20 pixels
  drawing.replaceChildren(
    ...roundTicks(0, top || 1, 4).flatMap((tick) => [svg("line", { class: "grid", x1: 40, x2: width, y1: y(tick), y2: y(tick) }), svg("text", { x: 34, y: y(tick) + 4, "text-anchor": "end" }, short(tick))]),
    ...Array.from(values, (value, i) => svg("rect", { x: x(i) - thick / 2, width: thick, y: y(value), height: y(0) - y(value), fill: "var(--c1)" })),
    ...Array.from(values, (_, i) => (i % every ? null : svg("text", { x: x(i), y: height - 6, "text-anchor": "middle" }, String(i + 1)))).filter(Boolean),
  );
}
