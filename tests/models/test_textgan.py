"""textgan: what its three methods lower, by hand; the probabilities of what it writes; that it learns, and warns."""

from __future__ import annotations

import contextlib
import itertools
import json

import numpy as np
import pytest
from models.small import in_float64
from PIL import Image

import tinygen as tg
from tinygen import compile, ops
from tinygen.cli import main
from tinygen.data import Dataset, load, to_sentences
from tinygen.errors import ConfigError, DataError
from tinygen.gradcheck import gradcheck
from tinygen.inside import CollapseWarning, Recorder, Recording, Warnings
from tinygen.models import TextGAN, TextGANConfig
from tinygen.models.collapse import Recent
from tinygen.models.writer import distinct_share
from tinygen.random import Generator
from tinygen.report import report
from tinygen.train import RunDirectory, fit

WORDS = (".", "a", "b")
X = np.random.default_rng(0).integers(0, 3, (4, 5))


def tiny(seed=0, **settings):
    sizes = {"g_features": 4, "embedding": 3, "d_channels": (3, 4), "d_hidden": 4}
    given = {"data_shape": (5,), "vocabulary": WORDS, **sizes, "tau_steps": 10, **settings}
    return TextGAN(TextGANConfig(**given), seed)


def losses_of(model, x=X):
    """The losses of the steps on a batch, all from the same noise."""
    start, found = model.rng.state, {}
    for step in model.steps(x):
        model.rng.state = start
        found[step.name] = step.compute_loss()
    model.rng.state = start
    return found


def softplus(s):
    return np.log1p(np.exp(s))


# What it lowers


def test_the_losses_by_hand():
    model = tiny(r1=0.3)
    found, z, x = losses_of(model), model.rng.gumbel((4, 5, 3)), np.eye(3, dtype=np.float32)[X]
    y = np.eye(3, dtype=np.float32)[model.G.write(z)]
    np.testing.assert_array_equal(found["G"].named["G(z)"].numpy(), y)
    real, fake = model.D(x).numpy(), model.D(y).numpy()
    leaf = tg.tensor(x, requires_grad=True)
    (gx,) = tg.grad(ops.sum(model.D(leaf)), [leaf])
    penalty = 0.15 * (gx.numpy() ** 2).sum() / 4
    assert found["D"].value.item() == pytest.approx(softplus(fake - real).mean() + penalty, rel=1e-5)
    assert found["G"].value.item() == pytest.approx(softplus(real - fake).mean(), rel=1e-5)
    assert found["D"].metrics["acc"].item() == (real > fake).mean()
    assert found["G"].metrics["distinct_share"].item() == len(np.unique(y.argmax(-1), axis=0)) / 4


def test_the_likelihood_is_that_of_each_word_after_the_ones_before_it():
    model = tiny(method="mle", ema=0.0)
    total = 0.0
    for sentence in X:
        h, word = None, model.G.start.w
        for token in sentence:
            h = model.G.cell(word, h)
            p = ops.softmax(model.G.words(h)).numpy()[0]
            total -= np.log(p[token])
            word = np.eye(3, dtype=np.float32)[[token]]
    assert losses_of(model)["G"].value.item() == pytest.approx(total / 4, rel=1e-5)
    np.testing.assert_allclose(-model.log_probability(X).sum(), total, rtol=1e-5)


def test_what_it_writes_is_as_frequent_as_it_is_probable():
    """All 27 sentences of 3 words: their probabilities are 1 in all, and those of 20,000 samples."""
    model = tiny(data_shape=(3,), ema=0.0)
    for p in model.G.parameters():
        p.assign(p.numpy() * 3)
    every = np.array(list(itertools.product(range(3), repeat=3)))
    p = np.exp(model.log_probability(every).astype(np.float64))
    assert p.sum() == pytest.approx(1, abs=1e-5) and p.max() > 3 / 27
    drawn = model.sample(20_000, Generator(3)) @ np.array([9, 3, 1])
    np.testing.assert_allclose(np.bincount(drawn, minlength=27) / 20_000, p, atol=4 * 0.5 / 20_000**0.5)


