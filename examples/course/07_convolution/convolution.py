"""# 7. Convolution

**Goal.** Write the convolution of images and the transposed convolution, by which a generator makes small images
large, as copies and matrix products. About 5 hours, 10 points.

**What is given.** `pad(x, rows, columns)`, which takes those rows of x and then those columns, and the names of seven
functions with their arguments. `PADDING` is your own kind of padding. No function needs another: what one builds on is
among its arguments.

**What you write.**

1. `border(n, p)`: where the elements of a padded axis come from. The axis had n elements and gets p more on each side;
   returns the n + 2p indices into it, an array of integers from 0 to n - 1, by your kind of padding.
2. `pad_grad(g, rows, columns, H, W)`: the adjoint of `pad`, for any rows and columns.
3. `im2col(x, KH, KW, stride)`: all windows of x, side by side.
4. `col2im(cols, H, W, stride)`: the adjoint of `im2col`, for images of H rows and W columns.
5. `conv(cols, w)`: the convolution, given the windows.
6. `conv_grad(gy, cols)`: gw, the gradient of the loss for w, where gy arrives at y.
7. `conv_transpose(x, w, stride, p, fold)`: the transposed convolution. `fold(cols, H, W, stride)` is a `col2im` that it
   gets, so that a mistake in yours is not counted twice.

**The mathematics.** A window begins at every stride-th row and column; one that does not fit into x is left out. So
there are

    OH = ⌊(H - KH) / stride⌋ + 1        OW = ⌊(W - KW) / stride⌋ + 1
    cols[n, i, j, k, l, c] = x[n, i·stride + k, j·stride + l, c]
    y[n, i, j, o] = Σ cols[n, i, j, k, l, c] · w[k, l, c, o]        over k, l, c
    gw[k, l, c, o] = Σ cols[n, i, j, k, l, c] · gy[n, i, j, o]      over n, i, j

The kernel is not flipped: networks call this a convolution, mathematicians a cross-correlation.

`pad` and `im2col` copy elements. The adjoint of a copy is a sum: each element adds up all that arrives at its copies.
Whatever c is,

    ⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩        ⟨pad(x), g⟩ = ⟨x, pad_grad(g)⟩

where ⟨a, b⟩ is the sum of a · b over all elements. Test your functions with that. Windows overlap where stride is less
than the kernel's size, and then elements get several shares; rows that are in no window get 0. `col2im` is told H and W
because several sizes have the same windows.

The transposed convolution is the backward pass of a convolution for its image, run forwards (Dumoulin and Visin 2016,
section 4). Each x[n, i, j] is multiplied by the kernel and spread over a window of the result, where windows add up:

    cols[n, i, j, k, l, o] = Σ x[n, i, j, c] · w[k, l, o, c]        over c
    y = col2im(cols, H, W, stride), without its p outermost rows and columns on each side
    H = (h - 1)·stride + KH        W = (v - 1)·stride + KW

for x of h rows and v columns. It does not undo a convolution: it has the shape, not the numbers.

**Your padding**, for n = 5 and p = 2, with the elements a b c d e:

    reflect     c b | a b c d e | d c        mirrored at the edge element, which is not repeated
    edge        a a | a b c d e | e e        the edge element again and again
    wrap        d e | a b c d e | a b        the other side

You need yours alone, for p < n.

**Shapes.** All are float64, the channel is the last axis.

    x: (N, H, W, C)    cols: (N, OH, OW, KH, KW, C)    w: (KH, KW, C, O)    y, gy: (N, OH, OW, O)    gw as w
    pad_grad:          g: (N, len(rows), len(columns), C)    result: (N, H, W, C)
    conv_transpose:    x: (N, h, v, C)    w: (KH, KW, O, C)    cols: (N, h, v, KH, KW, O)    y: (N, H - 2p, W - 2p, O)

The kernel of `conv_transpose` is that of the convolution which it transposes: its last axis is x's channels.

**Mind.** `a[:, rows] += g` adds only one of several shares to an element that is in `rows` twice; `np.add.at` adds all.
Images need not be square, nor kernels.

**Predict first.** The kernel is 3 x 3 and the stride is 2. How many windows is a pixel in, at least and at most, far
from the border? Write it into `PREDICTION` before you run anything.

**The picture.** `tinygen course run` draws `convolution.png`: part of a digit with your border, what two kernels make
of it, and how many windows of three transposed convolutions each pixel is in, by your `col2im`. Where that number
alternates, generated images tend to have the pattern of a checkerboard (Odena et al. 2016). `film.gif` is a small DCGAN
of tinygen's layers that learns digits by your convolutions; it ends after two minutes, however far it is.
"""

