// The picture: D's field, the real points, the arrows along which D pushes G's points, and those points on top.

const LONGEST = 0.12; // of an arrow, as a share of the picture's side
const REAL = "rgb(0 110 80 / 70%)", RING = "rgb(0 120 85)", ARROW = "rgb(30 30 40 / 55%)", MADE = "rgb(20 20 30)";

/** How D's scores become verdicts from -1, fake, to 1, real. Scores without a probability are seen beside each other. */
function verdictsOf({ probability, threshold }, field) {
  if (probability) return (score) => 2 * logistic(score) - 1;
  const middle = threshold ?? mean(field), spread = 2 * mean(field.map((score) => Math.abs(score - middle))) || 1;
  return (score) => clamp((score - middle) / spread, -1, 1);
}

/**
 * Draw what `seen` holds, as Lab.look gives it.
 * grown: how much of each arrow, from 0 to 1.  unit: the push whose arrow is a half of the longest; 0: all are as long.
 * chosen: the centre that the keyboard moves, if any.
 */
function drawPicture(canvas, lab, seen, { grown, unit, chosen }) {
  const verdict = verdictsOf(lab.meaning, seen.field), ends = [-REACH, REACH];
  const { context, x, y, size } = drawPlane(canvas, ends, ends, seen.field, (score) => tint(verdict(score)));
  for (const [px, py] of pairs(seen.real)) drawDot(context, x(px), y(py), 1.6, REAL);
  drawRings(context, lab, x, y, size, chosen);
  context.strokeStyle = ARROW;
  context.lineWidth = 1.2;
  const starts = pairs(seen.from ?? seen.points);
  if (grown > 0) pairs(seen.pushes).forEach(([u, v], i) => {
    const length = Math.hypot(u, v) || 1, long = LONGEST * size * grown * (unit ? Math.min(1, (0.5 * length) / unit) : 0.4);
    drawArrow(context, x(starts[i][0]), y(starts[i][1]), (u / length) * long, (-v / length) * long);
  });
  context.lineWidth = 1;
  for (const [px, py] of pairs(seen.points)) drawDot(context, x(px), y(py), 2.8, MADE, "white");
}

function drawRings(context, lab, x, y, size, chosen) {
  lab.centres.forEach((centre, i) => {
    const radius = Math.max(8, ((WITHIN * centre.spread) / (2 * REACH)) * size);
    context.lineWidth = i === chosen ? 4 : 2;
    if (i === chosen || DATASETS[lab.settings.data].modes) drawDot(context, x(centre.x), y(centre.y), radius, null, RING);
  });
}

function pairs({ data, rows }) {
  return Array.from({ length: rows }, (_, i) => [data[2 * i], data[2 * i + 1]]);
}

/** The push that nine tenths of the points don't exceed. */
function usualPushOf({ pushes }) {
  const lengths = pairs(pushes).map(([u, v]) => Math.hypot(u, v)).sort((a, b) => a - b);
  return lengths[Math.floor(0.9 * lengths.length)];
}

/** What is seen on the way from one look to another: D's field, or G's points, a share of the way. */
function between(before, after, share) {
  const mix = (a, b) => a.map((value, i) => value + share * (b[i] - value));
  const points = new Matrix(after.points.rows, 2, mix(before.points.data, after.points.data));
  return { ...after, points, field: Object.assign(mix(before.field, after.field), { shape: after.field.shape }) };
}
