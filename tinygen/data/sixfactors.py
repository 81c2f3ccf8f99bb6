"""Faces drawn from six known factors, so that what a model has learnt of each can be measured.

Shapes are signed distances in pixels (negative inside), and a pixel's share of a colour follows from its distance to
the edge: edges are smooth without supersampling (Quilez, "2D distance functions", iquilezles.org).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array
from ..checks import whole
from ..errors import ConfigError, DataError
from .dataset import Dataset, own_stream

FACTORS = ("smile", "face width", "skin tone", "hair colour", "eye size", "gaze")
SMILE = FACTORS.index("smile")

SIZE = 64  # of the drawing
CHUNK = 32  # images at a time: a plane of them, 512 KB, stays in the cache


def load_sixfactors(train: int = 9_000, test: int = 1_000, seed: int = 0, size: int = SIZE) -> Dataset:
    """Faces in colour whose six FACTORS are uniform on [0, 1) and independent; `factors` holds them. size: see
    draw_faces."""
    factors = own_stream("sixfactors", train, test, seed).uniform((train + test, len(FACTORS)))
    faces = draw_faces(factors, np.uint8, size)
    return Dataset("sixfactors", faces[:train], faces[train:], factors=factors[:train], test_factors=factors[train:])


def draw_faces(factors: Array, dtype: Any = np.float32, size: int = SIZE) -> np.ndarray:
    """The faces (N, size, size, 3) of factors (N, 6), each in [0, 1], in the order of FACTORS: floats in [0, 1], or
    uint8.

    smile: from a frown to a wide laugh.  face width: the head and the hair round it.  skin tone, hair colour: from
    light to dark; eyebrows are hair.  eye size.  gaze: from the left of the picture to its right.
    size: 64 pixels, or a divisor of 64, such as 32; a pixel is then the mean of a square of those of the drawing.
    A face depends on its own factors alone, to the bit.  Raises DataError for other factors, ConfigError for a size.
    """
    factors = np.asarray(factors, np.float32)
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise DataError(f"draw_faces: factors has shape {factors.shape}, but it must be (N, 6): {', '.join(FACTORS)}")
    if not ((factors >= 0) & (factors <= 1)).all():
        raise DataError("draw_faces: factors must lie in [0, 1]")
    if SIZE % whole("sixfactors", "size", size, 1, SIZE, " (pixels)"):
        raise ConfigError(f"sixfactors: size is {size}, but it must divide {SIZE}, the size of the drawing")
    faces = np.empty((len(factors), size, size, 3), dtype)
    for start in range(0, len(factors), CHUNK):
        planes = _shrink(_draw(factors[start : start + CHUNK]), SIZE // size)
        if faces.dtype == np.uint8:
            planes = np.rint(planes * 255)
        faces[start : start + CHUNK] = np.moveaxis(planes, 0, -1)
    return faces


def _shrink(planes: np.ndarray, k: int) -> np.ndarray:
    """Planes (3, N, H, W) with the mean of each square of k by k pixels as one."""
    if k == 1:
        return planes
    colours, n, height, width = planes.shape
    return planes.reshape(colours, n, height // k, k, width // k, k).mean(axis=(3, 5))


def _rgb(*colours: str) -> np.ndarray:
    """Colours "rrggbb" as (K, 3) floats in [0, 1]."""
    return np.array([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in colours], np.float32) / 255


SKIN = _rgb("ffe3cf", "f0bd97", "c98a5f", "8a563a", "573322")
HAIR = _rgb("f6d98a", "d98a42", "94502a", "54301f", "211a1d")
WALL, SHIRT, WHITE, IRIS, PUPIL, BLUSH, LIPS, THROAT, TEETH = (
    colour.reshape(3, 1, 1, 1)
    for colour in _rgb("a9cfe0", "e8725c", "fdfdfb", "3d7f8c", "15181c", "e8485a", "a93742", "5e1a26", "fbf8f2")
)

MOUTH = 0, 14, 24  # x and y of the centre of the square that holds it, and its side, in pixels

_pixels = np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2
X, Y = _pixels, _pixels[:, np.newaxis]  # in pixels from the centre, to the right and down

# In float64, then rounded: NumPy's exp of float32 differs between processors, and so would the pixels.
CHEEKS = [
    (0.22 * np.exp(-((X.astype(float) - side) ** 2 + 1.6 * (Y.astype(float) - 8) ** 2) / 14)).astype(np.float32)
    for side in (-10.5, 10.5)
]


def _draw(factors: np.ndarray) -> np.ndarray:
    """The planes (3, N, 64, 64) of a few faces."""
    smile, width, tone, shade, eye, gaze = factors.T[:, :, np.newaxis, np.newaxis]
    skin, hair = _ramp(SKIN, tone), _ramp(HAIR, shade)
    planes = np.broadcast_to(WALL * (1 - 0.003 * Y), (3, len(factors), SIZE, SIZE)).copy()
    _head(planes, 16 + 5 * width, skin, hair)
    for side in (-8.5, 8.5):
        _eye(planes, side, 2.6 + 2.2 * eye, 2 * gaze - 1, skin, hair)
    _mouth(planes, smile)
    return np.clip(planes, 0, 1, out=planes)


def _head(planes: np.ndarray, width: np.ndarray, skin: np.ndarray, hair: np.ndarray) -> None:
    """Hair, neck, shirt, head, fringe, blush and nose. width: half of the head's, at the eyes."""
    jaw = X * (1 + 0.007 * Y)  # narrower at the chin than at the brow
    head = _ellipse(jaw, Y - 1, width, 22)
    outline, shaded = _ellipse(X, Y + 3, width + 4.5, 25), hair * (0.86 - 0.007 * Y)
    _paint(planes, np.maximum(outline, Y - 17), shaded)
    _paint(planes, np.maximum(np.abs(X) - 6.5, 12 - Y), skin * 0.84)
    _paint(planes, np.maximum(_ellipse(X, Y - 40, 27, 14.5), 4.5 - np.hypot(X, Y - 24)), SHIRT)
    _paint(planes, head, skin * (1 - 0.0035 * (X + Y)))  # the light comes from above on the left
    parting = _ellipse(X - 1.5, Y - 9, width + 1, 23)
    _paint(planes, np.maximum(np.maximum(outline, Y + 1), np.maximum(-parting, -head - 14)), shaded)
    for cheek in CHEEKS:
        planes += cheek * (BLUSH - planes)
    _paint(planes, _ellipse(X, Y - 6.5, 2.2, 1.3), skin * 0.82)


