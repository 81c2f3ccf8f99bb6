"""PyTorch's twins of the ops, with NumPy's arguments and images (N, H, W, C)."""

from __future__ import annotations

import importlib
import math

import numpy as np


class Late:
    """A module that is imported when it is first used: the table of the ops needs no PyTorch, its twins do."""

    def __init__(self, module):
        self.module = module

    def __getattr__(self, name):
        return getattr(importlib.import_module(self.module), name)


torch, F = Late("torch"), Late("torch.nn.functional")


def named(name):
    """PyTorch's function of this name."""
    return lambda *args, **options: getattr(torch, name)(*args, **options)


def axes(axis, x):
    return tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)


def along(name):
    """A reduction of PyTorch, with NumPy's axis and keepdims; of no axes, which are all in PyTorch, x itself."""
    f = named(name)
    return lambda x, axis=None, keepdims=False: x if axis == () else f(x, dim=axes(axis, x), keepdim=keepdims)


def spreads(name):
    """The variance or its root."""
    f = named(name)
    return lambda x, axis=None, ddof=0, keepdims=False: f(x, dim=axes(axis, x), correction=ddof, keepdim=keepdims)


def prod(x, axis=None, keepdims=False):
    """PyTorch's, along one axis after the other."""
    for a in sorted((a % x.ndim for a in axes(axis, x)), reverse=True):
        x = torch.prod(x, a, keepdims)
    return x


def norm(x, ord=None, axis=None, keepdims=False):
    dims = axes(axis, x)
    if ord is None or len(dims) == 1:
        return torch.linalg.vector_norm(x, 2 if ord is None else ord, dims or None, keepdims)
    return torch.linalg.matrix_norm(x, ord, dims, keepdims)


def sort(x, axis=-1, descending=False):
    return torch.sort(x.ravel() if axis is None else x, -1 if axis is None else axis, descending)


def tile(x, reps):
    return torch.tile(x, (reps,) if isinstance(reps, int) else reps)


def repeat(x, repeats, axis=None):
    return torch.repeat_interleave(x, repeats if isinstance(repeats, int) else torch.tensor(repeats), axis)


def scatter_add(x, indices, updates, axis):
    """PyTorch's, which broadcasts nothing."""
    axis %= x.ndim
    shape = [*x.shape[:axis], indices.shape[axis], *x.shape[axis + 1 :]]
    return torch.scatter_add(x, axis, indices.expand(shape), updates.expand(shape))


def with_numbers(name):
    """An op of PyTorch that takes no Python number beside a tensor."""
    f = named(name)

    def call(*args):
        dtype = next(a.dtype for a in args if isinstance(a, torch.Tensor) and a.is_floating_point())
        return f(*(a if isinstance(a, torch.Tensor) else torch.tensor(a, dtype=dtype) for a in args))

    return call


def over_all(name):
    """softmax or log_softmax along one axis; along several of them together."""
    f = named(name)

    def call(x, axis=-1):
        if isinstance(axis, int):
            return f(x, axis)
        if axis == ():
            return f(x[..., None], -1)[..., 0]
        dims = axes(axis, x)
        last = torch.movedim(x, dims, tuple(range(-len(dims), 0)))
        y = f(last.flatten(-len(dims)), -1).reshape(last.shape)
        return torch.movedim(y, tuple(range(-len(dims), 0)), dims)

    return call


def clip(x, min=None, max=None):
    return torch.clamp(x, min, max)


def prelu(x, slope):
    """PyTorch's, whose channel is the second axis."""
    slope = torch.as_tensor(slope, dtype=x.dtype).reshape(-1)
    return torch.movedim(F.prelu(torch.movedim(x, -1, 1), slope), 1, -1)


def pad(x, width, mode="constant", constant_values=0.0):
    """PyTorch's, which pads with an image's own elements only on its last axes: here one after another."""
    pairs = np.broadcast_to(width, (x.ndim, 2)).tolist()
    if mode == "constant":
        return F.pad(x, np.ravel(pairs[::-1]).tolist(), mode, constant_values)
    name = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}[mode]
    for axis, pair in enumerate(pairs):
        if any(pair):
            last = torch.movedim(x, axis, -1)
            rows = F.pad(last.reshape(1, -1, last.shape[-1]), pair, name)
            x = torch.movedim(rows.reshape(*last.shape[:-1], -1), -1, axis)
    return x


