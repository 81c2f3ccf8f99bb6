"""Make the notebooks of this folder, with outputs: of the lessons, of quickstart.py and of the course's assignments.

    pip install -e ".[notebooks]"
    python examples/notebooks/make.py                 # all of them, some twenty minutes of two cores
    python examples/notebooks/make.py 01 quickstart   # those whose names begin so

A lesson stays a script, which is what tests run and a diff shows. Its notebook adds a cell that installs tinygen where
it is missing, and shows the pictures that the script only writes to a file. The notebook of an assignment is a place to
work from: what is graded stays a .py file.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tinygen.course.masters import Master, masters
from tinygen.course.pieces import own_variant, with_variant

HERE = Path(__file__).parent
SCRIPTS = [*sorted(HERE.parent.glob("lessons/*.py")), HERE / "quickstart.py"]
HOME = "https://github.com/tinygen/tinygen"
WRITTEN = re.compile(r'viz\.save_grid\(.*"(lessons_out/[\w.]+)"')
CELL = re.compile(r"/\S*ipykernel_\d+/\d+\.py")  # where a kernel keeps a cell's code
STUDENT = "ada"  # whose form of an assignment is shown
HIDDEN = "hidden"  # the id of a cell that is run, and not kept
INSTALL = f"""\
try:
    import tinygen
except ImportError:  # in Colab, for example
    %pip install -q git+{HOME}"""
PICTURES = """\
from IPython.display import SVG, Image, display

pictures = !tinygen course run {name}
for picture in pictures:
    print(picture)
    if picture.endswith(".svg"):
        display(SVG(picture))
    elif picture.endswith((".png", ".gif")):
        display(Image(picture))"""


def notebooks() -> Iterator[tuple[Path, Any]]:
    """The path of each notebook, and what makes it, without outputs."""
    for script in SCRIPTS:
        yield HERE / f"{script.stem}.ipynb", partial(of_script, script)
    for master in masters(HERE.parent / "course"):
        yield HERE / "course" / f"{master.folder.name}.ipynb", partial(of_assignment, master)


def of_script(script: Path) -> Any:
    """The notebook of a script of percent cells."""
    import jupytext

    title, *cells = jupytext.reads(script.read_text(encoding="utf-8"), fmt="py:percent").cells
    return _notebook(f"{script.stem}.ipynb", title.source, [_showing(cell) for cell in cells])


def of_assignment(master: Master) -> Any:
    """The notebook of an assignment: the handout, and cells that begin it, check it and draw its picture.

    Below a hidden cell that puts the solution in place, the outputs are those of a right answer.
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell

    name, student = master.name, STUDENT if master.variants else ""
    source = with_variant(master.source, own_variant(student, name, master.variants))
    solved = {f"{name}/{name}.py": source.encode()}
    solved |= {f"{name}/{file}": data for file, data in master.hand_in(student).items()}
    place = f"from pathlib import Path\nfor file, data in {solved!r}.items():\n    Path(file).write_bytes(data)"
    graded = f"What you write goes into `{name}/{name}.py`: that file is checked and graded, and not this notebook."
    right = "Check again whenever you have changed the file. The outputs below are those of a right answer."
    differs = f" Students have different ones: write your own id for `{student}`." if student else ""
    cells = [
        new_markdown_cell(f"## Begin\n\n{graded} Open it beside this page.{differs}"),
        new_code_cell(f"!tinygen course new {master.number}" + (f" --student {student}" if student else "")),
        new_code_cell(f'from IPython.display import Code\n\nCode("{name}/{name}.py")'),
        new_markdown_cell("## Check\n\nThe public checks, of a file in which nothing is written yet:"),
        new_code_cell(f"!tinygen course check {name}"),
        new_code_cell(place, id=HIDDEN),
        new_markdown_cell(right),
        new_code_cell(f"!tinygen course check {name}"),
        new_markdown_cell("## The picture"),
        new_code_cell(PICTURES.format(name=name)),
        new_markdown_cell("## Hand in"),
        new_code_cell(f"!tinygen course pack {name} --out {name}.zip"),
    ]
    return _notebook(f"course/{master.folder.name}.ipynb", master.handout(), cells)


def _notebook(path: str, title: str, cells: list[Any]) -> Any:
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    cells = [new_markdown_cell(f"{title}\n\n{badges(path)}"), new_code_cell(INSTALL), *cells]
    for i, cell in enumerate(cells):
        cell.metadata = {}
        if cell.id != HIDDEN:
            cell.id = f"cell-{i}"
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return new_notebook(cells=cells, metadata=kernel)


def badges(path: str) -> str:
    """Links that open a notebook of this folder in Colab and in Binder."""
    path, name = f"examples/notebooks/{path}", HOME.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{name}/blob/main/{path}"
    binder = f"https://mybinder.org/v2/gh/{name}/main?labpath={path}"
    return (
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}) "
        f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({binder})"
    )


def _showing(cell: Any) -> Any:
    """The cell, which then displays the grids of images that it writes: they are no figures, which show themselves."""
    if cell.cell_type == "code" and (paths := WRITTEN.findall(cell.source)):
        cell.source += "\n\nfrom IPython.display import Image\n"
        cell.source += "".join(f'\nImage("{path}")' for path in paths)
    return cell


def run(notebook: Any) -> Any:
    """The notebook with its outputs, in few bytes: no progress bars, text in one piece, pictures of 64 colours."""
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": folder}}).execute()
    notebook.cells = [cell for cell in notebook.cells if cell.id != HIDDEN]
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = _small(cell.outputs)
    return notebook


def _small(outputs: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            output.text = CELL.sub("cell.py", output.text)
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        elif "<iframe" in output.get("data", {}).get("text/html", ""):  # a whole report: it shows when the cell is run
            del output.data["text/html"]
        output.get("data", {}).pop("text/latex", None)
        for kind in {"image/png", "image/gif"} & set(output.get("data", {})):
            output.data["image/png"] = _few_colours(output.data.pop(kind))
        kept.append(output)
    return kept


def _few_colours(image: str) -> str:
    """A picture, or the last frame of a film, as a small PNG."""
    from PIL import Image

    small = io.BytesIO()
    with Image.open(io.BytesIO(b64decode(image))) as opened:
        opened.seek(getattr(opened, "n_frames", 1) - 1)
        opened.convert("RGB").quantize(64).save(small, format="PNG", optimize=True)
    return b64encode(small.getvalue()).decode()


def main(names: list[str]) -> None:
    import nbformat

    for path, make in notebooks():
        if not names or path.stem.startswith(tuple(names)):
            path.parent.mkdir(exist_ok=True)
            nbformat.write(run(make()), path)
            print(f"{path.relative_to(HERE)}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
