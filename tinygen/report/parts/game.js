// The game in the plane as a picture: D's verdicts as colours, real points, the arrows of D's push, and G's points.

const POINT = 2.5; // the radius of a point of G's

/**
 * Draw { reach, verdicts, real, rings, points, starts, pushes }: points and pushes are lists of pairs [x, y].
 * verdicts: a grid from -1, fake, to 1, real.  rings: [{ x, y, radius, thick }] about centres.  starts: of the arrows.
 * long(push): the length of the arrow of a push, as a share of the picture's side.
 */
function drawGame(canvas, { reach, verdicts, real, rings, points, starts, pushes }, long) {
  const { context, x, y, size } = drawPlane(canvas, [-reach, reach], [-reach, reach], verdicts, tint);
  for (const [px, py] of real) drawDot(context, x(px), y(py), 1.4, "rgb(0 110 80 / 70%)");
  for (const ring of rings) {
    context.lineWidth = ring.thick ? 4 : 2;
    drawDot(context, x(ring.x), y(ring.y), Math.max(8, (ring.radius * size) / (2 * reach)), null, "rgb(0 120 85)");
  }
  context.lineWidth = 1;
  context.strokeStyle = "rgb(30 30 40 / 60%)";
  pushes.forEach(([u, v], i) => {
    const push = Math.hypot(u, v), stretch = push ? (size * long(push)) / push : 0;
    drawArrow(context, x(starts[i][0]), y(starts[i][1]), u * stretch, -v * stretch, POINT);
  });
  for (const [px, py] of points) drawDot(context, x(px), y(py), POINT, "rgb(20 20 30)", "white"); // nothing hides them
}

/** Numbers x, y, x, y, ... as pairs. */
function pairs(numbers) {
  return Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i], numbers[2 * i + 1]]);
}

/** The length that nine tenths of all pushes don't exceed. */
function usualLength(lengths) {
  return lengths.sort((a, b) => a - b)[Math.floor(0.9 * lengths.length)] || 1;
}

/** A pale colour for a verdict from -1, fake, to 1, real: blue by way of white to orange. */
function tint(verdict) {
  const end = verdict > 0 ? [244, 165, 96] : [104, 168, 216], share = Math.abs(verdict);
  return end.map((one) => Math.round(250 + share * (one - 250)));
}

function gameKey(probability) {
  const canvas = h("canvas", { width: 64, height: 1 });
  drawPixels(canvas, (i) => tint(i / 31.5 - 1));
  return h("div", { class: "key" }, probability ? "D: certainly fake" : "D's score: low", canvas, probability ? "certainly real" : "high");
}
