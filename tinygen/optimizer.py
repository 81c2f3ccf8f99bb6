"""What all optimisers share: flat buffers, checks, clipping and the count of steps. The optimisers are in optim.py.

An optimiser moves its parameters into one flat buffer, makes each a view of it, and keeps its state the same way.
On the CPU a step reads each parameter's gradient where it lies: gathering them first would copy everything once more.
On a GPU that copy is one launch, and then the step is as few launches as that of a single parameter.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

import numpy as np

from . import kernels
from .backend import Array, array_module, array_of, is_array, to_device
from .checks import call_of, number, type_of
from .errors import GradientError
from .tape import check_shape
from .tensor import Parameter, Tensor
from .tracing import per_step, reads

if TYPE_CHECKING:
    from typing import TypedDict

    class Options(TypedDict, total=False):
        """The keywords that every optimiser takes: those of `Optimizer`."""

        clip_norm: float | None
        clip_value: float | None


F = TypeVar("F", bound=Callable[..., Any])
Rate: TypeAlias = "float | Callable[[int], float]"  # a number, or a schedule: the rate of step 0, 1, 2, ...


def by_element(update: F) -> F:
    """Mark an optimiser's update() that does with each element the same, whatever the others are.

    On a GPU it is called once, with all parameters as one; others, which may take the norm of a parameter, are called
    for each.
    """
    update.by_element = True  # type: ignore[attr-defined]
    return update


class _Signature:
    """The signature of an optimiser, with the options that all share: made when help() or repr() asks for it."""

    def __get__(self, optimizer: Optimizer | None, kind: type[Optimizer]) -> inspect.Signature:
        own, shared = inspect.signature(kind.__init__), inspect.signature(Optimizer.__init__)
        named = [p for p in list(own.parameters.values())[1:] if p.kind is not p.VAR_KEYWORD]
        options = [p for p in shared.parameters.values() if p.kind is p.KEYWORD_ONLY and p.name not in own.parameters]
        return own.replace(parameters=[*named, *options])


class Optimizer:
    """What all optimisers share: flat buffers, checks of the gradients, clipping, and the count of steps, `t`.

    lr: a number or a schedule.  clip_norm: scale the gradient, taken as one long vector, down to this length if it is
    longer (Pascanu et al. 2013, algorithm 1).  clip_value: clip every element to ± this first.
    The length is computed in float64. If it is inf or NaN, no direction is left: on the CPU step() raises GradientError
    and changes nothing; on a GPU, which isn't waited for, and in a compiled step, which looks at no number, the
    parameters become NaN.
    Raises ValueError if params is empty, holds anything but Parameters, or mixes dtypes or devices.

    >>> p = tg.Parameter(np.array([1.0]))
    >>> opt = tg.optim.OPTIMIZERS["sgd"]([p], lr=0.1, clip_norm=1.0)
    >>> opt.step([np.array([50.0])])
    >>> isinstance(opt, tg.optim.Optimizer), opt.t, p.numpy()
    (True, 1, array([0.9]))
    """

    slots: tuple[str, ...] = ()  # the names of the state's buffers
    squares: tuple[str, ...] = ()  # the buffers that are never negative
    __signature__: ClassVar[Any] = _Signature()

    def __init__(
        self, params: Iterable[Parameter], lr: Rate, *, clip_norm: float | None = None, clip_value: float | None = None
    ):
        name = type(self).__name__
        self.params = _parameters(name, params)
        self.lr = lr if callable(lr) else number(name, "lr", lr, 0)
        self.clip_norm = None if clip_norm is None else number(name, "clip_norm", clip_norm, above=0)
        self.clip_value = None if clip_value is None else number(name, "clip_value", clip_value, above=0)
        kernels.memory.keep()
        ends = np.cumsum([p.size for p in self.params]).tolist()
        self._slices = [slice(end - p.size, end) for p, end in zip(self.params, ends, strict=True)]
        self._make_views()
        empty = kernels.wide(array_module(self.flat).zeros_like(self.flat))  # g² of float16 would be 0
        self.state = {slot: empty.copy() for slot in self.slots}
        self.t = 0
        self._make_parts()

    def _make_views(self) -> None:
        self.flat = array_module(self.params[0]).zeros(self._slices[-1].stop, self.params[0].dtype)
        self._views = [self.flat[s].reshape(p.shape) for p, s in zip(self.params, self._slices, strict=True)]
        self.adopt()

    def _make_parts(self) -> None:
        self._parts = [[array[s] for array in (self.flat, *self.state.values())] for s in self._slices]

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes: not the views, whose copies would be no views; they are made again."""
        return {name: value for name, value in vars(self).items() if name not in ("flat", "_views", "_parts")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._make_views()
        self._make_parts()

    def adopt(self) -> None:
        """Make every parameter a view of the flat buffer: at first, and when one was given another array since."""
        for p, view in zip(self.params, self._views, strict=True):
            if p.array is not view:
                view[...] = p.array
                p.array = view

    def places(self, path: str = "") -> Iterator[tuple[list[Array], int, str]]:
        """Where each parameter and its part of each state is held, (a list, an index), and a name for it.

        path: the optimiser's own.  The flat buffers, of which these are parts, are not among them.
        """
        of_state = f"{path}." if path else ""
        for i, p in enumerate(self.params):
            name = p.name or str(i)
            yield from ((self._views, i, name), (self._parts[i], 0, name))
            yield from ((self._parts[i], k, f"{of_state}{slot}[{name}]") for k, slot in enumerate(self.state, 1))

    def __repr__(self) -> str:
        n, scheduled = len(self.params), ["lr=a schedule"] if callable(self._lr) else []
        return call_of(self, f"{n} tensor{'s' * (n != 1)}", *scheduled)

    def zero_grad(self) -> None:
        """Forget the gradients: every `.grad` becomes None."""
        for p in self.params:
            p.grad = None

    def step(self, grads: Sequence[Any] | None = None) -> None:
        """Change the parameters by one step: along grads, in the order of the parameters, or along their `.grad`.

        A parameter whose gradient is None stays as it is, and so does its state. Raises GradientError if all are None,
        if the numbers of gradients and parameters differ, or if a shape does; ValueError if a schedule gives anything
        but a number of at least 0.
        """
        grads = [p.grad for p in self.params] if grads is None else _gradients(type(self).__name__, grads)
        self._check(grads)
        lr = per_step(self._rate)
        self.adopt()
        given = [(i, array_of(g)) for i, g in enumerate(grads) if g is not None]
        given = [(i, g.copy() if g is self.flat or g.base is self.flat else g) for i, g in given]  # a parameter itself
        arrays = [g.astype(self.flat.dtype, copy=False) for _, g in given]
        on_gpu = array_module(*arrays).__name__ not in ("numpy", "traced")
        if on_gpu and len(given) == len(grads) > 1 and hasattr(self.update, "by_element"):
            parts, flat = [[self.flat, *self.state.values()]], [kernels.wide(kernels.flattened(arrays))]
        else:
            parts, flat = [self._parts[i] for i, _ in given], [kernels.wide(g).reshape(-1) for g in arrays]
        flat = self._clipped(flat)
        per_step(self._advance)
        for (p, *state), g in zip(parts, flat, strict=True):
            self.update(p, g, *state, lr=lr)
        for i, _ in given:
            self.params[i].changed()

    @reads
    def _rate(self) -> float:
        """The learning rate of the next step."""
        lr, t = self._lr, self._t
        return number(type(self).__name__, f"lr({t})", lr(t), 0) if callable(lr) else lr

    def _advance(self) -> int:
        self._t += 1
        return self._t

    @reads
    def _steps_taken(self) -> int:
        return self._t

    @property
    def t(self) -> Any:
        """How many steps were taken: a number that a compiled step asks for anew each time."""
        return per_step(self._steps_taken)

    @t.setter
    def t(self, t: int) -> None:
        self._t = t

    @property
    def lr(self) -> Any:
        """The learning rate, or the schedule that gives it."""
        return self._lr if callable(self._lr) else per_step(self._rate)

    @lr.setter
    def lr(self, lr: Rate) -> None:
        self._lr = lr

    @classmethod
    def options_of(cls, config: Any) -> dict[str, Any]:
        """The options beside lr that this optimiser takes from a model's Config, such as its betas and eps."""
        return {}

    def update(self, p: Array, g: Array, *state: Array, lr: float) -> None:
        """Change flat p and state in place, given the flat gradient g, which must stay as it is.

        self.t is the number of this step, from 1 on; it and lr may be numbers that a compiled step computes anew.
        See by_element() for one that is called once for all parameters.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update(); write one")

    def _check(self, grads: list[Any]) -> None:
        name = type(self).__name__
        if len(grads) != len(self.params):
            raise GradientError(f"{name}.step: got {len(grads)} gradients for {len(self.params)} parameters")
        if all(g is None for g in grads):
            raise GradientError(f"{name}.step: no parameter has a gradient; call backward() first, or pass grads")
        for p, g in zip(self.params, grads, strict=True):
            if g is not None:
                check_shape(g, p, f"{name}.step: the gradient of {p.name or 'a parameter'}")
                if g.dtype.kind != "f":
                    raise GradientError(f"{name}.step: a gradient must be of floats, but one is {type_of(g)}")

    def _clipped(self, grads: list[Array]) -> list[Array]:
        if self.clip_value is not None:
            grads = [g.clip(-self.clip_value, self.clip_value) for g in grads]
        if self.clip_norm is not None:
            xp, wide = array_module(grads[0]), np.promote_types(grads[0].dtype, np.float64)
            norm = xp.sqrt(sum(xp.square(g, dtype=wide).sum() for g in grads))  # in float32 a 1e20 gives inf
            if xp is np and not np.isfinite(norm):
                raise GradientError(
                    f"{type(self).__name__}.step: the gradient's length is {norm}, which clip_norm can't scale; "
                    "find what overflows, lower lr, or skip this step"
                )
            scale = xp.minimum(self.clip_norm / (norm + 1e-6), 1)
            grads = [(g * scale).astype(g.dtype, copy=False) for g in grads]
        return grads

    def state_dict(self) -> dict[str, Array]:
        """Copies of the state: the step count `t` and each buffer."""
        return {"t": np.asarray(self.t), **{slot: s.copy() for slot, s in self.state.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state_dict. Raises ValueError if it is of another optimiser or other parameters."""
        self.check_state(state)
        self.t = int(state["t"])
        for slot, s in self.state.items():
            s[...] = to_device(state[slot], self.params[0].device)

    def check_state(self, state: dict[str, Any]) -> None:
        """Raise the error that load_state_dict would raise, if any."""
        name = type(self).__name__
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict: expected the dict of this {name}'s state_dict(), not {type_of(state)}")
        state = {n: array_of(x) for n, x in state.items()}
        own, given = ({n: getattr(x, "shape", type_of(x)) for n, x in d.items()} for d in (self.state_dict(), state))
        if own != given:
            raise ValueError(f"load_state_dict: this {name} keeps {own}, but the state has {given}")
        kinds = {n: state[n].dtype for n in own if state[n].dtype.kind not in ("iu" if n == "t" else "f")}
        if kinds or int(state["t"]) < 0 or any((state[n] < 0).any() for n in self.squares):
            raise ValueError(
                f"load_state_dict: in a state of {name}, t counts steps; {' and '.join(self.slots) or 'the rest'} must "
                f"be floats, {' and '.join(self.squares) or 'none'} at least 0; is this the state of another optimiser?"
            )


def _parameters(name: str, params: Any) -> list[Parameter]:
    """params as a list. Raises ValueError, in the name of the optimiser, unless it can train them."""
    single = isinstance(params, (Tensor, Mapping, str)) or hasattr(params, "parameters") or is_array(params)
    listed = [] if single or not isinstance(params, Iterable) else list(params)
    wrong = [p for p in listed if not isinstance(p, Tensor)]
    if wrong or not listed:
        found = f"a list with {type_of(wrong[0])}" if wrong else type_of(params)
        raise ValueError(
            f"{name}: params must be a list of at least one Parameter, such as module.parameters(), not {found}"
        )
    if not all(p.is_leaf and p.dtype.kind == "f" for p in listed):
        raise ValueError(f"{name}: params must be Parameters, but one is the result of an op, or of integers")
    if len({id(p) for p in listed}) != len(listed):
        raise ValueError(f"{name}: params has a Parameter twice")
    if len({(p.dtype, p.device) for p in listed}) > 1:
        raise ValueError(f"{name}: params must be of one dtype and device; give each kind an optimiser of its own")
    return listed


def _gradients(name: str, grads: Any) -> list[Any]:
    """grads as a list. Raises GradientError for a dict, or for a single array, which would fall apart into rows."""
    if isinstance(grads, (Tensor, Mapping, str)) or is_array(grads) or not isinstance(grads, Iterable):
        raise GradientError(f"{name}.step: grads must be a list, in the order of the parameters, not {type_of(grads)}")
    return list(grads)
