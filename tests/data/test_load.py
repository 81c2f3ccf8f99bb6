"""Data sets are found by name; the error for a mistyped name suggests the nearest."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinygen.data import DATASETS, load
from tinygen.errors import ConfigError, DataError


def test_the_table_has_them_all_in_a_line_each():
    names = ["digits", "mnist", "fashion", "folder:PATH", "sixfactors", "stacked", "smiles", "negatives", "outlines"]
    names += ["ring8", "grid25", "swissroll", "grammar"]
    assert list(DATASETS) == names
    for entry in DATASETS.values():
        assert 10 < len(entry.about) < 100 and "\n" not in entry.about


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("digit", "digits"), ("MNIST", "mnist"), ("fashon", "fashion"), ("ring", "ring8"), ("folder", "folder:PATH")],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, nearest):
    with pytest.raises(
        DataError, match=rf"there is no data set '{name}' \(did you mean '{nearest}'\?\); there are digits, mnist"
    ):
        load(name)


def test_an_unknown_name_like_no_other_is_answered_with_the_list():
    with pytest.raises(DataError, match=r"there is no data set 'cats'; there are digits, .*grammar$"):
        load("cats")


def test_a_bare_folder_is_answered_with_how_to_write_it(tmp_path):
    with pytest.raises(DataError, match=f"write folder:{tmp_path}"):
        load(str(tmp_path))


def test_an_unknown_option_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'size'; it takes none; it would have no effect here, and is for folder"):
        load("digits", size=3)
    with pytest.raises(ConfigError, match="ring8: no option 'size'; it takes train, test, seed"):
        load("ring8", size=3)
    with pytest.raises(ConfigError, match="folder: no option 'path'; it takes size, channels"):
        load(f"folder:{tmp_path}", path="elsewhere")


def test_a_data_set_says_what_it_is():
    assert str(load("digits")) == "digits: 9,000 to train and 1,000 to test, each (28, 28, 1) uint8, 10 labels"
    assert str(load("swissroll", train=10, test=0)) == (
        "swissroll: 10 to train and 0 to test, each (2,) float32, no labels"
    )
    assert "array" not in repr(load("digits"))


def test_importing_it_loads_nothing_slow():
    program = (
        "import sys, tinygen.data; print([m for m in ('PIL', 'tqdm', 'urllib.request', 'ssl') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "kind"),
    [(np.zeros((4, 2)), r"an array of shape \(4, 2\)"), (["a.png"], "a list"), (Path("photos"), "a PosixPath|a Wind")],
)
def test_what_is_no_name_is_answered_with_what_to_write(name, kind):
    with pytest.raises(DataError, match=rf'load: the name .* is ({kind}), but it must be a str .*"folder:PATH"'):
        load(name)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "folder:", ":", ""])
def test_names_that_are_no_paths_are_unknown(name):
    with pytest.raises(DataError, match="there is no data set"):
        load(name)
