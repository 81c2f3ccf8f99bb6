"""Following any number back: from what the page keeps come the gradients and the strongest ways that tinygen has."""

import json
from pathlib import Path

import numpy as np
import pytest
from report.runs import each_run
from report.test_step_view import now

import tinygen as tg
from tinygen import report as package
from tinygen.graph.fold import reach
from tinygen.report.embed import embed_numbers
from tinygen.report.rewound import Rewound, batch_of_run
from tinygen.report.steps import follow
from tinygen.report.ways import Derivative, TooManyError, Uses

PARTS = Path(package.__file__).parent / "parts"
SCRIPT = "\n".join((PARTS / name).read_text() for name in ("dom.js", "data.js", "ways.js"))
PRODUCTS = """[...document.querySelectorAll('.product')].map((one) =>
    [...one.querySelectorAll('b')].map((b) => Number(b.textContent)))"""
MANY = 40  # numbers of each array


def in_page(browser, expression, **given):
    """The value of an expression in which the page's own functions and `given` are at hand."""
    return browser.run(f"(() => {{ {SCRIPT}; const given = {json.dumps(given)}; return {expression}; }})()")


def hops_in_page(browser, graph, number, indices):
    given = {"graph": {"ways": graph["ways"], "nodes": graph["nodes"][-1:]}, "number": number, "indices": indices}
    return in_page(browser, "given.indices.map((i) => new Ways(given.graph).hops(given.number, i))", **given)


def gradients(run, step):
    """The gradients of the named samples and of all weights, by title, as `grad` gives them."""
    model = tg.load(run)
    rewound = Rewound(model, batch_of_run(model, run)[0])
    made = rewound.loss(step, careful=False)
    xs = {f"{name}.{path}": p for name, network in rewound.networks.items() for path, p in network.named_parameters()}
    xs |= {name: x for name, x in made.named.items() if isinstance(x, tg.Tensor) and x.node is not None}
    return dict(zip(xs, [g.numpy() for g in tg.grad(made.value, list(xs.values()), unused="zeros")], strict=True))


def some(number):
    """Indices all over what may be chosen."""
    shape, rng = number["shape"], np.random.default_rng(0)
    low = [1 if axis == 0 and number["kept"] == "first" else n for axis, n in enumerate(shape)]
    return [[int(rng.integers(n)) for n in low] for _ in range(MANY)] + [number["index"]]


@each_run(["gan", "wgangp", "vae", "vaegan", "dcgan", "ring8", "acgan"], "wgangp", "vae")
def test_any_number_has_the_gradient_that_tinygen_has(browser, recorded, name):
    """And each of its hops passes on what the next one gets."""
    kept = 0
    for step in follow(recorded(name))["steps"]:
        expected = gradients(recorded(name), step["name"])
        for number in step["graph"]["numbers"]:
            if not number["kept"]:
                continue
            indices, gx = some(number), expected[number["title"]]
            close = 1e-6 * float(np.abs(gx).max())
            for index, hops in zip(indices, hops_in_page(browser, step["graph"], number, indices), strict=True):
                total = hops[-1]["total"] if hops else 0
                assert total == pytest.approx(float(gx[tuple(index)]), rel=5e-3, abs=close), (number["title"], index)
                arriving = 1.0
                for hop in hops:
                    assert hop["arriving"] == pytest.approx(arriving, rel=1e-6)
                    assert hop["passed"] == pytest.approx(hop["arriving"] * hop["local"])
                    arriving, kept = hop["total"], kept + 1
    assert kept > 500


