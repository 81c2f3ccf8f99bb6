"""ONNX's own tests of single operators, for every operator that tinygen reads.

What is skipped fails, most of it because read_onnx refuses it: the list below is exact.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import warnings
from typing import Any

import numpy as np
import pytest

import tinygen as tg
from tinygen.export import OPERATORS

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.oracle

NO_SUCH_NUMBERS = "NumPy has no such numbers"
NO_VOLUMES = "volumes are not supported"
EVAL = "an imported network is in eval mode"
SKIPPED: dict[str, dict[str, str]] = {  # by operator, and by a pattern of names
    "AveragePool": {".*_3d_.*": NO_VOLUMES},
    "BatchNormalization": {".*_training_mode": EVAL},
    "Cast": {".*(FLOAT[48]|BFLOAT|INT[24]).*": NO_SUCH_NUMBERS},
    "CastLike": {".*(FLOAT[48]|BFLOAT|INT[24]).*": NO_SUCH_NUMBERS},
    "Celu": {".*_bfloat16.*": NO_SUCH_NUMBERS},
    "ConvTranspose": {".*_3d": NO_VOLUMES},
    "Dropout": {"training_.*": EVAL},
    "Einsum": {".*_bfloat16": NO_SUCH_NUMBERS},
    "Equal": {".*_string.*": "texts are no numbers"},
    "Identity": {".*_(sequence|opt)": "sequences and optional values are no arrays"},
    "MaxPool": {
        ".*_3d_.*": NO_VOLUMES,
        ".*_with_argmax_.*": "it does not say where the largest element was",
    },
    "OneHot": {".*_bfloat16_.*": NO_SUCH_NUMBERS},
    "Range": {".*_bfloat16_.*": NO_SUCH_NUMBERS},
    "ReduceMax": {".*_empty_set.*": "NumPy has no largest element of nothing"},
    "ReduceMin": {".*_empty_set": "NumPy has no smallest element of nothing"},
    "Resize": {
        ".*_(align_corners|asymmetric|half_pixel|half_pixel_symmetric)": "another grid of pixels",
        ".*_tf_crop_and_resize.*": "it cuts, too",
        ".*sample_sizes_nearest(_axes_.*|_not_.*)?": "a tie goes to the other pixel",
        ".*_downsample_scales_(nearest|linear|cubic)": "the scale is not the ratio of the sizes",
        ".*_(antialias|exclude_outside)": "edges are treated in another way",
    },
}


@functools.cache
def files() -> dict[str, str]:
    """The modules of ONNX's tests, by operators in lower case."""
    from onnx.backend.test.case import node

    return {file.name.replace("_", "").removesuffix("op"): file.name for file in pkgutil.iter_modules(node.__path__)}


def cases_of(kind: str) -> list[Any]:
    """The tests of an operator, among them those of what it is made of, if that is read, too."""
    from onnx.backend.test.case import node

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, where a test's own numbers overflow
        before = len(node._NodeTestCases)
        importlib.import_module(f"{node.__name__}.{files()[kind.lower()]}")
    return [
        case
        for case in node._NodeTestCases[before:]
        if all(n.op_type in OPERATORS and n.domain in ("", "ai.onnx") for n in case.model.graph.node)
    ]


def run(case: Any) -> None:
    """Read the model of a test and compare its outputs."""
    network = tg.export.read_onnx(case.model.SerializeToString(), layout="NCHW")
    for data in case.data_sets:
        inputs, expected = ([_array(x) for x in part] for part in data)
        with np.errstate(all="ignore"):
            made = network(*map(tg.tensor, inputs))
        for y, z in zip(made if isinstance(made, tuple) else (made,), expected, strict=True):
            assert y.dtype == z.dtype and y.shape == z.shape
            np.testing.assert_allclose(y.numpy(), z, rtol=case.rtol, atol=case.atol)


def _array(x: Any) -> Any:
    return onnx.numpy_helper.to_array(x) if isinstance(x, onnx.TensorProto) else x


@pytest.mark.parametrize("kind", sorted(OPERATORS))
def test_the_tests_of_an_operator(kind: str) -> None:
    cases, skipped = cases_of(kind), SKIPPED.get(kind, {})
    wrong, used = [], set[str]()
    for case in cases:
        patterns = [p for p in skipped if re.fullmatch(p, case.name.removeprefix("test_"))]
        used |= {*patterns}
        try:
            run(case)
        except Exception as error:
            wrong += [] if patterns else [f"{case.name}: {type(error).__name__}: {error}"]
        else:
            wrong += [f"{case.name} passes, so it must not be skipped"] if patterns else []
    wrong += [f"no test is named {pattern}" for pattern in skipped.keys() - used]
    assert cases and not wrong, "\n".join(wrong)
