"""Arrays and numbers as JSON that a browser can read: an array is its bytes in base64, with dtype and shape."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np

KEPT = {"uint8", "int8", "uint16", "float16", "float32"}  # small dtypes that the page reads
LARGEST = 60_000  # of a float16


def embed_array(x: np.ndarray) -> dict[str, Any]:
    """{dtype, shape, base64} of an array: small dtypes as they are, other floats as float32, integers as float64."""
    if x.dtype.name not in KEPT:
        x = x.astype(np.float32 if x.dtype.kind == "f" else np.float64)
    data = np.ascontiguousarray(x, x.dtype.newbyteorder("<"))
    return {"dtype": x.dtype.name, "shape": list(x.shape), "base64": base64.b64encode(data.tobytes()).decode()}


def embed_numbers(x: np.ndarray) -> Any:
    """Numbers in few bytes, to three digits: one number if all are the same, {palette, places} if few are different,
    integers that are small as such, and floats as float16, in units of `scale`."""
    palette, places = np.unique(x, return_inverse=True)
    if len(palette) <= 1:
        return palette.tolist()[0] if len(palette) else 0
    if len(palette) <= 256:
        return {"palette": palette.tolist(), "places": embed_array(places.ravel().astype(np.uint8))}
    if x.dtype.kind in "iu":
        return embed_array(x.astype(np.uint16) if palette[0] >= 0 and palette[-1] < 2**16 else x)
    scale = float(np.abs(x).max()) / LARGEST
    return embed_array((x / scale).astype(np.float16)) | {"scale": scale} if math.isfinite(scale) else embed_array(x)


def to_script(value: Any) -> str:
    """JSON for a <script> element: NaN and infinities are null, and nothing in it can end the element."""
    return json.dumps(_finite(value), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
