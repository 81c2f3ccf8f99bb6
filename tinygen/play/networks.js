// What G and D are made of: dense layers, their first weights, Adam, and the random numbers of it all.

/** A stream of random numbers: mulberry32, the same for the same seed on every machine. */
class Stream {
  constructor(seed) { this.state = seed >>> 0; }

  /** From 0 to 1. */
  uniform() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From N(0, 1): Box and Muller 1958. */
  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  below(n) { return Math.floor(n * this.uniform()); }

  normals(rows, columns) { return map(new Matrix(rows, columns), () => this.normal()); }
}

/** Dense layers from width to width, a leaky ReLU after each but the last. Called with x (N, in), it gives (N, out). */
class Network {
  /** Weights are U(± √(6 / (in + out))), biases 0: Glorot and Bengio 2010. */
  constructor(widths, stream) {
    this.parameters = widths.slice(1).flatMap((columns, i) => {
      const limit = Math.sqrt(6 / (widths[i] + columns));
      const w = map(new Matrix(widths[i], columns), () => limit * (2 * stream.uniform() - 1));
      return [w, new Matrix(1, columns)];
    });
  }

  forward(x) {
    for (let i = 0; i < this.parameters.length; i += 2) {
      x = ops.addBias(ops.matmul(x, this.parameters[i]), this.parameters[i + 1]);
      if (i + 2 < this.parameters.length) x = ops.leakyRelu(x);
    }
    return x;
  }
}

/** p ← p - rate · m̂ / (√v̂ + ε), m̂ and v̂ the corrected means of g and g²: Kingma and Ba 2015, algorithm 1. */
class Adam {
  constructor(parameters, beta1 = 0.5, beta2 = 0.999, epsilon = 1e-8) {
    const zeros = () => parameters.map((p) => new Float64Array(p.data.length));
    Object.assign(this, { parameters, beta1, beta2, epsilon, t: 0, m: zeros(), v: zeros() });
  }

  step(gradients, rate) {
    this.t += 1;
    const { beta1, beta2, epsilon, t } = this, fix1 = 1 - beta1 ** t, fix2 = 1 - beta2 ** t;
    this.parameters.forEach((p, n) => {
      const g = gradients[n].data, m = this.m[n], v = this.v[n];
      for (let i = 0; i < g.length; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        p.data[i] -= (rate * (m[i] / fix1)) / (Math.sqrt(v[i] / fix2) + epsilon);
      }
    });
  }
}
