"""PyTorch's state_dicts of the same architecture, in and out, and the state of its optimisers.

Layers are matched in order, and each of their tensors by its role. PyTorch keeps dense weights as (out, in) and kernels
as (K, C, R, S), and its images are NCHW, so what a Flatten or a Reshape joins is in another order there, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import layers
from ..backend import to_device, to_host
from ..errors import ConfigError
from ..layers.module import Module
from ..optimizer import Optimizer
from ..tensor import Parameter, Tensor

Maps = tuple[int, ...]  # (H, W, C) of the maps whose elements an axis counts
DENSE, KERNEL, KERNEL_OF_ROW, PLAIN = (1, 0), (3, 2, 0, 1), (2, 1, 0), (0,)
Layout = dict[str, tuple[str, tuple[int, ...]]]  # our name: PyTorch's, and its axes as ours
SCALE_AND_SHIFT: Layout = {"gamma": ("weight", PLAIN), "beta": ("bias", PLAIN)}

LAYOUTS: dict[type[Module], Layout] = {
    layers.Dense: {"w": ("weight", DENSE), "b": ("bias", PLAIN)},
    layers.Conv: {"w": ("weight", KERNEL), "b": ("bias", PLAIN)},
    layers.ConvTranspose: {"w": ("weight", KERNEL), "b": ("bias", PLAIN)},
    layers.Conv1d: {"w": ("weight", KERNEL_OF_ROW), "b": ("bias", PLAIN)},
    layers.ConvTranspose1d: {"w": ("weight", KERNEL_OF_ROW), "b": ("bias", PLAIN)},
    layers.BatchNorm: SCALE_AND_SHIFT | {"mean": ("running_mean", PLAIN), "var": ("running_var", PLAIN)},
    layers.LayerNorm: SCALE_AND_SHIFT,
    layers.InstanceNorm: SCALE_AND_SHIFT,
    layers.GroupNorm: SCALE_AND_SHIFT,
    layers.RMSNorm: {"gamma": ("weight", PLAIN)},
    layers.PReLU: {"slope": ("weight", PLAIN)},
    layers.Embedding: {"w": ("weight", (0, 1))},
}
NORMS = layers.BatchNorm, layers.LayerNorm  # have a number a feature
IGNORED = {"num_batches_tracked"}  # counts what has no part in the result
SLOTS = {"m": "exp_avg", "v": "exp_avg_sq"}  # of Adam and AdamW


@dataclass(frozen=True)
class Place:
    """A tensor of a module, and where PyTorch keeps it: the layer's path, the name there, the order of the axes."""

    layer: str
    tensor: Tensor
    name: str
    axes: tuple[int, ...]
    maps: tuple[Maps | None, ...]  # for each of our axes

    def there(self, x: np.ndarray) -> np.ndarray:
        """Our values in PyTorch's layout."""
        for axis, maps in enumerate(self.maps):
            if maps:
                x = _reordered(x, axis, maps, (2, 0, 1))
        return np.ascontiguousarray(x.transpose(self.axes))

    def here(self, x: np.ndarray) -> np.ndarray:
        """PyTorch's values in our layout; those of a convolution as large as the map, for a dense layer, too."""
        if x.ndim == 4 and len(self.axes) == 2:
            x = x.reshape(len(x), -1)
            x = x if self.maps[0] else x.T
        x = x.transpose(np.argsort(self.axes))
        for axis, maps in enumerate(self.maps):
            if maps:
                H, W, C = maps
                x = _reordered(x, axis, (C, H, W), (1, 2, 0))
        return x

    def shapes_there(self) -> list[tuple[int, ...]]:
        """The shapes that PyTorch may keep it in."""
        shape = tuple(self.tensor.shape[axis] for axis in self.axes)
        shapes = [shape]
        if len(self.axes) == 2 and any(self.maps):
            (H, W, C), (n_out, n_in) = next(maps for maps in self.maps if maps), shape
            shapes.append((n_out, C, H, W) if self.maps[0] else (n_in, C, H, W))
        return shapes


def torch_state_dict(module: Module, input_shape: Sequence[int] | None = None) -> dict[str, np.ndarray]:
    """The parameters and running statistics of a module, as the state_dict of the same network in PyTorch has them.

    For `net.load_state_dict({k: torch.from_numpy(x) for k, x in state.items()}, strict=False)`; names are the layers'
    paths: "0.weight". input_shape: of one example here, such as (28, 28, 1); needed if the network flattens images.
    Raises ConfigError for a layer that has no counterpart, and if input_shape is missing.

    >>> net = tg.layers.Sequential(tg.layers.Conv(3, 16, 5), tg.layers.ReLU())
    >>> {name: x.shape for name, x in tg.export.torch_state_dict(net).items()}
    {'0.weight': (16, 3, 5, 5), '0.bias': (16,)}
    """
    found = _places("torch_state_dict", module, input_shape)
    return {f"{p.layer}.{p.name}".lstrip("."): p.there(to_host(p.tensor.data)) for p in found}


