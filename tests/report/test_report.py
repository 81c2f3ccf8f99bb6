"""The file that a report is, without a browser: what is in it, what is not, and what is refused."""

import base64
import json
import re
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from report.runs import copy

import tinygen as tg
from tinygen import report as package
from tinygen.cli import main
from tinygen.data import Dataset
from tinygen.errors import ConfigError, RunError
from tinygen.inside import Recorder, Recording
from tinygen.models import GAN, VAE, GANConfig
from tinygen.report import report
from tinygen.report.embed import embed_array, to_script
from tinygen.report.gather import gather, thin
from tinygen.report.page import fill, script
from tinygen.train import checkpoint, fit

HERE = Path(package.__file__).parent


def embedded(page):
    """The data in a page."""
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.S)[1]
    return json.loads(text)


def decoded(array):
    return np.frombuffer(base64.b64decode(array["base64"]), array["dtype"]).reshape(array["shape"])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float16", "float32", "float64", "int64"])
def test_an_array_comes_back(dtype):
    x = np.arange(-6 if np.dtype(dtype).kind != "u" else 0, 6).astype(dtype)[::2].reshape(-1, 1)
    np.testing.assert_array_equal(decoded(embed_array(x)), x)


def test_numbers_that_json_has_not_are_null_and_text_stays_inside_of_its_element():
    value = {"loss": [1.5, float("nan"), float("-inf")], "seen": "</script><b>ø"}
    text = to_script(value)
    assert "<" not in text
    assert json.loads(text) == {"loss": [1.5, None, None], "seen": "</script><b>ø"}


@pytest.mark.parametrize("name", ["gan", "vae", "ring8"])
def test_a_page_holds_the_recording_and_the_metrics(recorded, name):
    run = recorded(name)
    data, recording = embedded(run / "report.html"), Recording.load(run)
    (shown,) = data["runs"]
    arrays = {key: decoded(array) for key, array in shown["recording"]["arrays"].items()}
    assert arrays.keys() == recording.arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, recording[key])
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for key, column in shown["metrics"].items():
        np.testing.assert_allclose(decoded(column), [row.get(key, np.nan) for row in rows], rtol=1e-6)
    assert shown["events"] == [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert shown["model"] == recording.facts["model"] and "latent_dim" in shown["changed"]


def test_a_page_needs_nothing_else(recorded):
    page = (recorded("gan") / "report.html").read_text()
    assert len(page) < 8e6
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)""", page) == []
    assert set(re.findall(r"https?://[^\s\"')]*", page)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(import|export)\b.*\bfrom\b|fetch\(|@import|XMLHttpRequest|{{", page)


def test_a_run_without_a_recording_has_curves_and_pictures(recorded, tmp_path):
    run = copy(recorded("gan"), tmp_path / "old", "recording*")
    (shown,) = embedded(report(run))["runs"]
    assert shown["recording"] is None
    assert list(shown["pictures"]) == ["0", "4", "8"]
    picture = base64.b64decode(shown["pictures"]["4"].partition(",")[2])
    assert picture == (run / "samples" / "step_000004.png").read_bytes()


def test_a_run_without_a_recording_says_what_is_missing(recorded, tmp_path):
    (shown,) = embedded(report(copy(recorded("gan"), tmp_path / "old", "recording*")))["runs"]
    step, program, inside = shown["missing"]
    assert (step["view"], program["view"]) == ("step", "program") and step["why"] == program["why"]
    assert "its checkpoints are gone" in step["why"]
    assert "--record none" in inside["why"] and "Recorder" in inside["why"]


def test_what_the_recorder_could_not_see_is_said(recorded, tmp_path):
    run = copy(recorded("vae"), tmp_path / "less")
    refacted(run, missing=[["latents", "the model has no encoder; write latents()."]])
    assert gather(run, 10**7)["missing"][2:] == [
        {"view": "latents", "why": "the model has no encoder; write latents()."}
    ]


@pytest.mark.parametrize("name, view", [("gan", "pixels"), ("ring8", "field")])
def test_a_loss_that_nobody_knows_is_never_taken_for_another(recorded, tmp_path, name, view):
    run = copy(recorded(name), tmp_path / "unknown")
    refacted(run, "game", loss="squid")
    found = gather(run, 10**7)
    assert found["losses"] == {} and found["missing"][-1]["view"] == view and "'squid'" in found["missing"][-1]["why"]


def refacted(run, *without, **facts):
    """Give a run's recording other facts."""
    recording = Recording.load(run)
    kept = {name: fact for name, fact in recording.facts.items() if name not in without}
    checkpoint.save(run / "recording.safetensors", recording.arrays, kept | facts)


