"""Everybody can use the pages: by axe-core's rules, with a keyboard alone, with a finger, and without seeing them."""

import re

import pytest
from report import axe
from report.runs import RUNS, each_run

from tinygen.play import play
from tinygen.report import report

CHECKED = [("gan", False), ("vae", True)]  # runs, in the dark or not; axe is slow
WIDE, PHONE = 1100, 390  # pixels
VIEWS = "[...document.querySelectorAll('#tabs button')].map((tab) => tab.dataset.view)"
SMALL_TEXT = """[...document.querySelectorAll("body *")].filter((one) => one.checkVisibility()
    && [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim())
    && parseFloat(getComputedStyle(one).fontSize) < 12).map((one) => one.outerHTML.slice(0, 200))"""
SMALL_TARGETS = """[...document.querySelectorAll("a, button, input, select, summary, [role=button], [role=slider]")]
    .filter((one) => one.checkVisibility()).map((one) => [one, one.getBoundingClientRect()])
    .filter(([, { width, height }]) => Math.min(width, height) < 43.9)
    .map(([one, { width, height }]) => `${width} x ${height}: ${one.outerHTML.slice(0, 200)}`)"""
OUT_OF_REACH = """[...document.querySelectorAll("#view canvas, #view svg")].filter((one) => one.checkVisibility()
    && ["crosshair", "pointer"].includes(getComputedStyle(one).cursor) && one.tabIndex < 0
    && !one.closest("button, [role=button]")).map((one) => one.outerHTML.slice(0, 200))"""


@pytest.fixture
def opened(browser, recorded):
    """A function that opens a run's page, with all that is folded away unfolded, and walks through its views."""

    def opened(name, **how):
        browser.open(recorded(name) / "report.html", still=True, **how)
        for view in browser.run(VIEWS):
            show(browser, view)
            yield view

    return opened


def show(browser, view):
    browser.click(f"#tabs [data-view={view}]")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def resize(browser, width):
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width == PHONE
    )


def pytest_generate_tests(metafunc):
    if "name_and_theme" in metafunc.fixturenames:
        every = [(name, dark) for name in RUNS for dark in (False, True)]
        given = every if metafunc.config.getoption("--campaign") else CHECKED
        metafunc.parametrize("name_and_theme", given, ids=lambda one: f"{one[0]}-{'dark' if one[1] else 'light'}")


def test_axe_finds_nothing_in_a_report(opened, browser, name_and_theme):
    name, dark = name_and_theme
    axe_is_there = False
    for view in opened(name, dark=dark):
        if not axe_is_there:
            axe.load(browser)
            axe_is_there = True
        for width in (PHONE, WIDE):
            resize(browser, width)
            assert axe.findings(browser) == [], (view, width)


@pytest.mark.parametrize(("dark", "width"), [(False, PHONE), (True, WIDE)])
def test_axe_finds_nothing_in_the_lab(browser, tmp_path, dark, width):
    browser.open(play(tmp_path / "play.html"), still=True, dark=dark, width=width)
    browser.run("document.querySelector('details').open = true")
    axe.load(browser)
    assert axe.findings(browser) == []
    browser.click("#whole")
    browser.wait("document.querySelector('#step').textContent === 'step 1'")
    assert axe.findings(browser) == []


def test_axe_would_find_something(browser, tmp_path):
    """A page with two faults: an image without an alternative, and text as pale as its ground."""
    (tmp_path / "bad.html").write_text("<div id=view><h2 style='color: #eee'>pale</h2><img src='data:,'></div>")
    browser.open(tmp_path / "bad.html")
    axe.load(browser)
    found = {one.partition(":")[0] for one in axe.findings(browser)}
    assert {"color-contrast", "image-alt", "document-title", "html-has-lang"} <= found


@each_run(["gan", "vae", "wgangp", "ring8"], "vae")
def test_all_is_large_enough_and_in_reach_of_the_keyboard(opened, browser, name):
    for view in opened(name, width=WIDE):
        assert browser.run(SMALL_TEXT) == [] and browser.run(OUT_OF_REACH) == [], view
        resize(browser, PHONE)
        show(browser, view)
        assert browser.run(SMALL_TEXT) == [] and browser.run(SMALL_TARGETS) == [], view
        resize(browser, WIDE)


def test_two_runs_side_by_side_are_as_good(browser, recorded, tmp_path, campaign):
    browser.open(report(recorded("gan"), recorded("ring8"), out=tmp_path / "two.html"), still=True, width=WIDE)
    axe.load(browser)
    for view in browser.run(VIEWS) if campaign else ["field", "pixels", "vanishing"]:
        show(browser, view)
        assert axe.findings(browser) == [], view
        assert browser.run(SMALL_TEXT) == [], view


def test_charts_are_sliders_that_say_what_they_show(opened, browser):
    assert "curves" in opened("gan")
    focus = "document.querySelector('.chart').focus()"
    said = "(chart => [chart.ariaLabel, chart.ariaValueText])(document.querySelector('.chart'))"
    browser.run(focus)
    name, last = browser.run(said)
    ways = "; ".join(rf"{loss} (rises|falls) from \S+ to .+" for loss in ("loss_D", "loss_G"))
    assert re.fullmatch(rf"Losses over 8 steps: {ways}\.", name)
    assert re.fullmatch(r"step 8: loss_D \S+, loss_G \S+", last)
    browser.key("Home")
    assert browser.run(said) == [name, "step 0: loss_D –, loss_G –"]
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_a_step_is_announced_once_it_rests(opened, browser):
    assert "curves" in opened("gan")
    browser.key("ArrowLeft")
    browser.wait("document.querySelector('#status').textContent === 'step 6'")
    browser.key("Home")
    browser.click(".play")
    browser.run("document.heard = []; new MutationObserver(() => document.heard.push(status())).observe("
                "document.querySelector('#status'), { childList: true });"
                "function status() { return document.querySelector('#status').textContent; }")  # fmt: skip
    browser.wait("document.heard.length > 1")
    assert browser.run("document.heard") == ["playing", "paused at step 8"]
