"""Errors of ops: which op, which argument, what was expected, what came."""

from __future__ import annotations

import numpy as np
import pytest

from tinygen import ops, tensor


def t(*shape):
    return tensor(np.ones(shape), requires_grad=True)


ERRORS = [
    (
        lambda: ops.matmul(t(2, 3), t(2, 3)),
        ValueError,
        r"matmul: a is \(2, 3\) and b is \(2, 3\), but the last axis of a",
    ),
    (lambda: ops.matmul(t(3), t(2)), ValueError, r"matmul: a is \(3,\) and b is \(2,\)"),
    (lambda: ops.matmul(t(2, 3), t(4)), ValueError, r"matmul: a is \(2, 3\) and b is \(4,\)"),
    (lambda: ops.matmul(t(4), t(5, 3, 2)), ValueError, r"matmul: a is \(4,\) and b is \(5, 3, 2\)"),
    (lambda: ops.matmul(t(), t(2, 2)), ValueError, r"matmul: a is \(\) and b is \(2, 2\)"),
    (lambda: t(2, 2) @ 2.0, ValueError, r"matmul: a is \(2, 2\) and b is 2.0"),
    (lambda: ops.matmul(t(2, 2, 3), t(3, 3, 2)), ValueError, "could not be broadcast"),
    (lambda: ops.split(t(5), 2), ValueError, "split: axis 0 has length 5, which can't be cut into 2 equal parts"),
    (lambda: ops.split(t(5), 0), ValueError, "split: axis 0 has length 5, which can't be cut into 0 equal parts"),
    (
        lambda: ops.concatenate(t(2, 3)),
        ValueError,
        "concatenate: expected a list or tuple of at least one array, .*Tensor",
    ),
    (lambda: ops.stack([]), ValueError, "stack: expected a list or tuple of at least one array"),
    (
        lambda: ops.concatenate([t(2), t()]),
        ValueError,
        r"concatenate: shapes \[\(2,\), \(\)\] do not all have an axis 0",
    ),
    (lambda: ops.pad(t(2), 1, "symmetric"), ValueError, "pad: mode is 'symmetric', but it must be \"constant\", "),
    (
        lambda: ops.pad(t(2, 3), ((1, 0), (2, 3)), "reflect"),
        ValueError,
        r"pad: x is \(3, 3\), but in mode 'reflect' the border \(2, 3\) of axis 1 takes at least 4 elements",
    ),
    (lambda: ops.pad(t(1, 3), 1, "reflect"), ValueError, r"the border \(1, 1\) of axis 0 takes at least 2 elements"),
    (lambda: ops.pad(t(0, 3), 1, "edge"), ValueError, r"the border \(1, 1\) of axis 0 takes at least 1 elements"),
    (lambda: ops.pad(t(2), (0, 3), "wrap"), ValueError, r"the border \(0, 3\) of axis 0 takes at least 3 elements"),
    (lambda: ops.pad(t(2), (-1, 1), "edge"), ValueError, r"pad: pad_width has \(-1, 1\) for axis 0"),
    (lambda: ops.pad(t(2), 1, "edge", 2), ValueError, "pad: constant_values is 2, but the mode 'edge' takes none"),
    (lambda: ops.resize(t(1, 2, 2, 1), 4, "cubic"), ValueError, "resize: mode is 'cubic', but it must be"),
    (
        lambda: ops.resize(t(1, 2, 2, 1), 4, "bilinear", align_corners=True),
        ValueError,
        "resize: align_corners is True, but it is for bilinear and bicubic with antialias=False, and here mode is",
    ),
    (lambda: ops.resize(t(1, 2, 2, 1), 4, "nearest", False, True), ValueError, "resize: align_corners is True, but"),
    (lambda: ops.resize(t(1, 2, 2, 1), (4, 0)), ValueError, r"resize: size is \(4, 0\), but it must be one whole"),
    (lambda: ops.resize(t(2, 2, 1), 4), ValueError, r"resize: x is \(2, 2, 1\), but images are \(N, H, W, C\)"),
    (lambda: ops.resize(t(1, 0, 2, 1), 4), ValueError, r"resize: x is \(1, 0, 2, 1\), images without pixels"),
    (
        lambda: ops.einsum("ij->i", t(2, 3), t(3)),
        ValueError,
        "einsum: subscripts are 'ij->i', but expected letters for 2 operands, and a result of some of these letters",
    ),
    (lambda: ops.einsum(t(2, 3), t(3)), TypeError, "einsum: subscripts is a Tensor .*, but it must be text, such as"),
    (lambda: ops.einsum("ij->k", t(2, 3)), ValueError, "einsum: subscripts are 'ij->k', but expected letters for 1 op"),
    (lambda: ops.einsum("ij->ii", t(2, 3)), ValueError, "einsum: subscripts are 'ij->ii', but expected"),
    (lambda: ops.einsum("i.j->i", t(2, 3)), ValueError, "einsum: subscripts are 'i.j->i', but expected"),
    (lambda: ops.einsum("......->", t(2, 3)), ValueError, "einsum: subscripts are '......->', but expected"),
    (lambda: ops.einsum("ij->i", t(2, 3, 4)), ValueError, r"'ij->i' does not fit the axes of operands \(2, 3, 4\)"),
    (lambda: ops.einsum("...ij->i", t(2)), ValueError, r"'...ij->i' does not fit the axes of operands \(2,\)"),
    (
        lambda: ops.einsum("...i,i...->", t(2, 3), t(3, 4)),
        ValueError,
        r"for operands \(2, 3\) and \(3, 4\)",
    ),
    (lambda: ops.einsum("ii->", t(2, 3)), ValueError, r"einsum: 'ii->' gives a letter two lengths"),
    (lambda: ops.leaky_relu(t(2), 1.5), ValueError, "leaky_relu: slope is 1.5, but it must be from 0 to 1"),
    (lambda: ops.leaky_relu(t(2), -0.1), ValueError, "leaky_relu: slope is -0.1"),
    (lambda: ops.batch_norm(t(4, 3), t(2), t(3)), ValueError, r"batch_norm: x is \(4, 3\), .* \(2,\) and \(3,\)"),
    (lambda: ops.batch_norm(t(), t(1), t(1)), ValueError, r"batch_norm: x is \(\)"),
    (
        lambda: ops.take_along_axis(t(2, 3), np.zeros(2, int), 1),
        ValueError,
        r"take_along_axis: x is \(2, 3\) and indices",
    ),
    (
        lambda: ops.scatter_add(t(2, 3), np.zeros(2, int), t(2), 1),
        ValueError,
        r"scatter_add: x is \(2, 3\) and indices \(2,\), but they must have the same number of axes",
    ),
    (
        lambda: ops.scatter_add(t(2, 3), np.zeros((2, 1), int), t(4), 1),
        ValueError,
        r"scatter_add: updates is \(4,\), but it",
    ),
    (
        lambda: ops.scatter_add(t(2), np.zeros(2, int), 1.0, 0),
        TypeError,
        "scatter_add: updates is a float, but it must",
    ),
    (lambda: ops.scatter_add(t(2), np.array([2]), t(1), 0), IndexError, "index 2 is out of bounds"),
    (lambda: ops.tile(t(2), (2, -1)), ValueError, r"tile: reps is \(2, -1\), but x can't be repeated less than 0"),
    (lambda: ops.tile(t(2), 1.5), TypeError, "tile: 'float' object cannot be interpreted as an integer"),
    (
        lambda: ops.repeat(t(2, 3), (1, 2), axis=1),
        ValueError,
        r"repeat: repeats is \(1, 2\), but it must be one whole number of at least 0, or 3, one for",
    ),
    (lambda: ops.repeat(t(2), -1), ValueError, "repeat: repeats is -1, but it must be one whole number"),
    (lambda: ops.repeat(t(2), 0.5), ValueError, "repeat: repeats is 0.5, but it must be one whole number"),
    (lambda: ops.repeat(t(2), 2, 1), ValueError, "repeat: axis 1 is out of bounds"),
    (lambda: ops.topk(t(2, 3), 4), ValueError, "topk: k is 4, but it must be from 0 to 3, the length of axis -1"),
    (lambda: ops.topk(t(2, 3), 1, 2), ValueError, "topk: axis 2 is out of bounds"),
    (lambda: ops.sort(t(2, 3), 2), ValueError, "sort: axis 2 is out of bounds"),
    (lambda: ops.sort([2.0, 1.0]), TypeError, "sort: x is a list, but it must be a Tensor or an array"),
    (lambda: ops.argsort(t(2, 3), 2), ValueError, "argsort: axis 2 is out of bounds"),
    (lambda: ops.argsort(t(2, 3), 2, True), ValueError, "argsort: axis 2 is out of bounds"),
    (lambda: ops.norm(t(2, 3), 2), ValueError, r"norm: ord is 2 for the axes \(0, 1\) of x, but for one axis"),
    (lambda: ops.norm(t(2), "fro"), ValueError, r"norm: ord is 'fro' for the axes \(0,\) of x, but"),
    (lambda: ops.norm(t(2), 3), ValueError, r"norm: ord is 3 for the axes \(0,\) of x, but"),
    (lambda: ops.tril(t(3)), ValueError, r"tril: x is \(3,\), but it must have at least two axes"),
    (lambda: ops.triu(t()), ValueError, r"triu: x is \(\), but it must have at least two axes"),
    (
        lambda: ops.one_hot(np.array([0]), -1),
        ValueError,
        "one_hot: n is -1, but it must be an int of at least 1",
    ),
    (lambda: ops.one_hot(np.array([0]), 2.5), ValueError, "one_hot: n is 2.5, but it must be an int of at least"),
    (
        lambda: ops.pixel_unshuffle(t(1, 4, 5, 1), 2),
        ValueError,
        r"pixel_unshuffle: x is \(1, 4, 5, 1\), but its height and width must be multiples of 2",
    ),
    (
        lambda: ops.grid_sample(t(1, 4, 5, 1), t(2, 3, 3, 2)),
        ValueError,
        r"grid_sample: x is \(1, 4, 5, 1\) and grid \(2, 3, 3, 2\), but they must be",
    ),
    (lambda: ops.grid_sample(t(1, 0, 5, 1), t(1, 3, 3, 2)), ValueError, r"grid_sample: x is \(1, 0, 5, 1\) and grid"),
    (
        lambda: ops.grid_sample(t(1, 4, 5, 1), t(1, 3, 3, 2), "cubic"),
        ValueError,
        "grid_sample: mode is 'cubic', but",
    ),
    (
        lambda: ops.grid_sample(t(1, 4, 5, 1), t(1, 3, 3, 2), padding_mode="reflect"),
        ValueError,
        "grid_sample: padding_mode is 'reflect', but it must be",
    ),
    (lambda: t(2) & t(2), TypeError, r"&: expected booleans, not float64 of shape \(2,\); of comparisons, write"),
    (lambda: (t(2) > 0) | 1, TypeError, r"\|: expected booleans, not int"),
    (lambda: ~t(2), TypeError, "~: expected booleans, not float64"),
    (lambda: ops.sum(t(2), dim=0), TypeError, r"sum\(x, axis=None, keepdims=False\): got an unexpected keyword.*'dim'"),
    (lambda: ops.tanh(), TypeError, r"tanh\(x\): missing a required argument: 'x'"),
    (lambda: ops.add(t(2), t(2), t(2)), TypeError, r"add\(a, b\): too many positional arguments"),
    (lambda: ops.add(t(2), t(3)), ValueError, "could not be broadcast"),
    (lambda: ops.reshape(t(2, 3), (4, 2)), ValueError, "reshape"),
    (lambda: t(2, 3)[5], IndexError, "out of bounds"),
    (lambda: ops.sum(t(2, 3), axis=2), ValueError, "axis 2 is out of bounds"),
    (
        lambda: ops.dropout(t(2), t(2), 2.0),
        TypeError,
        "dropout: kept must be booleans, but they are float64; give kept",
    ),
    (
        lambda: ops.scaled_dot_product_attention(t(2, 3), t(4, 2), t(4, 3)),
        ValueError,
        r"scaled_dot_product_attention: q is \(2, 3\), k \(4, 2\) and v \(4, 3\), but they must be \(..., L, E\)",
    ),
    (
        lambda: ops.scaled_dot_product_attention(t(2, 2, 3), t(3, 4, 3), t(3, 4, 3)),
        ValueError,
        r"scaled_dot_product_attention: q is \(2, 2, 3\), k \(3, 4, 3\) and v",
    ),
    (
        lambda: ops.scaled_dot_product_attention(t(2, 3), t(4, 3), t(3, 3)),
        ValueError,
        r"scaled_dot_product_attention: q is .* v \(3, 3\), but",
    ),
    (
        lambda: ops.scaled_dot_product_attention(t(2, 3), t(4, 3), t(4, 1), np.ones((2, 3), bool)),
        ValueError,
        r"scaled_dot_product_attention: mask is \(2, 3\), but it must broadcast to the scores, .* = \(2, 4\)",
    ),
    (
        lambda: ops.scaled_dot_product_attention(t(2, 3), t(4, 3), t(4, 1), np.ones((2, 4), int)),
        TypeError,
        "scaled_dot_product_attention: mask holds int64, but it must be booleans, True to attend, or floats to add",
    ),
    (lambda: ops.elu(t(2), -1.0), ValueError, "elu: alpha is -1.0, but it must be at least 0"),
    (
        lambda: ops.einsum("ij,jk->ik", t(2, 3), t(4, 2)),
        ValueError,
        r"einsum: 'ij,jk->ik' gives a letter two lengths, for operands \(2, 3\) and \(4, 2\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_items_can_not_be_assigned():
    with pytest.raises(TypeError, match="can't be assigned item by item"):
        t(3)[0] = 1.0
