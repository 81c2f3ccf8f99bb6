"""No sentence on a page that doesn't apply to its run or, in the lab, to its loss: each is held against what it is."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from models.small import POINT
from report.runs import each_run
from report.words import lab_sentences, sentences, small_run

from tinygen.losses import GAN_LOSSES
from tinygen.models import MODELS
from tinygen.play import play
from tinygen.report.gather import gather

PLAIN = {"batch_norm": False}
IMAGES = {name: (name, None, {}) for name in MODELS}
LOSSES = {f"gan with {loss}": ("gan", None, {"loss": loss}) for loss in GAN_LOSSES}
POINTS = {f"points: gan with {loss}": ("gan", POINT, {"loss": loss, **PLAIN}) for loss in GAN_LOSSES}
POINTS |= {
    f"points: {name}": (name, POINT, {})
    for name in ("memory", "ae", "vae", "cgan", "acgan", "pacgan", "wgangp", "wgan", "lsgan", "hingegan")
}
CASES = IMAGES | LOSSES | POINTS  # by name: the model, the shape of its examples, its settings
SOME = ["wgangp", *(pytest.param(case, marks=pytest.mark.more) for case in ("vae", "points: gan with lsgan"))]


@dataclass
class Facts:
    """What a run is."""

    plays: bool  # whether networks play against each other
    encodes: bool
    has_kl: bool
    of_images: bool
    by_probability: bool  # whether D's verdicts are probabilities
    critic: bool  # whether D's scores only compare
    has_slopes: bool
    on_two_tapes: bool  # whether a step has a penalty on a gradient
    between: bool  # whether that gradient is taken at points x̂ between real examples and generated ones
    of_digits: bool
    clips: bool  # whether D's weights are clipped, and the page says why


# What a sentence says, and of which runs it may.
RULES: list[tuple[str, Callable[[Facts], bool]]] = [
    (r"[Ee]ncod|posterior|[Rr]econstruct", lambda run: run.encodes),
    (r"\bKL\b|\bnats?\b|cloud", lambda run: run.has_kl),
    (r"\b[Ii]mages?\b|[Pp]ixel|\bblob", lambda run: run.of_images),
    (r"stroke", lambda run: run.of_digits),
    (r"\b[DG]\(|\b[DG]'s\b|\bfake\b|[Vv]erdict|\bgenerator\b(?!=)|iscriminator|dversar", lambda run: run.plays),
    (r"The loss falls", lambda run: not run.plays),
    (r"[Cc]ritic", lambda run: run.critic),
    (r"[Pp]robabilit|: one half|are one half|% real|certainly real", lambda run: run.by_probability),
    (r"vanishing gradient|all but vanishes", lambda run: run.by_probability),  # the minimax loss reads a probability
    (r"turns around", lambda run: run.plays and not run.critic),
    (r"\d%.* apart|guessing", lambda run: run.plays and not run.critic),
    (r"[Ss]lopes of the critic|steep", lambda run: run.has_slopes or run.clips),
    (r"[Ss]econd tape|dashed boxes|[Pp]enalty", lambda run: run.on_two_tapes or run.clips),
    (r"[Cc]lipped", lambda run: run.clips),
    (r"can't tell|turns white", lambda run: run.plays and not run.critic),
    (r"x̂", lambda run: run.between),
    (r"^not kept$|\bNaN\b|undefined|\bnull\b|\[object|\bInfinity\b", lambda run: False),
]


def facts_of(path):
    run = gather(path, 10**7)
    recording, steps = run["recording"], (run["follow"] or {"steps": []})["steps"]
    nodes = [node for step in steps for node in step["graph"]["nodes"]]
    networks = {layer["network"] for layer in recording["layers"]}
    loss, shape = recording.get("loss"), run["config"]["data_shape"]
    return Facts(
        plays=loss is not None or len(steps) > 1,
        encodes="reconstructions" in recording["arrays"] or bool({"encoder", "E"} & networks),
        has_kl="kl" in recording["arrays"],
        of_images=len(shape) == 3,
        by_probability=bool(recording.get("probability")),
        critic=loss is not None and recording.get("threshold") is None,
        has_slopes="slopes" in recording["arrays"],
        on_two_tapes=any(node["part"] == "second tape" for node in nodes),
        between=any(node["title"] == "x̂" for node in nodes),
        of_digits=False,
        clips=run["config"].get("clip") is not None,
    )


def facts_of_lab(name):
    """What the lab is under a loss: a game of points in the plane."""
    loss = GAN_LOSSES[name]
    no = dict.fromkeys(("encodes", "has_kl", "of_images", "has_slopes", "on_two_tapes", "between", "of_digits"), False)
    critic = loss.threshold is None
    return Facts(plays=True, by_probability=loss.probability, critic=critic, clips=critic, **no)


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES if metafunc.config.getoption("--campaign") else SOME)


def wrong(said, facts):
    """The sentences that don't apply, each after what it should not speak of."""
    return [(what, text) for text in said for what, applies in RULES if re.search(what, text) and not applies(facts)]


def test_every_sentence_applies_to_its_run(browser, tmp_path, case):
    name, shape, settings = CASES[case]
    path = small_run(name, tmp_path / "run", shape, **settings)
    said = sentences(browser, path / "report.html")
    assert len(said) > 100
    found = wrong(said, facts_of(path))
    assert not found, json.dumps(found, ensure_ascii=False, indent=1)


@each_run(GAN_LOSSES, "nonsaturating", "wasserstein", argument="loss")
def test_every_sentence_of_the_lab_applies_to_its_loss(browser, tmp_path, loss):
    said = lab_sentences(browser, play(tmp_path / "play.html"), loss)
    assert len(said) > 80
    found = wrong(said, facts_of_lab(loss))
    assert not found, json.dumps(found, ensure_ascii=False, indent=1)
    for what in (
        "Paused.",
        "There are no data.",
        "beyond all bounds",
        "knows nothing yet",
        "In slow motion",
        "removed;",
    ):
        assert any(what in text for text in said), what


def test_a_sentence_that_does_not_apply_is_found(browser, tmp_path):
    path = small_run("wgan", tmp_path / "run") / "report.html"
    text = path.read_text(encoding="utf-8")
    swapped = {
        "higher looks more real to D": "higher for better strokes",
        "judgesByProbability() {": "judgesByProbability() { return 1;",
    }
    for before, after in swapped.items():
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    found = " ".join(text for _, text in wrong(sentences(browser, path), facts_of(path.parent))).lower()
    assert "strokes" in found and "probabilit" in found
