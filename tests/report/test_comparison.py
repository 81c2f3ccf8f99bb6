"""Runs beside one another: which are alike, what is in the table, and what the page holds."""

import csv
import html.parser
import io
import json
import statistics

import numpy as np
import pytest

import tinygen as tg
from tinygen.errors import ConfigError, RunError
from tinygen.report import compare
from tinygen.report.compared import labels
from tinygen.report.comparison import markdown, spread


def make(place, losses, model="gan", steps=None, seed=0, scores=None, data="digits", **config):
    """A run directory as a training leaves it, with a row for each loss."""
    (place / "checkpoints").mkdir(parents=True)
    steps = len(losses) if steps is None else steps
    (place / "checkpoints" / f"step_{steps:06d}.safetensors").touch()
    settings = {"data": data, "seed": seed, "log_every": 50, "compile": "off"}
    known = {"tinygen": "0.1.0", "model": model, "config": config, "settings": settings, "steps": steps}
    (place / "config.json").write_text(json.dumps(known))
    rows = [{"step": i + 1, "loss": x} for i, x in enumerate(losses)]
    (place / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if scores is not None:
        found = {name: {"value": x, "reference": 0.5, "plain": None, "features": None} for name, x in scores.items()}
        (place / "metrics.json").write_text(json.dumps({"step": steps, "n": None, "seed": seed, "scores": found}))
    return place


def test_runs_that_differ_in_their_seed_alone_are_one_row(tmp_path):
    values = {0.1: [1.0, 2.0, 4.0], 0.02: [3.0, 5.0, 5.0]}
    for lr, losses in values.items():
        for seed, loss in enumerate(losses):
            make(tmp_path / f"{lr}-{seed}", [9.0, loss], seed=seed, lr=lr, width=8)
    comparison = compare(tmp_path)
    assert [group.values for group in comparison.groups] == [
        {"model": "gan", "lr": lr, "steps": 2} for lr in (0.02, 0.1)
    ], "as numbers in order, and without what all have"
    for group in comparison.groups:
        losses = values[group.values["lr"]]
        mean, deviation = (float(x) for x in group.spread("loss", ".6f").split(" ± "))
        assert (mean, deviation) == pytest.approx((statistics.fmean(losses), statistics.pstdev(losses)), abs=1e-6)
        assert [run.seed for run in group.runs] == [0, 1, 2] and group.steps == 2 and group.model == "gan"


def test_models_differ_by_nature_and_data_by_choice(tmp_path):
    make(tmp_path / "a", [1.0], "gan", lr=1.0, slope=0.2)
    make(tmp_path / "b", [1.0], "vae", lr=2.0, beta=4.0)
    make(tmp_path / "c", [1.0], "vae", lr=2.0, beta=4.0, data="fashion")
    assert [list(group.values.values()) for group in compare(tmp_path).groups] == [
        ["gan", "digits", 1],
        ["vae", "digits", 1],
        ["vae", "fashion", 1],
    ]


def test_a_run_that_is_not_as_far_is_a_row_of_its_own(tmp_path):
    for seed, steps in enumerate((3, 3, 2)):
        make(tmp_path / str(seed), [1.0] * steps, seed=seed)
    assert [(group.steps, len(group.runs)) for group in compare(tmp_path).groups] == [(2, 1), (3, 2)]


def test_without_scores_the_last_tenth_of_a_curve_counts(tmp_path):
    losses = np.random.default_rng(0).normal(size=57).tolist()
    (run,) = compare(make(tmp_path / "a", losses)).runs
    assert run.numbers == {"loss": pytest.approx(np.mean(losses[-5:]))}
    (run,) = compare(make(tmp_path / "b", [2.0, 3.0])).runs
    assert run.numbers == {"loss": 3.0}


def test_scores_count_if_they_are_of_the_last_step(tmp_path):
    one = make(tmp_path / "a", [7.0], scores={"fid": 2.0, "kid": None})
    comparison = compare(one)
    assert comparison.runs[0].numbers == {"fid": 2.0} and comparison.table()[-1] == ["real data", "", "", "0.5"]
    (one / "checkpoints" / "step_000002.safetensors").touch()
    assert compare(one).runs[0].numbers == {"loss": 7.0} and len(compare(one).table()) == 2


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ([], ""),
        ([0.123456], "0.1235"),
        ([0.36, 0.38], "0.370 ± 0.010"),
        ([1.0, 1.0], "1 ± 0"),
        ([1000.0, 3000.0], "2000 ± 1000"),
        ([1.0, 1.0 + 1e-9], "1 ± 5e-10"),
        ([float("nan"), 1.0], "nan ± nan"),
    ],
)
def test_a_spread_shows_two_digits_of_the_deviation(numbers, shown):
    assert spread(numbers) == shown


