// Reverse-mode autodiff on small matrices, as in tinygen: an op is a function and one rule for each argument.
//
// This lab is plain JavaScript on one page, not Python behind a local server. The file opens from a disk without a
// network, any web host can serve it as it is, and no process has to stay alive. A step of these small networks takes
// two or three milliseconds, which leaves time to draw 60 frames a second. Numbers are float64; a test compares every
// gradient with tinygen's.

/** rows x columns numbers, row after row. What an op makes knows what it is made from, and a rule for each of those. */
class Matrix {
  constructor(rows, columns, data = new Float64Array(rows * columns)) {
    Object.assign(this, { rows, columns, data, from: [], rules: [] });
  }
}

/** An op. rules: for each argument (gy, y, ...arguments) -> its gradient, where gy is the gradient that arrives. */
function primitive(forward, ...rules) {
  return (...from) => Object.assign(forward(...from), { from, rules });
}

/** The gradients of y, a single number, with respect to each of xs. Only what lies between them is walked. */
function grad(y, xs) {
  const between = new Set(xs), arrived = new Map([[y, constant(1, 1, 1)]]);
  for (const node of inOrder(y, between).reverse()) {
    const gy = arrived.get(node);
    node.from.forEach((x, i) => {
      if (!between.has(x)) return;
      const gx = node.rules[i](gy, node, ...node.from);
      arrived.set(x, arrived.has(x) ? zip(arrived.get(x), gx, (a, b) => a + b) : gx); // used twice: both count
    });
  }
  return xs.map((x) => arrived.get(x) ?? constant(x.rows, x.columns, 0));
}

/** What depends on one of `between`, up to y, each after all that it is made from; it joins `between`. */
function inOrder(y, between, order = [], seen = new Set()) {
  if (seen.has(y)) return order;
  seen.add(y);
  for (const x of y.from) inOrder(x, between, order, seen);
  if (y.from.some((x) => between.has(x))) {
    between.add(y);
    order.push(y);
  }
  return order;
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

/** times · x + plus, for two numbers: an op can be made where it is needed. */
function affine(x, times, plus = 0) {
  return primitive((a) => map(a, (v) => times * v + plus), (gy) => map(gy, (g) => times * g))(x);
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
  const y = new Matrix(a.rows, b.rows), [A, B, Y, n] = [a.data, b.data, y.data, a.columns];
  for (let i = 0, at = 0; i < A.length; i += n) {
    for (let j = 0; j < B.length; j += n) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += A[i + k] * B[j + k];
      Y[at++] = sum;
    }
  }
  return y;
}

function transposed(x) {
  const y = new Matrix(x.columns, x.rows);
  for (let i = 0; i < x.rows; i++) {
    for (let j = 0; j < x.columns; j++) y.data[j * x.rows + i] = x.data[i * x.columns + j];
  }
  return y;
}

function columnSums(x) {
  const y = new Matrix(1, x.columns);
  for (let i = 0; i < x.data.length; i++) y.data[i % x.columns] += x.data[i];
  return y;
}
