// The slopes of a critic with a gradient penalty, which training drives towards 1.

view({
  id: "slopes",
  order: 5,
  title: "Slopes of the critic",
  caption: (runs) => `The critic's slope is measured at a point between each real example and a generated one; the penalty ${oneSided(runs) ? "max(0, slope − 1)² pulls those above 1 down to it, and leaves the others alone" : "(slope − 1)² pulls all of these slopes to 1"}.`,
  hints: (runs) => [
    oneSided(runs)
      ? "The bars right of the dotted line at 1 march back to it. Those left of it may stay where they are."
      : "The bars march to the dotted line at 1 and pile up there. Then the critic is as steep as it may be everywhere, and G gets a push wherever its examples lie.",
    "The slope is itself a gradient, so lowering the penalty takes the gradient of a gradient: a second tape records the backward pass of the first (create_graph=True).",
    "Slopes far above 1 make training unstable; slopes that stay near 0 mean that the critic tells G nothing.",
  ],
  suits: (run) => run.has("slopes"),
  make: (body, runs) => beside(body, runs, slopes),
});

function oneSided(runs) {
  return runs.every((run) => run.config.penalty === "one-sided");
}

function slopes(panel, run) {
  const all = run.array("slopes"), [frames, n] = all.shape, bins = 30;
  const top = Math.max(2, 1.02 * all.slice().sort()[Math.floor(0.98 * all.length)]);
  const counts = (frame) => {
    const found = Array(bins).fill(0);
    for (const slope of at(all, frame)) found[Math.min(bins - 1, Math.floor((slope / top) * bins))]++;
    return found;
  };
  const drawing = svg("svg", { class: "chart", role: "img" });
  const share = (part) => Float32Array.from({ length: frames }, (_, frame) => at(all, frame).slice().sort()[Math.floor(part * (n - 1))]);
  const lines = [["steepest tenth begins at", 0.9], ["half are below", 0.5], ["flattest tenth ends at", 0.1]].map(([name, part]) => ({ name, x: run.recorded, y: share(part) }));
  const overTime = chart({ title: "Slopes through training", caption: "The median slope, where the steepest tenth begins, and where the flattest ends.", lines, place: placeOfFrames(run), low: 0 });
  const text = h("p", {}, "mean slope ", h("b", { class: "number", id: "slope" }));
  panel.append(h("h3", {}, "Slopes at this step"), drawing, text, overTime.element);
  return (step) => {
    const frame = run.frame(step), width = fit(drawing, 200) - 20, x = (slope) => 10 + (slope / top) * width;
    const ticks = roundTicks(0, top, 6), bars = counts(frame), tallest = greatest(bars);
    drawing.replaceChildren(
      ...bars.map((count, i) => svg("rect", { x: x((i * top) / bins) + 1, width: width / bins - 2, y: 175 - (165 * count) / tallest, height: (165 * count) / tallest, fill: "var(--c1)" })),
      svg("line", { class: "event", x1: x(1), x2: x(1), y1: 4, y2: 175 }),
      ...ticks.map((tick) => svg("text", { x: x(tick), y: 194, "text-anchor": tick === 0 ? "start" : "middle" }, short(tick))),
    );
    const now = at(all, frame);
    drawing.setAttribute("aria-label", `Histogram of ${n} slopes ${extent(now)}; ${percent(now.filter((slope) => slope > 1).length / n)} lie above 1.`);
    text.querySelector("#slope").textContent = short(mean(now));
    overTime.paint(step);
  };
}