@each_run(["gan", "wgangp", "vae", "ring8"], "wgangp", "vae")
def test_the_largest_goes_the_way_that_was_computed_for_it_alone(browser, recorded, name):
    """Column by column, and not many at once."""
    for step in follow(recorded(name))["steps"]:
        for number in step["graph"]["numbers"]:
            (hops,) = hops_in_page(browser, step["graph"], number, [number["index"]])
            assert len(hops) == len(number["hops"])
            for found, hop in zip(hops, number["hops"], strict=True):
                assert {key: found[key] for key in ("node", "argument", "out", "into", "ways")} == {
                    key: hop[key] for key in ("node", "argument", "out", "into", "ways")
                }
                for key in ("arriving", "local", "passed", "total"):
                    assert found[key] == pytest.approx(hop[key], rel=5e-3, abs=1e-12), key


def tape_of(y):
    """The nodes of a tape, its gradients, and the last node but the loss."""
    loss = (y * tg.tensor(np.random.default_rng(1).normal(size=y.shape).astype(np.float32))).sum()
    nodes, found = reach(loss.node), {}
    for node in nodes:
        node.hooks = {0: lambda g, order=node.order: found.__setitem__(order, g)}
    loss.backward(retain_graph=True)
    return nodes, found, y.node


X = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype(np.float32)
OPS = {
    "tanh": lambda x: tg.ops.tanh(x),
    "reshape": lambda x: x.reshape(4, -1),
    "part": lambda x: x[1:3],
    "concatenate": lambda x: tg.ops.concatenate([tg.tensor(X), x]),
    "mean": lambda x: x.mean(axis=(1, 2)),
    "conv": lambda x: tg.layers.Conv(2, 3, 3, rng=tg.Generator(0, "w", "cpu"))(x),
    "batch norm": lambda x: tg.layers.BatchNorm(2)(x),
    "softmax": lambda x: tg.ops.softmax(x),
    "transpose": lambda x: x.transpose(3, 1, 0, 2),
}


@pytest.mark.parametrize("name", OPS)
def test_many_columns_at_once_are_those_taken_one_by_one(name):
    x = tg.tensor(X, requires_grad=True)
    nodes, found, _ = tape_of(OPS[name](x))
    uses, numbers = Uses(nodes, found), np.arange(0, X.size, 3)
    together = uses.ways(x.node, numbers)
    for i, j in enumerate(numbers):
        alone = uses.ways(x.node, np.array([j]))
        assert (together.out[i], together.ways[i]) == (alone.out[0], alone.ways[0]) or name == "softmax"
        for field in ("arriving", "local", "total"):
            assert getattr(together, field)[i] == pytest.approx(getattr(alone, field)[0], rel=1e-3, abs=1e-6)


def test_an_op_that_mixes_everything_is_not_asked_for_all(monkeypatch):
    monkeypatch.setattr("tinygen.report.ways.MOST_COLUMNS", 5)
    x = tg.tensor(X, requires_grad=True)
    nodes, found, node = tape_of(tg.ops.softmax(x.reshape(-1)))
    uses = Uses(nodes, found)
    with pytest.raises(TooManyError):
        uses.all_ways(x.node, np.arange(X.size), {})
    assert len(list(Derivative(node, 0).columns(np.arange(3)))) == 3


def test_numbers_are_read_as_they_were_kept(browser):
    rng = np.random.default_rng(0)
    for x in (np.full(9, 2.5), rng.integers(0, 4, 2000), rng.integers(0, 60000, 2000), rng.integers(0, 1 << 20, 2000),
              rng.normal(0, 1e-9, 2000), rng.normal(0, 1e9, 2000), np.zeros(0, int)):  # fmt: skip
        found = in_page(browser, "given.n.map((_, i) => readNumbers(given.x)(i))", x=embed_numbers(x), n=[0] * len(x))
        np.testing.assert_allclose(found, x, rtol=1e-3, atol=1e-12 * np.abs(x).max(initial=0))
    halves = np.array([0, -0.0, 1, -2.5, 65504, 6e-8, 1e-4, np.inf, -np.inf], np.float16)
    found = in_page(browser, "given.x.map(halfAsNumber).map(String)", x=halves.view(np.uint16).tolist())
    np.testing.assert_array_equal(np.array(found, float), halves.astype(float))


