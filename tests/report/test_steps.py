"""The step that the page follows: what reaches which network, right and with each mistake, computed directly."""

import numpy as np
import pytest
from report.runs import copy

import tinygen as tg
from tinygen.backend import to_host
from tinygen.data import Dataset, batch_of, load
from tinygen.errors import RunError
from tinygen.inside import Recorder, Recording
from tinygen.models import CGAN, LSGAN, CGANConfig, LSGANConfig, PacGAN, PacGANConfig
from tinygen.report.drawing import summary
from tinygen.report.rewound import EXAMPLES, Rewound, batch_of_run
from tinygen.report.steps import cases, follow
from tinygen.scopes import frozen, no_grad
from tinygen.train import checkpoint, fit

CASES = [(True, True), (True, False), (False, True), (False, False)]


def norm(gradients):
    return float(np.sqrt(sum((g.numpy().astype(np.float64) ** 2).sum() for g in gradients)))


def digits(model):
    low, high = model.value_range
    return (load("digits").train[:EXAMPLES] / 255 * (high - low) + low).astype(np.float32)


def of(followed, name, careful=True, clear=True):
    step = next(step for step in followed["steps"] if step["name"] == name)
    return next(case for case in step["cases"] if (case["careful"], case["clear"]) == (careful, clear))


def nodes(followed, name):
    return next(step for step in followed["steps"] if step["name"] == name)["graph"]["nodes"]


@pytest.mark.parametrize("name", ["gan", "dcgan", "wgangp"])
def test_the_mistakes_of_a_gan_are_those_of_direct_computation(recorded, name):
    followed, model = follow(recorded(name)), tg.load(recorded(name))
    streams = {key: stream.state for key, stream in model.generators().items()}  # D's dropout has one, too

    def rewind():
        for key, stream in model.generators().items():
            stream.state = streams[key]

    def loss_D(careful):
        rewind()
        z = model.noise(EXAMPLES)
        if careful:
            with no_grad():
                fake = model.G(z)
        else:
            fake = model.G(z)
        return model.loss_D(digits(model), fake)[0]

    def loss_G(careful):
        rewind()
        z = model.noise(EXAMPLES)
        if not careful:
            return model.loss_G(model.G(z))[0]
        with frozen(model.D):
            return model.loss_G(model.G(z))[0]

    G, D = model.G.parameters(), model.D.parameters()
    own = {"D": tg.grad(loss_D(True), D), "G": tg.grad(loss_G(True), G)}
    stray = {"G": tg.grad(loss_D(False), G), "D": tg.grad(loss_G(False), D)}
    for step, other in (("D", "G"), ("G", "D")):
        for careful, clear in CASES:
            received, times = of(followed, step, careful, clear)["received"], 1 if clear else 2
            assert received[step] == pytest.approx(times * norm(own[step]), rel=1e-5)
            left = stray[other] if clear else [a + b for a, b in zip(stray[other], own[other], strict=True)]
            assert received[other] == (None if careful else pytest.approx(norm(left), rel=1e-5, abs=1e-6))


@pytest.mark.parametrize("name", ["gan", "wgangp", "ring8"])
def test_a_loss_pulls_the_other_network_against_its_own(recorded, name):
    """By way of D's scores of G's examples. There a critic's two losses are each other's negatives, whatever else
    the penalty and the real examples ask for."""
    followed = follow(recorded(name))
    for step, other in (("D", "G"), ("G", "D")):
        assert of(followed, step)["along"][other] is None
        found = of(followed, step, careful=False)["along"][other]
        assert found == pytest.approx(-1, abs=1e-6) if name == "wgangp" else found < -0.9


@pytest.mark.parametrize(("score", "along"), [(0.5, -1), (3.0, 1)])
def test_both_least_squares_lower_a_score_above_the_target(score, along):
    """½ (s - 1)² and ½ s² pull apart between 0 and 1, and together above."""
    model = LSGAN(LSGANConfig(data_shape=(2,), latent_dim=2, g_hidden=(4,), d_hidden=(4,)))
    for p in model.D.parameters():
        p.data = 0.0 * p.data
    model.D[-1].b.data = np.float32([score])  # D says the same of everything
    rewound = Rewound(model, (np.zeros((8, 2), np.float32),))
    step = next(step for step in rewound.steps() if step.name == "G")
    case = next(case for case in cases(rewound, step) if not case["careful"])
    assert case["along"]["D"] == pytest.approx(along)


