"""The page in a real browser: every view is drawn without an error, what moves moves, and the numbers are the run's."""

import json
from pathlib import Path

import numpy as np
import pytest
from report.runs import STEPS, copy, each_run

from tinygen import report as package
from tinygen.inside import Recording
from tinygen.report import report
from tinygen.train import checkpoint

VIEWS = {
    "gan": ["start", "pixels", "step", "vanishing", "curves", "program"],
    "dcgan": ["start", "pixels", "step", "vanishing", "curves", "program"],
    "vae": ["start", "samples", "step", "latents", "vanishing", "curves", "program"],
    "wgangp": ["start", "pixels", "step", "vanishing", "curves", "slopes", "program"],
    "ring8": ["start", "field", "step", "vanishing", "curves", "program"],
    "vaegan": ["start", "pixels", "step", "latents", "vanishing", "curves", "program"],
    "srgan": ["start", "pixels", "step", "restored", "vanishing", "curves", "program"],
    "pacgan": ["start", "field", "step", "vanishing", "curves", "program"],
    "points": ["samples", "step", "latents", "vanishing", "curves", "program"],
}
PARTS = Path(package.__file__).parent / "parts"
LOSSES = ["minimax", "nonsaturating", "lsgan", "hinge"]  # hinge and wasserstein are one for G


@pytest.fixture
def opened(browser, recorded):
    """A function that opens the page of a run at a view, at its last step."""

    def opened(name, view, **how):
        browser.open(recorded(name) / "report.html", f"#{view}", **how)
        return browser, Recording.load(recorded(name))

    return opened


def number(text):
    """The number in a text such as "0.0693", "12%" or "1.5e-7"."""
    return float(text.rstrip("%")) / (100 if text.endswith("%") else 1)


def sigmoid(score):
    return 1 / (1 + np.exp(-score))


def seen(browser):
    """What the view draws: the pixels of its canvases, and its text, charts and pictures."""
    canvases = "[...document.querySelectorAll('#view canvas')].map(canvas => canvas.toDataURL()).join()"
    return browser.run(f"{canvases} + document.querySelector('#view').outerHTML")


def move_to(browser, index):
    browser.run(
        f"(r => {{ r.value = {index}; r.dispatchEvent(new Event('input')); }})(document.querySelector('#scrubber'))"
    )


@each_run(VIEWS, "vae", "wgangp", "ring8")
def test_every_view_is_drawn_and_moves_with_the_scrubber(opened, recorded, name):
    browser, recording = opened(name, VIEWS[name][0], width=800, height=700)
    tabs = browser.run("[...document.querySelectorAll('#tabs button')].map(tab => tab.dataset.view)")
    assert tabs == VIEWS[name]
    assert (recorded(name) / "report.html").stat().st_size < 8e6
    for view in tabs:
        browser.click(f"#tabs [data-view={view}]")
        if view in ("step", "program"):  # they have walks of their own: test_step_view.py, test_program.py
            continue
        last = seen(browser)
        move_to(browser, 1)
        assert browser.text("#step") == f"step {recording.steps[1]}"
        assert seen(browser) != last, f"{view}: the scrubber changes nothing"
        move_to(browser, len(recording.steps) - 1)
        assert seen(browser) == last, f"{view}: the way back does not lead back"
        assert browser.text("#view h2") and browser.text("#view > p") and browser.text(".hints li")
    assert browser.errors == []


@each_run(VIEWS, "wgangp")
def test_the_first_paint_is_quick(opened, name):
    browser, _ = opened(name, VIEWS[name][0])
    browser.wait("performance.getEntriesByName('first-contentful-paint').length")
    assert browser.run("performance.getEntriesByName('first-contentful-paint')[0].startTime") < 2000


@each_run(VIEWS, "vae", "wgangp", "ring8")
def test_no_view_is_wider_than_a_phone(opened, name):
    browser, _ = opened(name, VIEWS[name][0], width=390, height=844)
    for view in VIEWS[name]:
        browser.click(f"#tabs [data-view={view}]")
        assert browser.run("document.documentElement.scrollWidth") <= 390, view
    assert browser.errors == []


def test_light_and_dark(opened):
    browser, _ = opened("gan", "vanishing", dark=True)
    assert browser.picture().mean() < 100
    dark = seen(browser)
    browser.click("#theme")
    assert browser.picture().mean() > 150
    assert seen(browser) != dark  # what is drawn on a canvas follows, too
    browser.click("#theme")
    assert seen(browser) == dark
    browser.run("localStorage.clear()")