@pytest.fixture
def opened(browser, recorded):
    def opened(name, **how):
        browser.open(recorded(name) / "report.html", "#step", **how)
        return browser

    return opened


def picked(browser):
    return float(browser.text(".chosen:not([hidden]) .picked b"))


def set_field(browser, axis, value):
    field = f".chosen:not([hidden]) [data-axis='{axis}']"
    browser.run(
        f"(f => {{ f.value = {value}; f.dispatchEvent(new Event('change')); }})(document.querySelector({field!r}))"
    )


def test_a_pixel_is_chosen_by_click_by_keys_and_by_number(opened, recorded):
    browser, gx = opened("gan", height=1400), gradients(recorded("gan"), "G")["G(z)"]
    box = browser.run("(b => [b.x, b.y, b.width])(document.querySelector('.pixels-to-choose').getBoundingClientRect())")

    def assert_chosen(row, column):
        assert (
            browser.text("[aria-label='number to follow'] [aria-pressed=true]")
            == f"pixel [{row}, {column}] of the first G(z)"
        )
        assert picked(browser) == pytest.approx(gx[0, row, column, 0], rel=0.01)

    place = {"x": box[0] + 5.5 / 28 * box[2], "y": box[1] + 9.5 / 28 * box[2], "button": "left", "clickCount": 1}
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, **place)
    assert_chosen(9, 5)
    walked = now(browser)
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp", "ArrowLeft"):
        browser.key(key)
    assert_chosen(8, 6)
    assert now(browser) == walked  # the arrows moved the pixel alone
    said = browser.run("document.activeElement.ariaValueText")
    assert said.startswith("row 8, column 6: gradient ") and "finger" not in said
    browser.wait("document.querySelector('#status').textContent.startsWith('pixel [8, 6] of the first G(z): gradient')")
    set_field(browser, 1, 99)  # there are 28 rows
    assert_chosen(27, 6)
    browser.click(".chosen:not([hidden]) .largest")
    assert_chosen(*np.unravel_index(np.abs(gx[0, ..., 0]).argmax(), (28, 28)))
    assert browser.errors == []


@each_run(["gan", "ring8"], "gan")
def test_the_panel_shows_the_products_of_the_chosen_weight(opened, recorded, name):
    browser, gw = opened(name), gradients(recorded(name), "D")["D.1.w"]
    browser.click("[aria-label=step] [data-key=D]")
    browser.click("[aria-label='number to follow'] button")
    row, column = (int(i) for i in np.argwhere(np.abs(gw) > 0.3 * np.abs(gw).max())[-1])
    set_field(browser, 0, row)
    set_field(browser, 1, column)
    assert picked(browser) == pytest.approx(gw[row, column], rel=0.01)
    browser.click(".fold")
    places, seen = now(browser)[2], []
    for place in range(places):
        browser.run(
            f"(r => {{ r.value = {place}; r.dispatchEvent(new Event('input')); }})(document.querySelector('.places'))"
        )
        for product in browser.run(PRODUCTS):
            arriving, local, passed = product
            assert passed == pytest.approx(arriving * local, rel=0.011)
            seen.append(product)
    assert len(seen) > 5 and seen[0][0] == 1
    assert f"D.1.w[{row}, {column}]" in browser.text("[aria-label='number to follow']") and browser.errors == []


def test_what_is_not_kept_is_said(opened, monkeypatch, browser, recorded, tmp_path):
    monkeypatch.setattr("tinygen.report.numbers.MOST_WAYS", 10)
    monkeypatch.setattr("tinygen.report.numbers.MOST_FACTORS", 10)
    browser.open(package.report(recorded("gan"), out=tmp_path / "less.html"), "#step")
    browser.click("[aria-label='number to follow'] [data-key='1']")
    assert "this page keeps the way of one number alone" in browser.text(".chosen:not([hidden])")
    assert browser.errors == []
