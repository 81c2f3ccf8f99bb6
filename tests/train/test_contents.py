"""Whole files with the wrong contents: every reader names the field and the file, and changes nothing."""

import json

import numpy as np
import pytest
from train.tiny import Stream, Tiny

from tinygen.errors import RunError
from tinygen.inside import Recording
from tinygen.losses import GAN_LOSSES
from tinygen.report.gather import gather
from tinygen.train import Callback, RunDirectory, checkpoint, contents, fit
from tinygen.train.checkpoint import DamagedError, read_checkpoint

DEEP = "[" * 50_000 + "]" * 50_000
EVERY = {"log_every": 1, "sample_every": 5, "checkpoint_every": 2}


class Counter(Callback):
    """A callback with a state of every kind."""

    def __init__(self):
        self.state = {
            "count": 0,
            "rate": 0.5,
            "best": float("inf"),
            "name": "x",
            "seen": [],
            "more": {"n": 1},
            "at": None,
        }

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


@pytest.fixture
def run(tmp_path, viz):
    fit(
        Tiny(),
        Stream(),
        4,
        out=tmp_path / "run",
        callbacks=[Counter()],
        settings={"data": "digits", "size": None},
        **EVERY,
    )
    return RunDirectory(tmp_path / "run")


def resume(run):
    fit(Tiny(), Stream(), 6, out=run.path, callbacks=[Counter()], resume=True, **EVERY)


def files(run):
    return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}


def change(run, of_config=None, of_facts=None, of_tensors=None, text=None):
    """Write config.json, or the newest checkpoint with a right checksum, with other contents."""
    if of_config is not None:
        run.config_file.write_text(json.dumps(json.loads(run.config_file.read_text()) | of_config))
        return
    for path in run.checkpoints().values():
        tensors, facts = checkpoint.load(path)
        facts |= {"step": facts["step"]} | (of_facts or {})
        checkpoint.save(path, tensors | (of_tensors or {}), facts)


CONFIGS = {
    "steps": ["text", None, -1, 1.5, True, [], {}, 10**30],
    "model": [None, 3, ["tiny"]],
    "config": [None, [1], "size", {"size": {"a": 1}}, {"size": [[{}]]}],
    "settings": [None, [], "x"],
    "fingerprint": [3, []],
    "changes": [3, [3], {}],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in CONFIGS.items() for value in values])
def test_a_config_of_another_shape(run, field, value):
    change(run, of_config={field: value})
    before = files(run)
    for read in (run.read_config, lambda: resume(run), lambda: gather(run.path, 10**6)):
        with pytest.raises(RunError, match=rf"config\.json .*{field}") as error:
            read()
        assert "\n" not in str(error.value)
    assert files(run) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[
            ("data", 3),
            ("size", "big"),
            ("mirror", {}),
            ("mirror", 0),
            ("batch", "x"),
            ("batch", 0),
            ("seed", -1),
            ("device", "tpu"),
            ("device", ["cpu"]),
        ],
        *[("log_every", None), ("evaluate_every", "never"), ("record", 0), ("record", []), ("classes", [1])],
    ],
)
def test_settings_of_another_type(run, field, value):
    change(run, of_config={"settings": {"data": "digits", field: value}})
    with pytest.raises(RunError, match=rf"config\.json .*settings\.{field} is "):
        run.read_settings()


@pytest.mark.parametrize("name", ["metrics_file", "events_file"])
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"step": "3", "loss": 1}', "step"),
        ('{"step": null}', "step"),
        ('{"step": -1}', "step"),
        ('{"step": true}', "step"),
        ('{"step": 1e3}', "step"),
        ('{"step": 2, "loss": [1]}', "loss"),
        ('{"step": 2, "loss": {"a": 1}}', "loss"),
        ('{"step": 2, "loss": ' + "9" * 60 + "}", "loss"),
        ('{"step": 2, "loss": ' + DEEP + "}", "nested too deep"),
    ],
)
def test_a_row_of_another_shape_is_named_and_nothing_is_cut(run, name, line, words):
    file = getattr(run, name)
    rows = file.read_text().splitlines() if file.exists() else ['{"step": 1}']
    file.write_text("\n".join([rows[0], line, *rows[1:]]) + "\n")
    before = files(run)
    for read in (lambda: resume(run), lambda: gather(run.path, 10**6)):
        with pytest.raises(RunError, match=rf"{file.name}, line 2: .*{words}") as error:
            read()
        assert len(str(error.value)) < 300
    assert files(run) == before


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"step": "4"}, "step"),
        ({"step": -4}, "step"),
        ({"step": None}, "step"),
        ({"step": 3}, "it holds step 3"),
        ({"model": 3}, "model"),
        ({"config": [1]}, "config"),
        ({"config": {"size": {}}}, r"config\.size"),
        ({"generators": []}, "generators"),
        ({"generators": {"noise": 3}}, r"generators\.noise"),
        ({"callbacks": {"Counter": []}}, r"callbacks\.Counter"),
    ],
)
def test_a_checkpoint_whose_checksum_is_right_and_whose_facts_are_not(run, facts, words):
    change(run, of_facts=facts)
    before = files(run)
    with pytest.raises(DamagedError, match=rf"step_000004\.safetensors: damaged.*{words}"):
        read_checkpoint(run.checkpoint_file(4))
    with pytest.raises(RunError, match="none of its 3 checkpoints can be read"):
        resume(run)
    assert files(run) == before