def test_the_policy_s_loss_by_hand():
    model = tiny(method="reinforce", pretrain=1, likelihood=0.2)
    model.opt_G.t = 1
    rewards = np.random.default_rng(1).uniform(0, 1, (4, 5)).astype(np.float32)
    drawn = X[::-1].copy()
    model.rollouts = lambda z: (drawn, rewards)
    eye = np.eye(3, dtype=np.float32)
    log_q = model.G.log_probabilities(eye[drawn]).numpy()
    policy = -((rewards - rewards.mean(0)) * log_q).sum() / 4
    nll = -model.G.log_probabilities(eye[X]).numpy().sum() / 4
    assert losses_of(model)["G"].value.item() == pytest.approx(policy + 0.2 * nll, rel=1e-5)


def test_a_beginning_is_worth_what_d_thinks_of_its_ends():
    """Of each beginning, the mean over many ends is the mean over all of them, by their probabilities."""
    model = tiny(method="reinforce", data_shape=(3,), rollouts=4000)
    y, rewards = model.rollouts(model.noise(2))
    every = np.array(list(itertools.product(range(3), repeat=3)))
    p = np.exp(model.G.log_probabilities(np.eye(3, dtype=np.float32)[every]).numpy().sum(1))
    worth = 1 / (1 + np.exp(-model.D(np.eye(3, dtype=np.float32)[every]).numpy()[:, 0]))
    for sentence, found in zip(y, rewards, strict=True):
        for t in (1, 2, 3):
            same = (every[:, :t] == sentence[:t]).all(axis=1)
            expected = (p[same] * worth[same]).sum() / p[same].sum()
            error = 4 * float(worth.std()) / 4000**0.5 if t < 3 else 1e-6
            assert found[t - 1] == pytest.approx(expected, abs=error)


def test_policy_gradients_are_those_of_the_expected_reward():
    """Summed over all sentences by their probabilities: Σ q(y) R(y) Σₜ ∇log q(yₜ|...) = ∇ Σ q(y) R(y)."""
    model = tiny(data_shape=(2,))
    every = np.array(list(itertools.product(range(3), repeat=2)))
    R = np.random.default_rng(2).uniform(0, 1, 9).astype(np.float32)
    log_q = ops.sum(model.G.log_probabilities(np.eye(3, dtype=np.float32)[every]), axis=1)
    exact = tg.grad(ops.sum(ops.exp(log_q) * R), model.G.parameters(), retain_graph=True)
    policy = tg.grad(ops.sum(log_q * (np.exp(log_q.numpy()) * R)), model.G.parameters())
    for a, b in zip(policy, exact, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)


# Its derivatives. A choice has none, so G is checked with the words that it softens; what a choice passes on is by
# definition, and compared with PyTorch's in test_textgan_oracle.


def test_the_whole_losses_have_the_right_gradients(monkeypatch):
    x, sizes = X[:2, :3], {"g_features": 2, "embedding": 2, "d_channels": (2,), "d_hidden": 2}
    model = in_float64(tiny(data_shape=(3,), r1=1.0, **sizes))
    noise = Generator(1).gumbel((2, 3, 3), dtype=np.float64)
    model.noise = lambda n: noise
    D, _ = model.steps(x)
    assert gradcheck(lambda: D.compute_loss().value, model.D.parameters(), 1).error < 1e-8
    monkeypatch.setattr(ops, "gumbel_softmax", lambda *args, hard, f=ops.gumbel_softmax: f(*args))
    assert gradcheck(lambda: model.steps(x)[1].compute_loss().value, model.G.parameters(), 1).error < 1e-8
    assert gradcheck(lambda: model.nll(np.eye(3)[x]), model.G.parameters(), 2).error < 1e-8


# Training


