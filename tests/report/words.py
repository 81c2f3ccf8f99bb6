"""Every sentence of a run's page, as somebody reads or hears it who presses every button."""

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
NOT_PROSE = "#head p.quiet, pre, code, td, .code, .under, .tape, .map, .instructions, p:has(> code:first-child)"
SEEN = f"""[...document.querySelectorAll("#head *, #missing *, main *")].filter((one) => !one.closest("{NOT_PROSE}"))
    .flatMap((one) => [
        one.matches("p, li, h1, h2, h3, h4, th, summary, button, span, small, figcaption") ? one.textContent : "",
        ...["aria-label", "aria-valuetext", "title", "alt", "placeholder"].map((name) => one.getAttribute(name)),
    ].filter(Boolean))"""
PRESSED = "[...document.querySelectorAll('main .row > button')].filter((one) => one.checkVisibility())"
STEPS = "[...document.querySelectorAll('[aria-label=step] button')].map((one) => one.dataset.key)"
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
