// The picture of the lab: D's field, the real points, the arrows along which D pushes G's points, and those points.

const LONGEST = 0.12; // of an arrow, as a share of the picture's side

/** D's scores as verdicts from -1, fake, to 1, real. Without a probability they only mean something side by side. */
function verdictsOf({ probability, threshold }, field) {
  if (probability) return (score) => 2 * logistic(score) - 1;
  const middle = threshold ?? mean(field), spread = 2 * mean(field.map((score) => Math.abs(score - middle))) || 1;
  return (score) => clamp((score - middle) / spread, -1, 1);
}

/**
 * Draw what `seen` holds, as Lab.look gives it.
 * grown: how much of each arrow, from 0 to 1.  unit: the push whose arrow has half of LONGEST; 0: all are equal.
 * chosen: the centre that the keyboard moves, if any.
 */
function drawPicture(canvas, lab, seen, { grown, unit, chosen }) {
  const { field, real, points, from = points, pushes } = seen, verdict = verdictsOf(lab.meaning, field);
  const verdicts = Object.assign(field.map(verdict), { shape: field.shape });
  const rings = ringsOf(lab, chosen), [reals, made, starts, arrows] = [real, points, from, pushes].map(({ data }) => pairs(data));
  const long = (push) => grown * LONGEST * (unit ? Math.min(1, (0.5 * push) / unit) : 0.4);
  drawGame(canvas, { reach: REACH, verdicts, real: reals, rings, points: made, starts, pushes: arrows }, long);
}

function ringsOf(lab, chosen) {
  const shown = lab.centres.map(({ x, y, spread }, i) => ({ x, y, radius: WITHIN * spread, thick: i === chosen }));
  return DATASETS[lab.settings.data].modes ? shown : shown.filter((ring) => ring.thick);
}

/** What is seen on the way from one look to another: D's field, or G's points, a share of the way. */
function between(before, after, share) {
  const points = new Matrix(after.points.rows, 2, mix(before.points.data, after.points.data, share));
  return { ...after, points, field: Object.assign(mix(before.field, after.field, share), { shape: after.field.shape }) };
}
