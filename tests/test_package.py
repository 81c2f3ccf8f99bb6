"""What `import tinygen` gives, and what it leaves until it is asked for."""

import ast
import importlib
import inspect
import pkgutil
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tinygen as tg
from tinygen.gradcheck import GradcheckReport


def test_what_is_needed_later_is_imported_later():
    code = (
        "import sys, tinygen as tg\n"
        "rooms = ('data', 'export', 'graph', 'inside', 'metrics', 'models', 'report', 'train', 'viz')\n"
        "late = {'matplotlib', *(f'tinygen.{room}' for room in rooms)}\n"
        "assert not late & sys.modules.keys()\n"
        "assert {'tensor', 'fit', 'load', *rooms} <= set(dir(tg))\n"
        "assert all(getattr(tg, room) is sys.modules[f'tinygen.{room}'] for room in rooms)\n"
        "assert tg.fit is tg.train.fit and tg.load is tg.train.load and 'onnx' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'tinygen' has no attribute 'tensr'"):
        _ = tg.tensr


def test_every_name_is_there():
    assert all(hasattr(tg, name) for name in dir(tg))
    assert tg.report.__name__ == "tinygen.report"


def test_every_package_says_what_it_hands_on():
    packages = [m.name for m in pkgutil.walk_packages(tg.__path__, "tinygen.") if m.ispkg]
    assert len(packages) > 10
    for package in map(importlib.import_module, packages):
        assert dir(package) == sorted(package.__all__) and all(hasattr(package, x) for x in package.__all__)


def public_modules():
    """tinygen and the modules that it shows, by the name that a user writes."""
    shown = {f"tg.{name}": getattr(tg, name) for name in tg.__all__}
    return {"tg": tg, **{name: value for name, value in shown.items() if isinstance(value, ModuleType)}}


@pytest.mark.parametrize("name", public_modules())
def test_dir_shows_what_is_public_and_nothing_else(name):
    module = public_modules()[name]
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, public) and not public.startswith("_") for public in module.__all__)
    assert name == "tg" or not [x for x in module.__all__ if isinstance(getattr(module, x), ModuleType)]


@pytest.mark.parametrize("name", public_modules())
def test_what_is_public_is_documented(name):
    module = public_modules()[name]
    values = {x: getattr(module, x) for x in module.__all__}
    code = {x: value for x, value in values.items() if inspect.isclass(value) or inspect.isroutine(value)}
    assert module.__doc__ and not [x for x, value in code.items() if not value.__doc__ or _is_made_up(value)]


def _is_made_up(value):
    """Whether its docstring is the signature that dataclass() and NamedTuple write, or the base class's."""
    if not inspect.isclass(value):
        return False
    return "__doc__" not in vars(value) or value.__doc__.startswith(f"{value.__name__}(")


def test_the_overview_names_all_that_is_there():
    assert set(tg.__all__) <= set(re.findall(r"\w+", tg.__doc__))
    text = pydoc.plain(pydoc.render_doc(tg))
    assert text.index("Networks\n") < text.index("CLASSES") and "class Tensor(" in text and "\n    fit(model" in text


def written_for_users():
    """The Python of the README and of docs/, and the examples, but for the course's, which put a student's functions
    into tinygen."""
    root = Path(__file__).parents[1]
    pages = [path.read_text(encoding="utf-8") for path in (root / "README.md", *sorted((root / "docs").rglob("*.md")))]
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", "\n".join(pages), re.DOTALL))
    written = [path for path in sorted((root / "examples").rglob("*.py")) if "course" not in path.parts]
    scripts = [path.read_text(encoding="utf-8") for path in written]
    return [blocks, *scripts]


def test_what_the_readme_and_the_examples_use_is_public():
    used = {name for text in written_for_users() for name in _used(ast.parse(text))}
    assert len(used) > 60
    for name in used:
        value = tg
        for part in name.split("."):
            assert not isinstance(value, ModuleType) or part in value.__all__, f"tg.{name} is not public"
            value = getattr(value, part)


def _used(tree):
    """The names under tinygen that a script uses: "ops.tanh" of tg.ops.tanh, or of an import from tinygen.ops."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (found := re.match(r"tg\.([\w.]+)$", ast.unparse(node))):
            yield found[1]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tinygen":
            module = node.module.partition(".")[2]
            if not module or module in tg.__all__:
                yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


def two_layers():
    return tg.layers.Sequential(tg.layers.Dense(2, 3), tg.layers.Dense(3, 1)).parameters()


POINTS = np.zeros((12, 2), np.float32)
REPRS = {
    "Adam(4 tensors, lr=0.001, betas=(0.9, 0.999), eps=1e-08)": lambda: tg.optim.Adam(two_layers()),
    "SGD(4 tensors, lr=0.1, momentum=0.0, nesterov=False, clip_norm=1.0)": lambda: tg.optim.SGD(
        two_layers(), 0.1, clip_norm=1
    ),
    "RMSprop(1 tensor, lr=a schedule, alpha=0.99, eps=1e-08)": lambda: tg.optim.RMSprop(
        two_layers()[:1], tg.optim.cosine_decay(0.1, 10)
    ),
    "GANLoss('hinge': D lowers max(0, 1 − r) + max(0, 1 + s), G lowers −s)": lambda: tg.losses.GAN_LOSSES["hinge"],
    "Dataset(digits: 9,000 to train and 1,000 to test, each (28, 28, 1) uint8, 10 labels)": lambda: tg.data.load(
        "digits"
    ),
    "Modes(8 centres, std=0.01)": lambda: tg.data.load("ring8", train=10, test=10).modes,
    "Loader(12 examples (2,) float32 with labels, batch=4)": lambda: tg.data.Loader(
        POINTS, 4, None, labels=np.arange(12)
    ),
    "Compose(Flip(p=0.5), Shift(pixels=2, fill=-1.0))": lambda: tg.data.Compose(tg.data.Flip(), tg.data.Shift()),
    "RunDirectory('runs/gan')": lambda: tg.train.RunDirectory("runs/gan"),
    "History(1 row of step, loss, to step 3, in runs/gan)": lambda: tg.train.History(
        [{"step": 3, "loss": 1.5}], 3, Path("runs/gan")
    ),
    "EarlyStopping(metric='loss', patience=5, min_delta=0.0, restore_best=False)": lambda: tg.train.EarlyStopping(
        "loss", 5
    ),
    "EMA(decay=0.99)": lambda: tg.train.EMA(0.99),
    "Recording(3 steps from 0 to 2, 2 arrays)": lambda: tg.inside.Recording({"step": np.arange(3), "z": POINTS}, {}),
    "Generator(seed=3, name='noise', device='cpu')": lambda: tg.Generator(3, "noise", "cpu"),
    "GradcheckReport(3 comparisons agree, relative error 0.0e+00)": lambda: GradcheckReport(3),
}


@pytest.mark.parametrize("text", REPRS)
def test_a_repr_says_in_a_line_what_it_is(text):
    assert repr(REPRS[text]()) == text
