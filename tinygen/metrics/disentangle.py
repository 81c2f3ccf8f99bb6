"""Whether a code has one number for each factor of the data: the mutual information gap of Chen et al. 2018."""

from __future__ import annotations

import numpy as np

from ..backend import Array, to_host
from ..checks import as_numbers, whole
from ..errors import DataError
from ..models.base import has
from .subject import MOST, Score, Subject

CODE_BINS, FACTOR_BINS = 20, 10


def mig(codes: Array, factors: Array, code_bins: int = CODE_BINS, factor_bins: int = FACTOR_BINS) -> float:
    """The mean over the factors v_k of (I(z_j; v_k) - max_{i≠j} I(z_i; v_k)) / H(v_k), z_j the code with the largest I.

    Chen et al. 2018, eq. 6. From 0, two codes tell equally much, to 1, one tells all and the others nothing.
    codes: (N, latents), the means of q(z|x).  factors: (N, K). Both are cut into bins of equal width, codes into 20 as
    in Locatello et al. 2019, the continuous factors into 10: a code that is a nonlinear function of its factor, such as
    its normal quantile, stays below 1. A factor that never changes does not count.

    >>> factors = np.random.default_rng(0).uniform(size=(1000, 2))
    >>> tg.metrics.mig(codes=factors, factors=factors) > 0.9
    True
    """
    information, entropies = mutual_information(codes, factors, code_bins, factor_bins)
    varied = entropies > 0
    if not varied.any():
        raise DataError("mig: none of the factors changes, so there is nothing to measure")
    ranked = np.sort(np.vstack([np.zeros_like(information[:1]), information]), axis=0)  # a single code has no second
    return float(((ranked[-1] - ranked[-2])[varied] / entropies[varied]).mean())


def mutual_information(
    codes: Array, factors: Array, code_bins: int = CODE_BINS, factor_bins: int = FACTOR_BINS
) -> tuple[np.ndarray, np.ndarray]:
    """I(z_j; v_k) = Σ p(z, v) log p(z, v) / p(z) p(v) of each code and factor, (latents, K), and H(v_k), (K,); in nats.

    Raises DataError unless codes and factors are finite and equally many, ConfigError for fewer than 2 bins.

    >>> v = np.random.default_rng(0).uniform(size=(1000, 1))
    >>> information, entropy = tg.metrics.mutual_information(v, v)
    >>> bool(np.allclose(information, entropy))
    True
    """
    codes, factors = (to_host(as_numbers("mig", n, x)) for n, x in (("codes", codes), ("factors", factors)))
    for option, bins in (("code_bins", code_bins), ("factor_bins", factor_bins)):
        whole("mig", option, bins, 2)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or len(codes) == 0:
        raise DataError(f"mig: codes {codes.shape} and factors {factors.shape} must be (N, latents) and (N, K)")
    for name, x in (("codes", codes), ("factors", factors)):
        if not np.isfinite(x).all():
            raise DataError(f"mig: the {name} are not all finite")
    z = [_bins(column, code_bins) for column in codes.T]
    v = [_bins(column, factor_bins) for column in factors.T]
    joint_entropies = np.array([[_entropy(i * factor_bins + j) for j in v] for i in z])
    z_entropies, v_entropies = np.array([_entropy(i) for i in z]), np.array([_entropy(j) for j in v])
    information = z_entropies[:, np.newaxis] + v_entropies - joint_entropies  # = H(z) + H(v) - H(z, v)
    return np.maximum(information, 0), v_entropies


def _bins(values: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each value, 0 to bins - 1, between the least and the greatest."""
    edges = np.linspace(values.min(), values.max(), bins + 1)[1:-1]
    return np.searchsorted(edges, values, side="right")


def _entropy(symbols: np.ndarray) -> float:
    """-Σ p log p of non-negative ints, in nats."""
    counts = np.bincount(symbols)
    p = counts[counts > 0] / len(symbols)
    return float(-(p * np.log(p)).sum())


ABOUT = {
    "mig": "mutual information gap, 0 to 1: one latent for each factor; higher is better",
}


def measure(subject: Subject) -> dict[str, Score]:
    if subject.data.factors is None or not has(subject.model, "codes"):
        return {}
    return {"mig": Score(mig(subject.codes(subject.data.train[:MOST]), subject.data.factors[:MOST]))}