def test_the_address_names_the_view_and_back_goes_back(opened):
    browser, _ = opened("gan", "pixels")
    browser.click("[data-view=curves]")
    assert browser.run("location.hash") == "#curves"
    browser.run("history.back()")
    browser.wait("document.querySelector('#view h2').textContent === 'Pixel push'")
    browser.run("location.hash = 'vanishing'")
    browser.wait("document.querySelector('#view h2').textContent === 'Vanishing signal'")
    assert browser.errors == []


def test_keys(opened):
    browser, recording = opened("gan", "pixels")
    last = len(recording.steps) - 1
    browser.key("ArrowLeft")
    assert browser.text("#step") == f"step {recording.steps[last - 1]}"
    browser.key("Home")
    assert browser.text("#step") == "step 0"
    browser.key("ArrowRight")
    assert browser.text("#step") == "step 1"
    browser.key(" ")
    browser.wait("document.querySelector('#step').textContent !== 'step 1'")
    browser.key(" ")
    assert "play" in browser.text(".play")
    browser.key("4")
    assert browser.text("#view h2") == "Vanishing signal"
    browser.key("End")
    assert browser.text("#step") == f"step {STEPS}"


def test_play_ends_at_the_last_step(opened):
    browser, _ = opened("gan", "curves")
    browser.click(".play")
    browser.wait(f"document.querySelector('#step').textContent === 'step {STEPS}'")
    browser.wait("document.querySelector('.play').textContent.includes('play')")


@each_run(["gan", "dcgan"], "gan")
def test_the_pixels_and_the_push_are_the_recording_s(opened, name):
    browser, recording = opened(name, "pixels")
    frame, image = 2, 5
    move_to(browser, frame)
    browser.click(f".tiles button:nth-child({image + 1})")
    shown = np.array(browser.pixels("figure canvas")).reshape(28, 28, 4)
    np.testing.assert_array_equal(shown[..., 0], recording["samples"][frame, image, ..., 0])

    score = recording["score_fake"][frame, image]
    assert number(browser.text("#before").split()[0]) == pytest.approx(sigmoid(score), abs=0.006)
    for loss in LOSSES:
        browser.click(f"[data-loss={loss}]")
        push = recording.pixel_gradient(loss)[frame, image] * recording.facts["scores"]  # the loss of one image alone
        assert number(browser.text("#length")) == pytest.approx(np.linalg.norm(push), rel=0.006)
        assert browser.text(f"[data-loss={loss}] > .number") == browser.text("#length")


def least_real(recording):
    """The image that is chosen at first."""
    return int(recording["score_fake"][-1, : recording["samples"].shape[1]].argmin())


def test_the_step_is_what_the_caption_says(opened):
    browser, recording = opened("gan", "pixels")
    image = least_real(recording)
    x = recording["samples"][-1, image].astype(float)
    slope = recording.gradient("score_gradient")[-1, image]
    for loss, score in (("hinge", 1.0), ("minimax", sigmoid(recording["score_fake"][-1, image]))):
        browser.click(f"[data-loss={loss}]")
        moved = np.clip(x + score * slope * 255 * 0.1 / np.abs(slope).max(), 0, 255)
        shown = np.array(browser.pixels("[data-picture=step] canvas")).reshape(28, 28, 4)[..., :1]
        assert np.abs(shown - moved).max() <= 1
        after = recording["score_fake"][-1, image] + (slope * (moved - x)).sum() * 2 / 255  # the value range is (-1, 1)
        assert number(browser.text("#after").split()[0]) == pytest.approx(sigmoid(after), abs=0.006)


def test_the_switches_of_the_push_change_what_is_drawn(opened):
    browser, _ = opened("gan", "pixels")
    middle, right = "[data-picture=push] canvas", "[data-picture=step] canvas"
    browser.click("[data-loss=minimax]")
    dim, moved = browser.pixels(middle), browser.pixels(right)
    browser.click("[data-key=own]")
    stretched = browser.pixels(middle)
    assert stretched != dim
    browser.click("[data-loss=hinge]")  # the same direction: stretched, all losses look alike
    assert np.abs(np.array(browser.pixels(middle)) - stretched).max() <= 2
    assert browser.pixels(right) != moved


def test_a_model_that_lowers_more_than_the_score_shows_its_whole_push(opened):
    browser, recording = opened("acgan", "pixels")
    browser.click("[data-loss=whole]")
    push = recording.gradient("pixel_gradient")[-1, least_real(recording)] * recording.facts["scores"]
    assert number(browser.text("#length")) == pytest.approx(np.linalg.norm(push), rel=0.006)
    assert browser.errors == []