def load_torch_state_dict(module: Module, state: Mapping[str, Any], input_shape: Sequence[int] | None = None) -> None:
    """Load the state_dict of the same network in PyTorch: tensors or arrays by name, in the order of its layers.

    A dense layer that makes the first maps, or judges the last, may be a convolution of that size there, as in
    PyTorch's DCGAN tutorial. input_shape: see torch_state_dict.  Raises ConfigError, and changes nothing, if the
    layers, their tensors or a shape differ. Options, such as strides, eps and slopes, aren't part of a state_dict:
    compare outputs.

    >>> dense = tg.layers.Dense(2, 1)
    >>> tg.export.load_torch_state_dict(dense, {"fc.weight": np.array([[1.0, 10.0]]), "fc.bias": np.array([100.0])})
    >>> dense(tg.tensor([[2.0, 3.0]])).detach()
    Tensor([[132.]], dtype=float32)
    """
    name = "load_torch_state_dict"
    if not isinstance(state, Mapping):
        raise ConfigError(f"{name}: state is a {type(state).__name__}, but it must be a state_dict: tensors by name")
    ours = itertools.groupby(_places(name, module, input_shape), key=lambda p: p.layer)
    own, given = [list(places) for _, places in ours], _groups(state)
    if len(own) != len(given):
        raise ConfigError(
            f"{name}: the module has {len(own)} layers with parameters, and the state {len(given)}: {', '.join(given)}"
        )
    values = []
    for places, (path, tensors) in zip(own, given.items(), strict=True):
        if {p.name for p in places} != tensors.keys():
            raise ConfigError(
                f"{name}: layer {places[0].layer!r} takes {', '.join(p.name for p in places)}, but {path!r} has "
                f"{', '.join(tensors)}"
            )
        values += [(p, _checked(name, p, path, tensors[p.name])) for p in places]
    for place, x in values:
        place.tensor.assign(to_device(place.here(x), place.tensor.device))


def load_torch_optimizer(
    optimizer: Optimizer, state: Mapping[str, Any], module: Module, input_shape: Sequence[int] | None = None
) -> None:
    """Load the state_dict of PyTorch's Adam or AdamW over the parameters of the same network, for its next step.

    module, input_shape: as in load_torch_state_dict. The optimiser keeps its own options, which must be those of the
    state: raises ConfigError if lr, betas or eps differ, for another optimiser, and if a shape does.

    >>> dense, ones = tg.layers.Dense(2, 1, bias=False), np.ones((1, 2))
    >>> opt = tg.optim.Adam(dense.parameters())
    >>> group = {"params": [0], "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    >>> state = {"state": {0: {"step": 7, "exp_avg": ones, "exp_avg_sq": ones}}, "param_groups": [group]}
    >>> tg.export.load_torch_optimizer(opt, state, dense)
    >>> opt.t
    7
    """
    name = "load_torch_optimizer"
    if set(optimizer.slots) != SLOTS.keys():
        raise ConfigError(f"{name}: takes an Adam or AdamW, but this is a {type(optimizer).__name__}")
    (group,) = state["param_groups"] if len(state["param_groups"]) == 1 else (None,)
    if group is None:
        raise ConfigError(f"{name}: the state has {len(state['param_groups'])} groups of parameters, and one is needed")
    own = {"lr": optimizer.lr, "betas": optimizer.betas, "eps": optimizer.eps}  # type: ignore[attr-defined]
    for option, value in own.items():
        if not callable(value) and not np.allclose(value, group[option], rtol=1e-12, atol=0):
            raise ConfigError(f"{name}: {option} is {value} here, but {group[option]} in the state")
    places = [p for p in _places(name, module, input_shape) if isinstance(p.tensor, Parameter)]
    if {id(p.tensor) for p in places} != {id(p) for p in optimizer.params} or len(places) != len(group["params"]):
        raise ConfigError(f"{name}: the optimiser's parameters aren't all those of the module")
    theirs = {id(p.tensor): (p, state["state"].get(i, {})) for p, i in zip(places, group["params"], strict=True)}
    steps = {int(_array(one["step"])) for _, one in theirs.values() if one}
    if len(steps) > 1:
        raise ConfigError(
            f"{name}: parameters took {min(steps)} to {max(steps)} steps, and all must have taken as many"
        )
    for slot, key in SLOTS.items():
        arrays = []
        for parameter in optimizer.params:
            place, one = theirs[id(parameter)]
            x = _checked(name, place, key, one[key]) if one else np.zeros(place.shapes_there()[0])
            arrays.append(place.here(x).reshape(-1))
        optimizer.state[slot][...] = to_device(np.concatenate(arrays), optimizer.params[0].device)
    optimizer.t = max(steps, default=0)


