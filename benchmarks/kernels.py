"""Each compiled kernel against its definition: `python -m benchmarks.kernels`.

Interleaved rounds, the median of each and of the ratio round by round.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tinygen.kernels import _compiled, reference


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def adam_on(n: int, module: object) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    p, g, m, v = (rng.random(n, np.float32) for _ in range(4))
    return lambda: module.adam(p, g, m, v, 1e-3, 0.9, 0.999, 1e-8, 7)  # type: ignore[attr-defined]


def main(rounds: int = 51) -> None:
    fast = _compiled()
    if fast is None:
        print('Numba is not installed: pip install "tinygen[fast]"')
        return
    print(f"{'Adam, parameters':>18}  {'definition, ms':>15}  {'compiled, ms':>13}  {'ratio':>6}")
    for n in (10_000, 100_000, 1_480_000):
        plain, compiled = adam_on(n, reference), adam_on(n, fast)
        compiled()  # compiles
        pairs = np.array([(seconds(plain), seconds(compiled)) for _ in range(rounds)])
        slow, quick = np.median(pairs, axis=0) * 1e3
        print(f"{n:>18,}  {slow:>15.3f}  {quick:>13.3f}  {np.median(pairs[:, 1] / pairs[:, 0]):>6.2f}")


if __name__ == "__main__":
    main()