def test_the_heatmap_s_numbers_are_the_recording_s(opened):
    browser, recording = opened("gan", "vanishing")
    move_to(browser, 3)
    names = [f"{layer['network']}.{layer['name']}" for layer in recording.facts["layers"]]
    drawn = []
    for quantity in ("gradient_norm", "activation_zeros", "update_ratio"):  # a leaky ReLU has no zeros
        browser.click(f"[data-key={quantity}]")
        shown = bool((np.nan_to_num(recording[quantity]) > 0).any())
        assert shown == (not browser.run("document.querySelector('canvas.heat').hidden"))
        assert shown == browser.run("document.querySelector('.none').hidden")
        drawn.append(browser.pixels("canvas.heat") if shown else None)
        rows = browser.run(
            "[...document.querySelectorAll('main table tr')].map(r => [...r.cells].map(c => c.textContent))"
        )
        assert len(rows) > 3
        for name, _, value in rows:
            expected = recording[quantity][3, names.index(name)]
            assert number(value) == pytest.approx(expected, rel=0.006, abs=0.006 if value.endswith("%") else 0)
    assert drawn[0] != drawn[1] != drawn[2]
    assert [row[0][0] for row in rows] == sorted(row[0][0] for row in rows)  # D's layers above G's


def test_a_click_in_a_chart_goes_to_that_step(opened):
    browser, _ = opened("gan", "curves")
    box = browser.run(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelector('svg.chart').getBoundingClientRect())"
    )
    place = {"x": box[0] + 60, "y": box[1] + box[3] / 2, "button": "left", "clickCount": 1}
    browser.call("Input.dispatchMouseEvent", type="mousePressed", **place)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", **place)
    assert browser.text("#step") == "step 0"


def test_the_curves_are_those_of_the_metrics(opened, recorded):
    browser, recording = opened("gan", "curves")
    rows = [json.loads(line) for line in (recorded("gan") / "metrics.jsonl").read_text().splitlines()]
    for index, row in ((-1, rows[-1]), (3, rows[2])):  # step 8, then step 4
        move_to(browser, index % len(recording.steps))
        legend = browser.run(
            "[...document.querySelectorAll('.legend > span')].map(s => s.textContent.trim().split(' '))"
        )
        assert {name for name, _ in legend} == {"loss_D", "loss_G", "acc", "D(x)", "D(G(z))"}
        assert recording.steps[index] == row["step"]
        for name, value in legend:
            assert number(value) == pytest.approx(row[name], rel=0.006)


def test_events_are_listed_and_lead_to_their_step(opened):
    browser, _ = opened("gan", "curves")
    assert "D saturated: it told <all> apart. Try: less of it." in browser.text(".events li")
    assert browser.run("document.querySelectorAll('svg.chart .event').length") == 2
    browser.click(".events button")
    assert browser.text("#step") == "step 4"


def test_the_plane_counts_modes_and_draws_arrows(opened):
    browser, recording = opened("ring8", "field")
    for frame in (0, len(recording.steps) - 1):
        move_to(browser, frame)
        assert number(browser.text(".modes")) == recording["modes"][frame]
        assert number(browser.text(".good")) == pytest.approx(recording["high_quality"][frame], abs=0.006)
    drawn = []
    for arrows in ("film", "equal", "none"):
        browser.click(f"[data-key={arrows}]")
        drawn.append(browser.pixels("canvas.plane"))
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


def test_inside_a_vae(opened):
    browser, recording = opened("vae", "latents")
    assert number(browser.text("#kl").rstrip(".")) == pytest.approx(recording["kl"][-1].sum(), rel=0.006)
    copy = np.array(browser.pixels(".pairs div canvas:nth-child(2)")).reshape(28, 28, 4)[..., 0]
    np.testing.assert_array_equal(copy, recording["reconstructions"][-1, 0, ..., 0])
    pulls = browser.run("[...document.querySelectorAll('.legend .number')].map(n => n.textContent)")
    names = ("mu_gradient", "logvar_gradient", "mu_gradient_kl", "logvar_gradient_kl")
    assert [number(text) for text in pulls] == pytest.approx(
        [np.linalg.norm(recording[n][-1]) for n in names], rel=0.006
    )


def test_the_slopes_are_the_critic_s(opened):
    browser, recording = opened("wgangp", "slopes")
    assert number(browser.text("#slope")) == pytest.approx(recording["slopes"][-1].mean(), rel=0.006)
    bars = browser.run("[...document.querySelectorAll('svg rect')].filter(r => r.getAttribute('height') > 0).length")
    assert bars > 0


def test_two_runs_stand_side_by_side(browser, recorded, tmp_path):
    page = report(recorded("ring8"), recorded("gan"), out=tmp_path / "two.html")
    browser.open(page, "#curves")
    assert browser.run("document.querySelectorAll('.panel').length") == 2
    browser.click("#tabs [data-view=field]")  # which suits one of them
    assert browser.run("document.querySelectorAll('.panel').length") == 1
    assert browser.errors == []


