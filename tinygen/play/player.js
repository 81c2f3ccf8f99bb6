// Time: plays step after step, or in slow motion D's move, the arrows and G's move, one after the other.

const PHASES = ["D", "arrows", "G"];
const SPEEDS = { slow: "slow motion", 5: "5 steps a second", 60: "60 steps a second", 300: "300 steps a second", max: "as fast as it can" };
const PHASE = 1200; // milliseconds of a phase in slow motion
const BUDGET = 11; // milliseconds of learning in a frame, of the 16 that 60 frames a second leave

class Player {
  /** still: nothing glides, as the reader's system asks. ondraw(): the picture has changed; onturn(): the phase has. */
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
    this.unit = Math.max(0.995 * this.unit, usualPushOf(this.after));
  }

  /** What the picture shows now. Arrows stay where the points were until G has moved. */
  get seen() {
    const seen = this.share < 1 && !this.still ? between(this.before, this.after, this.share) : this.after;
    return this.phase === "G" && this.share < 1 ? { ...seen, from: this.before.points, pushes: this.before.pushes } : seen;
  }

  get grown() {
    if (this.phase === "arrows") return this.still ? 1 : this.share;
    return this.phase === "D" && this.share < 1 ? 0 : 1;
  }

  play() {
    this.playing = true;
    this.go();
  }

  pause() {
    this.playing = false;
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
    if (this.share < 1 || this.queue.length || (this.playing && this.speed === "slow")) this.glide(elapsed);
    else if (this.playing) this.run(elapsed);
    this.ondraw();
    if (!this.lab.ready || this.lab.broken) this.pause();
    if (this.playing || this.share < 1 || this.queue.length) this.frame = requestAnimationFrame((next) => this.tick(next));
  }

  /** A part of a phase; at its end the next one begins. */
  glide(elapsed) {
    if (this.share < 1) this.share = Math.min(1, this.share + elapsed / PHASE);
    else if (this.lab.ready) {
      if (!this.queue.length) this.queue = [...PHASES];
      this.begin(this.queue.shift());
    }
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
    if (this.phase) { this.phase = null; this.onturn(); }
    for (; this.debt >= 1 && this.lab.ready && !this.lab.broken; this.debt -= 1) {
      this.lab.learn();
      this.history.add(this.lab);
      if (performance.now() > end) { this.debt = 0; break; }
    }
    this.see();
  }
}
