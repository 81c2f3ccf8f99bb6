"""How a check calls the file of piece 7."""

import numpy as np


def border(convolution, n, p):
    return convolution.border(n, p)


def pad_grad(convolution, **given):
    return convolution.pad_grad(**given)


def im2col(convolution, **given):
    return convolution.im2col(**given)


def col2im(convolution, **given):
    return convolution.col2im(**given)


def adjoint(convolution, x, cols, stride):
    """⟨x, col2im(cols)⟩, which is to be ⟨im2col(x), cols⟩."""
    image = convolution.col2im(cols, x.shape[1], x.shape[2], stride)
    same = isinstance(image, np.ndarray) and image.shape == x.shape
    return {"the image": image, "<x, col2im(cols)>": float((x * image).sum()) if same else None}


def conv(convolution, **given):
    return convolution.conv(**given)


def conv_grad(convolution, **given):
    return convolution.conv_grad(**given)


def conv_transpose(convolution, **given):
    return convolution.conv_transpose(fold=stand_in, **given)


def stand_in(cols, H, W, stride):
    """No col2im, but an image of the same size that depends on all it gets: so a wrong col2im is not counted twice."""
    N, h, v, KH, KW, O = cols.shape
    flat = cols.reshape(N, h * v * KH * KW * O)
    image = flat[:, np.arange(H * W * O) % flat.shape[1]].reshape(N, H, W, O)
    return stride * image + (flat @ np.cos(np.arange(flat.shape[1])))[:, None, None, None]
