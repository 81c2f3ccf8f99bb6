"""A picture of a view of a run's page, as the README shows it. It needs Chromium.

PYTHONPATH=tests python -m report.photograph runs/gan program examples/images/program.png --height 512 --press 46
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from PIL import Image
from report.browser import chromium

from tinygen.report import report


def main() -> None:
    """Write the page, open it at the view, press → so many times, and save what is below the tabs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("view")
    parser.add_argument("out", type=Path)
    parser.add_argument("--beside", type=Path, help="another run, to stand beside it")
    parser.add_argument("--width", type=int, default=1100)
    parser.add_argument("--height", type=int, default=900)
    parser.add_argument("--press", type=int, default=0, help="how often to press the right arrow; -2: twice the left")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, chromium(Path(folder)) as browser:
        runs = [options.run, *([options.beside] if options.beside else [])]
        page = report(*runs, out=Path(folder, "page.html"))
        browser.open(page, f"#{options.view}", width=options.width, height=options.height + 400)
        for _ in range(abs(options.press)):
            browser.key("ArrowRight" if options.press > 0 else "ArrowLeft")
        top = round(browser.run("document.querySelector('.panel').getBoundingClientRect().top"))
        picture = browser.picture()[top : top + options.height]
        rare_too = Image.Quantize.MAXCOVERAGE  # by their median, the few blocks of two kinds would get one colour
        Image.fromarray(picture).quantize(192, rare_too).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