def test_the_csv_has_each_run_with_all_digits(tmp_path):
    exact = [0.1 + 0.2, 1 / 3]
    for seed, loss in enumerate(exact):
        make(tmp_path / f"{seed}, of two", [loss], seed=seed, hidden=[8, 16 + seed])
    rows = list(csv.DictReader(io.StringIO(compare(tmp_path).csv())))
    assert [float(row["loss"]) for row in rows] == exact
    assert [(row["hidden"], row["seed"]) for row in rows] == [("8,16", "0"), ("8,17", "1")]
    assert rows[0]["run"].endswith("0, of two")


def test_a_wide_table_is_cut_into_several_that_fit(tmp_path, monkeypatch):
    for seed in range(2):
        make(tmp_path / str(seed), [1.0], seed=seed, lr=seed, scores={f"a_long_name_{i}": seed / 3 for i in range(9)})
    comparison = compare(tmp_path)
    for width in ("50", "80", "120"):
        monkeypatch.setenv("COLUMNS", width)
        blocks = [block.splitlines() for block in str(comparison).split("\n\n")]
        assert all(len(line) <= int(width) for block in blocks for line in block)
        names = [name for block in blocks for name in block[0].split()[4:]]
        assert names == comparison.names and all(
            block[0].split()[:4] == ["model", "lr", "steps", "runs"] for block in blocks
        )


def test_markdown_has_no_cell_that_breaks_it():
    assert markdown([["a|b", "c"], ["1", "2"]]) == "| a\\|b | c |\n| --- | --- |\n| 1 | 2 |\n"


class Page(html.parser.HTMLParser):
    """What a page shows: its text, the targets of its links, its pictures."""

    def __init__(self, text):
        super().__init__()
        self.text, self.links, self.pictures = "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "a":
            self.links.append(given["href"])
        if tag == "img":
            self.pictures.append(given)

    def handle_data(self, data):
        self.text += data


def test_the_page_has_the_table_the_curves_and_the_samples(tmp_path):
    for seed in range(2):
        place = make(tmp_path / f"s{seed} & <b>", [1.0, 2.0], seed=seed, scores={"fid": 1.5})
        (place / "samples").mkdir()
        tg.viz.save_grid(np.zeros((4, 500, 500, 1)), place / "samples" / "step_000002.png", (0, 1))
    (place / "report.html").touch()
    out = compare(tmp_path).write(tmp_path / "all.html")
    page = Page(out.read_text())
    assert "1.5 ± 0" in page.text and "2 runs compared" in page.text and "seed 0" in page.text
    assert page.links == ["s1%20%26%20%3Cb%3E/report.html"]
    curves, *samples = page.pictures
    assert [one["alt"] for one in samples] == ["samples of s0 & <b>", "samples of s1 & <b>"] and curves["alt"]
    assert out.stat().st_size < 200_000 and {"all.csv", "all.md"} <= {path.name for path in tmp_path.iterdir()}


def test_only_what_differs_names_a_group(tmp_path):
    for place, lr, steps in (("a", 0.1, 2), ("b", 0.2, 2)):
        make(tmp_path / place, [1.0] * steps, lr=lr)
    assert labels(compare(tmp_path).groups) == ["lr=0.1", "lr=0.2"]
    assert labels(compare(tmp_path / "a").groups) == ["gan"]


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(RunError, match="nothing: there is no run"):
        compare(tmp_path / "nothing")
    one = make(tmp_path / "a", [1.0], scores={"fid": 1.0})
    with pytest.raises(ConfigError, match=r"must end in \.html"):
        compare(one).write(tmp_path / "a.png")
    for text in ("{", "[]", '{"step": 1}', '{"step": 1, "scores": {"fid": 3}}'):
        (one / "metrics.json").write_text(text)
        with pytest.raises(RunError, match=r"metrics.json"):
            compare(one)
