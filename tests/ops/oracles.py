"""NumPy's results of the ops that NumPy does not have: slow and plain, of NumPy's arrays alone."""

from __future__ import annotations

import inspect
import math

import numpy as np
from scipy import ndimage, special


def batch_norm(x, gamma, beta, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    return gamma * (x - x.mean(axes)) / np.sqrt(x.var(axes) + eps) + beta


def put(gy, shape, form, *arrays):
    gx = np.zeros(shape, gy.dtype)
    np.add.at(gx, arrays or form, gy)
    return gx


def same(size, kernel_size, stride):
    """TensorFlow's padding of one axis."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def geometry(size, kernel_size, stride, padding):
    """The stride as a pair, the padding as two pairs, and how many windows fit along each axis."""
    strides = (stride, stride) if isinstance(stride, int) else stride
    if padding == "same":
        pads = [same(n, k, s) for n, k, s in zip(size, kernel_size, strides, strict=True)]
    else:
        pads = [(padding, padding)] * 2 if isinstance(padding, int) else [(0, 0)] * 2 if padding == "valid" else padding
    return (
        strides,
        pads,
        [(n + sum(p) - k) // s + 1 for n, k, s, p in zip(size, kernel_size, strides, pads, strict=True)],
    )


def im2col(x, kernel_size, stride=1, padding=0, fill=0.0):
    """One window at a time."""
    kh, kw = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    (sh, sw), pads, (oh, ow) = geometry(x.shape[1:3], (kh, kw), stride, padding)
    x = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=fill)
    windows = [x[:, i * sh : i * sh + kh, j * sw : j * sw + kw] for i in range(oh) for j in range(ow)]
    return np.stack(windows, 1).reshape(len(x), oh, ow, kh, kw, x.shape[3])


def col2im(cols, size, stride=1, padding=0):
    """One window at a time, each added to what is there."""
    n, oh, ow, kh, kw, c = cols.shape
    (sh, sw), ((top, bottom), (left, right)), _ = geometry(size, (kh, kw), stride, padding)
    x = np.zeros((n, size[0] + top + bottom, size[1] + left + right, c), cols.dtype)
    for i, j in np.ndindex(oh, ow):
        x[:, i * sh : i * sh + kh, j * sw : j * sw + kw] += cols[:, i, j]
    return x[:, top : top + size[0], left : left + size[1]]


def spread(w, dilation):
    """A kernel with zeros between its rows and columns."""
    dh, dw = (dilation, dilation) if isinstance(dilation, int) else dilation
    wide = np.zeros((dh * (w.shape[0] - 1) + 1, dw * (w.shape[1] - 1) + 1, *w.shape[2:]), w.dtype)
    wide[::dh, ::dw] = w
    return wide


def conv2d(x, w, stride=1, padding=0, dilation=1, groups=1):
    """Σ of window times kernel, group by group."""
    w = spread(w, dilation)
    cols = im2col(x, w.shape[:2], stride, padding)
    parts = zip(np.split(cols, groups, -1), np.split(w, groups, -1), strict=True)
    return np.concatenate([np.einsum("nijklc,klco->nijo", c, part) for c, part in parts], -1)


def conv_transpose2d(x, w, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Each x spreads its multiple of the kernel over a window of the result, group by group."""
    w = spread(w, dilation)
    (h, v), kernel_size = x.shape[1:3], w.shape[:2]
    strides, pads, _ = geometry((h, v), kernel_size, stride, 0 if padding == "same" else padding)
    extra = (output_padding, output_padding) if isinstance(output_padding, int) else output_padding
    if padding == "same":
        size = [a * s + e for a, s, e in zip((h, v), strides, extra, strict=True)]
    else:
        parts = zip((h, v), kernel_size, strides, pads, extra, strict=True)
        size = [(a - 1) * s + k - sum(p) + e for a, k, s, p, e in parts]
    parts = zip(np.split(x, groups, -1), np.split(w, groups, -1), strict=True)
    return np.concatenate(
        [col2im(np.einsum("nijo,klco->nijklc", g, part), size, stride, padding) for g, part in parts], -1
    )


def conv2d_weight_grad(x, gy, kernel_size, stride=1, padding=0):
    return np.einsum("nijklc,nijo->klco", im2col(x, kernel_size, stride, padding), gy)


def pooled(x, window, stride, padding, dilation, ceil_mode, border):
    """Each window's elements in a list, the row and the column of windows first; beyond the border there is NaN."""
    two = lambda value: (value, value) if isinstance(value, int) else value
    (kh, kw), (dh, dw) = two(window), two(dilation)
    spans = ((kh - 1) * dh + 1, (kw - 1) * dw + 1)
    strides, pads, counts = geometry(x.shape[1:3], spans, window if stride is None else stride, padding)
    padded = np.pad(x.astype(np.float64), ((0, 0), *pads, (0, 0)), constant_values=border)
    rows, columns = (
        count + bool(ceil_mode and (n + sum(p) - k) % s and count * s < n + p[0])
        for count, n, p, k, s in zip(counts, x.shape[1:3], pads, spans, strides, strict=True)
    )
    wide = np.pad(padded, ((0, 0), (0, spans[0]), (0, spans[1]), (0, 0)), constant_values=np.nan)
    for i, j in np.ndindex(rows, columns):
        a, b = i * strides[0], j * strides[1]
        yield (i, j), wide[:, a : a + spans[0] : dh, b : b + spans[1] : dw]


def pool(mean, x, *options):
    windows = list(pooled(x, *options))
    y = np.zeros((len(x), *np.add(windows[-1][0], 1), x.shape[3]), x.dtype)
    for (i, j), cells in windows:
        y[:, i, j] = mean(cells, (1, 2))
    return y


def max_pool2d(x, window, stride=None, padding=0, dilation=1, ceil_mode=False):
    return pool(np.nanmax, x, window, stride, padding, dilation, ceil_mode, -np.inf)


def avg_pool2d(x, window, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=False):
    """The mean of what is not padding, unless it counts."""
    return pool(np.nanmean, x, window, stride, padding, dilation, ceil_mode, 0.0 if count_include_pad else np.nan)


def of_rows(f):
    """f for images, of sequences: their places in a row, the options one high."""

    def call(x, *arguments, **options):
        args = [a[None] if isinstance(a, np.ndarray) else a for a in arguments]
        bound = inspect.signature(f).bind(x[:, None], *args, **options)
        for name, value in bound.arguments.items():
            if name == "padding":
                sides = (value, value) if isinstance(value, int) else value
                bound.arguments[name] = value if isinstance(value, str) else ((0, 0), sides)
            elif name in ("window", "stride", "dilation") and value is not None:
                bound.arguments[name] = (1, value)
            elif name == "output_padding":
                bound.arguments[name] = (0, value)
        return f(*bound.args, **bound.kwargs)[:, 0]

    return call


conv1d, conv_transpose1d = of_rows(conv2d), of_rows(conv_transpose2d)
max_pool1d, avg_pool1d = of_rows(max_pool2d), of_rows(avg_pool2d)


def gelu(x, approximate=False):
    if approximate:
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def attention(q, k, v, mask=None, causal=False):
    """Query by query: the mean of the values that it may attend to, by the exponentials of their scores."""
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    y = np.zeros((*batch, q.shape[-2], v.shape[-1]), q.dtype)
    spread = lambda x, n: np.broadcast_to(x, (*batch, *x.shape[-2:]))[n]
    for n in np.ndindex(batch):
        for i, query in enumerate(spread(q, n)):
            scores = spread(k, n) @ query / np.sqrt(len(query))
            if mask is not None:
                row = np.broadcast_to(mask, (*batch, q.shape[-2], len(scores)))[n][i]
                scores = np.where(row, scores, -np.inf) if mask.dtype == bool else scores + row
            if causal:
                scores = np.where(np.arange(len(scores)) <= i, scores, -np.inf)
            y[n][i] = special.softmax(scores) @ spread(v, n) if np.isfinite(scores).any() else 0
    return y


def upsample_bilinear(x, scale):
    """Between the two nearest pixels, along one axis after the other."""
    y = x
    for axis, s in zip((1, 2), np.broadcast_to(scale, 2), strict=True):
        places = (np.arange(x.shape[axis] * s) + 0.5) / s - 0.5
        before = np.floor(places).astype(int)
        after = (places - before).reshape([-1 if i == axis else 1 for i in range(4)])
        left, right = (y.take(np.clip(i, 0, x.shape[axis] - 1), axis) for i in (before, before + 1))
        y = left * (1 - after) + right * after
    return y


def resize(x, size, mode="nearest", antialias=True, align_corners=False):
    """Along one axis after the other, pixel by pixel."""
    y = x
    for axis, m in zip((1, 2), (size, size) if isinstance(size, int) else size, strict=True):
        y = np.stack([_between(y, axis, i, m, mode, antialias, align_corners) for i in range(m)], axis)
    return y.astype(x.dtype)


def _between(x, axis, i, m, mode, antialias, align_corners):
    """Pixel i of m along an axis: the pixels of x around it, times their weights."""
    n = x.shape[axis]
    place = np.linspace(0, n - 1, m)[i] if align_corners else (i + 0.5) * n / m - 0.5
    if mode == "nearest":
        return x.take(math.floor((i + 0.5) * n / m), axis)
    wide, a = (max(n / m, 1), -0.5) if antialias else (1, -0.75)
    taps = range(n) if antialias else range(math.floor(place) - 2, math.floor(place) + 4)
    weights = [kernel(mode, abs(place - j) / wide, a) for j in taps]
    return sum(w * x.take(min(max(j, 0), n - 1), axis) for w, j in zip(weights, taps, strict=True)) / sum(weights)


def kernel(mode, d, a):
    """Keys 1981, eq. 4 with the values of his section IV put in, or the triangle."""
    if mode == "bilinear":
        return max(1 - d, 0)
    return (a + 2) * d**3 - (a + 3) * d**2 + 1 if d < 1 else a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0


def pixel_shuffle(x, r):
    """Pixel by pixel of each block."""
    n, h, w, c = x.shape
    y = np.zeros((n, h * r, w * r, c // r**2), x.dtype)
    for i, j in np.ndindex(r, r):
        y[:, i::r, j::r] = x[..., i * r + j :: r * r]
    return y


def pixel_unshuffle(x, r):
    """Pixel by pixel of each block."""
    n, h, w, c = x.shape
    y = np.zeros((n, h // r, w // r, c * r**2), x.dtype)
    for i, j in np.ndindex(r, r):
        y[..., i * r + j :: r * r] = x[:, i::r, j::r]
    return y


def grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
    """SciPy's interpolation, channel by channel."""
    size, order = np.array(x.shape[2:0:-1]), {"nearest": 0, "bilinear": 1}[mode]
    places = (grid + 1) / 2 * (size - 1) if align_corners else ((grid + 1) * size - 1) / 2
    outside = {"zeros": "grid-constant", "border": "nearest"}[padding_mode]
    y = np.zeros((*grid.shape[:3], x.shape[3]), x.dtype)
    for n, c in np.ndindex(x.shape[0], x.shape[3]):
        y[n, ..., c] = ndimage.map_coordinates(
            x[n, ..., c], np.moveaxis(places[n, ..., ::-1], -1, 0), None, order, outside
        )
    return y


def sort(x, axis=-1, descending=False):
    return -np.sort(-x, axis) if descending else np.sort(x, axis)


def argsort(x, axis=-1, descending=False):
    return np.argsort(-x if descending else x, axis, stable=True)


def scatter_add(x, indices, updates, axis):
    """One update after the other."""
    y, indices = x.copy(), np.broadcast_to(indices, [*x.shape[:axis], indices.shape[axis], *x.shape[axis:][1:]])
    updates = np.broadcast_to(updates, indices.shape)
    for place in np.ndindex(indices.shape):
        target = list(place)
        target[axis] = indices[place]
        y[tuple(target)] += updates[place]
    return y


def blur(x, gain=1.0):
    """SciPy's filter along one axis, then along the other."""
    y = np.asarray(x, np.float64)
    for axis in (1, 2):
        y = ndimage.correlate1d(y, [0.25, 0.5, 0.25], axis, mode="constant") if y.size else y
    return (gain * y).astype(x.dtype)


def modulated(conv, x, w, s, per_channel, demodulate, eps):
    """A kernel of its own for each example, and a convolution of its own."""
    images = [conv(x[:0], w)]
    for image, style in zip(x, s, strict=True):
        own = w * style.reshape(per_channel)
        if demodulate:
            axes = tuple(a for a in (0, 1, 2, 3) if a == per_channel.index(-1) or a < 2)
            own = own / np.sqrt((own * own).sum(axes, keepdims=True) + eps)
        images.append(conv(image[None], own))
    return np.concatenate(images)


def modulated_conv2d(x, w, s, demodulate=True, eps=1e-8, stride=1, padding="same"):
    return modulated(lambda x, w: conv2d(x, w, stride, padding), x, w, s, (1, 1, -1, 1), demodulate, eps)


def modulated_conv_transpose2d(x, w, s, demodulate=True, eps=1e-8, stride=2, padding="same", output_padding=0):
    conv = lambda x, w: conv_transpose2d(x, w, stride, padding, output_padding)
    return modulated(conv, x, w, s, (1, 1, 1, -1), demodulate, eps)
