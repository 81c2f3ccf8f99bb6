"""The arithmetic of a report: medians, ratios pair by pair, bars, and what it says of peers that are not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import ratios, report
from benchmarks.bars import Bar, judge
from benchmarks.sweep import slope, upper


def peer(*ms: float, peak: float = 100.0, **more: Any) -> dict[str, Any]:
    return {
        "ms": list(ms),
        "others": [0.0] * len(ms),
        "peak_mb": peak,
        "now_mb": peak,
        "warm_mb": peak,
        "steps": 10,
        "first_step_s": 0.5,
        "idle_share": 0.0,
        "versions": {"numpy": "2"},
        "notes": "",
        "blas": [],
        **more,
    }


@pytest.fixture
def results() -> dict[str, Any]:
    peers = {
        "tinygen-fast": peer(4, 8, 4, peak=150),
        "tinygen": peer(9, 9, 30, peak=90),
        "torch": peer(10, 20, 10, peak=300),
        "jax": peer(5, 11, 6),
        "tf-xla": peer(1, 1, 1, wrong="losses do not change: {}"),
        "tf-graph": {"failed": "ended with exit code 1: no TensorFlow"},
    }
    rates = [{"sgemm": 100.0, "copy": 10.0, "blas": ["openblas"]}]
    entry = {"peers": peers, "absent": {"mygrad": "not installed: pip install mygrad"}, "rates": rates}
    machine = {"cores": 2, "processor": "p", "system": "s", "python": "3", "removed_from_environment": []}
    settings = {"device": "cpu", "threads": 2, "rounds": 3, "seconds": 1, "tf32": False}
    return {"when": "now", "machine": machine, "settings": settings, "workloads": {"mlp_gan_32": entry}}


def test_the_ratio_is_taken_pair_by_pair() -> None:
    assert ratios.ratio([1, 30, 3], [2, 20, 10]) == (0.5, 0.3, 1.5)  # of the medians it would be 0.3
    assert ratios.ratio([1, 2, 3], [2, 2]) == (0.75, 0.5, 1.0)


def test_the_fastest_of_a_bar_is_that_of_the_least_median(results: dict[str, Any]) -> None:
    judged = judge(Bar("mlp_gan_32", "tinygen-fast", "time", 0.8, ("torch", "jax", "tf-xla")), results)
    assert judged == (pytest.approx(8 / 11), "jax")  # of 4/5, 8/11, 4/6; tf-xla computes something else
    assert judge(Bar("mlp_gan_32", "tinygen", "memory", 0.5, ("torch",)), results) == (0.3, "torch")


def test_a_bar_without_its_peers_is_not_judged(results: dict[str, Any]) -> None:
    assert judge(Bar("mlp_gan_32", "tinygen", "time", 0.8, ("tf-graph",)), results) is None
    assert judge(Bar("vae_128", "tinygen", "time", 0.8, ("torch",)), results) is None


def test_the_text_says_who_met_the_bars_and_who_is_missing(results: dict[str, Any]) -> None:
    text = report.text(results)
    assert "| MLP GAN, batch 32 | tinygen-fast | time | 0.80 | 0.73 | jax | yes |" in text
    assert "| MLP GAN, batch 32 | tinygen | time | 0.75 | 0.90 | torch | **no** |" in text
    assert "- mygrad: not installed: pip install mygrad" in text
    assert "- tf-graph: ended with exit code 1: no TensorFlow" in text
    assert "- tf-xla: losses do not change" in text
    assert "VAE" not in text


def test_losses_must_be_finite_and_move() -> None:
    for first, last, wrong in (
        ({"loss": 1.0}, {"loss": 0.5}, None),
        ({"loss": 1.0}, {"loss": 1.0}, "do not change"),
        ({"loss": 1.0}, {"loss": float("nan")}, "not finite"),
    ):
        result: dict[str, Any] = {"first_losses": first, "last_losses": last}
        ratios.check_losses(result)
        assert (wrong in result["wrong"]) if wrong else "wrong" not in result


def test_a_loaded_machine_is_named(results: dict[str, Any]) -> None:
    assert "not idle" not in report.text(results)
    for entry in results["workloads"]["mlp_gan_32"]["peers"].values():
        entry["others"] = [0.3]
    assert "not idle" in report.text(results)


def test_processor_time_has_a_table_of_its_own_that_a_busy_machine_does_not_spoil(results: dict[str, Any]) -> None:
    results["settings"] |= {"clock": "cpu", "threads": 1}
    for entry in results["workloads"]["mlp_gan_32"]["peers"].values():
        entry["others"] = [0.3]
    text = report.text(results)
    assert "Milliseconds here are processor time" in text and "| processor ms a step" in text
    assert "not idle" not in text and "Other processes took 30.0%" in text
    del results["settings"]["clock"]  # a file of old
    assert "processor" not in report.text(results).replace("processors", "")


def test_the_tables_of_the_readme_are_those_of_the_newest_results() -> None:
    folder = Path(report.__file__).parent
    newest = json.loads(max((folder / "results").glob("*.json")).read_text())
    readme = (folder / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("<!-- results: begin -->\n")[2].partition("<!-- results: end -->")[0]
    assert shown == report.text(newest)


def test_pictures_and_json_are_written(results: dict[str, Any], tmp_path: Path) -> None:
    report.write(results, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert (tmp_path / "results.md").read_text() == report.text(results)
    for name in ("times.png", "roofline.png"):
        assert (tmp_path / name).read_bytes()[1:4] == b"PNG"


def test_slopes() -> None:
    assert slope([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    assert slope([1, 2, 4], [0, 0, 1]) != slope([1, 2, 4], [0, 0, 1])  # nan
    assert upper([1, 2, 3, 4, 5, 6]) == [4, 5, 6]
