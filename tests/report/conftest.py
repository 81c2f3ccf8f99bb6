"""Runs and a browser that the tests of the report share."""

import pytest
from report.browser import CHROMIUM, chromium
from report.runs import make

from tinygen.report import report


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A function that gives the directory of a recorded run, by its name in RUNS; each is trained once."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def recorded(name):
        if name not in made:
            made[name] = make(name, folder / name)
            (made[name] / "events.jsonl").write_text(
                '{"step": 4, "name": "D saturated", "seen": "it told <all> apart", "remedy": "less of it"}\n'
            )
            report(made[name])
        return made[name]

    return recorded


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(one_browser):
    """The browser, which leaves its page after the test: a page that plays would slow down the tests after it."""
    yield one_browser
    one_browser.leave()
