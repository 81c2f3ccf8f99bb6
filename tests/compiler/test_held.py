"""What a step can reach, by name, and what of it counts as a setting."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from compiler.steps import Trainer, network

import tinygen as tg
from tinygen.compiler.held import Holder, Reach
from tinygen.compiler.state import State

NET = network()


def uses_a_global(x):
    return inner(x)


def inner(x):
    return NET(x)


def reached(root: Any) -> list[str]:
    return [path for path, _ in Reach({"": root}).tensors]


WEIGHTS = [f"{k}.{name}" for k in (0, 2) for name in "wb"]


def test_what_functions_reach():
    net = network()
    named = [f"net.{w}" for w in WEIGHTS]
    assert reached(lambda x: net(x)) == named
    assert reached(functools.partial(lambda n, x: n(x), net)) and reached(lambda x: [(lambda: net)()]) == named
    assert reached(uses_a_global) == [f"NET.{w}" for w in WEIGHTS]
    assert len(reached(lambda x, n=net: n(x))) == len(reached(tg.no_grad()(lambda x: net(x)))) == 4


def test_what_objects_reach():
    owner = Trainer()
    assert reached(owner) == [f"net.{w}" for w in WEIGHTS] == reached(owner.step)
    assert [path for path, _ in Reach({"": owner}).optimizers] == ["opt"]
    assert reached({"a": [owner.net, (owner.net[0].w,)]}) == [f"a.0.{w}" for w in WEIGHTS]


def test_properties_and_static_methods_reach_what_methods_do():
    class Owner:
        read = property(lambda self: NET)
        static = staticmethod(uses_a_global)

        @classmethod
        def made(cls):
            return NET

    for name in ("read", "static", "made"):
        kind = type("Kind", (), {name: vars(Owner)[name], "__module__": __name__})
        assert reached(kind()) == [f"NET.{w}" for w in WEIGHTS], name


def test_arrays_and_streams_that_are_held():
    rng, table = np.random.default_rng(0), {"x": np.ones(3)}
    reach = Reach({"": lambda: (rng, table)})
    assert reach.streams == [rng] and [(holder.path_of(key)) for holder, key in reach.arrays] == ["table.x"]


def test_a_ring_and_a_long_list_end():
    ring: list[Any] = []
    ring.append(ring)
    assert reached(lambda: (ring, [network()] * 3)) == []
    assert reached({"a": [NET] * 2000}) == []


SETTINGS: list[tuple[str, Any, Any, bool]] = [
    ("another number", {"a": 1}, lambda d: d.update(a=2), True),
    ("an equal number", {"a": 1000.5}, lambda d: d.update(a=float("1000.5")), False),
    ("an equal number of another type", {"a": 1}, lambda d: d.update(a=True), True),
    ("another object", {"a": object()}, lambda d: d.update(a=object()), True),
    ("one that is gone", {"a": 1}, lambda d: d.clear(), True),
    ("one more in a dict", {"a": 1}, lambda d: d.update(b=1), False),
    ("one more in a list", [1], lambda d: d.append(1), False),
    ("another in a list", [1, 2], lambda d: d.reverse(), True),
]


@pytest.mark.parametrize(("box", "change", "changed"), [s[1:] for s in SETTINGS], ids=[s[0] for s in SETTINGS])
def test_changes_that_count(box, change, changed):
    holder = Holder("box", box)
    assert not holder.changed()
    change(box)
    assert holder.changed() is changed
    holder.note()
    assert not holder.changed()


def test_a_new_attribute_counts_and_a_live_one_does_not():
    class Settings:
        pass

    settings = Settings()
    settings.a, settings.t = 1, 0
    holder = Holder("", vars(settings), attributes=True)
    holder.live.add("t")
    settings.t = 1
    assert not holder.changed()
    settings.training = False  # the class may have had another
    assert holder.changed()


def test_restoring():
    settings = {"a": 1, "b": 2}
    holder = Holder("", settings)
    before = holder.items()
    settings.update(a=3, c=4)
    del settings["b"]
    holder.restore(before, {"a"})
    assert settings == {"a": 3, "b": 2}
    listed = [1, 2]
    holder = Holder("", listed)
    before = holder.items()
    listed.append(3)
    holder.restore(before, set())
    assert listed == [1, 2]


# The state of all that is reached


def test_a_state_knows_its_arrays_by_name():
    owner = Trainer()
    names = {place.name for place in State({"": owner.step}).places}
    assert {"net.0.w", "0.w", "opt.m[0.w]", "opt.v[2.b]"} <= names


def test_a_state_notices_other_arrays_hooks_and_first_gradients():
    owner = Trainer()
    w = owner.net[0].w
    for change in (
        lambda: setattr(w, "array", w.array.copy()),
        lambda: w.register_hook(lambda g: None),
        lambda: setattr(w, "grad", tg.tensor(np.ones((3, 4)))),
        lambda: w.requires_grad_(False),
        lambda: setattr(owner.opt, "eps", 1e-3),
        lambda: owner.net.eval(),
    ):
        state = State({"": owner})
        assert not state.changed()
        change()
        assert state.changed()
    state = State({"": owner})
    w.assign(1.0)
    owner.opt.t, owner.opt.lr = 7, 0.5
    assert not state.changed()
