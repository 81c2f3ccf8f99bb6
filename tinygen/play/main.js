// What puts the page together and starts it.

const ARROWS = { unit: "arrows: as long as the push", same: "all the same length", none: "none" };
const WORDS_EVERY = 250; // milliseconds between two texts and curves while it plays
const SPOKEN_EVERY = 20_000; // and between two announcements to a screen reader

function start() {
  const { losses } = JSON.parse(document.getElementById("data").textContent);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches, settings = { ...DEFAULTS };
  const state = { arrows: "unit", written: 0, spoken: performance.now() }, part = makeParts();
  const player = new Player(new Lab(settings, losses[settings.loss]), still, draw, turn);
  const hand = makeDraggable(part.canvas, () => player.lab, (text) => {
    if (player.share === 1) player.see();
    draw();
    write();
    if (text) say(text);
  });
  startTheme();
  shown = { paint: () => { draw(); write(); } }; // for another theme
  addEventListener("resize", repaint);
  place();
  repaint();
  turn();
  if (!still) player.play();
  Object.assign(globalThis, { player, restart }); // for the curious, in the browser's console

  function restart(change = {}) {
    Object.assign(settings, change);
    player.take(new Lab(settings, losses[settings.loss]));
    hand.chosen = null;
    part.key.replaceChildren(fieldKey(player.lab.meaning.probability));
    part.loss.replaceChildren(...lossText(losses[settings.loss]));
    part.howTo.textContent = settings.data === "own" ? HOW_TO.own : HOW_TO.moved;
    part.clear.hidden = settings.data !== "own";
    if (player.playing) player.go();
    turn();
    repaint();
    if (document.body.dataset.ready) say("started again");
  }

  function draw() {
    const unit = state.arrows === "same" ? 0 : player.unit, grown = state.arrows === "none" ? 0 : player.grown;
    drawPicture(part.canvas, player.lab, player.seen, { grown, unit, chosen: hand.chosen });
    const now = performance.now();
    if (now - state.written > WORDS_EVERY) write();
    if (player.playing && now - state.spoken > SPOKEN_EVERY) say(part.numbers.textContent);
  }

  function write() {
    state.written = performance.now();
    part.step.textContent = `step ${whole(player.lab.step)}`;
    part.numbers.replaceChildren(...(player.lab.ready ? numbersText(player.lab, player.after) : []));
    drawCurves(part.curves, player.history, player.lab.meaning.probability);
  }

  /** Another phase, or play and pause. */
  function turn() {
    part.play.textContent = player.playing ? "❚❚ pause" : "▶ play";
    part.now.textContent = nowText(player);
    for (const one of part.turns.children) {
      if (one.dataset.phase === player.phase) one.setAttribute("aria-current", "step");
      else one.removeAttribute("aria-current");
    }
    if (!player.queue.length && player.share === 1) write();
  }

  function say(text) {
    state.spoken = performance.now();
    part.status.textContent = `Step ${whole(player.lab.step)}: ${text}`;
  }

  function toggle() {
    player.playing ? player.pause() : player.play();
    say(player.playing ? "playing" : `paused. ${part.numbers.textContent}`);
  }

  function make(...phases) {
    player.make(...phases);
    say(phases.map((phase) => TURNS[phase].slice(2)).join(", "));
  }

  function place() {
    const titles = Object.fromEntries(Object.entries(DATASETS).map(([key, { title }]) => [key, title]));
    document.getElementById("head").append(h("div", { class: "top" }, h("div", {}, h("h1", {}, "A GAN learns, live"),
      h("p", { class: "quiet" }, "G makes points of random numbers, D tells them from real ones, and both learn on this page.")), themeSwitch()));
    part.canvas.setAttribute("aria-describedby", "how");
    part.moves.append(
      button("D's step", () => make("D", "arrows"), { id: "stepD" }), button("G's step", () => make("G"), { id: "stepG" }),
      button("whole step", () => make(...PHASES), { id: "whole" }), button("start again", () => restart(), { id: "again" }));
    part.data.append(selection("data", "chosen", titles, settings.data, (data) => restart({ data })),
      selection("loss", "loss", lossTitles(losses), settings.loss, (loss) => restart({ loss })), part.clear);
    part.arrows.append(choice(ARROWS, state.arrows, (key) => { state.arrows = key; draw(); }, "arrows"));
    part.settings.append(...settingsPanel(settings, restart, (change) => Object.assign(settings, change)));
    part.clear.addEventListener("click", () => { player.lab.centres.length = 0; player.pause(); player.see(); repaint(); say("no data"); });
    part.play.addEventListener("click", toggle);
    document.getElementById("time").append(h("div", {}, part.play,
      selection("speed", "speed", SPEEDS, player.speed, (speed) => { player.speed = speed; turn(); }), part.step));
    document.getElementById("view").append(...layout(part));
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("button, select, input, summary")) return;
      event.preventDefault();
      toggle();
    });
    document.addEventListener("click", (event) => event.detail && event.target.closest("button")?.blur()); // space is to play
    restart();
    document.body.dataset.ready = "yes";
  }
}
