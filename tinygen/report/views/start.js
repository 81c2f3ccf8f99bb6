// Where a beginner starts: one step of the algorithm in three pictures, with this run's numbers and the way on.

view({
  id: "start",
  order: 0,
  title: "Start here",
  caption: (runs) => (runs.every(plays)
    ? "Training repeats three moves. Here they are at the step that the bar at the bottom shows, with what was measured in this run."
    : "Training repeats three moves: look, draw, and learn from the difference. Here they are at the step that the bar at the bottom shows, with what was measured in this run."),
  hints: (runs) => [
    "Drag the bar at the bottom to the left: that is how it began. Press space to watch it go on.",
    runs.every(plays)
      ? "Follow the buttons from left to right. When you have seen all three, open “Vanishing signal”: it shows how much of D's gradient is left by the time it reaches each layer."
      : "Follow the buttons from left to right.",
  ],
  suits: (run) => plays(run) || (run.has("reconstructions", "data", "mu") && Boolean(run.image)),
  make: (body, runs) => beside(body, runs, (panel, run) => (plays(run) ? gameCards : codeCards)(panel, run)),
});

/** Whether it is a game whose images or points, and D's push on them, were recorded. */
function plays(run) {
  return hasPush(run) || hasField(run);
}

/** Three cards in a row; each is { title, element, text, links }. */
function cards(panel, list) {
  panel.append(h("div", { class: "start" }, list.map(({ title, element, text, links }, i) => h("section", { class: "card" },
    h("h3", {}, `${i + 1} ${title}`), element, text, h("p", { class: "row" }, links.map(([id, name]) => h("a", { class: "button", href: `#${id}` }, name)))))));
}

/** A lesson that does the same by hand. */
function lesson(number, file, what) {
  return h("p", { class: "quiet small" }, `Lesson ${number} ${what}: `, h("code", {}, `examples/lessons/${file}`));
}

function gameCards(panel, run) {
  const scene = run.image ? imageScene(run) : planeScene(run);
  const texts = [0, 1, 2].map(() => h("p", {}));
  cards(panel, [
    { title: "D judges", element: scene.judged, text: texts[0], links: [["curves", "its verdicts through training"]] },
    { title: run.image ? "The pixels" : "The arrows", element: scene.pushed, text: texts[1], links: [run.image ? ["pixels", "push the pixels"] : ["field", "the whole plane"]] },
    { title: "G moves", element: scene.moved, text: texts[2], links: run.follow ? [["step", "follow the gradient"]] : [] },
  ]);
  panel.append(lesson(9, "09_gan_game.py", "plays this game step by step"));
  return (step) => {
    const frame = run.frame(step), next = Math.min(frame + 1, run.recorded.length - 1), later = run.recorded[next] - run.recorded[frame];
    scene.paint(frame, next);
    texts[0].replaceChildren(...judgement(run, frame));
    texts[1].replaceChildren(...scene.push(frame));
    texts[2].replaceChildren(...movement(run, scene, frame, next, later));
  };
}

/** What D says of real examples and of G's, on average, in words that suit what its scores mean. */
function judgement(run, frame) {
  const real = at(run.array("score_real"), frame), fake = at(run.array("score_fake"), frame), { probability, threshold } = run.recording;
  const said = (scores) => h("b", { class: "number" }, probability ? percent(mean(scores.map(sigmoid))) : short(mean(scores)));
  const start = probability
    ? [`On average D gives real ${run.things} a `, said(real), " chance of being real, and G's ", said(fake), ". "]
    : [`On average D gives real ${run.things} a score of `, said(real), " and G's a score of ", said(fake), ". "];
  if (threshold === null) return [...start, "Only the difference counts: the larger it is, the better D tells them apart."];
  const right = shareRight(threshold, real, fake);
  return [...start, `It gets ${percent(right)} of them right`, right > 0.9 ? ": it is hard to fool now." : right < 0.6 ? ": hardly better than guessing." : "."];
}

/** What G made of the same random numbers at the next recorded step, and that it was D's gradient that moved it. */
function movement(run, scene, frame, next, later) {
  const start = `${sourceOfLearning(run)} push. It goes back through G's layers by the chain rule. `;
  if (next === frame) return [start, "This is the last recorded step: drag the bar to the left to see G move."];
  return [start, `Here is what it made ${later === 1 ? "one step" : `${whole(later)} steps`} later of the same ${run.restores ? "input" : "random numbers"}`, ...scene.after(next)];
}

