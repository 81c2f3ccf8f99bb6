"""How a check calls the file of piece 12: points to count, counts to score, the diagnoses, and the checkpoint."""

import io
import zipfile

import numpy as np

LARGEST = 100_000  # bytes, as a file and unpacked
SHAPES = {"w1": (2, 32), "b1": (32,), "w2": (32, 32), "b2": (32,), "w3": (32, 2), "b3": (2,)}


def count(collapse, points, centres, std):
    """The counts."""
    return collapse.mode_counts(points, centres, std)


def score(collapse, counts, n, share):
    """How many modes are reached, the share near one, the divergence."""
    return list(collapse.mode_scores(counts, n, share))


def diagnoses(collapse):
    """The words, by run; what is no text is none."""
    return {str(name): word if isinstance(word, str) else "" for name, word in collapse.DIAGNOSES.items()}


def checkpoint(collapse, mended, z):
    """The arrays of mended.npz, or what is wrong with it; the drawn z, and the centres of the mixture."""
    problem, arrays = opened(mended)
    return {"problem": problem, "arrays": arrays, "z": z, "centres": collapse.centres(), "std": collapse.STD}


def opened(data):
    """The arrays of a checkpoint, whose bytes are a stranger's: ("", arrays) or (a problem, {})."""
    if not data.size:
        return "missing", {}
    if data.size > LARGEST:
        return "too large", {}
    try:
        with zipfile.ZipFile(io.BytesIO(data.tobytes())) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                return "too large", {}
        with np.load(io.BytesIO(data.tobytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in SHAPES if name in file.files}
    except Exception:
        return "damaged", {}
    if any(array.dtype.kind != "f" or array.dtype.itemsize > 8 for array in arrays.values()):
        return "not floats", {}
    if {name: array.shape for name, array in arrays.items()} != SHAPES:
        return "other shapes", {}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        return "not finite", {}
    return "", arrays
