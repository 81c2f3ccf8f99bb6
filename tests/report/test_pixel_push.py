"""Pixel push: a real image with D's verdict, what training made next, and sentences that are true of the run."""

import numpy as np
import pytest
from report.runs import copy, each_run
from report.test_page import least_real, move_to, number, opened, sigmoid

from tinygen.inside import Recording
from tinygen.report import report
from tinygen.train import checkpoint

__all__ = ["opened"]


def picture(browser, name):
    return np.array(browser.pixels(f"[data-picture={name}] canvas")).reshape(28, 28, 4)[..., 0]


def hints(browser):
    return browser.text("#view") + browser.text(".hints")


@each_run(["gan", "wgangp", "acgan", "srgan", "vaegan"], "acgan", "vaegan")
def test_a_real_image_stands_beside_with_d_s_verdict(opened, name):
    browser, recording = opened(name, "pixels")
    image, labels = least_real(recording), recording.arrays.get("labels")
    real = recording["real" if "real" in recording else "data"]
    assert ("real" in recording) == (name in ("srgan", "vaegan"))  # which keep others, that they encode, as "data"
    if labels is not None and labels[image] in recording["data_labels"][: len(real)]:
        image = int(np.flatnonzero(recording["data_labels"][: len(real)] == labels[image])[0])
    np.testing.assert_array_equal(picture(browser, "real"), real[image, ..., 0])
    score = recording["score_real"][-1, image]
    if recording.facts["probability"]:
        assert number(browser.text("#real").split()[0]) == pytest.approx(sigmoid(score), abs=0.006)
    else:
        assert number(browser.text("#real")) == pytest.approx(score, rel=0.006)
    assert browser.text("[data-picture=real] h3") == ("The original" if name == "srgan" else "A real image")
    assert browser.errors == []


def test_what_training_made_next_stands_beside_the_estimate(opened):
    browser, recording = opened("gan", "pixels")
    image, frame = least_real(recording), 3
    assert "last recorded step" in browser.text("[data-picture=next]")
    assert browser.run("document.querySelector('[data-picture=next] canvas').hidden")
    move_to(browser, frame)
    now, after = (recording["samples"][i, image].astype(float) for i in (frame, frame + 1))
    np.testing.assert_array_equal(picture(browser, "next"), after[..., 0])
    steps = recording.steps[frame + 1] - recording.steps[frame]
    assert browser.text("[data-picture=next] figcaption").startswith(f"{steps} steps later, from the same z.")
    verdict = sigmoid(recording["score_fake"][frame + 1, image])
    assert number(browser.text("#next").split()[0]) == pytest.approx(verdict, abs=0.006)
    push, change = recording.gradient("score_gradient")[frame, image], after - now  # its direction under this loss
    cosine = (push * change).sum() / np.linalg.norm(push) / np.linalg.norm(change)
    assert number(browser.text("#cosine")) == pytest.approx(cosine, abs=0.006)


def test_on_a_phone_the_pictures_come_first(opened):
    browser, _ = opened("gan", "pixels", width=390, height=844)
    order = ("[data-picture=made]", "[data-picture=real]", "[data-picture=next]", ".tiles", ".losses")
    boxes = [browser.run(f"(b => [b.top, b.width])(document.querySelector('{one}').getBoundingClientRect())")
             for one in order]  # fmt: skip
    tops = [top for top, _ in boxes]
    assert tops == sorted(tops) and boxes[0][1] >= 150 and boxes[1][1] >= 150
    small = "[...document.querySelectorAll('.push button')].filter(b => b.getBoundingClientRect().height < 44).length"
    assert browser.run(small) == 0
    sizes = "[...document.querySelectorAll('#view *')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    assert min(browser.run(sizes)) >= 12


def test_what_is_said_is_true_of_the_run(opened):
    said = {name: hints(opened(name, "pixels")[0]) for name in ("gan", "wgangp", "srgan", "vaegan", "acgan")}
    for name, text in said.items():
        assert "strokes" not in text, name
        assert ("All that it learns from" in text) == (name in ("gan", "wgangp")), name
        assert ("G never sees a real image" in text) == (name in ("gan", "wgangp", "acgan")), name
        assert "vanishing gradient" not in text, name  # in eight steps D is never so sure
    assert "probability" not in said["wgangp"] and "D's probability" in said["gan"]


def test_a_recording_without_them_has_no_real_images_beside(browser, recorded, tmp_path):
    """Two runs, one of which was recorded by an earlier tinygen."""
    run = copy(recorded("vaegan"), tmp_path / "old")
    recording = Recording.load(run)
    kept = {name: x for name, x in recording.arrays.items() if name != "real"}
    checkpoint.save(run / "recording.safetensors", kept, recording.facts)
    browser.open(report(run, recorded("gan"), out=tmp_path / "two.html"), "#pixels")
    titles = "[...document.querySelectorAll('.panel')].map(p => [...p.querySelectorAll('h3')].map(h => h.textContent))"
    old, new = browser.run(titles)
    assert "A real image" not in old and "A real image" in new and "This is what D tells G" in browser.text("#view")
    assert browser.errors == []
