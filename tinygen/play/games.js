// What D and G lower, given D's scores r of real and s of fake points: tinygen's GAN losses, in JavaScript.

const logisticD = (r, s) => ops.add(ops.mean(ops.softplus(ops.negative(r))), ops.mean(ops.softplus(s)));
const minusMean = (s) => ops.negative(ops.mean(s));
const halfSquare = (x, label) => affine(ops.mean(ops.square(affine(x, 1, -label))), 0.5);

/** By the name of the loss in tinygen, which knows its formulas. softplus(s) = −log(1 − σ(s)). clip: of D's weights. */
const GAMES = {
  nonsaturating: { D: logisticD, G: (s) => ops.mean(ops.softplus(ops.negative(s))) },
  minimax: { D: logisticD, G: (s) => ops.negative(ops.mean(ops.softplus(s))) },
  lsgan: { D: (r, s) => ops.add(halfSquare(r, 1), halfSquare(s, 0)), G: (s) => halfSquare(s, 1) },
  hinge: {
    D: (r, s) => ops.add(ops.mean(ops.relu(affine(r, -1, 1))), ops.mean(ops.relu(affine(s, 1, 1)))),
    G: minusMean,
  },
  wasserstein: { D: (r, s) => ops.subtract(ops.mean(s), ops.mean(r)), G: minusMean, clip: 0.4 },
};
