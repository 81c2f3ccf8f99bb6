"""Arrays of other libraries, taken over without a copy. The way out is `Tensor.__dlpack__`."""

from __future__ import annotations

from typing import Any

from .backend import device_module
from .tape import brief
from .tensor import Tensor

_DEVICES = {1: "cpu", 2: "cuda"}  # as DLPack counts them


def from_dlpack(x: Any, *, copy: bool | None = None) -> Tensor:
    """A Tensor on the memory of an array of another library: NumPy, PyTorch, JAX, CuPy, or any that speaks DLPack.

    copy: None copies if it must, False never does, True always. Memory that is read-only stays so. Whoever writes into
    the memory from outside must call `changed()`, as for any array. The Tensor is a leaf that does not require grad.

    Raises TypeError for an object without `__dlpack__`, DeviceError for a device that can't be used here, BufferError
    for an array that can't be shared: of a dtype that NumPy lacks, or that requires grad there.
    Source: DLPack 1.0 and the array API standard.

    >>> x = np.array([1.0, 2.0])
    >>> tg.from_dlpack(x), np.shares_memory(tg.from_dlpack(x).numpy(), x)
    (Tensor([1., 2.], dtype=float64), True)
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise TypeError(
            f"from_dlpack: takes an array that has __dlpack__, not {brief(x)}; tensor() takes numbers and lists"
        )
    kind, _ = x.__dlpack_device__()
    if int(kind) not in _DEVICES:
        raise BufferError(
            f"from_dlpack: the array is on a device of DLPack's kind {int(kind)}; copy it to the CPU or a CUDA GPU"
        )
    module = device_module(_DEVICES[int(kind)])
    try:
        array = module.from_dlpack(x)
    except RuntimeError as error:  # NumPy's, for a dtype that it lacks, such as bfloat16
        raise BufferError(f"from_dlpack: {brief(x)} can't be shared: {error}") from error
    if array.dtype.kind not in "fiub":
        raise BufferError(f"from_dlpack: the array is of {array.dtype}, but a Tensor holds real numbers")
    return Tensor(array.copy() if copy else array)
