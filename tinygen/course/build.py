"""A zip file for Gradescope: setup.sh, run_autograder, tinygen, the masters of some pieces, and the course's secret."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..files import replace_file, writing
from .masters import Master

PACKAGE = Path(__file__).parents[1]

SETUP = """#!/usr/bin/env bash
set -euo pipefail
root=${AUTOGRADER:-/autograder}
if ! python3 -c "import ensurepip" 2> /dev/null; then apt-get update -q && apt-get install -y -q python3-venv; fi
python3 -m venv "$root/venv"
"$root/venv/bin/pip" install -q "numpy>=2.0"
chmod -R go-rwx "$root/source"
"""
RUN = """#!/usr/bin/env bash
root=${AUTOGRADER:-/autograder}
cd "$root"
PYTHONPATH=$root/source "$root/venv/bin/python" -m tinygen course grade submission --one submission_metadata.json \\
    --masters source/masters --secret source/secret --format gradescope --out results/results.json
"""


def build(masters: Sequence[Master], secret: str, path: Path) -> None:
    """Write the zip file. Its files carry no times, so that the same course gives the same bytes.

    Raises RunError if it can't be written.
    """
    with (
        writing(path),
        replace_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, data, executable in _members(masters, secret):
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o100755 if executable else 0o100644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, data)


def _members(masters: Sequence[Master], secret: str) -> Iterator[tuple[str, bytes, bool]]:
    yield "setup.sh", SETUP.encode(), True
    yield "run_autograder", RUN.encode(), True
    yield "secret", secret.encode(), False
    for folder, place in [
        (PACKAGE, "tinygen"),
        *((master.folder, f"masters/{master.folder.name}") for master in masters),
    ]:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield f"{place}/{file.relative_to(folder).as_posix()}", file.read_bytes(), False
