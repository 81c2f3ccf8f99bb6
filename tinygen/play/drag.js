// Data by hand: drag a real point, and all those around its centre come along; in "your own", click to add a centre.

const GRIP = 24; // pixels: how near to a point it can be taken hold of
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STRIDE = 0.05; // of an arrow key

/** The reader's hand on a canvas. lab(): whose data it moves. changed(text): they change; text says how, at the end. */
class Hand {
  constructor(canvas, lab, changed) {
    Object.assign(this, { canvas, lab, changed, held: null, chosen: null, pressed: false, moved: false });
    const on = (name, act, options) => canvas.addEventListener(name, act, options);
    on("pointerdown", (event) => this.press(event));
    on("pointermove", (event) => (this.pressed ? this.pull(this.placeOf(event)) : this.hover(this.placeOf(event))));
    on("pointerup", () => this.release());
    on("pointercancel", () => { this.pressed = false; });
    on("blur", () => { this.chosen = null; changed(); });
    on("keydown", (event) => { if (this.key(event.key)) event.preventDefault(); });
    on("touchstart", (event) => { // a finger on a point drags it; elsewhere it scrolls the page
      if (this.pointAt(this.placeOf(event.touches[0]))) event.preventDefault();
    }, { passive: false });
  }

  get centres() { return this.lab().centres; }

  get own() { return this.lab().settings.data === "own"; }

  get scale() { return (2 * REACH) / this.canvas.clientWidth; }

  placeOf({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return [(clientX - box.left) * this.scale - REACH, REACH - (clientY - box.top) * this.scale];
  }

  pointAt(place) { return nearestCentre(this.lab(), place, GRIP * this.scale); }

  hover(place) { this.canvas.style.cursor = this.pointAt(place) ? "grab" : this.own ? "copy" : "default"; }

  press(event) {
    if (event.button !== 0) return;
    const place = this.placeOf(event);
    Object.assign(this, { pressed: true, moved: false, last: place, held: this.pointAt(place) });
    this.canvas.setPointerCapture(event.pointerId);
  }

  pull(place) {
    if (!this.held) return;
    move(this.held, place[0] - this.last[0], place[1] - this.last[1]);
    Object.assign(this, { moved: true, last: place });
    this.changed();
  }

  release() {
    if (!this.pressed) return;
    this.pressed = false;
    if (this.moved) this.changed("the data have changed");
    else if (!this.held && this.own) this.add(this.last);
  }

  /** Whether a key was one of these, and is done. */
  key(key) {
    const n = this.centres.length, next = { PageDown: 1, PageUp: n - 1 }[key];
    if (key === "Enter" && this.own) this.add([0, 0]);
    else if (n && next !== undefined) this.choose(this.chosen === null ? 0 : (this.chosen + next) % n);
    else if (n && key in MOVES) this.nudge(...MOVES[key]);
    else if (key === "Delete" && this.own && this.chosen !== null) this.remove();
    else return false;
    return true;
  }

  nudge(right, up) {
    this.chosen ??= 0;
    move(this.centres[this.chosen], STRIDE * right, STRIDE * up);
    this.choose(this.chosen);
  }

  add([x, y]) { this.choose(this.centres.push({ x, y, spread: OWN_SPREAD }) - 1); }

  remove() {
    this.centres.splice(this.chosen, 1);
    this.chosen = null;
    this.changed(`removed; ${this.centres.length} left`);
  }

  choose(i) {
    const { x, y } = this.centres[i];
    this.chosen = i;
    this.changed(`centre ${i + 1} of ${this.centres.length}, at ${x.toFixed(2)}, ${y.toFixed(2)}`);
  }
}

function move(centre, dx, dy) {
  centre.x = clamp(centre.x + dx, -REACH, REACH);
  centre.y = clamp(centre.y + dy, -REACH, REACH);
}

/** The centre of the real point, or the centre itself, that is nearest to a place and within reach of it; or null. */
function nearestCentre(lab, [x, y], reach) {
  let nearest = null;
  const consider = (px, py, centre) => {
    const distance = Math.hypot(px - x, py - y);
    if (distance < reach) [nearest, reach] = [centre, distance];
  };
  lab.centres.forEach((centre) => consider(centre.x, centre.y, centre));
  pairs(lab.real().data).forEach(([px, py], i) => consider(px, py, lab.centres[i % lab.centres.length]));
  return nearest;
}
