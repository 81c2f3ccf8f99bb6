"""The site is built without a warning, has a page for everything, and fetches nothing from the network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report.browser import CHROMIUM, chromium

import tinygen as tg

pytest.importorskip("material")
pytest.importorskip("mkdocstrings_handlers.python")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as the command builds it: a link or an anchor that leads nowhere is a warning, and so an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return folder


def test_everything_has_a_page(site):
    lessons = [path.stem for path in (ROOT / "examples" / "lessons").glob("*.py")]
    models = {kind.__module__.rpartition(".")[2] for kind in tg.models.MODELS.values()}
    rooms = ["tg", "ops", "layers", "losses", "optim", "models", "data", "metrics", "train", "report", "viz", "graph"]
    rooms += ["export", "estimators"]
    pages = [f"lessons/{x}" for x in lessons] + [f"models/{x}" for x in models] + [f"api/{x}" for x in rooms]
    for page in [*pages, "index", "start", "zh/start", "gallery", "play", "report"]:
        assert (site / f"{page}.html").stat().st_size > 2000, page


def test_a_lesson_has_its_pictures_and_a_model_its_settings(site):
    lesson, model = (site / f"{page}.html" for page in ("lessons/13_when_gans_fail", "models/wgangp"))
    assert '<img alt="slopes" src="images/13_slopes.png"' in lesson.read_text(encoding="utf-8")
    assert "the learning rate of G" in model.read_text(encoding="utf-8")


def test_every_public_name_is_in_the_reference(site):
    for room in [name for name in tg.__all__ if isinstance(getattr(tg, name), type(tg))]:
        text = (site / "api" / f"{room}.html").read_text(encoding="utf-8")
        assert not [name for name in getattr(tg, room).__all__ if f"tg.{room}.{name}" not in text]


class Addresses(HTMLParser):
    """What a page loads, and where its links lead."""

    def __init__(self, page: Path):
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "srcset", "href", "data", "poster") and value:
                (self.linked if tag == "a" else self.loaded).append(value)


def test_no_page_fetches_from_the_network(site):
    pages = {path: Addresses(path) for path in site.rglob("*.html")}
    assert not [(path.name, x) for path, page in pages.items() for x in page.loaded if re.match("https?:|//", x)]
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", styles)
    print("leads outside:", *sorted({x for page in pages.values() for x in page.linked if x.startswith("http")}))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1400])
def test_a_browser_shows_it_from_the_disk(site, tmp_path, width, dark):
    with chromium(tmp_path) as browser:
        for page in ("index", "lessons/09_gan_game", "models/vae", "api/layers", "how/trouble", "zh/start"):
            browser.open(site / f"{page}.html", width=width, dark=dark, drawn="article h1")
            assert browser.run("document.documentElement.scrollWidth") <= width, page
            assert browser.run("document.body.dataset.mdColorScheme") == ("slate" if dark else "default")
            assert not browser.errors


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_searches_without_a_server(site, tmp_path):
    with chromium(tmp_path) as browser:
        browser.open(site / "index.html", width=1400, drawn=".md-search__input")
        browser.run("document.querySelector('.md-search__input').focus()")
        for letter in "wasserstein":
            browser.key(letter)
        browser.wait("document.querySelector('.md-search-result__item a[href*=\"12_wasserstein\"]')")
        assert not browser.errors
