// The page: it ties the lab, the player, the picture and the controls together.

const ARROWS = { unit: "arrows: as long as the push", same: "all the same length", none: "none" };
const WORDS_EVERY = 250; // milliseconds between two texts and curves while it plays
const SPOKEN_EVERY = 20_000; // and between two announcements to a screen reader

class Page {
  /** losses: tinygen's descriptions, by name. still: nothing moves until something is pressed, and nothing glides. */
  constructor(losses, still) {
    Object.assign(this, { losses, settings: { ...DEFAULTS }, part: makeParts(), arrows: "unit" });
    this.written = this.spoken = performance.now();
    this.player = new Player(this.newLab(), still, () => this.draw(), () => this.turn());
    this.hand = new Hand(this.part.canvas, () => this.player.lab, (text) => this.dataChanged(text));
    this.play = button("", () => this.toggle(), { class: "play" });
    this.clear = button("remove all points", () => this.removeAll(), { id: "clear" });
    this.place();
    this.begin();
    if (!still) this.toggle();
  }

  newLab() { return new Lab(this.settings, this.losses[this.settings.loss]); }

  /** Fill the parts with controls, and put them on the page. */
  place() {
    const { part, settings, player } = this, restart = (change) => this.restart(change);
    const datasets = Object.fromEntries(Object.entries(DATASETS).map(([key, { title }]) => [key, title]));
    part.moves.append(
      button("D's step", () => this.make("D", "arrows"), { id: "stepD" }),
      button("G's step", () => this.make("G"), { id: "stepG" }),
      button("whole step", () => this.make(...PHASES), { id: "whole" }),
      button("start again", () => restart(), { id: "again" }));
    part.choices.append(
      selection("data", "chosen", datasets, settings.data, (data) => restart({ data })),
      selection("loss", "loss", lossTitles(this.losses), settings.loss, (loss) => restart({ loss })), this.clear);
    part.arrows.append(choice(ARROWS, this.arrows, (key) => { this.arrows = key; this.draw(); }, "arrows"));
    part.settings.append(...settingsPanel(settings, restart, (change) => Object.assign(settings, change)));
    const speed = selection("speed", "speed", SPEEDS, player.speed, (value) => { player.speed = value; this.turn(); });
    document.getElementById("head").append(header());
    document.getElementById("view").append(...layout(part));
    document.getElementById("time").append(h("div", {}, this.play, speed, part.step));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  restart(change = {}) {
    Object.assign(this.settings, change);
    this.player.take(this.newLab());
    this.hand.chosen = null;
    this.begin();
    this.say("started again");
  }

  /** Show a lab that is new. */
  begin() {
    const { part, settings, player } = this, own = settings.data === "own";
    part.key.replaceChildren(gameKey(player.lab.meaning.probability));
    part.loss.replaceChildren(...lossText(player.lab.meaning));
    part.hints.replaceChildren(...hintsOn(player.lab.meaning).map((hint) => h("li", {}, hint)));
    part.howTo.textContent = own ? HOW_TO.own : HOW_TO.move;
    this.clear.hidden = !own;
    if (player.playing) player.go();
    else this.turn();
    this.draw();
    this.write();
  }

  draw() {
    const { player, hand } = this, now = performance.now();
    const grown = this.arrows === "none" ? 0 : player.grown, unit = this.arrows === "same" ? 0 : player.unit;
    drawPicture(this.part.canvas, player.lab, player.seen, { grown, unit, chosen: hand.chosen });
    if (now - this.written > WORDS_EVERY) this.write();
    if (player.playing && now - this.spoken > SPOKEN_EVERY) this.say(this.part.numbers.textContent);
  }

  /** The numbers and curves. */
  write() {
    const { part, player: { lab, after, history } } = this;
    this.written = performance.now();
    part.step.textContent = `step ${whole(lab.step)}`;
    part.numbers.replaceChildren(...(lab.ready ? numbersText(lab, after) : []));
    drawCurves(part.curves, history, lab.meaning.probability);
  }

  /** Another phase has begun, or play, or a rest. */
  turn() {
    const { part, player } = this;
    this.play.textContent = player.playing ? "❚❚ pause" : "▶ play";
    part.now.textContent = nowText(player);
    markTurn(part.turns.children, player.phase);
    if (!player.playing && !player.gliding) this.write();
  }

  /** Tell a screen reader. */
  say(text) {
    this.spoken = performance.now();
    this.part.status.textContent = `Step ${whole(this.player.lab.step)}: ${text}`;
  }

  toggle() {
    const { player } = this;
    player.playing ? player.pause() : player.play();
    this.say(player.playing ? "playing" : `paused. ${this.part.numbers.textContent}`);
  }

  make(...phases) {
    this.player.make(...phases);
    this.say(phases.map((phase) => TURNS[phase]).join(", "));
  }

  /** text: what has been done to the data; none while it is being done. */
  dataChanged(text) {
    if (this.player.share === 1) this.player.see();
    this.draw();
    if (!text) return;
    this.turn();
    this.say(text);
  }

  removeAll() {
    this.player.lab.centres.length = 0;
    this.player.pause();
    this.dataChanged("no data");
  }

  /** Space plays and pauses, but on a control it is the control's. */
  key(event) {
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if (event.key !== " " || modified || event.target.matches("button, select, input, summary")) return;
    event.preventDefault();
    this.toggle();
  }
}

function start() {
  startTheme();
  const { losses } = JSON.parse(document.getElementById("data").textContent);
  const page = new Page(losses, matchMedia("(prefers-reduced-motion: reduce)").matches);
  shown = { paint: () => { page.draw(); page.write(); } }; // for another theme
  addEventListener("resize", repaint);
  document.addEventListener("click", (event) => event.detail && event.target.closest("button")?.blur()); // space plays
  globalThis.page = page; // for the curious, in the browser's console
}
