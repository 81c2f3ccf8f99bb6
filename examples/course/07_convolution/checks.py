"""The checks of piece 7. Three points of ten are public."""

import numpy as np

from tinygen.course import Check


def border(rng):
    return {"n": int(rng.integers(6, 9)), "p": int(rng.integers(2, 4))}


def pad_grad(rng, H=4, W=5, p=2):
    """A border of two on each side, made of any elements; some of them stand there twice."""
    rows, columns = (np.concatenate([rng.integers(0, n, p), np.arange(n), rng.integers(0, n, p)]) for n in (H, W))
    rows[0] = rows[1]
    return {"g": rng.normal(size=(2, H + 2 * p, W + 2 * p, 3)), "rows": rows, "columns": columns, "H": H, "W": W}


def numbers(rng, low, high, shape):
    """Multiples of 1/16, whose products and sums are exact, so that what ships is the same from any machine."""
    return np.round(rng.uniform(low, high, shape) * 16) / 16


def im2col(rng, H=5, W=7, stride=2, kernel=(3, 3)):
    return {"x": numbers(rng, -2, 2, (2, H, W, 2)), "KH": kernel[0], "KW": kernel[1], "stride": stride}


def windows(rng, H=5, W=7, stride=2, kernel=(3, 3)):
    OH, OW = (H - kernel[0]) // stride + 1, (W - kernel[1]) // stride + 1
    return numbers(rng, 0.5, 1.5, (2, OH, OW, *kernel, 2))


def col2im(rng):
    return {"cols": windows(rng), "H": 5, "W": 7, "stride": 2}


def adjoint(rng):
    """Two rows are left over, and one column."""
    size = {"H": 12, "W": 9, "stride": 3, "kernel": (4, 5)}
    return {"x": rng.uniform(0.5, 1.5, (2, 12, 9, 2)), "cols": windows(rng, **size), "stride": 3}


def conv(rng):
    return {"cols": windows(rng), "w": numbers(rng, -2, 2, (3, 3, 2, 4))}


def conv_grad(rng):
    return {"cols": windows(rng, 6, 8, 1, (2, 3)), "gy": rng.normal(size=(2, 5, 6, 3))}


def conv_transpose(rng):
    return {"x": rng.normal(size=(2, 3, 4, 2)), "w": rng.normal(size=(4, 5, 3, 2)), "stride": 2, "p": 1}


CHECKS = [
    Check("im2col", 1, "im2col", im2col, public=True),
    Check("col2im", 1, "col2im", col2im, public=True),
    Check("the convolution", 1, "conv", conv, public=True),
    Check("im2col, rows left over", 1, "im2col", lambda rng: im2col(rng, 8, 12, 3, (4, 2))),
    Check("col2im, the adjoint of odd sizes", 1, "adjoint", adjoint),
    Check("the kernel's gradient", 1, "conv_grad", conv_grad),
    Check("the transposed convolution", 2, "conv_transpose", conv_transpose),
    Check("your padding", 1, "border", border),
    Check("the padding's adjoint", 1, "pad_grad", pad_grad),
]
