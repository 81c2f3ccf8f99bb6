"""Cut what ships from the masters: stubs, handouts and public checks, into tinygen/course/pieces.

python examples/course/cut.py, after every change to a master; a test fails until it was run.
"""

from pathlib import Path

from tinygen.course.masters import masters
from tinygen.course.pieces import FOLDER

for master in masters(Path(__file__).parent):
    master.cut(FOLDER / master.folder.name)
    print(FOLDER / master.folder.name)
