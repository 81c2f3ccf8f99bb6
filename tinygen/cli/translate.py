"""Make images from images, with a trained model that translates or restores them.

Each picture file gives a PNG of the same name, and translated.png shows the first ones beside what became of them. A
super-resolution model takes the small images; others say what they take if a picture does not fit.
The run itself is not changed.

examples:
  tinygen translate runs/srgan small.png
  tinygen translate runs/srgan photos --out larger
  tinygen translate runs/cyclegan photos --direction ba --fit crop
  tinygen translate runs/inpaint photo.png --mask hole.png
"""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backend import DEVICES
from ..errors import ConfigError, DataError
from ..files import check_place, replace_file, writing
from ..options import FITS
from .arguments import Parser, path
from .codes import OK

if TYPE_CHECKING:
    import numpy as np

    from ..models.base import Model

OVERVIEW, ROWS = "translated", 16  # the picture of pairs, and how many it shows


def add_arguments(command: Parser) -> None:
    command.add_argument("run", type=path, metavar="RUN", help="a run directory, such as runs/srgan")
    command.add_argument("images", type=path, metavar="IMAGES", nargs="+", help="picture files, and folders of them")
    command.add_argument("--direction", metavar="NAME", help="ab (the default) or ba, for a model of two domains")
    command.add_argument("--mask", type=path, metavar="FILE", help="a picture, white where the image is to be repaired")
    about = "crop, pad or stretch pictures to the square that the model takes (refuse those of another size)"
    command.add_argument("--fit", choices=FITS, help=about)
    command.add_argument("--device", choices=DEVICES, default="cpu", help="cpu (the default) or cuda")
    command.add_argument("--out", type=path, metavar="DIR", help="the folder of the results (RUN/translated)")


def run(args: argparse.Namespace) -> int:
    import numpy as np

    from .. import backend
    from ..data import batch_of
    from ..train import load

    out = Path(args.out or Path(args.run, OVERVIEW))
    if args.out and not out.is_dir():  # else it goes into the run, whose absence `load` reports
        check_place(out)
    backend.use(args.device)
    model = load(args.run)
    if not model.has("translate"):
        raise ConfigError(f"{model.name} makes no images from images; see tinygen sample {args.run}")
    options = _options(args, model)
    files = _files(args.images)
    pairs, names = list[tuple[np.ndarray, np.ndarray]](), {OVERVIEW}
    for file in files:
        x = batch_of(_image(file, model, args.fit)[None], model.value_range)
        if "mask" in options and options["mask"].shape[1:3] != x.shape[1:3]:
            raise DataError(f"--mask {args.mask}: it is {_size(options['mask'][0])}, but {file} is {_size(x[0])}")
        y = backend.to_host(model.translate(x, **options))
        if len(pairs) < ROWS:
            pairs.append((backend.to_host(x)[0], y[0]))
        with writing(out):
            out.mkdir(exist_ok=True)
            _save(y[0], out / f"{_free(file.stem, names)}.png", model)
    with writing(out):
        _save_pairs(pairs, out / f"{OVERVIEW}.png", model)
    print(f"{len(files):,} image{'s' * (len(files) != 1)} by {model.name}: {out}")
    return OK


def _options(args: argparse.Namespace, model: Model) -> dict[str, Any]:
    """The options that were given. Raises ConfigError for one that the model's translate() doesn't take."""
    from ..backend import to_device

    given = {name: value for name in ("direction", "mask") if (value := getattr(args, name)) is not None}
    for name in given.keys() - inspect.signature(model.translate).parameters.keys():
        raise ConfigError(f"--{name} {given[name]}: {model.name} takes no {name}; leave the option out")
    if "mask" in given:
        given["mask"] = to_device(_mask(Path(args.mask), model, args.fit)[None] > 127)
    return given


