"""axe-core finds what keeps people out of a page: https://github.com/dequelabs/axe-core. It comes in a package for
Playwright, which itself isn't needed: pip install --no-deps axe-playwright-python."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from report.browser import Browser

FEW_ROWS = '{ exclude: ".instructions > div:nth-of-type(n + 20)" }'
RUN = f"""axe.run({FEW_ROWS}, {{ resultTypes: ["violations"] }}).then(({{ violations }}) =>
    violations.flatMap(({{ id, help, nodes }}) => nodes.map(({{ html, any, all, none }}) =>
        `${{id}}: ${{[...any, ...all, ...none][0]?.message ?? help}}: ${{html}}`)))"""


def load(browser: Browser) -> None:
    """Give axe to the page in a browser."""
    package = find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("there is no axe: pip install --no-deps axe-playwright-python")
    browser.run(Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8") + "; 0")


def findings(browser: Browser) -> list[str]:
    """What breaks one of axe's rules in what is shown now; all rules apply, those of good practice too.

    Of the rows of a program, which are all alike, axe gets the first ones: for hundreds it takes seconds.
    """
    return browser.run(RUN)