@pytest.mark.parametrize(
    "names", [("gan", "wgangp"), pytest.param(("vae", "vaegan"), marks=pytest.mark.more)], ids="-".join
)
def test_every_view_of_two_runs(browser, recorded, tmp_path, names):
    page, width = report(*map(recorded, names), out=tmp_path / "two.html"), 390
    browser.open(page, width=width, height=844)
    for view in dict.fromkeys(VIEWS[names[0]] + VIEWS[names[1]]):
        browser.click(f"#tabs [data-view={view}]")
        assert browser.run("document.querySelectorAll('.panel').length") == sum(view in VIEWS[name] for name in names)
        assert browser.run("document.documentElement.scrollWidth") <= width, view
        browser.key("ArrowLeft")
    assert browser.errors == []


def test_a_running_mean_keeps_the_start_and_the_end_of_a_curve(browser):
    parts = "\n".join((PARTS / name).read_text() for name in ("dom.js", "chart.js"))
    found = browser.run(f"(() => {{ {parts}; return runningMean([1.32, 0.4, 0.5, 0.6, NaN, 0.2], 2); }})()")
    assert found == pytest.approx([1.32, 2.22 / 3, 2.82 / 4, 1.7 / 4, 0.4, 0.2])


def test_a_run_without_a_recording(browser, recorded, tmp_path):
    browser.open(report(copy(recorded("gan"), tmp_path / "old", "recording*")))
    assert browser.run("[...document.querySelectorAll('#tabs button')].map(tab => tab.dataset.view)") == [
        "samples",
        "curves",
    ]
    assert "was not recorded" in browser.text("#missing")
    first = browser.run("document.querySelector('#view img').src")
    browser.key("ArrowLeft")
    assert browser.run("document.querySelector('#view img').src") != first
    assert browser.errors == []


def test_points_without_a_field_are_shown_all_the_same(browser, recorded, tmp_path):
    """The page counts the steps that were made, logged or not, and says whose examples it follows."""
    run = copy(recorded("ring8"), tmp_path / "less")
    recording = Recording.load(run)
    kept = {name: x for name, x in recording.arrays.items() if name not in ("score_gradient", "score_gradient_scale")}
    checkpoint.save(run / "recording.safetensors", kept, recording.facts)
    text = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(text[:-1]))
    browser.open(report(run), "#samples")
    tabs = browser.run("[...document.querySelectorAll('#tabs button')].map(tab => tab.dataset.view)")
    assert tabs == ["samples", "vanishing", "curves"] and "256 points" in browser.text("#view")
    assert "8\u00a0of\u00a08\u00a0steps" in browser.text("#head") and browser.errors == []


def test_a_gan_of_ones_own_is_shown_by_what_its_recording_says(browser, recorded, tmp_path):
    """Networks, losses and curves may have any names; the page lists what it can't show, on a phone too."""
    run = copy(recorded("ring8"), tmp_path / "own")
    recording = Recording.load(run)
    names = {"G": "maker", "D": "judge"}
    layers = [{**layer, "network": names[layer["network"]]} for layer in recording.facts["layers"]]
    game = recording.facts["game"] | {"name": "squid", "title": "squid"}
    own = {"layers": layers, "loss": "squid", "game": game, "model": "own", "missing": [["slopes", "no penalty <b>."]]}
    checkpoint.save(run / "recording.safetensors", recording.arrays, recording.facts | own)
    text = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(text.replace("loss_D", "judge").replace("loss_G", "maker").replace("acc", "won"))
    browser.open(report(run), "#vanishing", width=390, height=844)
    assert browser.run("[...document.querySelectorAll('#tabs button')].map(tab => tab.dataset.view)") == [
        "start",
        "field",
        "vanishing",
        "curves",
    ]
    rows = browser.run("[...document.querySelectorAll('main table td:first-child')].map(cell => cell.textContent)")
    assert [row.partition(".")[0] for row in rows] == sorted(row.partition(".")[0] for row in rows)  # the judge's first
    assert "D's accuracy" in browser.text("#view")
    browser.click("[data-view=curves]")
    assert "play against each other" in browser.text(".hints")
    listed = browser.run("[...document.querySelectorAll('#missing li')].map(item => item.textContent)")
    assert (
        listed[0].startswith("Follow one gradient, Program: ") and listed[1] == "Slopes of the critic: no penalty <b>."
    )
    assert browser.run("document.documentElement.scrollWidth") <= 390
    assert browser.errors == []
