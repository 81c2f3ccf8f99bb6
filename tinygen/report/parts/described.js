// What a picture shows, in words and this run's numbers, for those who don't see it.

/** The way of a line: "loss_G rises from 0.7 to 1.2", with how far it goes beyond them if it does. */
function course({ name, y }) {
  const known = [...y].filter(Number.isFinite);
  if (!known.length) return `${name} has no values`;
  const [first, last] = [known[0], known.at(-1)], [low, high] = [-greatest(known, (value) => -value), greatest(known)];
  const move = short(first) === short(last) ? `${name} is ${short(last)} at both ends`
    : `${name} ${last > first ? "rises" : "falls"} from ${short(first)} to ${short(last)}`;
  if (known.length === 1) return `${name} is ${short(first)}`;
  const beyond = [
    low < Math.min(first, last) ? `as low as ${short(low)}` : null, high > Math.max(first, last) ? `as high as ${short(high)}` : null,
  ].filter(Boolean);
  return beyond.length ? `${move}, and is ${beyond.join(" and ")} in between` : move;
}

/** The ends of some numbers: "from -1 to 2.5". */
function extent(values, format = short) {
  return `from ${format(-greatest(values, (value) => -value))} to ${format(greatest(values))}`;
}

/** Say what a canvas shows beside its own name. */
function describe(canvas, text) {
  canvas.setAttribute("aria-label", `${canvas.dataset.name}: ${text}`);
}
