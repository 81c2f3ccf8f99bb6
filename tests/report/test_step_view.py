"""Following a gradient in a real browser: its buttons and keys, its toggles, its layers, its numbers."""

import pytest
from report.runs import copy, each_run

from tinygen.report import report
from tinygen.report.steps import follow

NAMES = ["gan", "dcgan", "wgangp", "vae", "vaegan", "ring8"]


@pytest.fixture
def opened(browser, recorded):
    """A function that opens a run's page at this view."""

    def opened(name, **how):
        browser.open(recorded(name) / "report.html", "#step", **how)
        assert browser.text("#view h2") == "Follow one gradient"
        return browser, follow(recorded(name))

    return opened


def drawn(browser):
    return browser.run("document.querySelector('.tape').outerHTML")


def now(browser):
    """Where the walk is: (phase, number, of how many)."""
    phase, _, place = browser.text(".place").partition(" · ")
    number, _, many = place.partition(" of ")
    return phase, int(number), int(many)


@each_run(NAMES, "wgangp", "vae")
def test_the_walk_goes_forward_and_back(opened, name):
    browser, followed = opened(name)
    graph = followed["steps"][-1]["graph"]
    assert browser.run("document.querySelectorAll('.tape .node').length") == len(graph["nodes"])
    assert now(browser)[:2] == ("forward", 1)
    first = drawn(browser)
    browser.click(".next")
    assert now(browser)[:2] == ("forward", 2)
    assert drawn(browser) != first
    browser.click(".previous")
    assert drawn(browser) == first
    browser.key("ArrowRight")
    assert now(browser)[:2] == ("forward", 2)
    browser.key("End")
    phase, number, many = now(browser)
    assert phase == "backward" and number == many > len(graph["nodes"])
    assert browser.text(".rules")
    browser.key("Home")
    assert drawn(browser) == first
    assert browser.run("document.querySelector('#time').hidden")
    assert browser.errors == []


def test_play_walks_on_and_stops(opened):
    browser, _ = opened("gan")
    browser.key(" ")
    browser.wait("document.querySelector('.place').textContent.startsWith('forward · 3')")
    browser.key(" ")
    assert "play" in browser.text(".walk")


@each_run(["gan", "wgangp", "ring8"], "gan")
def test_the_toggles_show_who_gets_what(opened, name):
    browser, followed = opened(name)
    for step, other in (("D", "G"), ("G", "D")):
        cases = next(one for one in followed["steps"] if one["name"] == step)["cases"]
        browser.click(f"[data-key={step}]")
        assert browser.text(".verdict").startswith("Right")
        right = now(browser)[2]
        assert browser.text(f".received .now [data-network={other}]") == "nothing"
        browser.click(".clear")
        doubled = cell(cases, True, False, step)
        assert float(browser.text(f".received .now [data-network={step}]")) == pytest.approx(doubled, rel=1e-3)
        assert "were not cleared" in browser.text(".verdict")
        browser.click(".guard")
        mixed = cell(cases, False, False, other)
        assert float(browser.text(f".received .now [data-network={other}]")) == pytest.approx(mixed, rel=1e-3)
        assert browser.text(".verdict").startswith(f"Mistake: {other} was not kept out and its gradients were not")
        assert "It points against what" in browser.text(".verdict")
        browser.click(".clear")
        stray = cell(cases, False, True, other)
        assert float(browser.text(f".received .now [data-network={other}]")) == pytest.approx(stray, rel=1e-3)
        assert browser.text(".verdict").startswith("Wasteful, but not wrong")
        assert (
            now(browser)[2] > right or step == "G"
        )  # D's loss runs on through G; D's own layers are on the way anyhow; the next step begins without a mistake
    assert browser.errors == []


def test_the_three_steps_of_a_vaegan(opened):
    """Each loss reaches all three networks that are on its way; with the guard, its own alone."""
    browser, followed = opened("vaegan")
    assert [step["name"] for step in followed["steps"]] == ["E", "D", "G"]
    for step in followed["steps"]:
        browser.click(f"[data-key={step['name']}]")
        assert browser.text(".verdict").startswith("Right")
        for other in step["shielded"]:
            assert browser.text(f".received .now [data-network={other}]") == "nothing"
            assert f"frozen({other})" in browser.text(".guard")
        own = cell(step["cases"], True, True, step["name"])
        assert float(browser.text(f".received .now [data-network={step['name']}]")) == pytest.approx(own, rel=1e-3)
        browser.click(".guard")
        stray = {other: cell(step["cases"], False, True, other) for other in step["shielded"]}
        for other, norm in stray.items():
            assert float(browser.text(f".received .now [data-network={other}]")) == pytest.approx(norm, rel=1e-3)
            assert f"{other} was not kept out" in browser.text(".verdict")
        browser.click(".guard")
    assert browser.errors == []


