"""7. Convolution: read handout.md, then complete this file."""

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each
PADDING = "reflect"  # VARIANT: reflect, edge, wrap


def pad(x, rows, columns):
    """x with a border of its own elements, given the indices that `border` has made of both axes."""
    return x[:, rows][:, :, columns]


def border(n, p):
    """Which element of an axis of n stands at each of the n + 2p places of the padded axis: by PADDING."""
    ...  # your code here


def pad_grad(g, rows, columns, H, W):
    """The gradient of x, where g arrives at pad(x, rows, columns)."""
    ...  # your code here


def im2col(x, KH, KW, stride):
    """The windows of x side by side, (N, OH, OW, KH, KW, C)."""
    ...  # your code here


def col2im(cols, H, W, stride):
    """The adjoint of im2col: each window is added where it came from, (N, H, W, C)."""
    ...  # your code here


def conv(cols, w):
    """y, (N, OH, OW, O): each window times each kernel."""
    ...  # your code here


def conv_grad(gy, cols):
    """gw, (KH, KW, C, O), where gy arrives at conv(cols, w)."""
    ...  # your code here


def conv_transpose(x, w, stride, p, fold):
    """y, (N, H - 2p, W - 2p, O): each x[n, i, j] spreads over a window, by way of fold(cols, H, W, stride)."""
    ...  # your code here
