"""What several commands need of a run: the class of its model, and its data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError
from ..settings import did_you_mean

if TYPE_CHECKING:
    from ..data import Dataset
    from ..models.base import Model

FROM_DATA = {"data", "size"}  # in the settings of every run that the command line began


def model_class(name: str) -> type[Model]:
    """The model of that name. Raises ConfigError."""
    from ..models import MODELS

    if name not in MODELS:
        raise ConfigError(f"there is no model {name!r}{did_you_mean(name, MODELS)}; `tinygen models` lists them")
    return MODELS[name]


def check_apart(out: Path, data: str) -> None:
    """Raise ConfigError if a run would write among the images that it learns from."""
    kind, _, folder = data.partition(":")
    if kind == "folder" and folder and out.resolve() == Path(folder).resolve():
        raise ConfigError(f"--out {out}: the images are there; choose another directory for the run")


def load_data(settings: dict[str, Any], moved: bool = False, two: bool = True) -> Dataset:
    """The data set in the settings of a run, loaded as they say; of two domains, if they name a second.

    moved: the error for a folder suggests that it has moved.  two: whether the model takes two domains.
    """
    from ..data import load_chosen

    if settings.get("data_b") and not two:
        raise ConfigError(f"--data-b {settings['data_b']}: the model learns from one domain; leave the option out")
    try:
        return load_chosen(settings)
    except DataError as error:
        if moved and any(str(settings.get(name)).startswith("folder:") for name in ("data", "data_b")):
            which = "--data or --data-b" if settings.get("data_b") else "--data"
            raise DataError(
                f"{error}; if the images have moved, give their new place with {which} folder:PATH"
            ) from None
        raise
