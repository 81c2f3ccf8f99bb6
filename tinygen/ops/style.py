"""What StyleGAN2 adds to convolutions: a blur against aliasing, and kernels that a style modulates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import Array
from ..primitives import primitive
from .conv import conv2d, conv_transpose2d
from .elementwise import floats, sqrt
from .padding import pad
from .reduce import sum
from .windows import PaddingOption, check_images


def blur(x: Any, gain: float = 1.0) -> Any:
    """Each pixel of x (N, H, W, C) mixed with its neighbours by [1, 2, 1] / 4 along both axes, times gain.

    Pixels outside of the image are 0. Karras et al. 2019, section 3. Raises ValueError unless x is a batch of images.

    >>> tg.ops.blur(np.ones((1, 3, 3, 1)))[0, :, :, 0]
    array([[0.5625, 0.75  , 0.5625],
           [0.75  , 1.    , 0.75  ],
           [0.5625, 0.75  , 0.5625]])
    """
    check_images("blur", x)
    return _blur(x, gain)


@primitive
def _blur(x: Any, gain: float) -> Array:
    x = pad(floats(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]
    return (x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]) * (gain / 16)


_blur.rules(lambda gy, y, x, gain: _blur(gy, gain))  # its matrix is symmetric


def modulated_conv2d(
    x: Any, w: Any, s: Any, demodulate: bool = True, eps: float = 1e-8, stride: Any = 1, padding: PaddingOption = "same"
) -> Any:
    """conv2d of x (N, H, W, C) with a kernel of its own for each example n, made of w (KH, KW, C, CO) by the style s
    (N, C):

        wₙ = s[n, c] · w[k, l, c, o];  demodulated, divided by √(Σ over k, l, c of wₙ² + eps)

    Karras et al. 2020, eq. 1 and 3. All examples share one convolution: x · s before it, and after it the division by
    √(s² @ Σ over k, l of w² + eps), (N, CO). Raises ValueError if w or s does not fit x.

    >>> x, w, s = np.ones((2, 4, 4, 3)), np.ones((3, 3, 3, 8)), np.ones((2, 3))
    >>> tg.ops.modulated_conv2d(x, w, s).shape
    (2, 4, 4, 8)
    """
    _check_modulated("modulated_conv2d", x, w, s, 2)
    return _modulated(lambda x: conv2d(x, w, stride, padding), x, w, s, eps if demodulate else None)


def modulated_conv_transpose2d(
    x: Any,
    w: Any,
    s: Any,
    demodulate: bool = True,
    eps: float = 1e-8,
    stride: Any = 2,
    padding: PaddingOption = "same",
    output_padding: Any = 0,
) -> Any:
    """conv_transpose2d of x (N, H, W, C) with a kernel of its own for each example, made of w (KH, KW, CO, C) by the
    style s (N, C): see modulated_conv2d. Raises ValueError if w or s does not fit x.

    >>> x, w, s = np.ones((2, 4, 4, 3)), np.ones((3, 3, 8, 3)), np.ones((2, 3))
    >>> tg.ops.modulated_conv_transpose2d(x, w, s).shape
    (2, 8, 8, 8)
    """
    _check_modulated("modulated_conv_transpose2d", x, w, s, 3)
    of_c = w.swapaxes(2, 3)
    conv = lambda x: conv_transpose2d(x, w, stride, padding, output_padding)
    return _modulated(conv, x, of_c, s, eps if demodulate else None)


def _modulated(conv: Callable[[Any], Any], x: Any, w: Any, s: Any, eps: float | None) -> Any:
    """conv(x · s), demodulated unless eps is None; w: (KH, KW, C, CO)."""
    y = conv(x * s.reshape(s.shape[0], 1, 1, s.shape[1]))
    if eps is None:
        return y
    d = 1 / sqrt((s * s) @ sum(w * w, (0, 1)) + eps)
    return y * d.reshape(d.shape[0], 1, 1, d.shape[1])


def _check_modulated(op: str, x: Any, w: Any, s: Any, axis: int) -> None:
    """Raise ValueError unless x are images, w's axis is that of their channels, and s has one for each image."""
    check_images(op, x)
    N, _, _, C = x.shape
    if getattr(w, "ndim", 0) != 4 or w.shape[axis] != C:
        raise ValueError(f"{op}: w is {getattr(w, 'shape', w)}, but x {x.shape} takes a kernel with {C} on axis {axis}")
    if getattr(s, "shape", None) != (N, C):
        raise ValueError(f"{op}: s is {getattr(s, 'shape', s)}, but x {x.shape} takes factors (N, C), {(N, C)}")
