// Slow motion in the plane: between two recorded steps, first D's move and then G's.

const TURN_TIME = 2000; // milliseconds: long enough to read what happens
const TURN_TEXTS = {
  none: "See how the next recorded step comes about: first D makes its move, and then G.",
  D: "D learns to tell real points from G's a little better: the colours change. G's points stay.",
  arrows: "Each arrow shows where D would now find the point more real. Here it is read from the slope of the colours.",
  G: "G changes its weights, so that its points move. The colours stay, and so do the arrows.",
  over: "G has moved. The picture shows the next recorded step, with its own arrows.",
};

/** The turns between one step of the page's clock and the next. */
class SlowMotion {
  /** body: the element of the view; when it leaves the page, the motion ends. */
  constructor(body) {
    Object.assign(this, { body, turn: null, over: false, share: 1, index: 0, queue: [] });
    this.now = h("p", { class: "now", "aria-live": "polite" });
    this.turns = Object.entries(TURNS).map(([turn, text]) => h("button", { type: "button", "data-phase": turn, onclick: () => this.show(turn) }, text));
    this.controls = h("section", { class: "slow", hidden: clock.steps.length < 2 },
      h("div", { class: "turns", role: "group", "aria-label": "slow motion" },
        h("button", { type: "button", id: "slow", onclick: () => this.show(...Object.keys(TURNS)) }, "▶ slow motion"), this.turns),
      this.now);
    this.tell("none");
  }

  /** The steps between which it moves; at the end of the film, the last two. */
  get ends() {
    const index = this.turn || this.over ? this.index : Math.min(clock.index, clock.steps.length - 2);
    return [Math.max(0, index), index + 1].map((one) => clock.steps[one]);
  }

  /** Show turns, one after the other. */
  show(...turns) {
    if (clock.playing) clock.pause();
    if (!this.turn) this.index = Math.max(0, Math.min(clock.index, clock.steps.length - 2));
    this.queue = turns;
    this.begin();
    clock.show(this.index);
  }

  begin() {
    this.turn = this.queue.shift();
    Object.assign(this, { over: false, share: this.still ? 1 : 0, began: performance.now() });
    this.tell(this.turn);
    this.frame ??= requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    const share = clamp((now - this.began) / TURN_TIME, 0, 1);
    this.frame = null;
    if (!this.turn || !this.body.isConnected) return;
    this.share = this.still ? 1 : share;
    if (share < 1) this.frame = requestAnimationFrame((next) => this.tick(next));
    else if (this.queue.length) this.begin();
    else if (this.turn === "G") this.end();
    if (!this.still || share === 1) repaint();
  }

  /** G has moved: the picture is that of the next step. */
  end() {
    Object.assign(this, { turn: null, over: true });
    this.tell("over");
    clock.show(this.index + 1);
  }

  /** Give way if the page has gone to another step. */
  follow() {
    if (clock.index === this.index + (this.over ? 1 : 0)) return;
    Object.assign(this, { turn: null, over: false, queue: [] });
    this.tell("none");
  }

  tell(what) {
    this.now.textContent = TURN_TEXTS[what];
    markTurn(this.turns, what);
  }

  /** Whether nothing glides, for those who asked for less motion: each turn is shown at its end. */
  get still() {
    return smoothly() === "instant";
  }
}
