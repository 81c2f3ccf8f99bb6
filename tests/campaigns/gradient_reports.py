"""What users of other frameworks reported about gradients: where, of what function, at which x, and the right answer.

Each right answer is worked out by hand from the formula, or is PyTorch's where there is a choice (ties, kinks).
"""

from __future__ import annotations

import math

import numpy as np

from tinygen import losses, ops
from tinygen.ops import where

INF = math.inf
MASK = np.array([False, True, True])
ROWS = np.array([0, 0, 2])
DISTINCT = 1 - np.eye(2)


def safe_norm(x):
    """The idiom for a norm that may be 0: a square that is not 0 goes into the root."""
    squares = (x * x).sum(-1)
    return where(squares > 0, ops.sqrt(where(squares > 0, squares, 1.0)), 0.0)


def standardised(x):
    return (x - x.mean()) / ops.sqrt(x.var() + 1e-5)


FIRST = [  # report, what it was about, f, x, the gradient of the sum of f(x)
    # 0 · inf: what was not chosen must not come back as NaN
    ("pytorch/pytorch#16317", "a denominator of 0 behind two masks",
     lambda x: where(MASK, x / where(MASK, np.array([0.0, 2, 4]), 1.0), 0.0), [0.0, 1, 1], [0, 0.5, 0.25]),
    ("jax-ml/jax#347", "a norm of 0 behind two masks", safe_norm, [[1.0, 0], [3, 4], [0, 0]],
     [[1, 0], [0.6, 0.8], [0, 0]]),
    ("tinygrad/tinygrad#12409", "the root of what relu cut off", lambda x: ops.sqrt(ops.relu(x)), [-1.0, 4], [0, 0.25]),
    ("pytorch/pytorch#18287", "the cosine of infinity, masked before",
     lambda x: where(x < 1, ops.cos(where(x < 1, x, 0.0)), 0.0), [0.0, INF], [0, 0]),
    ("pytorch/pytorch#68425", "an exponential that overflows, masked before",
     lambda x: where(x <= 0, ops.exp(ops.minimum(x, 0.0)), 1 + x), [1000.0, -1], [1, math.exp(-1)]),
    ("jax-ml/jax#3407", "the inverse of distances of which the diagonal is masked",
     lambda x: where(DISTINCT, 1 / where(DISTINCT, safe_norm(ops.expand_dims(x, 0) - ops.expand_dims(x, 1)), 1.0), 0.0),
     [[0.0, 0], [3, 4]], [[2 * 3 / 125, 2 * 4 / 125], [-2 * 3 / 125, -2 * 4 / 125]]),
    ("pytorch/pytorch#37154", "distances of all pairs of rows",
     lambda x: safe_norm(ops.expand_dims(x, 0) - ops.expand_dims(x, 1)), [[1.0], [2]], [[-2], [2]]),
    ("jax-ml/jax#4177", "the square of a norm at 0", lambda x: safe_norm(x) ** 2, [0.0, 0], [0, 0]),
    ("tensorflow/tensorflow#22048", "clipping a vector of zeros by its norm",
     lambda x: x * ops.minimum(1.0, 1 / where(safe_norm(x) > 0, safe_norm(x), 1.0)), [0.0, 0, 0], [1, 1, 1]),
    ("pytorch/pytorch#4320", "the deviation of equal numbers with an eps", standardised, [2.0, 2, 2], [0, 0, 0]),
    ("keras-team/keras#2960", "the deviation of zeros with an eps",
     lambda x: ops.sqrt(x.var() + 1e-4), [0.0, 0], [0, 0]),
    ("tensorflow/tensorflow#56830", "the variance of one number", lambda x: x.var(), [0.7], [0]),
    ("pytorch/pytorch#4132", "an index that leaves the infinite elements out",
     lambda x: (x / where(MASK, np.array([0.0, 1, 2]), 1.0))[MASK], [1.0, 1, 1], [0, 1, 0.5]),
    # powers
    ("pytorch/pytorch#27134", "0ᵖ by p", lambda p: np.array([0.0, 2]) ** p, [1.0, 1], [0, 2 * math.log(2)]),
    ("stan-dev/math#3031", "xᵖ by x at 0 for p of 0, 1, 1.5 and 3", lambda x: x ** np.array([0.0, 1, 1.5, 3]),
     [0.0, 0, 0, 0], [0, 1, 0, 0]),
    ("tensorflow/tfjs#346", "an even power of a negative number", lambda x: x**2 + x**3, [-2.0], [8]),
    ("tinygrad/tinygrad#155", "a negative base with a constant exponent", lambda x: x**3, [-1.0, -2], [3, 12]),
    ("karpathy/micrograd#17", "a number to the power of the variable", lambda p: 2.0**p, [3.0], [8 * math.log(2)]),
    ("tenstorrent/tt-metal#54439", "a power of an expression that is negative", lambda x: (x * x + x) ** 3,
     [-0.5], [0]),
    # far out
    ("tracel-ai/burn#5373", "softplus far out", ops.softplus, [-1e4, -40.0, 0, 1e4], [0, math.exp(-40), 0.5, 1]),
    ("jeshraghian/snntorch#433", "sigmoid far out", ops.sigmoid, [-1e3, 0, 1e3], [0, 0.25, 0]),
    ("jax-ml/jax#1315", "log(1 + eˣ) in its stable form", lambda x: ops.logsumexp(ops.stack([x, x * 0])), [800.0], [1]),
    ("pytorch/pytorch#31829", "logsumexp with -∞ among its arguments", ops.logsumexp, [-INF, 0, 0], [0, 0.5, 0.5]),
    ("tensorflow/tensorflow#11756", "one softmax value where another is masked by -∞",
     lambda x: ops.softmax(x + np.array([0, -INF, 0]))[2], [1.0, 1, 1], [-0.25, 0, 0.25]),
    ("jax-ml/jax#25791", "logsumexp over what a mask leaves",
     lambda x: ops.logsumexp(where(MASK, x, -INF)), [100.0, 0, 0],
     [0, 0.5, 0.5]),
    ("pytorch/pytorch#49724", "logsumexp of one number", ops.logsumexp, [-1e30], [1]),
    ("pytorch/pytorch#49844", "cross entropy with logits of ±∞ that are right",
     lambda x: losses.bce_logits(x, np.array([1.0, 0]), reduction="sum"), [INF, -INF], [0, 0]),
    ("pytorch/pytorch#2221", "cross entropy with a logit of -100", lambda x: losses.bce_logits(x, 0.0), [-100.0],
     [math.exp(-100)]),
    ("pytorch/pytorch#1792", "cross entropy with a logit of 0", lambda x: losses.bce_logits(x, 0.0), [0.0], [0.5]),
    ("pytorch/pytorch#103316", "cross entropy with a logit that is very wrong", lambda x: losses.bce_logits(x, 1.0),
     [-50.0], [-1]),
    ("hwalsuklee/tensorflow-mnist-VAE#4", "cross entropy of a probability of 0",
     lambda p: losses.bce(p, 0.0), [0.0], [0]),
    # ties and kinks: PyTorch's choice
    ("pytorch/pytorch#43519", "several largest elements share", lambda x: x.max(), [1.0, 3, 3, 2], [0, 0.5, 0.5, 0]),
    ("pytorch/pytorch#56734", "maximum of equal numbers", lambda x: ops.maximum(x, np.array([1.0, 2, 3])), [1.0, 3, 2],
     [0.5, 1, 0]),
    ("tensorflow/tensorflow#97688", "several smallest elements share, along an axis", lambda x: x.min(axis=1),
     [[1.0, 1], [2, 3]], [[0.5, 0.5], [1, 0]]),
    ("pytorch/pytorch#7002", "the slope of clip at its bounds", lambda x: ops.clip(x, 0, 1), [-1.0, 0, 0.5, 1, 2],
     [0, 1, 1, 1, 0]),
    ("jax-ml/jax#10515", "the slope of |x| at 0", ops.abs, [-2.0, 0, 2], [-1, 0, 1]),
    ("tensorflow/playground#19", "relu at 0", ops.relu, [-1.0, 0, 1], [0, 0, 1]),
    ("tinygrad/tinygrad#3037", "a comparison is a constant", lambda x: x * (x < 0), [-2.0, 3], [1, 0]),
    # indices that repeat
    ("pytorch/pytorch#1528", "an element that an index names twice", lambda x: x[np.array([0, 0])], [5.0], [2]),
    ("pymc-devs/pytensor#2242", "rows that an index names twice", lambda x: x[ROWS], [[1.0, 1], [2, 2], [3, 3]],
     [[2, 2], [0, 0], [1, 1]]),
    ("chainer/chainer#2420", "a list as an index, with repeats", lambda x: x[[1, 1, 1]], [1.0, 2], [0, 3]),
    ("chainer/chainer#2202", "two index arrays with the same pairs", lambda x: x[np.array([0, 0]), np.array([1, 1])],
     [[1.0, 2], [3, 4]], [[0, 2], [0, 0]]),
    ("chainer/chainer#1920", "tuples in a tuple, with repeats", lambda x: x[(0, 0), :], [[1.0, 2], [3, 4]],
     [[2, 2], [0, 0]]),
    ("cupy/cupy#1658", "take_along_axis with repeats", lambda x: ops.take_along_axis(x, np.array([[0, 0, 1]]), 1),
     [[1.0, 2]], [[2, 1]]),
    ("pytorch/pytorch#41162", "an index array that broadcasts", lambda x: x[np.zeros((3, 2), int)], [1.0, 2], [6, 0]),
    ("rsokl/MyGrad#93", "the same tensor as both arguments", lambda x: x * x, [3.0], [6]),
    # one variable on several paths
    ("karpathy/micrograd#2", "a result that two others use", lambda x: (x * 3) * 2 + (x * 3) * 5, [2.0], [21]),
    ("sebgao/cTensor#5", "three paths to one variable", lambda x: x * (x * 1) + x * x * 1 + x * (x * 1), [1.0], [6]),
    ("sony/nnabla#532", "a variable three times in a product", lambda x: x * x * x, [2.0], [12]),
    ("pytorch/pytorch#8474", "a view of the variable", lambda x: x.reshape(-1, 1), [1.0, 2], [1, 1]),
    ("HIPS/autograd#384", "broadcast_to", lambda x: ops.broadcast_to(x, (4, 3)), [1.0, 1, 1], [4, 4, 4]),
    ("HIPS/autograd#396", "where with a scalar branch", lambda x: where(MASK, x, 0.0), [1.0, 2, 3], [0, 1, 1]),
    ("HIPS/autograd#242", "einsum that sums axes of one operand alone",
     lambda x: ops.einsum("abc,b->b", x, np.array([1.0, 2])) ** 2, [[[1.0], [1]]], [[[2], [8]]]),
    ("chainer/chainer#4393", "matmul of batches where one is broadcast",
     lambda x: ops.matmul(np.arange(4.0).reshape(2, 1, 2), x), [[1.0], [1]], [[0 + 2], [1 + 3]]),
    # reductions, windows, images
    ("pytorch/pytorch#94546", "var with a ddof, along an axis", lambda x: x.var(axis=1, ddof=1), [[1.0, 3], [2, 2]],
     [[-2, 2], [0, 0]]),
    ("tinygrad/tinygrad#9007", "the variance over an axis of length 1", lambda x: x.var(axis=0), [[1.0, 2]], [[0, 0]]),
    ("pytorch/pytorch#36977", "the average of windows does not count the padding",
     lambda x: ops.avg_pool2d(x, 2, 1, ((1, 0), (1, 0))), [[[[1.0]]]], [[[[1]]]]),
    ("FluxML/NNlib.jl#133", "the largest of windows with padding, of negative numbers",
     lambda x: ops.max_pool2d(x, 2, 2, 1), [[[[-1.0], [-4]], [[-3], [-2]]]], [[[[1], [1]], [[1], [1]]]]),
    ("keras-team/keras#22876", "a transposed convolution, same, stride 2, size 3",
     lambda x: ops.conv_transpose2d(x, np.ones((3, 3, 1, 1)), 2, "same") * np.arange(16.0).reshape(1, 4, 4, 1),
     np.ones((1, 2, 2, 1)), [[[[45], [39]], [[66], [50]]]]),
    ("tinygrad/tinygrad#840", "a transposed convolution with uneven padding",
     lambda x: ops.conv_transpose2d(x, np.ones((2, 2, 1, 1)), 1, ((1, 0), (0, 1))), np.ones((1, 2, 2, 1)),
     [[[[2], [1]], [[4], [2]]]]),
    ("intel/torch-xpu-ops#4380", "bilinear upsampling of a tall image",
     lambda x: ops.upsample_bilinear(x, 2)[:, :, :1] * 1.0, np.zeros((1, 3, 1, 1)), [[[[2]], [[2]], [[2]]]]),
    ("pytorch/pytorch#5511", "bilinear upsampling does not depend on the image's size",
     lambda x: ops.upsample_bilinear(x, 2)[:, 1], [[[[0.0]], [[4]], [[0]]]], [[[[1.5]], [[0.5]], [[0]]]]),
    ("flagos-ai/FlagGems#5218", "upsampling a pair of pixels by five", lambda x: ops.upsample_bilinear(x, (1, 5)),
     np.zeros((1, 1, 2, 1)), [[[[5], [5]]]]),
]  # fmt: skip

