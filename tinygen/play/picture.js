// The picture: D's field, the real points, the arrows along which D pushes G's points, and those points on top.

const LONGEST = 0.12; // of an arrow, as a share of the picture's side
const DOT = 2.8; // the radius of a point of G's
const REAL = "rgb(0 110 80 / 70%)", RING = "rgb(0 120 85)", ARROW = "rgb(30 30 40 / 55%)", MADE = "rgb(20 20 30)";

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
  const verdict = verdictsOf(lab.meaning, seen.field), ends = [-REACH, REACH];
  const plane = drawPlane(canvas, ends, ends, seen.field, (score) => tint(verdict(score))), { context, x, y } = plane;
  for (const [px, py] of pairs(seen.real)) drawDot(context, x(px), y(py), 1.6, REAL);
  drawRings(plane, lab, chosen);
  drawArrows(plane, seen, grown, unit);
  context.lineWidth = 1;
  for (const [px, py] of pairs(seen.points)) drawDot(context, x(px), y(py), DOT, MADE, "white"); // nothing hides them
}

function drawRings({ context, x, y, size }, lab, chosen) {
  lab.centres.forEach((centre, i) => {
    if (i !== chosen && !DATASETS[lab.settings.data].modes) return;
    context.lineWidth = i === chosen ? 4 : 2;
    const radius = (WITHIN * centre.spread * size) / (2 * REACH);
    drawDot(context, x(centre.x), y(centre.y), Math.max(8, radius), null, RING);
  });
}

function drawArrows({ context, x, y, size }, { points, from = points, pushes }, grown, unit) {
  const starts = pairs(from);
  context.strokeStyle = ARROW;
  context.lineWidth = 1;
  pairs(pushes).forEach(([u, v], i) => {
    const push = Math.hypot(u, v) || 1, share = unit ? Math.min(1, (0.5 * push) / unit) : 0.4;
    const stretch = (LONGEST * size * grown * share) / push;
    drawArrow(context, x(starts[i][0]), y(starts[i][1]), u * stretch, -v * stretch, DOT);
  });
}

/** The push that nine tenths of the points don't exceed. */
function usualPushOf({ pushes }) {
  const lengths = pairs(pushes).map(([u, v]) => Math.hypot(u, v)).sort((a, b) => a - b);
  return lengths[Math.floor(0.9 * lengths.length)];
}

/** What is seen on the way from one look to another: D's field, or G's points, a share of the way. */
function between(before, after, share) {
  const points = new Matrix(after.points.rows, 2, mix(before.points.data, after.points.data, share));
  return { ...after, points, field: Object.assign(mix(before.field, after.field, share), { shape: after.field.shape }) };
}
