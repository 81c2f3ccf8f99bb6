"""What a notebook shows of a training while it runs, and of a run afterwards."""

import html
import re
import sys
import types
from xml.etree import ElementTree

import pytest
from train.tiny import Stream, Tiny

from tinygen import terminal
from tinygen.errors import RunError
from tinygen.models import Model
from tinygen.report import report
from tinygen.train import History, RunDirectory, fit
from tinygen.train import live as live_module


class Outputs(list):
    """The outputs of a cell. Each is the list of the pages that it showed, one after another."""

    def display(self, page, display_id):
        assert display_id is True
        self.append([page])
        return types.SimpleNamespace(update=self[-1].append)


@pytest.fixture
def notebook(monkeypatch):
    """A kernel, as far as tinygen asks for it."""
    outputs = Outputs()
    shell = types.SimpleNamespace(kernel=object(), config={})
    for name, contents in {
        "IPython": {"get_ipython": lambda: shell, "version_info": (9, 0)},  # Matplotlib asks for the latter
        "IPython.display": {"HTML": str, "display": outputs.display},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    return outputs


def images_of(page):
    return [image.get("alt") for image in ElementTree.fromstring(close_images(page)).iter("img")]


def close_images(page):
    return re.sub(r"(<img [^>]*)>", r"\1/>", page)


def test_a_cell_shows_samples_and_curves_which_replace_those_before(notebook, monkeypatch):
    monkeypatch.setattr(live_module, "SHARE", float("inf"))  # a machine that takes no time to draw
    fit(Tiny(), Stream(), 4, log_every=2)
    (pages,) = notebook
    assert len(pages) == 4, "after steps 1, 2 and 4, and at the end"
    assert images_of(pages[0]) == ["samples", "curves"]
    assert len(set(pages)) > 2


def test_drawing_takes_a_small_share_of_the_time(notebook, monkeypatch):
    monkeypatch.setattr(live_module, "SHARE", 1e-9)
    fit(Tiny(), Stream(), 6, log_every=1)
    (pages,) = notebook
    assert len(pages) == 2, "the first logged step, and the end"


def test_what_is_learnt_does_not_depend_on_being_shown(notebook, monkeypatch):
    def weights():
        model = Tiny()
        fit(model, Stream(), 3, log_every=1)
        return model.w.tobytes(), model.noise.state

    shown = weights()
    monkeypatch.setattr(terminal, "in_notebook", lambda: False)
    assert shown == weights()


def test_a_model_without_samples_shows_its_curves(notebook):
    class Unseen(Tiny):
        preview = Model.preview

    fit(Unseen(), Stream(), 2, log_every=1)
    assert images_of(notebook[0][-1]) == ["curves"]


def test_a_quiet_training_shows_nothing(notebook):
    fit(Tiny(), Stream(), 2, progress=False)
    assert notebook == []


def test_ipython_at_a_terminal_is_no_notebook(notebook, monkeypatch):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: types.SimpleNamespace())
    assert not terminal.in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert not terminal.in_notebook()


@pytest.fixture
def run(tmp_path):
    fit(Tiny(), Stream(), 4, out=tmp_path / "run", log_every=2, progress=False)
    return tmp_path / "run"


def test_a_run_shows_its_pictures_and_its_numbers(run):
    page = RunDirectory(run)._repr_html_()
    assert images_of(page)[-1] == "curves"
    rows = [[cell.text for cell in row] for row in ElementTree.fromstring(close_images(page)).iter("tr")]
    losses = RunDirectory(run).read_metrics()
    assert ["loss", f"{losses[0]['loss']:.4g}", f"{losses[-1]['loss']:.4g}"] in rows


def test_a_directory_without_a_run_is_named(tmp_path):
    with pytest.raises(RunError, match=r"config\.json"):
        RunDirectory(tmp_path)._repr_html_()


def test_a_history_is_a_table_and_says_where_the_run_is(run):
    history = History([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 1.5}], 2, run)
    root = ElementTree.fromstring(history._repr_html_())
    assert root.find("p").text == repr(history)
    assert [[cell.text for cell in row] for row in root.iter("tr")] == [
        [None, "first", "last"],
        ["step", "1", "2"],
        ["loss", "3", "1.5"],
    ]


def test_a_report_is_a_path_that_shows_the_page_in_a_frame(run):
    page = report(run)
    assert page == run / "report.html" and page.parent == run
    frame = page._repr_html_()
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1]) == page.read_text()
    assert 'sandbox="allow-scripts"' in frame
