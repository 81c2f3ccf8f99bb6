"""Every sentence of a run's page, or of the lab, as somebody reads or hears it who presses every button."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from models.small import data_for, small
from report.browser import Browser

from tinygen.inside import Recorder
from tinygen.random import Generator
from tinygen.report import report
from tinygen.train import fit
from tinygen.train.batches import loader_for

PLACES = 40  # of a walk over a step; neighbours say much the same
NOT_PROSE = "pre, code, td, .code, .under, .tape, .map, .instructions, p:has(> code:first-child)"
PROSE = "p, li, h1, h2, h3, h4, th, summary, legend, button, span, small, figcaption"
SEEN = f"""[...document.querySelectorAll("#head *, #missing *, main *, #time *, #status")]
    .filter((one) => !one.closest("{NOT_PROSE}"))
    .flatMap((one) => [
        one.matches("{PROSE}") ? one.textContent : "",
        ...["aria-label", "aria-valuetext", "title", "alt", "placeholder"].map((name) => one.getAttribute(name)),
    ].filter(Boolean))"""
PRESSED = "[...document.querySelectorAll('main .row > button')].filter((one) => one.checkVisibility())"
STEPS = "[...document.querySelectorAll('[aria-label=step] button')].map((one) => one.dataset.key)"
SPACE = "page.toggle()"
CHOOSE = "(s => { s.value = '%s'; s.dispatchEvent(new Event('change')); })(document.getElementById('%s'))"
WALK = "(one => { one.value = %d; one.dispatchEvent(new Event('input')); })(document.querySelector('.places'))"


def small_run(name: str, out: Path, shape: tuple[int, ...] | None = None, **settings: Any) -> Path:
    """A model in its smallest form, trained for three steps, recorded and reported.

    shape: of an example, that of a small image by default.
    """
    sized: Any = {} if shape is None else {"shape": shape}
    model = small(name, **settings, **({} if shape is None else {"data_shape": shape}))
    data = data_for(name, **sized)
    batch = model.defaults.get("examples", 8)
    loader = loader_for(model, data.train, batch, Generator(0, "loader", "cpu"), data.labels, other=data.other)
    recorder = Recorder(data, 1, share=1e6)
    fit(model, loader, 3, out=out, dataset=data, log_every=1, sample_every=2, callbacks=[recorder], progress=False)
    report(out)
    return out


def lab_sentences(browser: Browser, page: Path, loss: str) -> list[str]:
    """All that the lab says under a loss: for all data, at each of its moves, while it plays, with no data, and when
    its numbers have grown beyond all bounds."""
    browser.open(page, still=True)
    browser.wait("globalThis.page")
    said: dict[str, None] = {}

    def after(script: str, until: str = "true") -> None:
        browser.run(f"{script}; 0")
        browser.wait(until)
        said.update(dict.fromkeys(browser.run(SEEN)))

    def options(name: str) -> list[str]:
        return browser.run(f"[...document.querySelectorAll('#{name} option')].map((one) => one.value)")

    def press(name: str) -> str:
        return f"document.querySelector('#{name}').click()"

    browser.run(CHOOSE % (loss, "loss"))
    rests = "!page.player.gliding && page.player.frame === null"
    for data in options("chosen"):
        after(CHOOSE % (data, "chosen"))
        for move in ("stepD", "stepG", "whole", "again"):
            after(press(move), rests)
    for speed in options("speed"):
        after(CHOOSE % (speed, "speed"))
        for phase in ("D", "arrows", "G") if speed == "slow" else ("null",):
            after(f"page.player.playing || {SPACE}", f"page.player.phase === {phase!r}".replace("'null'", "null"))
        after(SPACE, rests)
    after("page.player.lab.losses.G = NaN; page.turn()")
    after(press("again"))
    for key in ("PageDown", "ArrowUp", "Enter", "Delete"):
        after(f"page.hand.key('{key}')")
    after(press("clear"))
    assert browser.errors == []
    return [re.sub(r"\s+", " ", text).strip() for text in said]


def sentences(browser: Browser, page: Path) -> list[str]:
    """All that the page says, each sentence once."""
    browser.open(page, still=True)
    said: dict[str, None] = {}

    def after(script: str) -> None:
        browser.run(f"{script}; 0")
        said.update(dict.fromkeys(browser.run(SEEN)))

    for view in browser.run("[...document.querySelectorAll('#tabs button')].map((tab) => tab.dataset.view)"):
        after(f"document.querySelector('#tabs [data-view={view}]').click()")
        for i in range(browser.run(f"{PRESSED}.length")):
            after(f"{PRESSED}[{i}]?.click()")
        for name in browser.run(STEPS):
            after(f"document.querySelector('[aria-label=step] [data-key={name}]').click()")
            _walk(browser, after)
        if view == "step" and not browser.run(STEPS):
            _walk(browser, after)
    assert browser.errors == []
    return [re.sub(r"\s+", " ", text).strip() for text in said]


def _walk(browser: Browser, after: Any) -> None:
    """Go through a step, then make its mistakes."""
    many = int(browser.text(".place").rpartition(" of ")[2])
    for place in range(0, many, -(-many // PLACES)):
        after(WALK % place)
    for press in (".clear", ".guard", ".clear", ".guard"):
        after(f"(one => one.checkVisibility() && one.click())(document.querySelector('{press}'))")