def known():
    """Eight sentences, two words in turn and a full stop: "a .", "b .", "a b .", ...; and batches of them."""
    turns = [(start, n) for start in ((1, 2), (2, 1)) for n in range(1, 5)]
    tokens = np.array([[*itertools.islice(itertools.cycle(start), n), *[0] * (5 - n)] for start, n in turns])
    return tokens, tokens[np.random.default_rng(0).integers(0, len(tokens), (400, 32))]


@pytest.mark.parametrize(("method", "steps", "settings"), [("gumbel", 400, {"lr": 4e-3}), ("mle", 250, {})])
def test_it_learns_a_language_of_eight_sentences(method, steps, settings):
    language, batches = known()
    model = tiny(method=method, g_features=16, d_hidden=16, d_channels=(16,), tau_steps=400, ema=0.98, **settings)
    step = compile(model, "numpy")
    for x in batches[:steps]:
        step(x)
    assert step.reason is None
    allowed = {tuple(row) for row in language.tolist()}
    right = [tuple(row) in allowed for row in model.sample(200).tolist()]
    assert np.mean(right) > 0.9
    p = np.exp(model.log_probability(language))
    assert p.sum() > 0.9 and p.min() > 0.02  # all eight, not one of them


def test_seqgan_s_game_begins_when_the_likelihood_has_taught_enough_and_is_not_compiled():
    model = tiny(method="reinforce", pretrain=2, rollouts=2, policy_lr=1e-4)
    compiled, logged = compile(model, "numpy"), []
    for _ in range(4):
        logged.append(compiled(X))
    assert "with method=reinforce G learns by likelihood first, and plays only then" in compiled.reason
    assert ["reward" in metrics for metrics in logged] == [False, False, True, True]
    assert [model.opt_G.lr(t) for t in (0, 1, 2, 9)] == pytest.approx([5e-3, 2.55e-3, 1e-4, 1e-4])


def test_a_resumed_run_equals_one_that_never_stopped(tmp_path):
    """Of SeqGAN, which begins to play between the two halves; the others are among all models in test_models."""
    data = Dataset("tiny", np.resize(X, (40, 5)), X, vocabulary=WORDS)
    for out, ends in (("whole", [6]), ("halves", [3, 6])):
        for i, steps in enumerate(ends):
            tg.seed(0)
            model = tiny(method="reinforce", pretrain=4)
            fit(model, data, steps, out=tmp_path / out, resume=i > 0, log_every=1)
    states = [RunDirectory(tmp_path / out).newest() for out in ("whole", "halves")]
    for name, x in states[0].tensors.items():
        np.testing.assert_array_equal(x, states[1].tensors[name], err_msg=name)
    assert states[0].facts["generators"] == states[1].facts["generators"]


# What it warns of and refuses


def test_one_repeated_sentence_is_a_sign():
    rows = lambda share: [{"distinct_share": share, "loss_G": 1.0}] * 10
    signs = lambda share: [s.name for s in tiny().signs(Recent(rows(share), [1.0], 1.0))]
    assert signs(1 / 64) == ["one sentence repeated"] and signs(0.5) == []
    assert list(tiny(method="mle").signs(Recent([{"loss_G": 1.0}] * 10, [1.0], 1.0))) == []


@pytest.mark.parametrize("bias, warns", [(50.0, True), (0.0, False)])
def test_a_training_that_repeats_one_sentence_warns(tmp_path, bias, warns):
    data, model = Dataset("tiny", np.resize(X, (40, 5)), X, vocabulary=WORDS), tiny(lr=1e-6)
    model.G.words.b.assign(np.array([0.0, bias, 0.0], np.float32))
    expected = pytest.warns(CollapseWarning, match="one sentence repeated") if warns else contextlib.nullcontext()
    with expected:
        fit(model, data, 3, callbacks=[Warnings(data, patience=2)], log_every=1)