@pytest.mark.parametrize("name", ["gan", "wgangp", "vae", "dcgan"])
def test_a_followed_number_obeys_the_chain_rule(recorded, name):
    """From 1 at the loss: each hop's product is what it says, all ways together are the gradient, and that arrives at
    the next op."""
    followed, found = follow(recorded(name)), 0
    for step in followed["steps"]:
        for number in step["graph"]["numbers"]:
            arriving = 1.0
            for hop in number["hops"]:
                assert hop["arriving"] == pytest.approx(arriving, rel=1e-3)
                assert hop["passed"] == pytest.approx(hop["arriving"] * hop["local"], rel=1e-4)
                assert hop["ways"] > 1 or hop["total"] == pytest.approx(hop["passed"], rel=1e-6)
                arriving, found = hop["total"], found + 1
    assert found > 20


def test_a_followed_weight_has_the_gradient_of_a_finite_difference(recorded):
    model = tg.load(recorded("vae"))
    rewound = Rewound(model, batch_of_run(model, recorded("vae"))[0])
    numbers = follow(recorded("vae"))["steps"][0]["graph"]["numbers"]
    assert [number["title"] for number in numbers] == ["encoder.1.w", "encoder.3.w", "decoder.0.w", "decoder.2.w"]
    for number in numbers:
        network, path = number["title"].split(".", 1)
        weight, losses = dict(rewound.networks[network].named_parameters())[path], []
        before = rewound._state[number["title"]].copy()
        for sign in (1, -1):
            moved = before.copy()
            moved[tuple(number["index"])] += sign * 4e-3
            rewound._state[number["title"]] = moved
            losses.append(rewound.loss("loss", careful=True).value.item())
        rewound._state[number["title"]] = before
        assert weight.shape == before.shape
        expected = (losses[0] - losses[1]) / 8e-3
        assert number["hops"][-1]["total"] == pytest.approx(expected, rel=0.02, abs=0.01)  # float32


def test_a_vae_has_one_step_with_two_ways(recorded):
    followed = follow(recorded("vae"))
    assert [step["name"] for step in followed["steps"]] == ["loss"]
    model = tg.load(recorded("vae"))
    loss = model.loss(digits(model))[0]
    expected = {
        name: norm(tg.grad(loss, getattr(model, name).parameters(), retain_graph=True))
        for name in ("encoder", "decoder")
    }
    assert of(followed, "loss")["received"] == pytest.approx(expected, rel=1e-5)
    found = nodes(followed, "loss")
    assert {node["title"] for node in found} >= {"x", "mu", "logvar", "eps", "z", "the loss"}
    assert {node["part"] for node in found} == {"", "mu", "logvar"}
    assert next(node for node in found if node["title"] == "z")["part"] == ""
    assert "constant" not in {node["title"] for node in found}


def test_a_vaegan_has_three_steps_on_one_tape(recorded):
    """Each network's own loss, and what it leaves in the others, as `grad` of the losses gives them."""
    followed, model = follow(recorded("vaegan")), tg.load(recorded("vaegan"))
    losses, networks = model.losses(digits(model)), {"E": model.encoder, "D": model.D, "G": model.G}
    assert [step["name"] for step in followed["steps"]] == list(networks)
    for name, loss in losses.items():
        right, wrong = of(followed, name)["received"], of(followed, name, careful=False)["received"]
        for other, network in networks.items():
            expected = pytest.approx(
                norm(tg.grad(loss.value, network.parameters(), retain_graph=True, unused="zeros")), rel=1e-5
            )
            assert wrong[other] == expected
            assert right[other] == (expected if other == name else None)
    found = nodes(followed, "G")
    assert {node["title"] for node in found} >= {"x", "mu", "logvar", "eps", "z", "z_p", "the loss"}
    assert {node["part"] for node in found} == {"", "mu", "logvar"}
    assert all("in loss" in node["where"][-1] for node in found if node["kind"] == "layer")