def _eye(
    planes: np.ndarray, side: float, size: np.ndarray, gaze: np.ndarray, skin: np.ndarray, hair: np.ndarray
) -> None:
    """The white, the iris that looks to gaze in [-1, 1], the lid above, and the brow."""
    planes, x, y = _window(planes, side, -2, 16)
    brow, y = y + 5.8, y - 2  # from their middles: -7.8 and 0 in the face
    white = _ellipse(x, y, size * 1.15, size)
    x_iris = x - 0.48 * size * gaze
    centre = np.hypot(x_iris, y)
    _paint(planes, white, WHITE)
    _paint(planes, np.maximum(centre - 0.68 * size, white), IRIS)
    _paint(planes, np.maximum(centre - 0.36 * size, white), PUPIL)
    _paint(planes, np.maximum(np.hypot(x_iris + 0.2 * size, y + 0.25 * size) - 0.17 * size, white), WHITE)
    _paint(planes, np.maximum(np.abs(white) - 0.6, y + 0.2 * size), skin * 0.3)
    _paint(planes, np.maximum(np.abs(brow - 0.06 * x * x) - 0.9, np.abs(x) - 4.5), hair * 0.75)


def _mouth(planes: np.ndarray, smile: np.ndarray) -> None:
    """Two parabolas between the corners, the upper and the lower lip; they part as the smile grows."""
    planes, x, y = _window(planes, *MOUTH)
    half = 6 + 2.5 * smile
    arch = 1 - (x / half) ** 2  # 0 at the corners
    slope = np.sqrt(1 + (6 * smile * x / half**2) ** 2)
    upper, lower = (4 * smile - 2) * arch, (4 * smile - 2 + 4.5 * smile**2) * arch
    gap = np.maximum(upper - y, y - lower) / slope
    _paint(planes, np.maximum(gap - 0.9, np.abs(x) - half), LIPS)
    _paint(planes, gap + 0.3, THROAT)
    _paint(planes, np.maximum(gap + 0.3, y - upper - 2), TEETH)


def mouth_index(size: int) -> tuple[slice, ...]:
    """The index of the square with the mouth in faces (N, size, size, 3)."""
    x, y, side = MOUTH
    left, top = (corner * size // SIZE for corner in _corner(x, y, side))
    return np.s_[:, top : top + side * size // SIZE, left : left + side * size // SIZE]


def _corner(x: float, y: float, size: int) -> tuple[int, int]:
    """The left and the top of the square of that size about (x, y), in pixels of the drawing."""
    return round(x + (SIZE - size) / 2), round(y + (SIZE - size) / 2)


def _window(planes: np.ndarray, x: float, y: float, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The square of that size about (x, y), as a view, and its coordinates about (x, y)."""
    left, top = _corner(x, y, size)
    rows, columns = slice(top, top + size), slice(left, left + size)
    return planes[:, :, rows, columns], X[columns] - np.float32(x), Y[rows] - np.float32(y)


def _paint(planes: np.ndarray, distance: np.ndarray, colour: np.ndarray) -> None:
    """Paint a colour (3, N or 1, ...) inside a shape, by the share of each pixel that it covers."""
    share = np.clip(0.5 - distance, 0, 1)
    planes *= 1 - share  # not += share * (colour - planes), whose rounding would let covered colours shine through
    planes += share * colour


def _ellipse(x: np.ndarray, y: np.ndarray, a: Any, b: Any) -> np.ndarray:
    """The distance to an ellipse of half axes a and b, exact at its edge to first order: k (k - 1) / |∇k²/2|.

    k² = (x/a)² + (y/b)²
    """
    u, v = x / a, y / b
    k = np.sqrt(u * u + v * v)
    return k * (k - 1) / np.maximum(np.hypot(u / a, v / b), np.float32(1e-6))


def _ramp(colours: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The colours (3, N, 1, 1) at t (N, 1, 1), along the straight lines from each of (K, 3) to the next."""
    t = t[:, 0, 0] * (len(colours) - 1)
    k = np.minimum(t.astype(int), len(colours) - 2)
    u = (t - k).astype(np.float32)[:, np.newaxis]
    return np.moveaxis(colours[k] * (1 - u) + colours[k + 1] * u, -1, 0)[..., np.newaxis, np.newaxis]
