"""The game in the plane: slow motion between two recorded steps, points out of the picture, and true sentences."""

import json
from pathlib import Path

import numpy as np
import pytest
from report.runs import copy
from report.test_page import move_to, number, opened

import tinygen.report
from tinygen.inside import Recording
from tinygen.losses import GAN_LOSSES
from tinygen.report import report
from tinygen.train import checkpoint

__all__ = ["opened"]
PARTS = Path(tinygen.report.__file__).parent / "parts"
READ = """
    const grid = Object.assign(Float64Array.from(given.field), { shape: given.shape });
    const found = given.places.map(([x, y]) => gridAt(grid, given.reach, x, y));
    return found.map(({ value, slope }) => [value, ...slope]);
"""


def seen(browser):
    return browser.run("document.querySelector('canvas.plane').toDataURL()")


def turn(browser, name):
    browser.click(f"[data-phase={name}]")
    assert browser.run(f"document.querySelector('[data-phase={name}]').getAttribute('aria-current')") == "step"
    return browser.text(".now"), seen(browser)


def test_slow_motion_shows_first_d_s_move_and_then_g_s(opened):
    """Without motion each turn is shown at its end: new colours, then arrows, then points where they go."""
    browser, recording = opened("ring8", "field", still=True)
    move_to(browser, 3)
    browser.click("[data-key=none]")
    before = seen(browser)
    first, last = recording.steps[3:5]
    assert f"from step {first} to step {last}. D and G took turns" in browser.text(".way")
    said, judged = turn(browser, "D")
    assert "the colours change" in said and judged != before
    assert turn(browser, "arrows")[1] == judged  # arrows are switched off
    browser.click("[data-key=film]")
    assert seen(browser) != judged
    browser.click("[data-key=none]")
    said, moved = turn(browser, "G")
    assert "its points move" in said and moved != judged
    browser.wait(f"document.querySelector('#step').textContent === 'step {last}'")
    assert seen(browser) == moved and "G has moved" in browser.text(".now")
    move_to(browser, 3)
    assert seen(browser) == before and "first D makes its move" in browser.text(".now")
    assert browser.errors == []


def test_slow_motion_glides_from_turn_to_turn(opened):
    browser, recording = opened("ring8", "field")
    browser.click("#slow")  # at the end of the film it shows how the last step came about
    assert browser.text("#step") == f"step {recording.steps[-2]}"
    shown = "document.querySelector('canvas.plane').toDataURL()"
    browser.run(f"globalThis.early = {shown}")
    browser.wait(f"{shown} !== globalThis.early")
    assert browser.text(".turns [aria-current]") == "1 D judges"
    browser.key("Home")
    assert browser.text("#step") == "step 0" and not browser.run("document.querySelector('.turns [aria-current]')")
    still = seen(browser)
    browser.run("new Promise(resolve => setTimeout(resolve, 100))")
    assert seen(browser) == still and browser.errors == []


def read_grid(browser, field, reach, places):
    """What the page reads from a grid at places: (n, 3), the value and its slope by x and y."""
    script = (PARTS / "data.js").read_text() + (PARTS / "plane.js").read_text()
    given = json.dumps(
        {"field": field.ravel().tolist(), "shape": field.shape, "reach": reach, "places": places.tolist()}
    )
    return np.array(browser.run(f"(() => {{ {script}; const given = {given}; {READ} }})()"))


def test_a_grid_is_read_between_its_numbers(browser):
    """Exactly, if what it holds is linear in x and in y."""
    axis = np.linspace(-2, 2, 9)
    x, y = np.random.default_rng(0).uniform(-2, 2, (2, 20))
    found = read_grid(browser, axis * axis[:, None] + 3 * axis, 2, np.stack([x, y], axis=1))
    np.testing.assert_allclose(found, np.stack([x * y + 3 * x, y + 3, x], axis=1), atol=1e-12)


def test_the_slope_of_the_field_is_d_s_gradient(browser, recorded):
    """The arrows between recorded steps are read from the field; at a recorded step they are D's gradient there."""
    recording = Recording.load(recorded("ring8"))
    points, reach = recording["samples"][-1].astype(float), recording.facts["reach"]
    inside = (np.abs(points) < reach).all(axis=1)
    found = read_grid(browser, recording["field"][-1].astype(float), reach, points[inside])
    gradient = recording.gradient("score_gradient")[-1][inside]
    error = np.linalg.norm(found[:, 1:] - gradient) / np.linalg.norm(gradient)
    assert inside.sum() > 100 and error < 0.3  # D is still almost flat, so the field's float16 shows


def test_points_outside_of_the_picture_are_counted(browser, recorded, tmp_path):
    run = copy(recorded("ring8"), tmp_path / "far")
    recording = Recording.load(run)
    recording["samples"][-1, :3] = [[9, 0], [0, -9], [-9, 9]]
    recording["samples"][-2, :1] = 9
    checkpoint.save(run / "recording.safetensors", recording.arrays, recording.facts)
    expected = (np.abs(recording["samples"]) > recording.facts["reach"]).any(axis=2).sum(axis=1)
    browser.open(report(run), "#field")
    for frame in (-1, -2):
        move_to(browser, frame % len(recording.steps))
        assert number(browser.text(".outside")) == expected[frame]
    n = recording["samples"].shape[1]
    verb = "lies" if expected[-2] == 1 else "lie"
    assert f"{expected[-2]} of {n} points {verb} outside of this picture." in browser.text(".counts")


def test_two_planes_move_together_and_a_run_without_a_step_stays(browser, recorded, tmp_path):
    run = copy(recorded("ring8"), tmp_path / "fewer")
    recording, last = Recording.load(run), len(Recording.load(run).steps) - 1
    kept = [frame for frame in range(last + 1) if frame != last - 1]
    constants = ("data", "centres")
    arrays = {name: x if name in constants else x[kept] for name, x in recording.arrays.items()}
    checkpoint.save(run / "recording.safetensors", arrays, recording.facts)
    browser.open(report(recorded("pacgan"), run, out=tmp_path / "two.html"), "#field", still=True)
    move_to(browser, last - 2)
    ways = "[...document.querySelectorAll('.way')].map(way => way.textContent)"
    full, gap = browser.run(ways)
    assert "from step 4 to step 6" in full and "no step between" in gap
    images = "[...document.querySelectorAll('canvas.plane')].map(canvas => canvas.toDataURL())"
    before = browser.run(images)
    browser.click("[data-key=none]")
    before = browser.run(images)
    browser.click("[data-phase=D]")
    after = browser.run(images)
    assert after[0] != before[0] and after[1] == before[1] and browser.errors == []


@pytest.mark.parametrize(("loss", "threshold"), [("nonsaturating", 0.0), ("lsgan", 0.5), ("wasserstein", None)])
def test_the_colours_are_explained_as_the_loss_means_them(browser, recorded, tmp_path, loss, threshold):
    run = copy(recorded("ring8"), tmp_path / loss)
    recording, game = Recording.load(run), GAN_LOSSES[loss].describe()
    facts = {"loss": loss, "game": game, "probability": game["probability"], "threshold": threshold}
    checkpoint.save(run / "recording.safetensors", recording.arrays, recording.facts | facts)
    browser.open(report(run), "#field")
    text = browser.text("#view")
    assert ("one half" in text) == (loss == "nonsaturating")
    assert ("a score of 0.5" in text) == (loss == "lsgan")
    assert ("A critic's scores" in text) == (loss == "wasserstein")
    assert "strokes" not in text and "gradient penalty" not in text and browser.errors == []
