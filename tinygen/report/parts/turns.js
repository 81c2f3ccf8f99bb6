// The turns of a training step, one after the other, as the live lab makes them and the recorded plane shows them.

const TURNS = { D: "1 D judges", arrows: "2 the arrows", G: "3 G moves" };

/** Numbers a share of the way from `before` to `after`. */
function mix(before, after, share) {
  return before.map((value, i) => value + share * (after[i] - value));
}

/** Mark the element of the turn that is under way, if any; each has its turn as data-phase. */
function markTurn(elements, turn) {
  for (const one of elements) {
    if (one.dataset.phase === turn) one.setAttribute("aria-current", "step");
    else one.removeAttribute("aria-current");
  }
}
