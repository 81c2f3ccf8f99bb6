"""A film of a training: the sample pictures of a run as one short GIF."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..checks import check_installed
from ..files import open_regular, replace_file

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_FRAMES = 60
RUNNING_TIME = 6000  # milliseconds, not counting the last frame
FRAME_TIME = (100, 400)  # milliseconds: no frame is shorter or longer
LAST_FRAME_TIME = 2000
LARGEST_FRAME = 1000  # pixels: larger frames are shrunk as they are read, as all are held in memory
LARGEST_FILE = 2_000_000  # bytes
COLOURS = (64, 32)  # tried in this order at every size


def save_gif(frame_paths: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str]) -> None:
    """Write pictures, in order, as an endless GIF that stays on its last frame for two seconds.

    If there are more than 60 pictures, 60 are shown, more densely at the start, where most happens. Colours are reduced
    and pictures shrunk until the file is at most 2 MB; pictures that can't be read are left out.  Raises ValueError
    without frames, OSError if none can be read or the file can't be written; an existing file is then unchanged.

    >>> digits = tg.data.load("digits").test
    >>> for i in range(3):
    ...     tg.viz.save_grid(digits[9 * i : 9 * i + 9], f"{i}.png", None)
    >>> tg.viz.save_gif(["0.png", "1.png", "2.png"], "film.gif")
    """
    if not frame_paths:
        raise ValueError("save_gif: there are no frames to show")
    check_installed("save_gif", "PIL")
    frames = _read([frame_paths[i] for i in choose_frames(len(frame_paths))])
    qualities = ((shrink, colours) for shrink in itertools.count(1) for colours in COLOURS)
    films = (_encode(_reduce(frames, shrink, colours)) for shrink, colours in qualities)
    film = next(film for film in films if len(film) <= LARGEST_FILE)
    with replace_file(path) as temporary:
        temporary.write_bytes(film)


def choose_frames(n: int) -> list[int]:
    """At most 60 of the indices 0, ..., n - 1, the first and the last included: all, or in equal steps of sqrt(i)."""
    if n <= MOST_FRAMES:
        return list(range(n))
    return sorted({round(u * u * (n - 1)) for u in np.linspace(0, 1, MOST_FRAMES)})


def _read(paths: Sequence[str | os.PathLike[str]]) -> list[Image]:
    from PIL import Image

    frames, problems = [], []
    for path in paths:
        try:
            with open_regular(path) as file, Image.open(file) as image:
                frames.append(image.reduce(-(-max(image.size) // LARGEST_FRAME)))
        except Exception as error:  # Pillow's readers raise OSError, SyntaxError, ValueError and others
            problems.append(f"{os.fspath(path)} can't be read: {error}")
    if not frames:
        raise OSError(problems[0])
    mode = "L" if all(frame.mode == "L" for frame in frames) else "RGB"
    size = frames[-1].size
    return [frame.convert(mode).resize(size, Image.Resampling.NEAREST) for frame in frames]


def _reduce(frames: list[Image], shrink: int, colours: int) -> list[Image]:
    """The frames shrunk, and reduced to a palette of `colours` colours that all share."""
    from PIL import Image

    frames = [frame.reduce(shrink) for frame in frames]
    if frames[0].mode == "L":  # evenly spaced greys, including black and white
        levels = np.rint(np.rint(np.arange(256) * ((colours - 1) / 255)) * (255 / (colours - 1)))
        return [frame.point(levels.astype(int).tolist()) for frame in frames]
    typical = np.concatenate([np.asarray(frame) for frame in (frames[0], frames[len(frames) // 2], frames[-1])])
    palette = Image.fromarray(typical).quantize(colours, Image.Quantize.MEDIANCUT)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _encode(frames: list[Image]) -> bytes:
    frame_time = min(max(RUNNING_TIME // len(frames), FRAME_TIME[0]), FRAME_TIME[1])
    times = [frame_time] * (len(frames) - 1) + [LAST_FRAME_TIME]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=False)
    return buffer.getvalue()
