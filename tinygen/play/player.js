// Time: plays step after step, or in slow motion D's move, the arrows and G's move, one after the other.

const PHASES = Object.keys(TURNS);
const SPEEDS = {
  slow: "slow motion",
  5: "5 steps a second",
  60: "60 steps a second",
  300: "300 steps a second",
  max: "as many steps as it can",
};
const PHASE = 1200; // milliseconds of a phase in slow motion
const BUDGET = 11; // milliseconds of learning in a frame, of the 16 that 60 frames a second leave

class Player {
  /** still: nothing glides. ondraw(): the picture has changed. onturn(): another phase begins, or play, or a rest. */
  constructor(lab, still, ondraw, onturn) {
    Object.assign(this, { still, ondraw, onturn, speed: "60", playing: false, frame: null });
    this.take(lab);
  }

  /** Begin with another lab. */
  take(lab) {
    Object.assign(this, { lab, history: new History(), queue: [], phase: null, share: 1, debt: 0, unit: 0 });
    this.see();
  }

  /** Look at the lab again, without a glide. */
  see() {
    this.before = this.after = this.lab.look();
    const usual = usualLength(pairs(this.after.pushes.data).map(norm));
    this.unit = Math.max(this.unit, usual); // one scale since the start, so that arrows can vanish
  }

  /** What the picture shows now. Arrows stay where the points were until G has moved. */
  get seen() {
    if (this.share === 1) return this.after;
    const seen = this.still ? this.after : between(this.before, this.after, this.share);
    return this.phase === "G" ? { ...seen, from: this.before.points, pushes: this.before.pushes } : seen;
  }

  get grown() {
    if (this.phase === "arrows") return this.still ? 1 : this.share;
    return this.phase === "D" && this.share < 1 ? 0 : 1;
  }

  play() {
    this.playing = true;
    this.go();
  }

  /** Stop, at the end of the phase that is under way. */
  pause() {
    this.playing = false;
    this.queue = [];
    this.onturn();
  }

  /** Make these phases, one after the other, and stop. */
  make(...phases) {
    this.playing = false;
    this.finish();
    this.queue = [...phases];
    this.go();
  }

  /** Bring a phase that is under way to its end. */
  finish() {
    this.share = 1;
    this.queue = [];
    this.see();
  }

  go() {
    this.last = performance.now();
    this.onturn();
    this.frame ??= requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    const elapsed = clamp(now - this.last, 0, 100);
    this.last = now;
    this.frame = null;
    if (this.gliding || (this.playing && this.speed === "slow")) this.glide(elapsed);
    else if (this.playing) this.run(elapsed);
    this.ondraw();
    if (!this.lab.ready || this.lab.broken) this.pause();
    if (this.playing || this.gliding) this.frame = requestAnimationFrame((next) => this.tick(next));
    else this.onturn();
  }

  get gliding() { return this.share < 1 || this.queue.length > 0; }

  /** A part of a phase; at its end the next one begins. */
  glide(elapsed) {
    const length = this.still && !this.playing ? 0 : PHASE; // a single move needs no time if nothing glides
    if (this.share < 1) this.share = Math.min(1, this.share + elapsed / length);
    else if (this.lab.ready) this.begin(this.queue.shift() ?? PHASES[(PHASES.indexOf(this.phase) + 1) % PHASES.length]);
  }

  begin(phase) {
    this.see();
    this.phase = phase;
    if (phase === "D") this.lab.turnOfD();
    if (phase === "G") this.lab.learnG();
    if (phase === "G") this.history.add(this.lab);
    this.after = this.lab.look();
    this.share = 0;
    this.onturn();
  }

  /** As many whole steps as the speed asks for and the time allows. */
  run(elapsed) {
    const end = performance.now() + BUDGET;
    this.debt = this.speed === "max" ? Infinity : Math.min(this.debt + (elapsed * this.speed) / 1000, 60);
    if (this.debt < 1) return;
    if (this.phase) {
      this.phase = null;
      this.onturn();
    }
    for (; this.debt >= 1 && this.lab.ready && !this.lab.broken; this.debt -= 1) {
      this.lab.learn();
      this.history.add(this.lab);
      if (performance.now() > end) break;
    }
    this.see();
  }
}