SECOND = [  # the second derivative of the sum of f, taken along ones
    ("pytorch/pytorch#95180", "0ᵖ by p, twice", lambda p: np.array([0.0]) ** p, [1.0], [0]),
    ("tensorflow/tensorflow#44556", "a product with a 0 in it", lambda x: 2 * x * x, [0.0], [4]),
    ("tensorflow/tensorflow#61117", "xy by x and y where x is 0", lambda x: x[0] * x[1], [0.0, 1], [1, 1]),
    ("pytorch/pytorch#59477", "cross entropy of a probability",
     lambda p: losses.bce(p, 1.0, reduction="sum"), [0.5, 0.25], [4, 16]),
    ("jax-ml/jax#1315", "softplus far out", ops.softplus, [-50.0, 0, 50], [math.exp(-50), 0.25, math.exp(-50)]),
    ("karpathy/micrograd#8", "x³", lambda x: x**3, [3.0], [18]),
    ("pytorch/pytorch#1555", "a square of a convolution",
     lambda x: ops.conv2d(x, np.ones((1, 1, 1, 1))) ** 2, np.ones((1, 1, 2, 1)), [[[[2], [2]]]]),
    ("pytorch/pytorch#33999", "(ax)² by a and x",
     lambda v: (v[0] * v[1]) ** 2, [2.0, 3], [2 * 9 + 4 * 6, 2 * 4 + 4 * 6]),
    ("chainer/chainer#3268", "xy, which is linear in each", lambda v: v[0] * v[1], [1.0, 1], [1, 1]),
    ("pytorch/pytorch#65466", "y log y by y", lambda y: y * ops.log(y), [0.5, 2], [2, 0.5]),
    ("uptake/numpynet#35", "leaky_relu bends at 0 alone", lambda x: ops.leaky_relu(x) ** 2, [-1.0, 2], [0.08, 2]),
]  # fmt: skip