def _places(caller: str, module: Module, input_shape: Sequence[int] | None) -> list[Place]:
    """Where each tensor of a module is kept in PyTorch, in the order there."""
    found = [(path, x) for path, x in module.named_modules() if not any(x.named_children()) or _tensors_of(x)]
    before, after = _maps_around(caller, module, [layer for _, layer in found], input_shape)
    places = []
    for path, layer in found:
        own = _tensors_of(layer)
        layout = LAYOUTS.get(type(layer), {})
        if unknown := own.keys() - layout.keys():
            raise ConfigError(f"{caller}: layer {path!r}, {layer!r}, has {', '.join(unknown)}: no counterpart is known")
        for name in layout.keys() & own.keys():
            into, out = before.get(id(layer)), after.get(id(layer))
            maps = (into, out) if type(layer) is layers.Dense and name == "w" else (out,) * own[name].ndim
            places.append(Place(path, own[name], *layout[name], maps))
    order = {name: i for i, name in enumerate(("weight", "bias", "running_mean", "running_var"))}
    paths = {path: i for i, (path, _) in enumerate(found)}
    return sorted(places, key=lambda p: (paths[p.layer], order[p.name]))


def _tensors_of(layer: Module) -> dict[str, Tensor]:
    """The tensors of its own, by name."""
    return {name: x for name, x in layer.named_tensors() if "." not in name}


def _maps_around(
    caller: str, module: Module, found: Sequence[Module], input_shape: Sequence[int] | None
) -> tuple[dict[int, Maps], dict[int, Maps]]:
    """The maps (H, W, C) whose elements a layer's inputs count, and those that its outputs do, by the layer's id."""
    before, after = dict[int, Maps](), dict[int, Maps]()
    shapes = module.output_shapes(input_shape) if input_shape is not None else {}
    joined: Maps | None = None  # by a Flatten, until a dense layer has read them
    for i, layer in enumerate(found):
        if type(layer) is layers.Flatten:
            joined = shapes[id(found[i - 1])] if i and shapes else tuple(input_shape or ())
            if not joined:
                raise ConfigError(f"{caller}: the network flattens images; give input_shape, such as (28, 28, 1)")
        elif type(layer) is layers.Reshape and len(layer.shape) == 3:
            after.update((id(earlier), layer.shape) for earlier in _makers(found[:i]))
        elif joined and len(joined) == 3 and type(layer) in (layers.Dense, *NORMS):
            (before if type(layer) is layers.Dense else after)[id(layer)] = joined
            joined = None if type(layer) is layers.Dense else joined
    return before, after


def _makers(found: Sequence[Module]) -> Iterator[Module]:
    """The layers, from the last on, that count the features which a Reshape splits: back to the dense layer."""
    for layer in reversed(found):
        if type(layer) in (layers.Dense, *NORMS):
            yield layer
        if type(layer) in LAYOUTS.keys() - set(NORMS):
            return


def _reordered(x: np.ndarray, axis: int, sizes: Maps, order: Sequence[int]) -> np.ndarray:
    """The elements that an axis counts, in another order of the three axes of their maps."""
    split = x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])
    axes = [*range(axis), *(axis + i for i in order), *range(axis + 3, split.ndim)]
    return split.transpose(axes).reshape(x.shape)


def _groups(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tensors of a state_dict by the layer that they are of."""
    groups: dict[str, dict[str, Any]] = {}
    for key, value in state.items():
        path, _, name = key.rpartition(".")
        if name not in IGNORED:
            groups.setdefault(path, {})[name] = value
    return groups


def _array(x: Any) -> np.ndarray:
    """A tensor of PyTorch's, or anything like an array, on the CPU."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x if x.dtype.itemsize > 2 else x.float()  # NumPy has no bfloat16
    return np.asarray(x)


def _checked(caller: str, place: Place, path: str, value: Any) -> np.ndarray:
    x = _array(value)
    if x.shape not in (shapes := place.shapes_there()):
        wanted = f"{place.name} of layer {place.layer!r} is {' or '.join(map(str, shapes))} in PyTorch"
        raise ConfigError(f"{caller}: {wanted}, but that of {path!r} is {x.shape}")
    return x