import numpy as np

PREDICTION = ""  # in words, before you run anything
LOG = ""  # what you tried, when, and what went wrong: a line each
PADDING = "reflect"  # VARIANT: reflect, edge, wrap


def pad(x, rows, columns):
    """x with a border of its own elements, given the indices that `border` has made of both axes."""
    return x[:, rows][:, :, columns]


def border(n, p):
    """Which element of an axis of n stands at each of the n + 2p places of the padded axis: by PADDING."""
    # BEGIN SOLUTION
    places = np.arange(-p, n + p)
    if PADDING == "edge":
        return np.clip(places, 0, n - 1)
    if PADDING == "wrap":
        return places % n
    return (n - 1) - np.abs((n - 1) - np.abs(places))
    # END SOLUTION


def pad_grad(g, rows, columns, H, W):
    """The gradient of x, where g arrives at pad(x, rows, columns)."""
    # BEGIN SOLUTION
    gx = np.zeros((len(g), H, W, g.shape[3]))
    np.add.at(gx, (slice(None), rows[:, None], columns), g)
    return gx
    # END SOLUTION


def im2col(x, KH, KW, stride):
    """The windows of x side by side, (N, OH, OW, KH, KW, C)."""
    # BEGIN SOLUTION
    N, H, W, C = x.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    cols = np.empty((N, OH, OW, KH, KW, C))
    for i in range(OH):
        for j in range(OW):
            top, left = i * stride, j * stride
            cols[:, i, j] = x[:, top : top + KH, left : left + KW]
    return cols
    # END SOLUTION


def col2im(cols, H, W, stride):
    """The adjoint of im2col: each window is added where it came from, (N, H, W, C)."""
    # BEGIN SOLUTION
    image = np.zeros((len(cols), H, W, cols.shape[5]))
    KH, KW = cols.shape[3:5]
    for i in range(cols.shape[1]):
        for j in range(cols.shape[2]):
            r, s = i * stride, j * stride
            image[:, r : r + KH, s : s + KW] += cols[:, i, j]
    return image
    # END SOLUTION


def conv(cols, w):
    """y, (N, OH, OW, O): each window times each kernel."""
    # BEGIN SOLUTION
    rows = cols.reshape(-1, w[..., 0].size)
    return (rows @ w.reshape(-1, w.shape[3])).reshape(*cols.shape[:3], w.shape[3])
    # END SOLUTION


def conv_grad(gy, cols):
    """gw, (KH, KW, C, O), where gy arrives at conv(cols, w)."""
    # BEGIN SOLUTION
    rows = cols.reshape(-1, cols[0, 0, 0].size)
    gw = rows.T @ gy.reshape(-1, gy.shape[3])
    return gw.reshape(*cols.shape[3:], gy.shape[3])
    # END SOLUTION


def conv_transpose(x, w, stride, p, fold):
    """y, (N, H - 2p, W - 2p, O): each x[n, i, j] spreads over a window, by way of fold(cols, H, W, stride)."""
    # BEGIN SOLUTION
    (N, h, v, C), (KH, KW, O, _) = x.shape, w.shape
    cols = x.reshape(-1, C) @ w.reshape(-1, C).T
    H, W = (h - 1) * stride + KH, (v - 1) * stride + KW
    y = fold(cols.reshape(N, h, v, KH, KW, O), H, W, stride)
    return y[:, p : H - p, p : W - p]
    # END SOLUTION
