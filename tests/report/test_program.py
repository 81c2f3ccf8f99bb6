"""The view "Program": its data are those of the program, and the page shows them."""

import numpy as np
import pytest
from report.runs import each_run

import tinygen as tg
from tinygen.compiler.passes import optimised
from tinygen.compiler.plan import Plan
from tinygen.compiler.program import number_values, operations, work
from tinygen.compiler.spans import bytes_apart, spans
from tinygen.compiler.work import flops, kind_of
from tinygen.data import Dataset
from tinygen.inside import Recorder
from tinygen.models import GAN, GANConfig
from tinygen.report import report
from tinygen.report.gather import gather
from tinygen.report.program import batch_like_run, machine
from tinygen.train import fit

NAMES = ["gan", "dcgan", "wgangp", "vae", "acgan"]


@pytest.fixture
def opened(browser, recorded):
    """A function that opens a run's page at this view."""

    def opened(name, **how):
        browser.open(recorded(name) / "report.html", "#program", **how)
        assert browser.text("#view h2") == "Program"
        return browser, machine(recorded(name))

    return opened


@each_run(NAMES, "wgangp", "vae")
def test_the_data_are_those_of_the_program(recorded, name):
    run = recorded(name)
    found, model = machine(run), tg.load(run)
    program = optimised(tg.compile(model).trace(batch_like_run(model, run)))
    number_values(program)
    plan, instructions = Plan(program), work(program)
    assert [one["kind"] for one in found["instructions"]] == [kind_of(i) for i in instructions]
    assert [one["flops"] for one in found["instructions"]] == [flops(i) for i in instructions]
    assert [[n for n, _ in one["made"]] for one in found["instructions"]] == [
        [v.name for v in i.results] for i in instructions
    ]
    assert [tuple(s[1:]) for s in found["spans"]] == [(s.first, s.last, s.at, s.size) for s in spans(program, plan)]
    assert (found["room"], found["passes"][-1]["bytes"]) == (plan.room, bytes_apart(program))
    assert found["operations"] == operations(program)
    assert found["batch"] == 9 * model.batches_per_step
    first, *_, last = found["passes"]
    assert first["name"] == "traced" and last["instructions"] == len(instructions) < first["instructions"]
    assert [s["first"] for s in found["sections"]] == sorted({s["first"] for s in found["sections"]})


def test_looking_changes_nothing(recorded):
    run = recorded("gan")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert machine(run) == machine(run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


class Hesitant(GAN):
    """It decides by a value."""

    def train_step(self, batch):
        losses = super().train_step(batch)
        return losses if losses["loss_D"] > 0 else super().train_step(batch)


def test_a_step_that_can_not_be_compiled_says_why(browser, tmp_path):
    points = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    model = Hesitant(GANConfig((2,), latent_dim=2, g_hidden=(4,), d_hidden=(4,)))
    mine = Dataset("own", points, points[:4])
    fit(model, mine, 2, out=tmp_path, callbacks=[Recorder(mine, 1)], progress=False)
    page = gather(tmp_path, 10**7, Hesitant)
    assert page["program"] is None and page["follow"] is not None
    (why,) = [one["why"] for one in page["missing"] if one["view"] == "program"]
    assert "runs as it was written" in why and 'losses["loss_D"] > 0' in why
    browser.open(report(tmp_path, model=Hesitant))
    assert "Program: its step runs as it was written" in browser.text("#missing") and browser.errors == []


@each_run(NAMES, "wgangp")
def test_keys_walk_through_the_instructions(opened, name):
    browser, found = opened(name)
    many = len(found["instructions"])
    assert browser.text(".place") == f"1 of {many}"
    browser.key("ArrowRight")
    assert browser.text(".place") == f"2 of {many}" and browser.text(".about h3").startswith("2. ")
    browser.key("End")
    assert browser.text(".place") == f"{many} of {many}"
    for made, kind in found["instructions"][-1]["made"]:
        assert made in browser.text(".about") and kind in browser.text(".about")
    assert browser.run("document.querySelector('.instructions [aria-current]').dataset.index") == str(many - 1)
    browser.key("Home")
    browser.key("ArrowLeft")
    assert browser.text(".place") == f"1 of {many}" and browser.errors == []


def test_rows_are_the_instructions_and_groups_open(opened):
    browser, found = opened("gan")
    rows = "document.querySelectorAll('.instructions button')"
    assert browser.run(f"{rows}.length") == len(found["instructions"])
    assert browser.run(f"[...{rows}].filter(row => row.tabIndex === 0).length") == 1
    group = next(i for i, one in enumerate(found["instructions"]) if one["members"])
    members = f".instructions [data-index='{group}'] + .members"
    assert browser.text(members) == ""
    browser.click(f".instructions [data-index='{group}']")
    shown = browser.text(members)
    assert all(f"{name} = {call}" in shown for name, _, call, _ in found["instructions"][group]["members"])
    assert browser.run(f"{rows}[{group}].getAttribute('aria-expanded')") == "true"
    browser.click(f".instructions [data-index='{group}']")
    assert browser.text(members) == ""


def test_counts_of_the_passes_and_of_memory(opened):
    browser, found = opened("vae")
    counts = browser.run("[...document.querySelectorAll('.passes .count')].map(cell => cell.textContent)")
    assert counts == [f"{one['instructions']:,}" for one in found["passes"]]
    labels = browser.run("[...document.querySelectorAll('canvas.strip')].map(one => one.getAttribute('aria-label'))")
    assert f"{len(found['instructions'])} instructions" in labels[0]
    assert f"{len(found['spans'])} arrays" in labels[1]


def test_a_click_in_the_memory_chooses_what_made_it(opened):
    browser, found = opened("gan")
    name, first, last, at, size = max(found["spans"][1:], key=lambda span: span[4] * (span[2] - span[1]))
    box = browser.run(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelectorAll('canvas.strip')[1].getBoundingClientRect())"
    )
    x = box[0] + 108 + (box[2] - 108) * ((first + last + 1) / 2) / len(found["instructions"])
    y = box[1] + box[3] * (1 - (at + size / 2) / found["room"])
    place = {"x": x, "y": y, "button": "left", "clickCount": 1}
    browser.call("Input.dispatchMouseEvent", type="mousePressed", **place)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", **place)
    assert browser.text(".place") == f"{first + 1} of {len(found['instructions'])}"
    assert name in browser.text(".about")


def test_light_and_dark_differ(opened):
    browser, _ = opened("gan", dark=True)
    dark = browser.pixels("canvas.strip")
    browser.click("#theme")
    assert browser.pixels("canvas.strip") != dark
    browser.run("localStorage.clear()")
