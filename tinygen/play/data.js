// The real points. A data set is a list of centres, each with points around it, which come along when it moves.

const REACH = 1.5; // the view goes from -1.5 to 1.5

/** A centre has x, y, and the standard deviation `spread` of its points. modes: whether its centres are counted. */
const DATASETS = {
  ring: { title: "ring of 8", modes: true, centres: () => around(8, 1, 0.05) },
  grid: { title: "grid of 9", modes: true, centres: () => grid(3, 1, 0.05) },
  gaussian: { title: "one Gaussian", modes: false, centres: () => [{ x: 0.5, y: 0.4, spread: 0.25 }] },
  moons: { title: "two moons", modes: false, centres: () => moons(24, 0.04) },
  spiral: { title: "spiral", modes: false, centres: () => spiral(40, 0.03) },
  own: { title: "your own", modes: true, centres: () => around(3, 0.8, OWN_SPREAD) },
};
const OWN_SPREAD = 0.05;

function around(n, radius, spread) {
  return Array.from({ length: n }, (_, i) => {
    const turn = (2 * Math.PI * i) / n;
    return { x: radius * Math.cos(turn), y: radius * Math.sin(turn), spread };
  });
}

function grid(side, reach, spread) {
  return Array.from({ length: side * side }, (_, i) => ({
    x: reach * ((2 * (i % side)) / (side - 1) - 1), y: reach * ((2 * Math.floor(i / side)) / (side - 1) - 1), spread,
  }));
}

/** Two half circles, one open to the top and one to the bottom, each reaching into the other. */
function moons(each, spread) {
  return Array.from({ length: 2 * each }, (_, i) => {
    const turn = (Math.PI * (i % each)) / (each - 1), [x, y] = [0.8 * Math.cos(turn), 0.8 * Math.sin(turn)];
    return i < each ? { x: x - 0.4, y: y - 0.2, spread } : { x: 0.4 - x, y: 0.2 - y, spread };
  });
}

/** One and a half turns outwards, evenly along the curve. */
function spiral(n, spread) {
  return Array.from({ length: n }, (_, i) => {
    const out = Math.sqrt(0.05 + (0.95 * i) / (n - 1)), turn = 3 * Math.PI * out;
    return { x: 1.1 * out * Math.cos(turn), y: 1.1 * out * Math.sin(turn), spread };
  });
}

/** n points, each around a centre drawn at random. */
function drawPoints(centres, n, stream) {
  const points = new Matrix(n, 2);
  for (let i = 0; i < n; i++) {
    const { x, y, spread } = centres[stream.below(centres.length)];
    points.data[2 * i] = x + spread * stream.normal();
    points.data[2 * i + 1] = y + spread * stream.normal();
  }
  return points;
}