def test_a_model_that_plays_no_game_lacks_nothing(recorded):
    assert gather(recorded("vae"), 10**7)["missing"] == gather(recorded("gan"), 10**7)["missing"] == []


POINTS = Dataset("own", np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32), np.zeros((4, 2), np.float32))


class Mine(GAN):
    """A GAN of one's own."""


def test_a_model_of_ones_own_is_followed_once_its_class_is_given(tmp_path):
    gan = Mine(GANConfig((2,), latent_dim=2, g_hidden=(4,), d_hidden=(4,)))
    fit(gan, POINTS, 2, out=tmp_path, callbacks=[Recorder(POINTS, 1)], progress=False)
    (shown,) = embedded(report(tmp_path))["runs"]
    assert shown["follow"] is None and shown["about"] == "" and shown["changed"] == []
    assert shown["missing"][0]["view"] == "step"
    assert f"tinygen.report.report({str(tmp_path)!r}, model=Mine)" in shown["missing"][0]["why"]
    for given in (Mine, gan, [Mine]):
        (shown,) = embedded(report(tmp_path, model=given))["runs"]
        assert len(shown["follow"]["steps"]) == 2 and shown["missing"] == []
        assert shown["about"] == "A GAN of one's own." and "latent_dim" in shown["changed"]
    (shown,) = embedded(report(tmp_path, model=VAE))["runs"]
    assert shown["follow"] is None and "tinygen.models.vae:VAE was given" in shown["missing"][0]["why"]
    assert f"the run is of {Mine.__module__}:Mine" in shown["missing"][0]["why"] and shown["about"] == ""


class Sized(Mine):
    """A GAN that is built of a width."""

    def __init__(self, width):
        super().__init__(GANConfig((2,), latent_dim=2, g_hidden=(width,), d_hidden=(width,)))


def test_a_model_that_needs_arguments_is_asked_for(tmp_path):
    fit(Sized(4), POINTS, 2, out=tmp_path, progress=False)
    assert "`model=Sized(...)`" in gather(tmp_path, 10**7, Sized)["missing"][0]["why"]


class Listed(tg.models.Model):
    """Its config has a list where those of tinygen have the name of a loss."""

    def __init__(self):
        super().__init__({"loss": ["l1", "l2"]})

    def train_step(self, x):
        return {"loss": tg.tensor(1.0)}


def test_a_config_may_hold_a_list_of_losses(tmp_path):
    fit(Listed(), POINTS, 2, out=tmp_path, progress=False)
    assert gather(tmp_path, 10**7, Listed())["losses"] == {}


def test_the_last_step_counts_though_it_was_not_logged(tmp_path):
    fit(Sized(4), POINTS, 12, out=tmp_path, log_every=10, progress=False)
    (shown,) = embedded(report(tmp_path, model=Sized))["runs"]
    assert shown["reached"] == shown["steps"] == 12 and shown["metrics"]["step"]["shape"] == [2]


@pytest.mark.parametrize(
    "model, words",
    [
        ("GAN", "model is 'GAN', but it must be a model or"),
        (dict, "model is <class 'dict'>, but"),
        ([GAN], "a list of 1"),
    ],
)
def test_what_is_no_model_of_the_runs(recorded, model, words):
    with pytest.raises(ConfigError, match=words):
        report(recorded("gan"), recorded("ring8"), model=model)


def test_two_runs_share_the_page(recorded, tmp_path):
    page = report(recorded("gan"), recorded("ring8"), out=tmp_path / "both.html")
    assert [run["name"] for run in embedded(page)["runs"]] == [str(recorded("gan")), str(recorded("ring8"))]


