// The plane: a square canvas with axes from -reach to reach, for points and what lies under them.

/** A square canvas; paint it with drawPlane. */
function planeCanvas(label) {
  return h("canvas", { class: "plane", role: "img", "aria-label": label, "data-name": label });
}

/**
 * Clear a plane and return { context, x, y, size }: x(value) and y(value) are places on the canvas.
 * grid: rows of numbers that shade(value) turns into colours, the first row the lowest.
 */
function drawPlane(canvas, [left, right], [low, high], grid, shade) {
  const size = canvas.clientWidth, density = devicePixelRatio || 1, context = canvas.getContext("2d");
  canvas.width = canvas.height = size * density;
  context.scale(density, density);
  const x = (value) => ((value - left) / (right - left)) * size, y = (value) => (1 - (value - low) / (high - low)) * size;
  if (grid) {
    const [rows, columns] = grid.shape, small = h("canvas", { width: columns, height: rows });
    drawPixels(small, (i) => shade(grid[(rows - 1 - Math.floor(i / columns)) * columns + (i % columns)]));
    const half = size / (columns - 1) / 2; // a number of the grid is the middle of its cell
    context.drawImage(small, -half, -half, size + 2 * half, size + 2 * half);
  }
  context.strokeStyle = styled("--line");
  context.strokeRect(0.5, 0.5, size - 1, size - 1);
  return { context, x, y, size };
}

function drawDot(context, x, y, radius, fill, stroke) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  if (fill) { context.fillStyle = fill; context.fill(); }
  if (stroke) { context.strokeStyle = stroke; context.stroke(); }
}

/** An arrow from a dot at (x, y): it begins at the rim, so that it doesn't hide the dot. */
function drawArrow(context, x, y, dx, dy, rim = 0) {
  const length = Math.hypot(dx, dy), head = Math.min(5, 0.5 * length);
  if (length < 0.5) return;
  const [ux, uy] = [dx / length, dy / length];
  x += rim * ux;
  y += rim * uy;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + dx, y + dy);
  context.lineTo(x + dx - head * (ux + 0.6 * uy), y + dy - head * (uy - 0.6 * ux));
  context.moveTo(x + dx, y + dy);
  context.lineTo(x + dx - head * (ux - 0.6 * uy), y + dy - head * (uy + 0.6 * ux));
  context.stroke();
}

/** How many of n points a picture doesn't show, as pieces of text with the number in bold. */
function outsideText(outside, n) {
  return [h("b", { class: "number outside" }, outside), ` of ${n} points ${outside === 1 ? "lies" : "lie"} outside of this picture.`];
}

/**
 * A grid of numbers over the plane from -reach to reach, read at a place: { value, slope: [by x, by y] }, linear between
 * the four numbers around it; null outside of the grid.
 */
function gridAt(grid, reach, x, y) {
  const last = grid.shape[0] - 1, cell = (2 * reach) / last, across = (x + reach) / cell, up = (y + reach) / cell;
  if (!(across >= 0 && up >= 0 && across <= last && up <= last)) return null;
  const column = Math.min(Math.floor(across), last - 1), row = Math.min(Math.floor(up), last - 1);
  const [a, b] = [across - column, up - row];
  const [low, high] = [at(grid, row), at(grid, row + 1)].map((numbers) => numbers.subarray(column, column + 2));
  const along = (left, right, share) => left + share * (right - left);
  return {
    value: along(along(low[0], low[1], a), along(high[0], high[1], a), b),
    slope: [along(low[1] - low[0], high[1] - high[0], b) / cell, along(high[0] - low[0], high[1] - low[1], a) / cell],
  };
}
