"""Modules that hold others: in a list, by name, or one after another."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Literal

from .. import ops
from ..checks import type_of
from ..tensor import Tensor
from .module import Module


class ModuleList(Module):
    """A list of modules whose parameters are found: the second module is named "1", its weight "1.w".

    modules: the first ones. Indices, slices (which give a ModuleList), append, extend, insert, pop, + and del work as
    in a list. Raises TypeError for anything but a Module, such as a class that was not called.

    >>> rest = tg.layers.ModuleList([tg.layers.Dense(3, 3), tg.layers.Dense(3, 3)])
    >>> [name for name, p in rest.named_parameters()]
    ['0.w', '0.b', '1.w', '1.b']
    """

    def __init__(self, modules: Iterable[Module] = ()):
        self.extend(modules)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise TypeError("ModuleList: it can't be called; call each of its modules: `for layer in layers: x = layer(x)`")

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        return self.insert(len(self), module)

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Add modules at the end."""
        if not isinstance(modules, ModuleList) and (isinstance(modules, Module) or not isinstance(modules, Iterable)):
            raise TypeError(f"{type(self).__name__}: expected a list of modules, not {type_of(modules)}")
        return self._refill([*self, *modules])

    def insert(self, i: int, module: Module) -> ModuleList:
        """Add a module before the one at i; those after it are renamed."""
        modules = list(self)
        modules.insert(i, module)
        return self._refill(modules)

    def pop(self, i: int = -1) -> Module:
        """Take out the module at i; those after it are renamed."""
        modules = list(self)
        module = modules.pop(i)
        self._refill(modules)
        return module

    def _refill(self, modules: list[Any]) -> ModuleList:
        name = type(self).__name__
        for i, module in enumerate(modules):
            if not isinstance(module, Module):
                hint = f"; write {name}(*layers)" if isinstance(module, (list, tuple)) and name == "Sequential" else ""
                raise TypeError(f"{name}: layer {i} is {module!r}, but it must be a Module, such as ReLU(){hint}")
        for place, _ in list(self.named_children()):
            delattr(self, place)
        for i, module in enumerate(modules):
            setattr(self, str(i), module)
        return self

    def __iter__(self) -> Iterator[Module]:
        return (layer for _, layer in self.named_children())

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __getitem__(self, i: Any) -> Any:
        return self._like(list(self)[i]) if isinstance(i, slice) else list(self)[i]

    def __setitem__(self, i: Any, module: Any) -> None:
        modules: list[Any] = list(self)
        modules[i] = module
        self._refill(modules)

    def __delitem__(self, i: Any) -> None:
        modules = list(self)
        del modules[i]
        self._refill(modules)

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        return self._like([*self, *modules])

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def _like(self, modules: list[Module]) -> ModuleList:
        return ModuleList(modules)


class Sequential(ModuleList):
    """The layers one after another; the first may take further inputs, such as labels.

    It is a ModuleList, too: layers can be appended, and a slice is a Sequential. Raises TypeError for anything but a
    Module, such as a class that was not called.

    >>> mlp = tg.layers.Sequential(tg.layers.Dense(2, 8), tg.layers.Tanh(), tg.layers.Dense(8, 1))
    >>> mlp(np.zeros((5, 2), np.float32)).shape, len(mlp.parameters())
    ((5, 1), 4)
    """

    def __init__(self, *layers: Module):
        super().__init__(layers)

    def forward(self, x: Any, *more: Any) -> Tensor:
        for layer in self:
            x, more = layer(x, *more), ()
        return x

    def _like(self, modules: list[Module]) -> Sequential:
        return Sequential(*modules)


class Skip(Module):
    """Layers f with a way around them: x + f(x), He et al. 2015, or [x, f(x)], the channels of both, as in a U-Net.

    join: "add" or "concatenate".  shortcut: what x goes through on that way, such as a Conv that gives it f's channels.
    Raises ValueError for another join, and if the two shapes don't go together.

    >>> f = tg.layers.Dense(4, 4), tg.layers.ReLU()
    >>> tg.layers.Skip(*f, join="concatenate")(np.zeros((8, 4), np.float32)).shape
    (8, 8)
    """

    def __init__(self, *layers: Module, join: Literal["add", "concatenate"] = "add", shortcut: Module | None = None):
        if join not in ("add", "concatenate"):
            raise ValueError(f'Skip: join is {join!r}, but it must be "add" or "concatenate"')
        self.body, self.join, self.shortcut = Sequential(*layers), join, shortcut

    def forward(self, x: Any) -> Tensor:
        around, y = x if self.shortcut is None else self.shortcut(x), self.body(x)
        alike = around.shape if self.join == "add" else (*around.shape[:-1], y.shape[-1])
        if y.shape != alike:
            raise ValueError(
                f"Skip: the layers give {y.shape}, but the way around {around.shape}; give a shortcut, such as a Conv"
            )
        return around + y if self.join == "add" else ops.concatenate([around, y], -1)

    def _options(self) -> str:
        return "" if self.join == "add" else f"join={self.join!r}"


class ModuleDict(Module):
    """A dict of modules whose parameters are found: heads["a"] is named "a", its weight "a.w".

    modules: the first ones, as a dict or pairs of name and module. Raises TypeError for anything but a Module,
    ValueError for a name that is empty, has a dot, or is an attribute of a ModuleDict, such as "items".

    >>> heads = tg.layers.ModuleDict({"a": tg.layers.Dense(3, 1), "b": tg.layers.Dense(3, 2)})
    >>> [name for name, p in heads.named_parameters()]
    ['a.w', 'a.b', 'b.w', 'b.b']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()):
        self.update(modules)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        raise TypeError("ModuleDict: it can't be called; call one of its modules: `heads[name](x)`")

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules; one with a name that is taken replaces the old one."""
        try:
            pairs = dict(modules.items() if isinstance(modules, ModuleDict) else modules)
        except (TypeError, ValueError):
            raise TypeError(
                f"ModuleDict: expected a dict of modules, or pairs of name and module, not {type_of(modules)}"
            ) from None
        for name, module in pairs.items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(name, str) or not name or "." in name or hasattr(ModuleDict, name):
            raise ValueError(
                f"ModuleDict: {name!r} can't name a module; give a word without a dot, not an attribute's name"
            )
        if not isinstance(module, Module):
            raise TypeError(f"ModuleDict: {name!r} is {module!r}, but it must be a Module, such as ReLU()")
        setattr(self, name, module)

    def __getitem__(self, name: str) -> Module:
        return self._modules()[name]

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def pop(self, name: str) -> Module:
        """Take out the module of that name."""
        module = self[name]
        delattr(self, name)
        return module

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules())

    def __len__(self) -> int:
        return len(self._modules())

    def __contains__(self, name: object) -> bool:
        return name in self._modules()

    def keys(self) -> KeysView[str]:
        """The names, in the order in which they were added."""
        return self._modules().keys()

    def values(self) -> ValuesView[Module]:
        """The modules."""
        return self._modules().values()

    def items(self) -> ItemsView[str, Module]:
        """Names and modules."""
        return self._modules().items()

    def _modules(self) -> dict[str, Module]:
        return dict(self.named_children())
