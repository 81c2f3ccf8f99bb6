// The training step that the whole page shows: one scrubber at the bottom, arrows to move it, space to play.

const clock = {
  steps: [0], index: 0, timer: null, listeners: [],
  get step() { return this.steps[this.index]; },
  get playing() { return this.timer !== null; },
  /** Show the recorded step with this index. */
  show(index) {
    this.index = clamp(index, 0, this.steps.length - 1);
    for (const listener of this.listeners) listener(this.step);
  },
  /** Show the last recorded step that is not after `step`. */
  seek(step) { this.show(this.steps.findLastIndex((one) => one <= step)); },
  play() {
    if (this.index === this.steps.length - 1) this.show(0);
    this.timer = setInterval(() => (this.index < this.steps.length - 1 ? this.show(this.index + 1) : this.pause()), 160);
    this.show(this.index);
  },
  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.show(this.index);
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

/** Arrows, Home, End and space; returns whether the key was one of them. */
function clockKey(event) {
  const typing = event.target.matches("input:not(#scrubber), select");
  if (typing || document.getElementById("time").hidden) return false;
  const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -clock.steps.length, End: clock.steps.length };
  if (event.key in moves) clock.show(clock.index + moves[event.key]);
  else if (event.key === " " && !event.target.matches("button, summary")) clock.toggle();
  else return false;
  return true;
}
