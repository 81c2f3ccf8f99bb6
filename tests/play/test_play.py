"""The live lab: its gradients are tinygen's, its defaults learn, and what is on the page can be played with."""

import json
import re

import numpy as np
import pytest
from models.small import in_float64

import tinygen as tg
from tinygen.cli import main
from tinygen.losses import GAN_LOSSES
from tinygen.models import GAN, GANConfig
from tinygen.play import play
from tinygen.play.page import page, script

WIDTHS = {"latent_dim": 3, "g_hidden": (6, 5), "d_hidden": (7, 4)}
LEARN = """
    const network = (arrays) => Object.assign(new Network([1, 1], new Stream(0)), { parameters: arrays.map(matrix) });
    const matrix = (rows) => new Matrix(rows.length, rows[0].length, Float64Array.from(rows.flat()));
    const G = network(given.G), D = network(given.D), z = matrix(given.z), game = GAMES[given.loss];
    const lossD = () => game.D(D.forward(matrix(given.x)), D.forward(detach(G.forward(z))));
    const lossG = () => game.G(D.forward(G.forward(z)));
    const numbers = (matrices) => matrices.map((one) => [...one.data]);
    const gradients = [grad(lossD(), D.parameters), grad(lossG(), G.parameters)].map(numbers);
    const adamD = new Adam(D.parameters), adamG = new Adam(G.parameters);
    for (let i = 0; i < 5; i++) {
      adamD.step(grad(lossD(), D.parameters), 0.01);
      adamG.step(grad(lossG(), G.parameters), 0.02);
    }
    const weights = [D, G].map((network) => numbers(network.parameters));
    return { losses: [lossD(), lossG()].map((loss) => loss.data[0]), gradients, weights };
"""
COVERS = """
    const lab = new Lab({ ...DEFAULTS, ...given.settings }, given.meaning);
    for (let i = 0; i < given.steps; i++) lab.learn();
    return { ...countPoints(lab.look().points, lab.centres), step: lab.step, of: lab.centres.length };
"""


