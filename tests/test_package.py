"""What `import tinygen` gives, and what it leaves until it is asked for."""

import subprocess
import sys

import pytest

import tinygen as tg


def test_what_is_needed_later_is_imported_later():
    code = (
        "import sys, tinygen as tg\n"
        "rooms = ('data', 'metrics', 'models', 'report', 'train', 'viz')\n"
        "assert not {f'tinygen.{room}' for room in rooms} & sys.modules.keys() and 'matplotlib' not in sys.modules\n"
        "assert {'tensor', 'fit', 'load', *rooms} <= set(dir(tg))\n"
        "assert all(getattr(tg, room) is sys.modules[f'tinygen.{room}'] for room in rooms)\n"
        "assert tg.fit is tg.train.fit and tg.load is tg.train.load"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'tinygen' has no attribute 'tensr'"):
        _ = tg.tensr


def test_every_name_is_there():
    assert all(hasattr(tg, name) for name in dir(tg))
    assert tg.report.__name__ == "tinygen.report"
