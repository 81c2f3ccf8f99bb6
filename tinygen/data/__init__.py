"""Data sets by name, and batches of them.

data = load("digits")
loader = Loader(data.train, batch=64, labels=data.labels)
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import ConfigError, DataError
from ..options import LOADING
from ..settings import did_you_mean
from .augment import Augment, Compose, Flip, Noise, Rotate, Shift
from .dataset import Dataset, Modes
from .digits import load_digits
from .domains import load_negatives, load_outlines, load_smiles, two_domains
from .examples import kind_of
from .folder import load_folder
from .grammar import load_grammar
from .loader import Loader, batch_of
from .mnist import load_fashion, load_mnist
from .sentences import to_sentences, to_tokens
from .sixfactors import load_sixfactors
from .stacked import load_stacked
from .toys import load_grid25, load_ring8, load_swissroll

__all__ = [
    "DATASETS",
    "Augment",
    "Compose",
    "Dataset",
    "Entry",
    "Flip",
    "Loader",
    "Modes",
    "Noise",
    "Rotate",
    "Shift",
    "batch_of",
    "load",
    "load_chosen",
    "placed",
    "takes",
    "to_sentences",
    "to_tokens",
    "two_domains",
]


def __dir__() -> list[str]:
    return __all__


FOLDER = "folder:PATH"


class Entry(NamedTuple):
    """A data set that `load` knows: one line about it, and the function that makes it.

    >>> tg.data.DATASETS["ring8"].about
    'points in the plane: 8 narrow Gaussians on the unit circle'
    """

    about: str
    make: Callable[..., Dataset]


DATASETS: dict[str, Entry] = {
    "digits": Entry("10,000 handwritten digits of MNIST, 28x28 grey; part of tinygen, no network needed", load_digits),
    "mnist": Entry("70,000 handwritten digits, 28x28 grey; downloaded once (12 MB)", load_mnist),
    "fashion": Entry("70,000 pieces of clothing, 28x28 grey; downloaded once (31 MB)", load_fashion),
    FOLDER: Entry("the images in a folder, its subfolders the classes; scaled to squares of --size 64", load_folder),
    "sixfactors": Entry("faces drawn from six factors, in colour, --size 64 or 32; made in seconds", load_sixfactors),
    "stacked": Entry("three digits as red, green and blue: 1,000 modes, 28x28; made in a second", load_stacked),
    "smiles": Entry("two domains: drawn faces that frown, and others that laugh, --size 32 or 64", load_smiles),
    "negatives": Entry("two domains: digits, and the negatives of other digits, 28x28 grey", load_negatives),
    "outlines": Entry("two domains: digits, and the outlines of other digits, 28x28 grey", load_outlines),
    "ring8": Entry("points in the plane: 8 narrow Gaussians on the unit circle", load_ring8),
    "grid25": Entry("points in the plane: 25 narrow Gaussians on a 5x5 grid", load_grid25),
    "swissroll": Entry("points in the plane: a spiral", load_swissroll),
    "grammar": Entry("6,000 sentences of a grammar of 32 words; their probabilities are known", load_grammar),
}


def load(name: str, **options: Any) -> Dataset:
    """The data set of that name (`DATASETS` lists them; "folder:PATH" reads images), with its options.

    Options that are None are left out.

    Raises DataError for an unknown name or unavailable data, ConfigError for an option that does not fit.

    >>> tg.data.load("digits")
    Dataset(digits: 9,000 to train and 1,000 to test, each (28, 28, 1) uint8, 10 labels)
    """
    if not isinstance(name, str):
        raise DataError(
            f'load: the name of the data set is {kind_of(name)}, but it must be a str such as "digits", or '
            '"folder:PATH" for your own images; your own arrays need no name: Dataset("mine", train, test)'
        )
    kind, _, path = name.partition(":")
    entry = DATASETS.get(FOLDER if kind == "folder" and path else name)
    if entry is None:
        raise DataError(f"there is no data set {name!r}{_meant(name)}; there are {', '.join(DATASETS)}")
    given = {"path": path} if entry.make is load_folder else {}
    known = [option for option in inspect.signature(entry.make).parameters if option not in given]
    options = {option: value for option, value in options.items() if value is not None}
    for option in options:
        if option not in known:
            raise ConfigError(f"{kind}: no option {option!r}; it takes {', '.join(known) or 'none'}{_takers(option)}")
    return entry.make(**given, **options)


def load_chosen(settings: Mapping[str, Any]) -> Dataset:
    """The data set that the settings of a run choose: "data", with its options, and "data_b", if any, as a second
    domain.

    Raises DataError and ConfigError as `load` does, and if the two domains are not alike.

    >>> tg.data.load_chosen({"data": "ring8"}).name
    'ring8'
    """
    options = {option: settings.get(option) for option in LOADING}
    first = load(settings.get("data") or "", **options)
    second = settings.get("data_b")
    return two_domains(first, load(second, **options)) if second else first


def takes(name: str, option: str) -> bool:
    """Whether the data set of that name takes an option, such as "size".

    >>> tg.data.takes("sixfactors", "size"), tg.data.takes("digits", "size")
    (True, False)
    """
    entry = DATASETS.get(FOLDER if name.startswith("folder:") else name)
    return entry is not None and option in inspect.signature(entry.make).parameters


def placed(name: str) -> str:
    """The name of a data set, with the path of a folder made absolute, so that a run finds it from any directory.

    >>> tg.data.placed("digits")
    'digits'
    """
    kind, _, path = name.partition(":")
    return f"{kind}:{os.path.abspath(os.path.expanduser(path))}" if kind == "folder" and path else name


def _takers(option: str) -> str:
    """The data sets that take this option, for the error of one that does not."""
    names = [name for name, entry in DATASETS.items() if option in inspect.signature(entry.make).parameters]
    return f"; it would have no effect here, and is for {', '.join(names)}" if names and option != "path" else ""


def _meant(name: str) -> str:
    if os.path.isdir(name):
        return f": to read the images in that folder, write folder:{name}"
    return did_you_mean(name, DATASETS)
