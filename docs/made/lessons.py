"""A page for each lesson, of the cells of its script, and the table of them."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples" / "lessons"
SCRIPTS = sorted(FOLDER.glob("*.py"))
README = (FOLDER / "README.md").read_text(encoding="utf-8")
SAID = {name: text for text, name in re.findall(r"!\[(.*?)\]\(images/(.*?)\)", README)}  # of pictures, in the table


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    index = {"lessons/index.md": linked(README)}
    return index | {f"lessons/{path.stem}.md": lesson(path) for path in SCRIPTS}


def lesson(path: Path) -> str:
    """A lesson's cells: text as it is, code in blocks, each followed by the pictures that it draws."""
    parts = []
    for cell in re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
        kind, _, body = cell.partition("\n")
        if kind:
            parts.append(linked(re.sub(r"^# ?", "", body, flags=re.M)))
        else:
            parts.append(f"```python\n{body.strip()}\n```")
            parts += [picture(name) for name in re.findall(r'"lessons_out/([\w.]+)"', body)]
    parts.insert(1, f"*The script: [{path.name}]({path.name}). `python {path.name}` runs it.*")
    return "\n\n".join(parts)


def picture(name: str) -> str:
    """A picture of a lesson, with what the table says of it, or else its name in words."""
    return f"![{SAID.get(name, name[3:-4].replace('_', ' '))}](images/{name})"


def linked(text: str) -> str:
    """The text with links to the pages of lessons in place of those to their scripts."""
    return re.sub(r"\((\d\d_\w+)\.py\)", r"(\1.md)", text)
