// The training step that the whole page shows: one scrubber at the bottom, arrows to move it, space to play.

const clock = {
  steps: [0], index: 0, timer: null, listeners: [],
  get step() { return this.steps[this.index]; },
  get playing() { return this.timer !== null; },
  /** Show the recorded step with this index. */
  show(index) {
    const before = this.index;
    this.index = clamp(index, 0, this.steps.length - 1);
    for (const listener of this.listeners) listener(this.step);
    if (this.index !== before && !this.playing && !onSlider()) announce(`step ${whole(this.step)}`); // a slider says its own
  },
  /** Show the last recorded step that is not after `step`. */
  seek(step) { this.show(this.steps.findLastIndex((one) => one <= step)); },
  play() {
    if (this.index === this.steps.length - 1) this.show(0);
    this.timer = setInterval(() => (this.index < this.steps.length - 1 ? this.show(this.index + 1) : this.pause()), 160);
    this.show(this.index);
    announce("playing");
  },
  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.show(this.index);
    announce(`paused at step ${whole(this.step)}`);
  },
  toggle() { this.playing ? this.pause() : this.play(); },
};

function startClock(runs) {
  const steps = [...new Set(runs.flatMap((run) => run.recorded))].sort((a, b) => a - b);
  clock.steps = steps.length ? steps : [0];
  clock.index = clock.steps.length - 1;
  const bar = document.getElementById("time");
  bar.hidden = clock.steps.length < 2;
  const range = h("input", {
    type: "range", id: "scrubber", min: 0, max: clock.steps.length - 1, "aria-label": "training step",
    oninput: () => clock.show(Number(range.value)),
  });
  const play = h("button", { type: "button", class: "play", onclick: () => clock.toggle() });
  const where = h("span", { class: "where number", id: "step" });
  bar.append(h("div", {}, play, range, where));
  clock.listeners.push((step) => {
    range.value = clock.index;
    range.setAttribute("aria-valuetext", `step ${step}`);
    play.textContent = clock.playing ? "❚❚ pause" : "▶ play";
    where.textContent = `step ${whole(step)}`;
  });
}

/** Whether the focus is on something that says itself where it moves to. */
function onSlider() {
  return document.activeElement.matches("[type=range], [role=slider]");
}

/**
 * Make a picture over steps a slider, moved by the arrow keys that move all of the page.
 * Returns paint(name, text): what it is called, with what is to be seen, and what it says of the step shown.
 */
function stepSlider(picture) {
  const moves = clock.steps.length > 1;
  picture.setAttribute("role", moves ? "slider" : "img");
  if (moves) for (const [name, value] of Object.entries({ tabindex: 0, "aria-valuemin": 0, "aria-valuemax": clock.steps.length - 1 })) picture.setAttribute(name, value);
  return (name, text) => {
    picture.setAttribute("aria-label", name);
    if (moves) {
      picture.setAttribute("aria-valuenow", clock.index);
      picture.setAttribute("aria-valuetext", `step ${whole(clock.step)}: ${text}`);
    }
  };
}

/** Arrows, Home, End and space; returns whether the key was one of them. */
function clockKey(event) {
  const typing = event.target.matches("input:not(#scrubber), select");
  const scrolls = event.target.matches(".scroll") && event.target.scrollWidth > event.target.clientWidth;
  if (typing || scrolls || document.getElementById("time").hidden) return false;
  const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -clock.steps.length, End: clock.steps.length };
  if (event.key in moves) clock.show(clock.index + moves[event.key]);
  else if (event.key === " " && !event.target.matches("button, summary")) clock.toggle();
  else return false;
  return true;
}
