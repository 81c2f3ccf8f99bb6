// The GAN losses: how steeply G's loss falls with D's score, as tinygen's own gradient measured it for each of them.

/** dL/ds of a loss of G at a score: linear between the measured slopes, and beyond them. */
function slopeAt({ low, high, slope }, score) {
  const place = ((score - low) / (high - low)) * (slope.length - 1), i = clamp(Math.floor(place), 0, slope.length - 2);
  return slope[i] + (place - i) * (slope[i + 1] - slope[i]);
}

/** The losses of a run as [{ key, title, formula, loss, own }]: one where several have the same formula for G. */
function distinctLosses(run) {
  const found = new Map();
  for (const [key, loss] of Object.entries(run.losses)) {
    const id = loss.formula || key, known = found.get(id), own = key === run.loss;
    if (known) Object.assign(known, { title: `${known.title}, ${loss.title}`, key: own ? key : known.key, own: own || known.own });
    else found.set(id, { key, title: loss.title, formula: loss.formula, loss, own });
  }
  return [...found.values()];
}

/** How the push on G changes as D gets surer that an example is fake: it "fades", "grows" or "stays". */
function whenFake(loss) {
  const ratio = Math.abs(slopeAt(loss, -10) / slopeAt(loss, 0));
  return ratio < 0.1 ? "fades" : ratio > 1.5 ? "grows" : "stays";
}

/** The score at which the push turns around; undefined if it points one way. */
function turningPoint({ low, high, slope }) {
  const i = slope.findIndex((value, j) => value < 0 && slope[j + 1] >= 0);
  if (i < 0) return undefined;
  return low + ((i + slope[i] / (slope[i] - slope[i + 1])) / (slope.length - 1)) * (high - low);
}

/** The share of scores that D has on the right side of its threshold, real and fake examples alike. */
function shareRight(threshold, real, fake) {
  const share = (scores, holds) => mean(Array.from(scores, (score) => Number(holds(score))));
  return 0.5 * (share(real, (score) => score > threshold) + share(fake, (score) => score <= threshold));
}
