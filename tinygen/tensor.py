"""Tensor: an array that knows its place on the tape, and `tensor()`, which makes one.

What writes the tape is in primitives.py, the walk back over it in tape.py.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import Array, array_module, array_of, current_device, device_of, is_array, to_device, to_host
from .cuts import BACKWARD, Cut, describe_cut
from .errors import GradientError
from .names import MissingName
from .tape import Node, Version, brief, check_gradient, describe, mode, no_scalar, orders, walk_back

if TYPE_CHECKING:
    from .methods import Methods  # types alone: ops/ sets the operators and NumPy's methods
else:
    Methods = object


class Tensor(Methods):
    """An array that remembers how it was computed. Make one with `tensor()`; ops on Tensors make the others.

    For readers of the tape: `node` is its place there, None for a constant; `array` holds the values. To change them,
    assign to `data` or call `assign()`.

    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> y, x.grad
    (Tensor(5., dtype=float32, requires_grad=True), Tensor([2., 4.], dtype=float32))
    """

    array: Array
    node: Node | None
    grad: Tensor | None = None
    name: str | None = None
    version: Version | None = None  # one per memory: views and detach() share it. None: nobody may write
    cut: Any = None  # of a constant: where on the way to it the tape was cut
    _idle: Node | None = None  # the node of a leaf while it does not require grad
    __array_ufunc__ = None  # NumPy's operators leave `array + tensor` to the Tensor
    __hash__ = object.__hash__

    def __init__(self, data: Array, requires_grad: bool = False, name: str | None = None):
        """Wrap an array, or a Tensor's, without a copy, as a leaf of the graph; `tensor()` copies.

        Numbers and lists become an array, as in tensor(). Raises TypeError or ValueError for anything but numbers.
        """
        of_tensor = isinstance(data, Tensor)
        self.array = data.array if of_tensor else data if is_array(data) else _read(data, None, "Tensor")
        self.node = None
        self.version = data.version if of_tensor and data.version is not None else Version(self)
        self.name = name
        self.requires_grad_(requires_grad)

    if not TYPE_CHECKING:  # a type checker would take every name for one that may come

        def __getattr__(self, name: str) -> Any:
            raise MissingName("Tensor", name)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.array.size

    @property
    def device(self) -> str:
        """Where the array lives: "cpu" or "cuda"."""
        return device_of(self.array)

    @property
    def is_leaf(self) -> bool:
        """True if no op made it."""
        return self.node is None or self.node.plan is None

    @property
    def requires_grad(self) -> bool:
        """Whether backward reaches this Tensor."""
        return self.node is not None and self.node not in mode.frozen

    @property
    def data(self) -> Array:
        """The array itself. Assigning to it (`p.data -= lr * g`) writes into this memory, and backward notices.

        If you write into the array in any other way, such as `p.data[0] = 1`, call `changed()`. The tape may
        still hold the result of an op, so on the CPU you get a read-only view of it.
        """
        return self.array if self.node is None else self._unless_held()

    @data.setter
    def data(self, value: Any) -> None:
        value = array_of(value)
        if not is_array(value) or (value.shape, value.dtype, device_of(value)) != (self.shape, self.dtype, self.device):
            raise ValueError(f"data: {describe(self)} on {self.device} takes an array like its own, not {brief(value)}")
        self.changed()
        if value is not self.array:
            self.array[...] = value

    def _unless_held(self) -> Array:
        """The array; if the tape may hold it, and it is on the CPU, a read-only view of it."""
        if self.version is not None or device_of(self.array) != "cpu":
            return self.array
        view = self.array.view()
        view.flags.writeable = False
        return view

    def assign(self, value: Any) -> None:
        """Write value into this Tensor's memory, in place. Raises ValueError unless it is numbers that broadcast, or if
        the memory is read-only."""
        self.changed()
        try:
            if value is None:  # NumPy would make it NaN
                raise TypeError
            self.array[...] = array_of(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"assign: {describe(self)} takes numbers that broadcast to its shape, not {brief(value)}"
            ) from None

    def changed(self) -> None:
        """Declare that the memory was or will be written to, so that a backward over the old values is refused."""
        if self.version is None:
            raise ValueError(f"{describe(self)} is the result of an op and can't be changed; copy it with tensor()")
        if isinstance(self.array, np.ndarray) and not self.array.flags.writeable:
            raise ValueError(f"{describe(self)} is on read-only memory and can't be changed; copy it with tensor()")
        self.version.count += 1

    def requires_grad_(self, flag: bool = True) -> Tensor:
        """Make this leaf take part in backward, or not. Raises ValueError for a result of an op or for integers."""
        if not self.is_leaf:
            raise ValueError(f"requires_grad_: {describe(self)} is the result of an op; call detach() first")
        if flag and self.array.dtype.kind != "f":
            raise ValueError(f"requires_grad: {describe(self)} can't have a gradient; give floats: 1.0, dtype=float32")
        if flag != (self.node is not None):
            self.node, self._idle = self._idle, self.node  # the same node again: graphs made before lead to it
            if flag and self.node is None:
                self.node = Node(None, self.array)
                self.node.leaf = weakref.ref(self)
        return self

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array: a read-only view on the CPU, a copy from a GPU."""
        array = to_host(self.array).view()
        array.flags.writeable = False
        return array

    def __dlpack__(self, **options: Any) -> Any:
        """This memory, uncopied, for `numpy.from_dlpack`, `torch.from_dlpack`, `jax.dlpack.from_dlpack` and others.

        The result of an op, which the tape may hold, is read-only, on the CPU; a library that knows no read-only arrays
        refuses it. After a write from there into a leaf, call `changed()`. Raises BufferError for a Tensor that
        requires grad, as no gradient would flow back: `detach()` it. Source: DLPack 1.0 and the array API standard.
        """
        if self.requires_grad:
            raise BufferError(
                f"__dlpack__: {describe(self)} requires grad, and none would flow back; detach() it first"
            )
        return self._unless_held().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The kind of device on which the memory is, and its number, as DLPack counts them."""
        return self.array.__dlpack_device__()

    def item(self) -> Any:
        """The only element, as a Python number (waits for the GPU). Raises ValueError unless there is one."""
        if self.array.size != 1:
            raise ValueError(f"item: {describe(self)} is not one number; index it, or take .sum() or .mean()")
        return self.array.item()

    def detach(self) -> Tensor:
        """The same memory as a constant: gradients stop here."""
        t = wrap(self.array, None, self.version)
        t.name = self.name
        t.cut = self.cut if self.node is None else Cut("detach() of", self.name, self.shape, self.dtype)
        return t

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add d(self)/d(leaf), times gradient if this is not a scalar, to `.grad` of every leaf that requires it.

        Raises GradientError for a graph already freed, a value changed since, or a gradient that does not fit.
        """
        root, gy = start(self, gradient, "backward")
        for node, (g, fresh) in walk_back(root, gy, None, retain_graph, None).items():
            leaf = node.leaf and node.leaf()
            if leaf is not None:
                earlier = leaf.grad
                leaf.grad = Tensor(no_scalar(earlier.array + g) if earlier is not None else g if fresh else g.copy())
                leaf.grad.cut = BACKWARD

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Callable[[], None]:
        """Call hook(gradient) once per backward, on the summed gradient; what it returns, if anything, replaces it.

        The hook gets a copy; under create_graph the gradient itself, on the tape. Returns a function that removes the
        hook. Raises ValueError if this Tensor does not require grad.
        """
        if not self.requires_grad:
            raise ValueError(f"register_hook: no gradient reaches {describe(self)}; it does not require grad")

        def on_gradient(gy: Any) -> Any:
            on_tape = isinstance(gy, Tensor)
            new = hook(gy if on_tape else Tensor(gy.copy()))
            if on_tape and is_array(new):
                return Tensor(new)
            return new.array if isinstance(new, Tensor) and not on_tape else new

        node, key = self.node, next(orders)
        assert node is not None
        hooks = node.hooks = node.hooks or {}
        hooks[key] = on_gradient
        return lambda: hooks.pop(key, None) and None