@pytest.fixture
def run(browser):
    """A function that runs JavaScript with all of the page's own at hand, and `given`."""

    def run(body, **given):
        return browser.run(f"(() => {{ {script()}; const given = {json.dumps(given)}; {body} }})()")

    return run


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens the page, still until something is pressed."""

    def opened(**how):
        browser.open(play(tmp_path / "play.html"), still=True, **how)
        browser.wait("globalThis.page")
        return browser

    return opened


def choose(browser, id, value):
    browser.run(
        f"(s => {{ s.value = {value!r}; s.dispatchEvent(new Event('change')); }})(document.getElementById({id!r}))"
    )


def seen(browser):
    return browser.run("document.querySelector('.plane').toDataURL()")


def test_every_loss_of_tinygen_is_offered(run):
    assert sorted(run("return Object.keys(GAMES)")) == sorted(GAN_LOSSES)


@pytest.mark.parametrize("name", GAN_LOSSES)
def test_gradients_and_adam_s_steps_are_tinygen_s(run, name):
    config = GANConfig(data_shape=(2,), batch_norm=False, loss=name, lr=0.02, d_lr=0.01, **WIDTHS)
    gan, rng = in_float64(GAN(config)), np.random.default_rng(0)
    D, G = gan.D.parameters(), gan.G.parameters()
    x, z = rng.normal(0, 1, (9, 2)), rng.normal(0, 1, (9, 3))

    def loss_D():
        return gan.loss_D(x, gan.G(z).detach()).value

    def loss_G():
        return gan.loss_G(gan.G(z)).value

    arrays = {key: [np.atleast_2d(p.data).tolist() for p in ps] for key, ps in (("D", D), ("G", G))}
    found = run(LEARN, loss=name, x=x.tolist(), z=z.tolist(), **arrays)
    for gradients, expected in zip(found["gradients"], (tg.grad(loss_D(), D), tg.grad(loss_G(), G)), strict=True):
        for g, e in zip(gradients, expected, strict=True):
            np.testing.assert_allclose(g, e.data.ravel(), rtol=1e-9, atol=1e-12)

    for _ in range(5):
        gan.opt_D.step(tg.grad(loss_D(), D))
        gan.opt_G.step(tg.grad(loss_G(), G))
    np.testing.assert_allclose(found["losses"], [loss_D().item(), loss_G().item()], rtol=1e-7)
    for weights, ps in zip(found["weights"], (D, G), strict=True):
        for w, p in zip(weights, ps, strict=True):
            np.testing.assert_allclose(w, p.data.ravel(), rtol=1e-7, atol=1e-9)


def test_the_ops_that_no_loss_uses_have_right_rules_too(run):
    x = [[0.3, -1.2], [0.7, -0.1]]
    body = """
        const x = new Matrix(2, 2, Float64Array.from(given.x.flat()));
        const slopes = (op) => [...grad(ops.mean(op(x)), [x])[0].data];
        return [ops.tanh, ops.relu, ops.leakyRelu, ops.softplus, ops.square].map(slopes);
    """
    leaf = tg.tensor(np.array(x), requires_grad=True)
    for found, op in zip(run(body, x=x), ("tanh", "relu", "leaky_relu", "softplus", "square"), strict=True):
        value = leaf**2 if op == "square" else getattr(tg.ops, op)(leaf)
        np.testing.assert_allclose(found, tg.grad(value.mean(), leaf).data.ravel(), rtol=1e-12)


def test_a_known_answer(run):
    """Three modes are covered within a few hundred steps, and the same seed does the same again."""
    given = {"settings": {"data": "own", "widthsG": [16], "widthsD": [16], "rateG": 0.005, "rateD": 0.01},
             "meaning": GAN_LOSSES["nonsaturating"].describe(), "steps": 400}  # fmt: skip
    found = run(COVERS, **given)
    assert found["modes"] == found["of"] == 3 and found["step"] == 400
    assert run(COVERS, **given) == found


def test_single_moves(opened):
    browser = opened()
    first = seen(browser)
    assert browser.text("#step") == "step 0" and "play" in browser.text(".play")
    browser.click("#stepD")
    browser.wait("page.player.phase === 'arrows' && !page.player.gliding")
    assert browser.text(".turns [aria-current]") == "2 the arrows" and "gradient" in browser.text("#now")
    judged = seen(browser)
    assert judged != first and browser.text("#step") == "step 0"
    browser.click("#stepG")
    browser.wait("page.player.phase === 'G' && !page.player.gliding")
    assert seen(browser) != judged and browser.text("#step") == "step 1"
    browser.click("#whole")
    browser.wait("document.querySelector('#step').textContent === 'step 2'")
    browser.click("#again")
    assert seen(browser) == first and browser.text("#step") == "step 0"
    assert browser.errors == []


def test_slow_motion_shows_one_move_after_the_other_and_a_pause_ends_it(opened):
    browser = opened()
    choose(browser, "speed", "slow")
    browser.key(" ")
    browser.wait("page.player.phase === 'D'")
    assert browser.text(".turns [aria-current]") == "1 D judges" and "learns from 64" in browser.text("#now")
    browser.wait("page.player.phase === 'arrows'")
    browser.key(" ")
    browser.wait("!page.player.gliding && page.player.frame === null")
    assert browser.text(".turns [aria-current]") == "2 the arrows" and browser.text("#step") == "step 0"
    assert browser.text("#status").startswith("Step 0: paused. D tells")


def test_space_plays_and_each_choice_goes_on_without_an_error(opened):
    browser = opened(width=390, height=844)
    browser.key(" ")
    choices = {"chosen": "grid gaussian moons spiral own", "loss": " ".join(GAN_LOSSES), "latent": "8"}
    for id, values in {**choices, "widthsG": "8", "widthsD": "16", "speed": "max"}.items():
        for value in values.split():
            choose(browser, id, value)
            browser.wait("page.player.lab.step > 2")
            assert re.search(r"D (tells|scores)", browser.text("#numbers"))
            assert browser.run("document.documentElement.scrollWidth") <= 390
    assert browser.errors == []
    browser.key(" ")
    assert "play" in browser.text(".play") and browser.text("#status").startswith("Step ")


def test_data_are_dragged_and_added(opened):
    browser = opened()
    choose(browser, "chosen", "own")
    box = browser.run("(b => [b.x, b.y, b.width])(document.querySelector('.plane').getBoundingClientRect())")

    def mouse(kind, x, y):
        place = {"x": box[0] + (x / 3 + 0.5) * box[2], "y": box[1] + (0.5 - y / 3) * box[2]}
        browser.call("Input.dispatchMouseEvent", type=f"mouse{kind}", button="left", buttons=1, clickCount=1, **place)

    def centres():
        return browser.run("page.player.lab.centres.map(({ x, y }) => [x, y])")

    for kind, x, y in (("Pressed", 0.8, 0), ("Moved", 0.5, 0.3), ("Moved", 0.2, 0.5), ("Released", 0.2, 0.5)):
        mouse(kind, x, y)
    np.testing.assert_allclose(centres()[0], (0.2, 0.5), atol=0.02)
    mouse("Pressed", 1, -1)
    mouse("Released", 1, -1)
    np.testing.assert_allclose(centres()[3], (1, -1), atol=0.02)
    browser.run("document.querySelector('.plane').focus()")
    for key in ("PageDown", "ArrowUp", "Delete"):
        browser.key(key)
    assert len(centres()) == 3 and browser.text("#status").endswith("removed; 3 left")
    browser.click("#clear")
    assert "no data" in browser.text("#now")
    browser.key("Enter")
    assert centres() == [[0, 0]]
    assert browser.errors == []


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_follows_the_theme(opened, dark):
    assert (opened(dark=dark).picture().mean() < 130) == dark


def test_phones_get_large_targets_and_text(opened):
    browser = opened(width=390, height=844)
    browser.run("document.querySelector('details').open = true")
    touched = "[...document.querySelectorAll('button, select, input, summary')].filter((one) => one.offsetParent)"
    assert browser.run(f"Math.min(...{touched}.map((one) => one.offsetHeight))") >= 44
    read = "[...document.querySelectorAll('body *')].filter((one) => one.textContent.trim())"
    assert browser.run(f"Math.min(...{read}.map((one) => parseFloat(getComputedStyle(one).fontSize)))") >= 12
    assert browser.run("[...document.querySelectorAll('select, input')].every((one) => one.labels.length)")


def test_without_reduced_motion_it_plays_at_once(browser, tmp_path):
    browser.open(play(tmp_path / "play.html"))
    browser.wait("page.player.lab.step > 0")
    assert "pause" in browser.text(".play") and browser.errors == []


def test_the_command_writes_the_page(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for command, name in (("play", "play.html"), ("play --out lab.htm", "lab.htm")):
        assert main(command.split()) == 0
        assert capsys.readouterr().out == f"open {name} in a browser\n"
        assert (tmp_path / name).read_text(encoding="utf-8") == page()


def test_the_page_is_one_file_that_asks_for_nothing():
    text = page()
    assert not re.search(r"(src|href)=[\"'](?!data:)", text) and "{{" not in text and len(text) < 250_000
    assert "import " not in re.sub(r"//.*", "", script())
