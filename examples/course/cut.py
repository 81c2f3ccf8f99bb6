"""Cut what ships from the masters: stubs, handouts and public checks, into tinygen/course/pieces.

python examples/course/cut.py, after every change to a master; a test fails until it was run.
"""

from pathlib import Path

from tinygen.course.masters import masters

for master in masters(Path(__file__).parent):
    for file, text in master.cuttings().items():
        (master.piece.folder / file).write_text(text, encoding="utf-8")
        print(master.piece.folder / file)
