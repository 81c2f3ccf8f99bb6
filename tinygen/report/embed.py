"""Arrays and numbers as JSON that a browser can read: an array is its bytes in base64, with dtype and shape."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np

KEPT = {"uint8", "int8", "float32"}  # small dtypes that JavaScript has too


def embed_array(x: np.ndarray) -> dict[str, Any]:
    """{dtype, shape, base64} of an array: bytes as they are, floats as float32, other integers as float64."""
    if x.dtype.name not in KEPT:
        x = x.astype(np.float32 if x.dtype.kind == "f" else np.float64)
    data = np.ascontiguousarray(x, x.dtype.newbyteorder("<"))
    return {"dtype": x.dtype.name, "shape": list(x.shape), "base64": base64.b64encode(data.tobytes()).decode()}


def to_script(value: Any) -> str:
    """JSON for a <script> element: NaN and infinities are null, and nothing in it can end the element."""
    return json.dumps(_finite(value), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