def test_copies_are_counted_once(backend):
    tokens = np.array([[1, 2], [2, 1], [1, 2], [1, 2], [0, 0]])
    assert float(backend.to_host(distinct_share(backend.asarray(tokens)))) == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data_shape": (28, 28, 1)}, r"the data have the shape \(28, 28, 1\), but textgan takes sentences"),
        ({"vocabulary": ("a",)}, "vocabulary is .*, but it must be at least 2 words, each once"),
        ({"vocabulary": ("a", "b", "a")}, "vocabulary is .*, but it must be at least 2 words, each once"),
        ({"tau_end": 0.0}, "tau_end is 0.0, but it must be a finite number above 0"),
    ],
)
def test_what_a_config_refuses(settings, message):
    with pytest.raises(ConfigError, match=message):
        TextGANConfig(**settings)


def test_images_for_a_model_of_text_and_sentences_for_one_of_images():
    images, tokens = np.zeros((64, 5), np.float32), np.resize(X, (64, 5))
    with pytest.raises(DataError, match=r"fit: the data are float32 .* but textgan takes sentences: signed integers"):
        fit(tiny(), images, 1)
    with pytest.raises(
        DataError, match="fit: the data: tokens go from 0 to 2, but with 2 words they must go from 0 to 1"
    ):
        fit(tiny(vocabulary=("a", "b")), tokens, 1)
    gan = tg.models.GAN(tg.models.GANConfig(data_shape=(5,)))
    with pytest.raises(DataError, match=r"fit: the data are int64 .* but gan takes floats.* a model that takes tokens"):
        fit(gan, tokens, 1)


def refused(capsys, *arguments):
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_the_command_line_refuses_them_too(tmp_path, capsys):
    out = ("--out", str(tmp_path / "run"))
    assert "textgan takes sentences, tokens (L,)" in refused(capsys, "train", "textgan", "--data", "digits", *out)
    assert "textgan takes sentences: signed integers" in refused(capsys, "train", "textgan", "--data", "ring8", *out)
    assert "train a model that takes tokens" in refused(capsys, "train", "gan", "--data", "grammar", *out)
    assert "follows from the data set" in refused(capsys, "train", "textgan", "--set", "vocabulary=a,b", *out)


def png_size(path):
    with Image.open(path) as image:
        return image.size


def test_train_sample_and_evaluate(tmp_path, capsys):
    run = tmp_path / "run"
    sizes = ["g_features=8", "embedding=4", "d_channels=4", "d_hidden=8"]
    train = ["train", "textgan", "--steps", "4", "--batch", "8", "--out", str(run), "--set", *sizes]
    assert main([*train, "--log-every", "2", "--sample-every", "2", "--record", "2"]) == 0
    config = json.loads((run / "config.json").read_text())
    assert config["config"]["vocabulary"][0] == "." and config["config"]["data_shape"] == [12]
    sizes = {png_size(path) for path in (run / "samples").iterdir()}
    assert len(sizes) == 1 and (run / "training.gif").exists()
    capsys.readouterr()
    assert main(["sample", str(run), "-n", "3", "--seed", "1"]) == 0
    printed = capsys.readouterr().out
    text = (run / "sample.txt").read_text()
    assert printed.startswith(text) and len(text.splitlines()) == 3 and (run / "sample.png").exists()
    again = tg.load(run).sample(3, Generator(1, "sample"))
    assert to_sentences(again, load("grammar").vocabulary) == text.splitlines()
    assert main(["evaluate", str(run), "-n", "50"]) == 0
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert {"valid", "distinct", "kl"} <= scores.keys() and scores["kl"]["value"] > 1


def test_a_report_shows_the_pictures_of_sentences(tmp_path):
    """Recorded tokens are kept as they are, and two words are no point in the plane."""
    data, model = Dataset("mine", X[:, :2], X[:, :2], vocabulary=WORDS), tiny(data_shape=(2,), method="mle")
    fit(model, data, 2, out=tmp_path / "run", callbacks=[Recorder(data)])
    recording = Recording.load(tmp_path / "run")
    np.testing.assert_array_equal(recording["data"], X[:, :2])
    assert recording["samples"].dtype == np.int32 and recording["samples"].shape[1:] == (16, 2)
    assert "data:image/png;base64" in report(tmp_path / "run").read_text()