def test_a_gradient_penalty_has_a_second_tape(recorded):
    followed = follow(recorded("wgangp"))
    second = [node for node in nodes(followed, "D") if node["part"] == "second tape"]
    assert [node["title"] for node in nodes(followed, "D") if node["kind"] == "input"] == ["x̂"]
    rules = [node for node in second if node["kind"] == "rule"]
    inside = [inner for node in rules for inner in (node["inner"] or {"nodes": [node]})["nodes"]]
    assert rules and all(one["rules"] for one in inside if one["kind"] != "parameter")  # none is left unexplained
    assert not any(node["part"] for node in nodes(followed, "G"))


def test_the_points_of_a_penalty_are_kept(recorded):
    """Even those that no longer have a tensor when the step is drawn: a penalty on real examples makes its own."""
    for name in ("wgangp", "acgan"):
        (point,) = [node for node in nodes(follow(recorded(name)), "D") if node["kind"] == "input"]
        assert point["value"]["norm"] > 0


@pytest.mark.parametrize("name", ["gan", "ring8", "acgan"])
def test_the_networks_behind_each_node(recorded, name):
    followed = follow(recorded(name))
    for node in nodes(followed, "G"):
        if node["kind"] == "layer":
            assert node["network"] in ("G", "D") and "G" in node["sources"]
            assert node["gradient"] and node["value"] and "in loss" in node["where"][-1]
    parameters = [inner for node in nodes(followed, "G") for inner in (node["inner"] or {"nodes": []})["nodes"]]
    assert {tuple(one["sources"]) for one in parameters if one["kind"] == "parameter"} == {("G",), ("D",)}


def test_what_is_seen_of_an_array():
    x = np.array([[0, 1, 3], [-4, 0, 0]], np.float32)
    found = summary(x)
    assert found["norm"] == pytest.approx(np.linalg.norm(x)) and found["zeros"] == 0.5
    assert (found["low"], found["high"], sum(found["bins"]), len(found["bins"])) == (-4, 3, 6, 24)
    assert summary(np.float32([2.5])) == {"item": 2.5}
    assert summary(np.zeros((2, 3), np.float32))["bins"] == [6]
    picture = summary(np.ones((1, 64, 48, 3), np.float32))["picture"]
    assert picture["shape"] == [32, 24, 3] and picture["largest"] == 1


def test_looking_changes_nothing_and_comes_out_the_same(recorded):
    run = recorded("wgangp")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    first, again = follow(run), follow(run)
    assert [step["cases"] for step in first["steps"]] == [step["cases"] for step in again["steps"]]
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_without_a_checkpoint_has_none(recorded, tmp_path):
    with pytest.raises(RunError, match="checkpoints are gone"):
        follow(copy(recorded("gan"), tmp_path / "without"))


SMALL = {"data_shape": (3, 2, 1), "latent_dim": 2, "g_hidden": (4,), "d_hidden": (4,)}


@pytest.mark.parametrize(
    "model", [CGAN(CGANConfig(**SMALL, classes=3)), PacGAN(PacGANConfig(**SMALL, pack=3))], ids=["cgan", "pacgan"]
)
def test_a_run_of_data_without_a_name_is_followed_on_real_examples(tmp_path, model):
    """Those of its recording; in one that keeps none, its samples, and it says so."""
    x = np.random.default_rng(0).integers(0, 256, (40, 3, 2, 1)).astype(np.uint8)
    mine = Dataset("mine", x, x[:8], np.arange(40) // 2 % 3, np.arange(8) % 3)
    fit(model, mine, 2, out=tmp_path, callbacks=[Recorder(mine, 1)], progress=False)
    (batch, *labels), generated = batch_of_run(model, tmp_path)
    assert not generated and len(batch) == EXAMPLES // model.batch_unit * model.batch_unit
    np.testing.assert_allclose(to_host(batch), to_host(batch_of(x[: len(batch)], model.value_range)), atol=1e-6)
    if model.takes_labels:
        np.testing.assert_array_equal(to_host(labels[0]), mine.labels[:EXAMPLES])
    assert not follow(tmp_path)["generated"]

    recording = Recording.load(tmp_path)
    without = {name: array for name, array in recording.arrays.items() if name not in ("data", "data_labels")}
    checkpoint.save(tmp_path / "recording.safetensors", without, recording.facts)
    followed = follow(tmp_path)
    assert followed["generated"] and followed["examples"] == len(batch)