class Parameter(Tensor):
    """A Tensor that a module learns: a leaf that requires grad.

    >>> dense = tg.layers.Dense(2, 1)
    >>> isinstance(dense.w, tg.Parameter), dense.w.requires_grad
    (True, True)
    """

    def __init__(self, data: Array, name: str | None = None):
        super().__init__(data, True, name)


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None, name: str | None = None) -> Tensor:
    """A Tensor with a copy of data on the current device; Python floats become float32, arrays keep their dtype.

    >>> tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    Tensor([[1., 2.],
            [3., 4.]], dtype=float32, requires_grad=True)
    """
    cut = None
    if isinstance(data, Tensor):
        cut = data.cut if data.node is None else Cut("tensor() of", data.name, data.shape, data.dtype)
        data = data.array
    t = Tensor(_read(data, dtype, "tensor"), requires_grad, name)
    t.cut = cut
    return t


def _read(data: Any, dtype: Any, caller: str) -> Array:
    """A fresh array of data on the current device. Raises TypeError or ValueError unless it is numbers of one shape."""
    if not (is_array(data) or isinstance(data, np.generic)):
        try:
            data = np.asarray(data)
        except ValueError:
            raise ValueError(f"{caller}: data must be numbers of one shape, but its rows differ in length") from None
        if data.dtype == np.float64 and dtype is None:
            dtype = np.float32
    if data.dtype.kind not in "fiub":
        raise TypeError(
            f"{caller}: data must be numbers of one shape, but NumPy reads {data.dtype}; to join Tensors, use ops.stack"
        )
    if isinstance(data, np.ndarray):
        data = data.view(np.ndarray)  # not a np.matrix, whose * is the matrix product
    array = to_device(data, current_device())
    return array.astype(array.dtype if dtype is None else _real(dtype, caller), copy=True)


