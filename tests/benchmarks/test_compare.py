"""What changed between two runs: ratios of ratios, what is beyond the spread, and files that are no results."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main


def peer(*ms: float, peak: float = 100.0) -> dict[str, Any]:
    return {"ms": list(ms), "peak_mb": peak, "others": [0.0] * len(ms)}


@pytest.fixture
def results() -> dict[str, Any]:
    peers = {"tinygen": peer(9, 11, 10, peak=20), "torch": peer(10, 10, 10), "jax": peer(5, 5, 5)}
    settings = {"device": "cpu", "threads": 2, "rounds": 3, "seconds": 1, "tf32": False, "clock": "wall"}
    entry = {"peers": peers, "absent": {}, "rates": []}
    return {
        "when": "1 May 2026",
        "tinygen": "1.0",
        "machine": {"processor": "p"},
        "settings": settings,
        "workloads": {"vae_128": entry},
    }


@pytest.fixture
def after(results: dict[str, Any]) -> dict[str, Any]:
    """A second run, for a test to change."""
    return copy.deepcopy(results)


Compared = Callable[[Any, Any], tuple[int, str, str]]


@pytest.fixture
def compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Compared:
    """A function of two files' contents: the exit code, and what was written to stdout and stderr."""

    def compared(a: Any, b: Any) -> tuple[int, str, str]:
        for name, content in (("a.json", a), ("b.json", b)):
            (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        code = main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
        return code, *capsys.readouterr()

    return compared


def test_a_change_is_a_ratio_of_ratios(results: dict[str, Any], after: dict[str, Any], compared: Compared) -> None:
    after["workloads"]["vae_128"]["peers"] = {  # on a machine that is twice as fast
        "tinygen": peer(2.5, 3, 2, peak=20.2),
        "torch": peer(5, 5, 5),
        "jax": peer(5, 5, 5),
    }
    code, out, err = compared(results, after)
    assert (code, err) == (0, "")
    line = "| VAE 784-400-20, batch 128 | tinygen | "
    assert line + "time / fastest peer | 2.00 (1.80 to 2.20) jax | 0.50 (0.40 to 0.60) torch | 0.25 | **less** |" in out
    assert line + "time / PyTorch | 1.00 (0.90 to 1.10) | 0.50 (0.40 to 0.60) | 0.50 | **less** |" in out
    assert line + "memory / PyTorch | 0.20 | 0.20 | 1.01 | |" in out
    assert "- A: " in out and ", 1 May 2026, tinygen 1.0, p; device cpu, threads 2, clock wall, rounds 3" in out
    assert "differ" not in out and "idle" not in out


def test_a_change_within_the_spread_is_not_marked(
    results: dict[str, Any], after: dict[str, Any], compared: Compared
) -> None:
    after["workloads"]["vae_128"]["peers"]["tinygen"] = peer(11, 13, 12, peak=21)
    _, out, _ = compared(results, after)
    assert "time / PyTorch | 1.00 (0.90 to 1.10) | 1.20 (1.10 to 1.30) | 1.20 | |" in out
    assert "memory / PyTorch | 0.20 | 0.21 | 1.05 | **more** |" in out


def test_what_only_one_file_has_is_shown(results: dict[str, Any], after: dict[str, Any], compared: Compared) -> None:
    after["workloads"] = {"wgangp_64": after["workloads"].pop("vae_128"), "one of old": {"peers": {}, "absent": {}}}
    code, out, _ = compared(results, after)
    assert code == 0
    assert "| VAE 784-400-20, batch 128 | tinygen | time / PyTorch | 1.00 (0.90 to 1.10) | not measured | | |" in out
    assert "| WGAN-GP, batch 64 | tinygen | time / PyTorch | not measured | 1.00 (0.90 to 1.10) | | |" in out


def test_other_settings_and_a_busy_machine_are_named(
    results: dict[str, Any], after: dict[str, Any], compared: Compared
) -> None:
    after["settings"] |= {"threads": 1, "clock": "cpu"}
    for found in results["workloads"]["vae_128"]["peers"].values():
        found["others"] = [0.5] * 3
    del results["settings"]["clock"], results["tinygen"]  # a file of old
    _, out, _ = compared(results, after)
    assert "A and B differ in threads and clock" in out
    assert out.count("not idle") == 1 and "tinygen unknown" in out


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", "{}", '{"workloads": {}}', '{"workloads": {"vae_128": {"peers": []}}}', "[" * 100_000, "\x00"],
    ids=lambda content: content[:20] or "empty",
)
def test_a_file_that_holds_no_results_is_named(content: str, results: dict[str, Any], compared: Compared) -> None:
    code, out, err = compared(results, content)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "b.json is not a results file; expected the results.json of" in err


@pytest.mark.parametrize(
    "broken", [{"ms": ["fast"]}, {"ms": [1.0, -1.0]}, {"ms": [float("nan")]}, {"ms": 3}, {"peak_mb": 0}, {"others": 1}]
)
def test_numbers_that_no_run_measures_are_refused(
    broken: dict[str, Any], results: dict[str, Any], after: dict[str, Any], compared: Compared
) -> None:
    after["workloads"]["vae_128"]["peers"]["torch"] |= broken
    code, _, err = compared(results, after)
    assert code == 2 and "b.json is not a results file" in err


def test_a_file_that_is_not_there_is_named(
    results: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(results))
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "none.json")]) == 2
    err = capsys.readouterr().err
    assert "none.json: No such file or directory" in err and err.count("\n") == 1