@pytest.mark.parametrize("state", ["x", -1, None, [1], {}])
def test_a_state_of_the_data_of_another_kind(run, state):
    change(run, of_facts={"batches": state})
    before = files(run)
    with pytest.raises(RunError, match=r"step_000004\.safetensors does not fit this run: "):
        resume(run)
    assert files(run) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", "x"),
        ("count", 1.5),
        ("rate", []),
        ("best", None),
        ("name", 3),
        ("seen", {}),
        ("more", []),
        ("more", {"n": "x"}),
    ],
)
def test_a_callback_s_state_of_another_kind(run, field, value):
    change(run, of_facts={"callbacks": {"Counter": Counter().state | {field: value}}})
    before = files(run)
    with pytest.raises(RunError, match=rf"callbacks\.Counter\.{field}.* is "):
        resume(run)
    assert files(run) == before


def test_a_state_may_grow():
    own = Counter().state
    assert (
        contents.state_fault({**own, "seen": [1], "at": [1, {}], "count": -5, "rate": 3, "new": 1}, own, "state") == ""
    )


def test_weights_that_are_not_finite_are_damaged(run):
    change(run, of_tensors={"w": np.full(Tiny().w.shape, np.nan, np.float32)})
    with pytest.raises(DamagedError, match="w is not finite"):
        read_checkpoint(run.checkpoint_file(4))


STEPS = np.array([0, 2, 4])
FACTS = {"model": "m", "config": {}, "data": "d", "data_shape": [2], "value_range": None, "layers": []}
GAME = GAN_LOSSES["hinge"].describe()


@pytest.mark.parametrize(
    ("arrays", "facts", "words"),
    [
        ({"step": STEPS[::-1].copy()}, {}, "step"),
        ({"step": STEPS.astype(np.float32)}, {}, "step"),
        ({"step": STEPS[:0]}, {}, "step"),
        ({"step": STEPS - 1}, {}, "step"),
        ({"step": STEPS[None]}, {}, "step"),
        ({"step": STEPS, "x": np.zeros((2, 3))}, {}, "x has shape"),
        ({"step": STEPS, "x": np.zeros(())}, {}, "x has shape"),
        ({"step": STEPS}, {"layers": 3}, "layers"),
        ({"step": STEPS}, {"layers": [{"network": 3}]}, r"layers\[0\]"),
        ({"step": STEPS}, {"value_range": [1]}, "value_range"),
        ({"step": STEPS}, {"data_shape": "2"}, "data_shape"),
        ({"step": STEPS}, {"config": None}, "config"),
        ({"step": STEPS}, {"game": "minimax"}, "game"),
        ({"step": STEPS}, {"game": GAME | {"slope": [0]}}, r"game\.slope"),
        ({"step": STEPS}, {"missing": [["pixels"]]}, r"missing\[0\]"),
    ],
)
def test_a_recording_of_another_shape(tmp_path, arrays, facts, words):
    checkpoint.save(tmp_path / "r.safetensors", arrays, FACTS | facts)
    with pytest.raises(RunError, match=rf"r\.safetensors: damaged, or not a recording: {words}"):
        Recording.load(tmp_path / "r.safetensors")


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 60 + "1" + "}" * 60, "", "nul"])
def test_json_that_is_none_or_too_deep(text):
    with pytest.raises(ValueError):
        contents.parse(text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x", '"x"'),
        (None, "null"),
        (True, "true"),
        ([1], "a list"),
        ({}, "{}"),
        (10**30, "a huge number"),
        ("x" * 99, "..."),
    ],
)
def test_a_value_is_shown_in_few_words(value, shown):
    assert shown in contents.excerpt(value) and len(contents.excerpt(value)) <= 40
