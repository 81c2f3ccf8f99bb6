"""What several commands need of a run: the class of its model, and its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError
from ..options import LOADING
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


def load_data(settings: dict[str, Any], moved: bool = False) -> Dataset:
    """The data set in the settings of a run, loaded as they say.

    moved: the error for a folder suggests that it has moved.
    """
    from ..data import load

    try:
        return load(settings["data"], **{option: settings.get(option) for option in LOADING})
    except DataError as error:
        if moved and str(settings["data"]).startswith("folder:"):
            raise DataError(
                f"{error}; if the images have moved, give their new place with --data folder:PATH"
            ) from None
        raise