def test_a_run_whose_name_is_no_text_has_a_page(recorded, tmp_path):
    page = report(copy(recorded("gan"), tmp_path / "caf\udce9"))
    assert page.read_text(encoding="utf-8") and embedded(page)["runs"][0]["name"].endswith("caf\udce9")


def test_a_long_recording_is_thinned_to_its_share(recorded):
    recording = Recording.load(recorded("gan"))
    size = sum(x.nbytes for x in recording.arrays.values()) * 4 / 3
    thinned = thin(recording.arrays, round(0.6 * size))
    assert sum(x.nbytes for x in thinned.values()) * 4 / 3 <= 0.6 * size
    kept = [list(recording.steps).index(step) for step in thinned["step"]]
    assert kept[0] == 0 and thinned["step"][-1] == recording.steps[-1] and len(kept) < len(recording.steps)
    np.testing.assert_array_equal(thinned["samples"], recording["samples"][kept])
    assert thin(recording.arrays, round(size) + 1) is recording.arrays


def test_a_constant_is_not_thinned(recorded):
    recording = Recording.load(recorded("vae"))
    arrays = recording.arrays | {"data": np.zeros((len(recording.steps), 2), np.uint8)}
    assert len(thin(arrays, 1)["data"]) == len(recording.steps)


def test_a_long_run_has_its_curves_thinned_with_the_last_row(recorded, tmp_path):
    run = copy(recorded("gan"), tmp_path / "long", "recording*")
    rows = [{"step": step, "loss_D": 1 / step} for step in range(1, 9002)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    step = decoded(gather(run, 10**7)["metrics"]["step"])
    assert len(step) <= 2001 and step[0] == 1 and step[-1] == 9001


def test_a_long_run_keeps_all_of_its_scores(recorded, tmp_path):
    run = copy(recorded("gan"), tmp_path / "scored", "recording*")
    rows = [{"step": s, "loss_D": 1 / s, **({"score.fid": 2.0} if s % 101 == 0 else {})} for s in range(1, 9002)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fid = decoded(gather(run, 10**7)["metrics"]["score.fid"])
    assert (fid == 2).sum() == 89


def test_the_page_of_a_very_long_run_is_bounded_and_shows_each_spike(recorded, tmp_path):
    run = copy(recorded("gan"), tmp_path / "long", "recording*")
    rows = [{"step": i + 1, "loss_D": 1.0, "loss_G": 2.0 if i != 7777 else 99.0} for i in range(20_000)]
    rows += [{"step": i, "score.fid": 1.0, "score.late": float(i)} for i in range(20_000, 25_000)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "events.jsonl").write_text("".join(json.dumps({"step": i, "name": "x"}) + "\n" for i in range(3000)))
    found = gather(run, 10**6)
    metrics = {name: decoded(column) for name, column in found["metrics"].items()}
    assert sum(x.size for x in metrics.values()) <= 40_000 and len(found["events"]) <= 100
    assert metrics["step"][[0, -1]].tolist() == [1, 24_999] and np.nanmax(metrics["loss_G"]) == 99
    assert [found["events"][i]["step"] for i in (0, -1)] == [0, 2999]


@pytest.mark.parametrize("budget, kept", [(10**7, ["0", "4", "8"]), (310_000, ["8"]), (0, [])])
def test_pictures_are_left_out_where_there_is_no_room(recorded, tmp_path, budget, kept):
    run = copy(recorded("gan"), tmp_path / "pictures", "recording*")
    for path in (run / "samples").iterdir():
        path.write_bytes(b"x" * 7000)
    assert [str(step) for step in gather(run, budget)["pictures"]] == kept


def test_a_critics_numbers_have_panels_of_their_own(recorded):
    panels = gather(recorded("wgangp"), 10**7)["panels"]
    assert panels["losses"] == ["loss_D", "loss_G"] and set(panels["scores"]) == {"D(x)", "D(G(z))", "gap"}
    assert panels["critic"] == ["slope", "(n-1)n", "gap/2λ"]


def test_numbers_that_are_not_there_are_gaps(recorded, tmp_path):
    run = copy(recorded("gan"), tmp_path / "gaps", "recording*")
    (run / "metrics.jsonl").write_text('{"step": 1, "loss_G": NaN}\n{"step": 2, "fid": 3.0, "note": "x"}\n{"st')
    metrics = {name: decoded(column) for name, column in gather(run, 10**7)["metrics"].items()}
    np.testing.assert_array_equal(metrics["fid"], [np.nan, 3])
    np.testing.assert_array_equal(metrics["loss_G"], [np.nan, np.nan])
    assert "note" not in metrics


def test_a_title_can_hold_anything():
    assert "<title>a &lt;b&gt; · tinygen</title>" in fill("a <b>", "{}")


def test_every_file_of_the_page_is_installed():
    patterns = re.search(r"\[tool.setuptools.package-data\](.*?)\n\n", Path("pyproject.toml").read_text(), re.S)[1]
    patterns = re.findall(r'"([^"]+)"', patterns)
    files = [path for path in HERE.rglob("*") if path.suffix in {".js", ".css", ".html"}]
    assert len(files) > 10
    for path in files:
        assert any(fnmatch(str(path.relative_to(HERE.parent)), pattern) for pattern in patterns), path


def test_every_view_is_in_the_script():
    text = script()
    for path in (HERE / "views").glob("*.js"):
        assert path.read_text() in text
    assert text.rstrip().endswith("start();")


def refused(capsys, *arguments):
    code = main(["report", *map(str, arguments)])
    error = capsys.readouterr().err
    assert code == 2 and error.startswith("tinygen: error: ") and error.count("\n") == 1
    return error


def test_the_command_writes_the_page_and_names_it(recorded, tmp_path, capsys):
    assert main(["report", str(recorded("gan")), str(recorded("vae")), "--out", str(tmp_path / "two.html")]) == 0
    assert str(tmp_path / "two.html") in capsys.readouterr().out
    assert len(embedded(tmp_path / "two.html")["runs"]) == 2


def test_wrong_arguments_get_one_line(recorded, tmp_path, capsys):
    run = recorded("gan")
    assert "there is no run" in refused(capsys, tmp_path / "none")
    assert "there is no run" in refused(capsys, run, tmp_path / "none")
    assert "must end in .html" in refused(capsys, run, "--out", tmp_path / "report.png")
    assert "can't write" in refused(capsys, run, "--out", tmp_path / "no" / "such" / "report.html")
    assert "unknown argument" in refused(capsys, run, run, run)


def test_a_full_disk_is_said_without_an_option_that_the_command_lacks(recorded, tmp_path, monkeypatch):
    run = recorded("vae")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunError, match=r"report.html: No space left on device; free some space, then try again$"):
        report(run, out=tmp_path / "report.html")


def test_a_damaged_recording_gets_one_line(recorded, tmp_path, capsys):
    run = copy(recorded("gan"), tmp_path / "damaged")
    file = run / "recording.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    assert str(file) in refused(capsys, run)
    assert not (run / "report.html").exists()


def test_what_a_caller_gets_wrong():
    with pytest.raises(ConfigError, match="takes one run or two, but 3 were given"):
        report("a", "b", "c")
    with pytest.raises(RunError, match="there is no run"):
        report("no/such/run")


@pytest.mark.parametrize("shape, pictures", [((5,), True), ((1,), True), ((2,), False), ((4, 4, 2), False)])
def test_samples_that_the_page_can_not_draw_are_shown_as_pictures(tmp_path, shape, pictures):
    x = np.random.default_rng(0).uniform(-1, 1, (20, *shape)).astype(np.float32)
    data, gan = Dataset("own", x, x[:5]), GAN(GANConfig(shape, latent_dim=2, g_hidden=(4,), d_hidden=(4,)))
    fit(gan, data, 4, out=tmp_path, sample_every=2, callbacks=[Recorder(data, 2)], progress=False)
    (shown,) = embedded(report(tmp_path))["runs"]
    assert shown["recording"]["arrays"]["samples"]["shape"][2:] == list(shape)
    assert list(shown["pictures"]) == (["0", "2", "4"] if pictures else [])