def cell(cases, careful, clear, network):
    case = next(one for one in cases if (one["careful"], one["clear"]) == (careful, clear))
    return case["received"][network]


def test_layers_open_and_close(opened):
    browser, followed = opened("gan")
    folded = drawn(browser)
    nodes = followed["steps"][-1]["graph"]["nodes"]
    layer = next(i for i, node in enumerate(nodes) if node["inner"] and len(node["inner"]["nodes"]) > 2)
    click = f"document.querySelectorAll('.tape .node')[{layer}].dispatchEvent(new MouseEvent('click'))"
    browser.run(click)
    assert browser.run("document.querySelectorAll('.tape .parameter').length") == 2
    browser.run("document.querySelector('.tape .open').dispatchEvent(new MouseEvent('click'))")
    assert drawn(browser) == folded
    browser.click(".fold")
    assert browser.run("document.querySelectorAll('.tape .open').length") > 3
    count = browser.run("document.querySelectorAll('.tape .parameter').length")
    browser.click(".guard")
    browser.key("End")
    many = now(browser)[2]
    browser.click(".guard")
    assert now(browser)[2] < many  # D's parameters, frozen, get nothing
    browser.click(".fold")
    assert count > 4 and browser.run("document.querySelectorAll('.tape .open').length") == 0
    assert browser.errors == []


def test_the_panel_s_numbers_are_python_s(opened):
    browser, followed = opened("gan")
    nodes = followed["steps"][-1]["graph"]["nodes"]
    for node in nodes[:4]:
        assert float(browser.text(".value .length")) == pytest.approx(node["value"]["norm"], rel=1e-3)
        browser.key("ArrowRight")
    browser.key("End")
    last = next(node for node in nodes if node["gradient"])
    assert float(browser.text(".gradient .length")) == pytest.approx(last["gradient"]["norm"], rel=1e-3)
    assert "models/gan.py" in browser.text(".about")
    for rule in last["rules"].values():
        assert rule in browser.text(".rules")


@each_run(NAMES, "wgangp")
def test_it_is_no_wider_than_a_phone(opened, name):
    browser, _ = opened(name, width=390, height=844)
    browser.click(".fold")
    browser.key("End")
    assert browser.run("document.documentElement.scrollWidth") <= 390
    assert browser.errors == []


@pytest.mark.parametrize(
    ("name", "step", "stages"),
    [
        ("gan", "D", ["z", "G", "x", "D", "D(x)", "D(G(z))", "loss"]),
        ("acgan", "D", ["x", "z", "G", "D", "loss"]),
        ("acgan", "G", ["z", "G", "D", "loss"]),
        ("vae", "loss", ["x", "encoder", "eps", "decoder", "loss"]),
    ],
)
def test_the_map_has_a_box_for_each_network_and_all_that_goes_in(opened, name, step, stages):
    """Inputs that are only concatenated, and kept by no op, too: x beside G(z), z beside the label."""
    browser, _ = opened(name)
    if browser.run("document.querySelectorAll('[aria-label=step] button').length"):
        browser.click(f"[aria-label=step] [data-key={step}]")
    found = browser.run("[...document.querySelectorAll('.map .stage')].map((one) => one.ariaLabel.split(':')[0])")
    assert set(stages) <= set(found) and len(found) == len(set(found))
    assert browser.run("document.querySelectorAll('.map .edge').length") >= len(stages) - 1
    assert browser.errors == []


def test_a_second_tape_is_told_apart(opened):
    browser, _ = opened("wgangp")
    browser.click("[data-key=D]")
    assert browser.run("document.querySelectorAll('.tape .rule').length") > 2
    assert "second tape" in browser.text(".notes")
    browser.click("[data-key=G]")
    assert "second tape" not in browser.text(".notes")


def test_it_is_absent_without_a_checkpoint(browser, recorded, tmp_path):
    browser.open(report(copy(recorded("gan"), tmp_path / "without")))
    assert not browser.run("Boolean(document.querySelector('[data-view=step]'))")
    assert browser.errors == []
