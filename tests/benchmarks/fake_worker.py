"""A worker without a library: answers the protocol, and fails, hangs or prints as it is told."""

from __future__ import annotations

import sys
import time
from typing import Any

from benchmarks.worker import serve


def build() -> dict[str, Any]:
    print("a library that greets the world")  # must not reach the runner
    return {"seconds": 0.0, "parameters": {"G": 3}, "versions": {}, "blas": [], "notes": "", "now_mb": 1.0}


def run(steps: int) -> dict[str, Any]:
    if steps == 13:
        raise ValueError("13 is too many\nand more")
    if steps == 14:
        sys.exit("gone for good")
    if steps == 15:
        time.sleep(60)
    return {"seconds": 0.001 * steps, "losses": {"loss": 1 / steps}, "peak_mb": 2.0, "now_mb": 1.0}


if __name__ == "__main__":
    serve({"build": build, "run": run})
