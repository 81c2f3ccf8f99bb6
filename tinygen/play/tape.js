// Reverse-mode autodiff on small matrices, in the form of tinygen's: an op is a function and one rule for each argument.
//
// This lab is plain JavaScript on one page, not Python behind a local server: the file opens from a disk without a
// network, any web host can serve it as it is, no process has to stay alive, and a step of these small networks takes
// about a millisecond, so that the picture moves at the screen's own rate. Numbers are float64; a test compares every
// gradient with tinygen's.

/** rows x columns numbers, row after row. What an op made knows what it was made from, and a rule for each of those. */
class Matrix {
  constructor(rows, columns, data = new Float64Array(rows * columns)) {
    Object.assign(this, { rows, columns, data, from: [], rules: [] });
  }
}

/** An op on matrices. rules: for each argument (gy, y, ...arguments) -> its gradient, where gy is the one that arrives. */
function primitive(forward, ...rules) {
  return (...from) => Object.assign(forward(...from), { from, rules });
}

/** The gradients of y, a single number, with respect to each of xs. Only the part of the tape between them is walked. */
function grad(y, xs) {
  const order = [], needed = new Set(xs), seen = new Set();
  visit(y);
  const arrived = new Map([[y, constant(y.rows, y.columns, 1)]]);
  for (const node of order.reverse()) {
    const gy = arrived.get(node);
    node.from.forEach((x, i) => {
      if (!needed.has(x)) return;
      const gx = node.rules[i](gy, node, ...node.from);
      arrived.set(x, arrived.has(x) ? zip(arrived.get(x), gx, (a, b) => a + b) : gx); // used twice: both count
    });
  }
  return xs.map((x) => arrived.get(x) ?? constant(x.rows, x.columns, 0));

  function visit(node) { // adds a node after all that it was made from, if it depends on one of xs
    if (seen.has(node)) return;
    seen.add(node);
    node.from.forEach(visit);
    if (node.from.some((x) => needed.has(x))) {
      needed.add(node);
      order.push(node);
    }
  }
}

const SLOPE = 0.2; // of the leaky ReLU below 0, as in tinygen

const ops = {
  matmul: primitive(
    product,
    (gy, y, a, b) => rowsTimesRows(gy, b), // gy @ b.T
    (gy, y, a) => product(transposed(a), gy),
  ),
  addBias: primitive(
    (x, b) => map(x, (value, i) => value + b.data[i % x.columns]),
    (gy) => gy,
    (gy) => columnSums(gy),
  ),
  add: primitive((a, b) => zip(a, b, (p, q) => p + q), (gy) => gy, (gy) => gy),
  subtract: primitive((a, b) => zip(a, b, (p, q) => p - q), (gy) => gy, (gy) => map(gy, (g) => -g)),
  negative: primitive((x) => map(x, (v) => -v), (gy) => map(gy, (g) => -g)),
  square: primitive((x) => map(x, (v) => v * v), (gy, y, x) => zip(gy, x, (g, v) => 2 * g * v)),
  relu: primitive((x) => map(x, (v) => Math.max(v, 0)), (gy, y, x) => zip(gy, x, (g, v) => (v > 0 ? g : 0))),
  leakyRelu: primitive(
    (x) => map(x, (v) => (v > 0 ? v : SLOPE * v)),
    (gy, y, x) => zip(gy, x, (g, v) => (v > 0 ? g : SLOPE * g)),
  ),
  tanh: primitive((x) => map(x, Math.tanh), (gy, y) => zip(gy, y, (g, t) => g * (1 - t * t))),
  softplus: primitive( // log(1 + e^v), without overflow
    (x) => map(x, (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)))),
    (gy, y, x) => zip(gy, x, (g, v) => g * logistic(v)),
  ),
  mean: primitive(
    (x) => constant(1, 1, x.data.reduce((sum, v) => sum + v, 0) / x.data.length),
    (gy, y, x) => constant(x.rows, x.columns, gy.data[0] / x.data.length),
  ),
};

/** A number plus a number times x: not an op of its own, but ops can be made where they are needed. */
function affine(x, times, plus) {
  return primitive((a) => map(a, (v) => plus + times * v), (gy) => map(gy, (g) => times * g))(x);
}

/** The same numbers without a tape: what they were made from gets no gradient. */
function detach(x) {
  return new Matrix(x.rows, x.columns, x.data);
}

function logistic(value) {
  return 1 / (1 + Math.exp(-value));
}

// Arithmetic without a tape, of which the ops and their rules are made.

function constant(rows, columns, value) {
  return new Matrix(rows, columns, new Float64Array(rows * columns).fill(value));
}

/** f(value, index) of each value. */
function map(x, f) {
  const y = new Matrix(x.rows, x.columns);
  for (let i = 0; i < y.data.length; i++) y.data[i] = f(x.data[i], i);
  return y;
}

function zip(a, b, f) {
  const y = new Matrix(a.rows, a.columns);
  for (let i = 0; i < y.data.length; i++) y.data[i] = f(a.data[i], b.data[i]);
  return y;
}

/** a @ b: each number is a row of a times a column of b, which lies in memory as a row of its transpose. */
function product(a, b) {
  return rowsTimesRows(a, transposed(b));
}

/** a @ b.T */
function rowsTimesRows(a, b) {
  const y = new Matrix(a.rows, b.rows), [A, B, n] = [a.data, b.data, a.columns];
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += A[i * n + k] * B[j * n + k];
      y.data[i * b.rows + j] = sum;
    }
  }
  return y;
}

function transposed(x) {
  const y = new Matrix(x.columns, x.rows);
  for (let i = 0; i < x.rows; i++) for (let j = 0; j < x.columns; j++) y.data[j * x.rows + i] = x.data[i * x.columns + j];
  return y;
}

function columnSums(x) {
  const y = new Matrix(1, x.columns);
  for (let i = 0; i < x.data.length; i++) y.data[i % x.columns] += x.data[i];
  return y;
}