def split(x, where, axis=0):
    return torch.tensor_split(x, where if isinstance(where, int) else list(where), axis)


def cumsum(x, axis=None):
    return torch.cumsum(x.ravel() if axis is None else x, 0 if axis is None else axis)


def squeeze(x, axis=None):
    return torch.squeeze(x) if axis is None else torch.squeeze(x, axis)


def expand_dims(x, axis):
    for a in sorted(a % (x.ndim + len(axes(axis, x))) for a in axes(axis, x)):
        x = torch.unsqueeze(x, a)
    return x


def take_along_axis(x, indices, axis):
    shape = list(torch.broadcast_shapes(*[(*s.shape[:axis], 1, *s.shape[axis:][1:]) for s in (x, indices)]))
    n, m = x.shape[axis], indices.shape[axis]
    return torch.gather(
        x.expand(*shape[:axis], n, *shape[axis:][1:]), axis, indices.expand(*shape[:axis], m, *shape[axis:][1:])
    )


def batch_norm(x, gamma, beta, eps=1e-5):
    return F.batch_norm(x.reshape(-1, x.shape[-1]), None, None, gamma, beta, True, 0.0, eps).reshape(x.shape)


def getitem(x, index):
    """Any index that NumPy takes, by the places of the elements that it picks."""
    host = lambda part: part.numpy() if isinstance(part, torch.Tensor) else part
    index = tuple(map(host, index)) if isinstance(index, tuple) else host(index)
    places = torch.tensor(np.arange(x.numel()).reshape(x.shape)[index].copy())
    return x.reshape(-1)[places]


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def two(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def pads(padding, size, kernel_size, stride):
    """(top, bottom, left, right); "same" by TensorFlow's documentation."""
    if padding == "same":
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, kernel_size, stride, strict=True)]
        return tuple(p for t in totals for p in (t // 2, t - t // 2))
    if padding == "valid":
        return (0, 0, 0, 0)
    return (padding,) * 4 if isinstance(padding, int) else tuple(p for side in padding for p in side)


def span(window, dilation):
    """How far a window with its dilation reaches."""
    return [(k - 1) * d + 1 for k, d in zip(two(window), two(dilation), strict=True)]


def spread(w, dilation):
    """The size of the kernel with its dilation."""
    return span(tuple(w.shape[:2]), dilation)


def conv2d(x, w, stride=1, padding=0, dilation=1, groups=1):
    top, bottom, left, right = pads(padding, x.shape[1:3], spread(w, dilation), two(stride))
    padded = F.pad(nchw(x), (left, right, top, bottom))
    return nhwc(F.conv2d(padded, w.permute(3, 2, 0, 1).contiguous(), None, stride, 0, dilation, groups))


def conv_transpose2d(x, w, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """PyTorch's with its own padding where that is one number; else unpadded, and cut to the size."""
    kernel = w.permute(3, 2, 0, 1).contiguous()
    if isinstance(padding, int):
        return nhwc(F.conv_transpose2d(nchw(x), kernel, None, stride, padding, output_padding, groups, dilation))
    full = F.conv_transpose2d(nchw(x), kernel, None, stride, 0, 0, groups, dilation)
    extra, size = two(output_padding), spread(w, dilation)
    if padding == "same":
        height, width = (n * s + e for n, s, e in zip(x.shape[1:3], two(stride), extra, strict=True))
        top, _, left, _ = pads("same", (height, width), size, two(stride))
    else:
        top, bottom, left, right = pads(padding, None, size, None)
        height, width = full.shape[2] - top - bottom + extra[0], full.shape[3] - left - right + extra[1]
    cut = F.pad(full, (-left, width - full.shape[3] + left, -top, height - full.shape[2] + top))
    return nhwc(cut)


def conv2d_weight_grad(x, gy, kernel_size, stride=1, padding=0):
    """The gradient that PyTorch finds for a kernel."""
    w = torch.zeros(*two(kernel_size), x.shape[3], gy.shape[3], dtype=x.dtype, requires_grad=True)
    return torch.autograd.grad(conv2d(x, w, stride, padding), w, gy, create_graph=True)[0]


def im2col(x, kernel_size, stride=1, padding=0):
    size = two(kernel_size)
    top, bottom, left, right = pads(padding, x.shape[1:3], size, two(stride))
    padded = F.pad(nchw(x), (left, right, top, bottom))
    windows = padded.unfold(2, size[0], two(stride)[0]).unfold(3, size[1], two(stride)[1])
    return windows.permute(0, 2, 3, 4, 5, 1)


def col2im(cols, size, stride=1, padding=0):
    """The adjoint that PyTorch finds."""
    image = torch.zeros(cols.shape[0], *size, cols.shape[-1], dtype=cols.dtype, requires_grad=True)
    windows = im2col(image, cols.shape[3:5], stride, padding)
    return torch.autograd.grad(windows, image, cols, create_graph=True)[0]


def max_pool2d(x, window, stride=None, padding=0, dilation=1, ceil_mode=False):
    """PyTorch's with its own padding where that is one number; else on a padded image."""
    if isinstance(padding, int):
        return nhwc(F.max_pool2d(nchw(x), window, stride, padding, dilation, ceil_mode))
    pool = lambda x, stride: F.max_pool2d(x, window, stride, 0, dilation)
    return padded(pool, x, -torch.inf, window, stride, padding, dilation, ceil_mode)


def avg_pool2d(x, window, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=False):
    """PyTorch's where it has one; elsewhere, sums by a convolution of each channel, over their numbers of elements."""
    if isinstance(padding, int) and two(dilation) == (1, 1):
        return nhwc(F.avg_pool2d(nchw(x), window, stride, padding, ceil_mode, count_include_pad))
    ones = torch.ones(x.shape[3], 1, *two(window), dtype=x.dtype)
    sums = lambda x, stride: F.conv2d(x, ones, None, stride, 0, dilation, x.shape[1])
    a, b = (padded(sums, image, 0.0, window, stride, padding, dilation, ceil_mode) for image in (x, torch.ones_like(x)))
    return a / b


def padded(pool, x, value, window, stride, padding, dilation, ceil_mode):
    """What pool makes of a padded image, as far as windows begin in the image or before it."""
    size, strides = span(window, dilation), two(stride or window)
    top, bottom, left, right = pads(padding, x.shape[1:3], size, strides)
    beyond = size if ceil_mode else (0, 0)
    y = pool(F.pad(nchw(x), (left, right + beyond[1], top, bottom + beyond[0]), value=value), strides)
    axes = zip(x.shape[1:3], size, strides, ((top, bottom), (left, right)), strict=True)
    rows, columns = (windows_along(*axis, ceil_mode) for axis in axes)
    return nhwc(y[:, :, :rows, :columns])


def windows_along(n, k, s, sides, ceil_mode):
    """How many windows PyTorch's documentation gives an axis."""
    more = math.ceil if ceil_mode else math.floor
    count = more((n + sum(sides) - k) / s) + 1
    return count - (ceil_mode and (count - 1) * s >= n + sides[0])


def ncl(x):
    return x.swapaxes(1, 2)


def sides(padding, n, window, stride):
    """(before, after) of a sequence."""
    return padding if isinstance(padding, tuple) else pads(padding, (n, n), (window, window), (stride, stride))[:2]


def conv1d(x, w, stride=1, padding=0, dilation=1, groups=1):
    before, after = sides(padding, x.shape[1], dilation * (len(w) - 1) + 1, stride)
    padded = F.pad(ncl(x), (before, after))
    return ncl(F.conv1d(padded, w.permute(2, 1, 0).contiguous(), None, stride, 0, dilation, groups))


def conv_transpose1d(x, w, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """PyTorch's with its own padding where that is a number; for "same" unpadded, and cut to the size."""
    kernel = w.permute(2, 1, 0).contiguous()
    if isinstance(padding, int):
        return ncl(F.conv_transpose1d(ncl(x), kernel, None, stride, padding, output_padding, groups, dilation))
    full = F.conv_transpose1d(ncl(x), kernel, None, stride, 0, 0, groups, dilation)
    n = x.shape[1] * stride + output_padding
    before, _ = sides(padding, n, dilation * (len(w) - 1) + 1, stride)
    return ncl(F.pad(full, (-before, n - full.shape[2] + before)))


def max_pool1d(x, window, stride=None, padding=0, dilation=1, ceil_mode=False):
    if isinstance(padding, int):
        return ncl(F.max_pool1d(ncl(x), window, stride, padding, dilation, ceil_mode))
    return of_row(max_pool2d, x, window, stride, padding, dilation, ceil_mode)


def avg_pool1d(x, window, stride=None, padding=0, dilation=1, ceil_mode=False, count_include_pad=False):
    if isinstance(padding, int) and dilation == 1:
        return ncl(F.avg_pool1d(ncl(x), window, stride, padding, ceil_mode, count_include_pad))
    return of_row(avg_pool2d, x, window, stride, padding, dilation, ceil_mode)


def of_row(pool, x, window, stride, padding, dilation, ceil_mode):
    """A pooling of sequences as images one row high."""
    padding = padding if isinstance(padding, str) else ((0, 0), two(padding))
    return pool(x[:, None], (1, window), (1, stride or window), padding, (1, dilation), ceil_mode)[:, 0]


def gelu(x, approximate=False):
    return F.gelu(x, approximate="tanh" if approximate else "none")


def attention(q, k, v, mask=None, causal=False):
    """PyTorch's, which takes a mask or causal, not both: here causal becomes part of the mask."""
    if causal and mask is not None:
        past = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
        mask, causal = (mask & past if mask.dtype == torch.bool else mask.masked_fill(~past, -torch.inf)), False
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal)


def upsample(mode, **options):
    def call(x, scale):
        height, width = (n * s for n, s in zip(x.shape[1:3], two(scale), strict=True))
        return nhwc(F.interpolate(nchw(x), size=(height, width), mode=mode, **options))

    return call


def resize(x, size, mode="nearest", antialias=True, align_corners=False):
    """With each channel twice: PyTorch's antialias gives a single channel wrong rows where the width becomes 1."""
    if mode == "nearest":
        return nhwc(F.interpolate(nchw(x), size=two(size), mode="nearest-exact"))
    twice, options = torch.cat([x, x], -1), {"align_corners": align_corners, "antialias": antialias}
    return nhwc(F.interpolate(nchw(twice), size=two(size), mode=mode, **options))[..., : x.shape[-1]]


def grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
    return nhwc(F.grid_sample(nchw(x), grid, mode, padding_mode, align_corners))


def blur(x, gain=1.0):
    """A convolution of each channel."""
    row = torch.tensor([0.25, 0.5, 0.25], dtype=x.dtype)
    kernel = (gain * row[:, None] * row).expand(x.shape[3], 1, 3, 3)
    return nhwc(F.conv2d(nchw(x), kernel, None, 1, 1, 1, x.shape[3]))


def modulated(conv, x, w, s, demodulate, eps):
    """A kernel of its own for each example, w (KH, KW, C, CO)."""
    own = w * s[:, None, None, :, None]
    if demodulate:
        own = own / (own * own).sum((1, 2, 3), keepdim=True).add(eps).sqrt()
    return torch.cat([conv(image[None], kernel) for image, kernel in zip(x, own, strict=True)])


def modulated_conv2d(x, w, s, demodulate=True, eps=1e-8, stride=1, padding="same"):
    """By windows: the second derivative of PyTorch's convolution fails for some layouts of a gradient."""
    conv = lambda x, w: torch.einsum("nhwklc,klco->nhwo", im2col(x, w.shape[:2], stride, padding), w)
    return modulated(conv, x, w, s, demodulate, eps)


def modulated_conv_transpose2d(x, w, s, demodulate=True, eps=1e-8, stride=2, padding="same", output_padding=0):
    """By windows, too, which are added where they overlap."""
    with torch.no_grad():
        _, *size, _ = conv_transpose2d(x[:1], w, stride, padding, output_padding).shape

    def conv(x, w):
        return col2im(torch.einsum("nhwc,klco->nhwklo", x, w), size, stride, padding)

    return modulated(conv, x, w.swapaxes(2, 3), s, demodulate, eps)
