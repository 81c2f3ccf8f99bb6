"""The pages in docs/, which can be hosted as they are: the report of a GAN's run, and the GAN to play with.

The run is that of `tinygen train gan`, with its defaults; nothing is selected.

    python examples/sample_pages.py                    the pages in docs/, in three to five minutes
    python examples/sample_pages.py --steps 200 --out /tmp/pages
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tinygen</title>
<style>body { font: 18px/1.6 system-ui, sans-serif; max-width: 42em; margin: 3em auto; padding: 0 1em; }</style>
</head>
<body>
<main>
<h1>tinygen</h1>
<p>A reverse-mode autodiff framework written from scratch, and on it the autoencoders, VAEs and GANs of the field.</p>
<ul>
<li><a href="report.html">What happened inside a GAN</a>: the report of <code>tinygen train gan</code></li>
<li><a href="play.html">A GAN to play with</a>: it learns live in your browser</li>
</ul>
</main>
</body>
</html>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5000, help="steps of the run (5,000)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs", help="the folder (docs)")
    args = parser.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.html").write_text(INDEX)
    with TemporaryDirectory() as folder:  # the report is named after its run: a short, relative path
        tinygen(folder, "train", "gan", "--steps", str(args.steps))
        tinygen(folder, "report", "runs/gan", "--out", str(out / "report.html"))
    tinygen(".", "play", "--out", str(out / "play.html"))


def tinygen(folder: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tinygen", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    main()
