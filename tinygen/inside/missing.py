"""What the page can't show of a model, and what the model has to declare so that it can."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ..backend import Array
from ..models.probe import undisturbed

if TYPE_CHECKING:
    from ..models.base import Model

Named = Mapping[str, Collection[str]]  # by step, the names in its loss


def names_in_losses(model: Model, batch: tuple[Array, ...]) -> Named:
    """What the loss of each of the model's steps names (`Loss.named`), by the name of the step."""
    names = dict[str, Collection[str]]()
    with undisturbed(model):
        for name in model.steps_on(*batch) if model.has("steps") else ():
            step = model.steps_on(*batch)[name]  # again, as the steps of one list may share a pass
            names[name] = set(step.compute_loss().named)
    return names


def missing(model: Model, shape: tuple[int, ...], named: Named, arrays: Collection[str]) -> list[list[str]]:
    """The views that the page can't show, by id, each with what the model lacks and what to write.

    shape: of one example.  arrays: the names of those recorded.
    """
    plays = model.game is not None or {"D", "G"} <= named.keys()
    game, slopes = _for_game(model, named) if plays else [], any("x̂" in names for names in named.values())
    views = {
        "field": [*game, *_for_field(model)] if plays and shape == (2,) and model.vocabulary is None else [],
        "pixels": [*game, *_for_pixels(model)] if plays and len(shape) == 3 else [],
        "latents": _for_latents(model, named, arrays),
        "vanishing": [] if named else [NO_STEPS],
        "curves": _for_verdicts(named) if model.game is not None and named else [],
        "slopes": game or [NO_SLOPES] if slopes and "slopes" not in arrays else [],
    }
    return [[view, f"{model.name} {', and '.join(lacks)}."] for view, lacks in views.items() if lacks]


NO_STEPS = "has no steps(); write it"
NO_SLOPES = 'names "x̂", but does not record D\'s slopes there; return them, {"slopes": (N,)}, from observe()'


def _for_game(model: Model, named: Named) -> list[str]:
    """What any view of D's gradient at G's samples lacks."""
    if not named:
        return [NO_STEPS]
    lacks = []
    if model.game is None:
        lacks.append(
            'has steps "D" and "G", but no game; set self.game to the one that they play, such as '
            '`tinygen.losses.GAN_LOSSES["nonsaturating"]`'
        )
    if "G" not in named:
        lacks.append('has no step "G"; give this name to the step in which G learns')
    elif absent := [name for name in ("G(z)", "D(G(z))") if name not in named["G"]]:
        lacks.append(_unnamed("G", absent))
    return lacks


def _for_field(model: Model) -> list[str]:
    lacks = [] if model.has("score") else ["has no score(); write it"]
    if "D" in model.labelled:
        lacks.append("has a D that takes labels, so it has a field for each label, and not one to show")
    return lacks


def _for_pixels(model: Model) -> list[str]:
    if model.value_range is not None:
        return []
    return ["has no value_range; set it to the lowest and the highest value of a pixel, such as (-1, 1)"]


def _for_latents(model: Model, named: Named, arrays: Collection[str]) -> list[str]:
    if model.has("degrade"):  # it restores images, without codes
        return []
    if model.has("codes"):
        return [] if "reconstructions" in arrays else ["has no decode(); write it"]
    if model.has("posterior"):
        return ["has posterior(), but no codes(); write it: `return self.posterior(x)[0]`"]
    by_heart = model.defaults.get("examples")  # a few examples, without an encoder
    if (model.has("reconstruct") and not by_heart) or any("mu" in names for names in named.values()):
        return ["has no codes(); write it"]
    return []


def _for_verdicts(named: Named) -> list[str]:
    """What D's accuracy and its verdicts lack: a step that names both kinds of scores."""
    verdicts = ("D(x)", "D(G(z))")
    if any(names >= {*verdicts} for names in map(set, named.values())):
        return []
    use = "; without them there is no accuracy of D, and no warning that D is saturated"
    return [_unnamed("D", [name for name in verdicts if name not in named.get("D", ())]) + use]


def _unnamed(step: str, names: list[str]) -> str:
    """That the loss of a step should name these."""
    given = ", ".join(f'"{name}": ...' for name in names)
    return f'does not name {" and ".join(names)} in its step "{step}"; return `Loss(value, named={{{given}}})`'