def _mask(file: Path, model: Model, fit: str | None) -> np.ndarray:
    """The picture of a mask, fitted as the images are, unless it has their size already."""
    mask, size = _read(file, 1), _square(model, fit)
    return mask if size is None or mask.shape[:2] == (size, size) else _read(file, 1, size, fit or "crop")


def _square(model: Model, fit: str | None) -> int | None:
    """The side of the square to which images are to be fitted, if they are."""
    wanted = model.accepts or (None, None, None)
    return wanted[0] if fit and wanted[0] == wanted[1] else None


def _files(places: list[str]) -> list[Path]:
    """The picture files, and those in the folders. Raises DataError for a place where there is none."""
    from ..data.listing import find_pictures

    files = list[Path]()
    for place in map(Path, places):
        found = find_pictures(place)[0] if place.is_dir() else [place]
        if not found or not found[0].is_file():
            raise DataError(f"{place}: {'the folder holds no images' if place.is_dir() else 'there is no such file'}")
        files += found
    return files


def _read(file: Path, channels: int, size: int | None = None, fit: str = "crop") -> np.ndarray:
    """The picture in a file, (H, W, channels), or fitted to a square. Raises DataError, which names the file."""
    from ..data.folder import load_picture

    if not file.is_file():
        raise DataError(f"{file}: there is no such file")
    try:
        return load_picture(file, channels, size, fit)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None


def _image(file: Path, model: Model, fit: str | None) -> np.ndarray:
    """A picture as the model takes it, in bytes. Raises DataError if it has colours and the model takes none, or if it
    has another size and is not to be fitted to the model's square."""
    wanted = model.accepts or (None, None, None)
    if len(wanted) != 3 or wanted[2] not in (1, 3, 4, None):
        raise ConfigError(f"{model.name} of this run takes examples {wanted}, which are no pictures")
    image = _read(file, 4 if wanted[2] == 4 else 3, _square(model, fit), fit or "crop")
    if wanted[2] == 1:
        if (image != image[..., :1]).any():
            raise DataError(f"{file}: the picture has colours, but {model.name} of this run takes grey ones")
        image = image[..., :1]
    if any(n not in (None, m) for n, m in zip(wanted[:2], image.shape[:2], strict=True)):
        takes = "x".join("any" if n is None else str(n) for n in wanted[:2])
        raise DataError(
            f"{file}: the picture is {_size(image)} (height x width), but {model.name} of this run takes {takes}"
            f"{'; --fit crop, pad or stretch makes it fit' if wanted[0] == wanted[1] else ''}"
        )
    return image


def _size(image: Any) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"


def _free(stem: str, names: set[str]) -> str:
    """A name that no other result has: the file's, or with a number."""
    name, n = stem, 1
    while name in names:
        name, n = f"{stem}-{n + 1}", n + 1
    names.add(name)
    return name


def _save(image: np.ndarray, file: Path, model: Model) -> None:
    """Write an image as a PNG, pixel by pixel."""
    from PIL import Image

    from .. import viz

    with replace_file(file) as temporary:
        Image.fromarray(viz.grid(image[None], model.value_range, 1, gutter=0)).save(temporary, format="PNG")


def _save_pairs(pairs: list[tuple[np.ndarray, np.ndarray]], file: Path, model: Model) -> None:
    """Write a grid whose rows are an input, as large as its result, and the result. Smaller images lie on black."""
    import numpy as np

    from .. import ops, viz

    tiles = [image for x, y in pairs for image in (ops.resize(x[None], y.shape[:2])[0], y)]
    height, width, channels = np.max([tile.shape for tile in tiles], axis=0)
    low = (model.value_range or (0, 255))[0]
    sheet = np.full((len(tiles), height, width, channels), low, np.float32)
    for place, tile in zip(sheet, tiles, strict=True):
        top, left = (height - tile.shape[0]) // 2, (width - tile.shape[1]) // 2
        place[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    viz.save_grid(sheet, file, model.value_range, columns=2)