function imageScene(run) {
  const channels = run.image[2], i = leastReal(run), [real, fake, push, after] = ["a real image", "an image of G's", "D's push on it", "the image that G makes next"].map((label) => pixelCanvas(run.image, label));
  const figure = (canvas, text) => h("figure", {}, canvas, h("figcaption", {}, text));
  const score = (frame) => at(run.array("score_fake"), frame)[i], moved = figure(after, "");
  return {
    judged: h("div", { class: "two" }, run.has("data") ? figure(real, "real") : null, figure(fake, "G's")),
    pushed: figure(push, "D's push on G's image"),
    moved,
    push: (frame) => [`D's gradient says of each pixel whether more of it (orange) or less (blue) would look more real. It is all that D tells G. Its length here: `, h("b", { class: "number" }, short(norm(pushOn(run, frame, i, run.loss, score(frame))))), "."],
    after: (next) => ["; D's verdict then: ", h("b", { class: "number" }, verdictText(run, score(next), true)), "."],
    paint: (frame, next) => {
      const x = at(run.array("samples"), frame, i), gradient = pushOn(run, frame, i, run.loss, score(frame));
      if (run.has("data")) drawImage(real, at(run.array("data"), run.restores ? i : 0), channels);
      drawImage(fake, x, channels);
      drawPush(push, x, gradient, channels, greatest(gradient, Math.abs));
      drawImage(after, at(run.array("samples"), next, i), channels);
      moved.querySelector("figcaption").textContent = next === frame ? "G's image, the last" : "G's image, later";
    },
  };
}

function planeScene(run) {
  const canvases = ["D's verdict on the plane, with real points in green and G's in black", "the arrows along which D pushes G's points", "G's points at the next recorded step"].map(planeCanvas);
  const usual = usualPush(run), draw = (canvas, frame, arrows) => drawGame(canvas, recordedGame(run, frame), arrowLength(arrows, usual));
  return {
    judged: canvases[0], pushed: canvases[1], moved: canvases[2],
    push: (frame) => ["D's gradient says of each of G's points in which direction it would look more real: the arrows. It is all that D tells G. Their mean length: ", h("b", { class: "number" }, short(mean(recordedGame(run, frame).pushes.map(norm)))), "."],
    after: (next) => (run.has("modes") ? [": the points cover ", h("b", { class: "number" }, short(run.array("modes")[next])), ` of ${run.array("centres").shape[0]} modes.`] : ["."]),
    paint: (frame, next) => {
      draw(canvases[0], frame, "none");
      draw(canvases[1], frame, "film");
      draw(canvases[2], next, "none");
    },
  };
}

/** The three moves of an autoencoder, on its first image. */
function codeCards(panel, run) {
  const drawn = run.has("logvar"), [x, copy, error] = ["an image", "its reconstruction", "their difference"].map((label) => pixelCanvas(run.image, label));
  const texts = [0, 1, 2].map(() => h("p", {})), dimensions = run.array("mu").shape[2];
  cards(panel, [
    { title: "The encoder reads", element: x, text: texts[0], links: [["latents", "where the codes lie"]] },
    { title: "The decoder draws", element: copy, text: texts[1], links: [["curves", "its error through training"]] },
    { title: "Both learn", element: error, text: texts[2], links: run.follow ? [["step", "follow the gradient"]] : [] },
  ]);
  if (drawn) panel.append(lesson(8, "08_vae.py", "builds this model"));
  return (step) => {
    const frame = run.frame(step), code = at(run.array("mu"), frame, 0), image = at(run.array("data"), 0), made = at(run.array("reconstructions"), frame, 0);
    const difference = Float32Array.from(image, (value, i) => value - made[i]);
    drawImage(x, image, run.image[2]);
    drawImage(copy, made, run.image[2]);
    drawPush(error, made, difference, run.image[2], 255);
    texts[0].replaceChildren(`It turns this image into ${dimensions === 1 ? "one number" : `${dimensions} numbers`}, ${drawn ? "the middle of a small cloud" : "its code"}: `, h("b", { class: "number" }, [...code.slice(0, 4)].map((value) => short(value, 2)).join(", ")), dimensions > 4 ? ", …" : ".");
    texts[1].replaceChildren(drawn ? "From a point of that cloud it draws the image again. Shown is what it draws from the middle." : "From these numbers alone it draws the image again.");
    texts[2].replaceChildren("Orange should be brighter, blue darker; off by ", h("b", { class: "number" }, percent(mean(difference.map(Math.abs)) / 255)), " of the range, on average. The gradient of that error runs back through the decoder into the encoder.");
  };
}