def _real(dtype: Any, caller: str) -> Any:
    """The dtype, if it holds real numbers. Raises TypeError for others."""
    try:
        if (real := np.dtype(dtype)).kind in "fiub":
            return real
    except TypeError:
        pass
    raise TypeError(f"{caller}: dtype is {dtype!r}, but it must hold real numbers, such as numpy.float32")


def wrap(data: Array, node: Node | None, version: Version | None = None) -> Tensor:
    """A Tensor of an array, uncopied, at a place on the tape, or a constant."""
    t = Tensor.__new__(Tensor)
    t.array = data
    t.node = node
    if version is not None:
        t.version = version
    return t


def start(y: Tensor, gradient: Any, caller: str) -> tuple[Node, Any]:
    """The node to start from and the gradient to start with: 1 for a scalar, else what the user gave, checked."""
    if not isinstance(y, Tensor):
        raise GradientError(f"{caller}: y must be a Tensor, but it is {brief(y)}; compute it with Tensors and tg.ops")
    if y.node is None:
        why = (
            f"it was cut by {describe_cut(y.cut)}" if y.cut else "it was made of constants: nothing in it requires grad"
        )
        raise GradientError(f"{caller}: {describe(y)} has no tape; {why}")
    if gradient is None:
        if y.size != 1:
            raise GradientError(
                f"{caller}: {describe(y)} is not a scalar; pass its gradient, or take .sum() or .mean()"
            )
        return y.node, array_module(y).ones(y.shape, y.dtype)
    if not isinstance(gradient, Tensor) and not is_array(gradient):
        try:
            gradient = array_module(y).asarray(gradient, dtype=y.dtype)
        except (TypeError, ValueError):
            raise GradientError(
                f"{caller}: the gradient given for {describe(y)} must be an array like it, not {brief(gradient)}"
            ) from None
    check_gradient(gradient, y, f"{caller}: the gradient given for {describe(y)}")
    return y.node, gradient.array if isinstance(gradient, Tensor) and caller == "backward" else gradient
