"""The watch over the ops: which made what is not finite, of what, and where it was called."""

from functools import partial

import numpy as np

import tinygen as tg
from tinygen.places import Place
from tinygen.scopes import trace
from tinygen.train.hunt import Watch


def line_of(text):
    """The number of the line of this file that ends in a comment."""
    with open(__file__) as file:
        return next(i for i, line in enumerate(file, 1) if line.rstrip().endswith(f"# {text}"))


def watched(step, known=frozenset()):
    watch = Watch(set(known))
    with trace(watch), np.errstate(all="ignore"):
        step()
    return watch


def test_nothing_is_seen_where_all_is_finite():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    watch = watched(lambda: tg.ops.log(x).sum().backward())
    assert watch.first is None and watch.events == set()


def test_a_forward_op_with_its_line_and_arguments():
    x = tg.tensor([[-1.0, 2.0, 0.5]])

    def helper():
        return tg.ops.log(x * 2)  # log of a negative number

    def step():
        return helper().sum() + 1  # calls the helper

    event = watched(step).first
    assert (event.op, event.phase, event.inherited) == ("log", "forward", False)
    assert event.places[:2] == (
        Place(__file__, line_of("log of a negative number"), "helper"),
        Place(__file__, line_of("calls the helper"), "step"),
    )
    assert event.arguments == ["x: float32 of shape (1, 3), from -2 to 4"]
    assert event.result == "float32 of shape (1, 3), from 0 to 1.386, 1 of 3 not finite"
    assert str(event.places[0]).endswith("in helper: return tg.ops.log(x * 2)  # log of a negative number")


def test_a_backward_op_is_traced_to_its_forward_line():
    x = tg.tensor([0.0, 4.0], requires_grad=True)

    def step():
        y = tg.ops.sqrt(x)  # finite, but its slope is not
        y.sum().backward()

    event = watched(step).first
    assert (event.op, event.phase) == ("sqrt", "backward")
    assert event.places[0] == Place(__file__, line_of("finite, but its slope is not"), "step")
    assert "gy: float32 of shape (2,), from 1 to 1" in event.arguments
    assert "1 of 2 not finite" in event.result


def test_a_second_derivative_is_traced_too():
    x = tg.tensor([1e-30, 4.0], requires_grad=True)

    def step():
        slope = tg.grad(tg.ops.sqrt(x).sum(), x, create_graph=True)  # finite
        tg.grad(slope.sum(), x)  # -1/4 x^-1.5 is not, in float32

    lines = line_of("finite"), line_of("-1/4 x^-1.5 is not, in float32")

    event = watched(step).first
    assert event.places[0] in [Place(__file__, line, "step") for line in lines]


def test_what_was_not_finite_before_is_not_blamed_on_the_op():
    event = watched(lambda: tg.tensor([np.inf, 1.0]) + 1).first
    assert event.op == "add" and event.inherited
    assert event.arguments[0] == "a: float32 of shape (2,), from 1 to 1, 1 of 2 not finite"


def test_known_infinities_are_passed_over():
    def step(bad):
        masked = tg.ops.maximum(tg.ops.log(tg.tensor([0.0])), 0)
        return tg.ops.log(tg.tensor([-1.0])) if bad else masked

    known, firsts = set(), []
    for bad in (False, False, True):
        watch = watched(partial(step, bad), known)
        known |= watch.events
        firsts.append(watch.first and watch.first.result)
    assert firsts == ["float32 of shape (1,), 1 of 1 not finite", None, "float32 of shape (1,), 1 of 1 not finite"]


def test_engine_and_library_frames_are_left_out():
    @tg.no_grad()
    def step():
        return tg.tensor([np.inf]).sum()

    functions = [place.function for place in watched(step).first.places]
    assert functions[0] == "step" and not {"call", "inner", "sum"} & set(functions)


def test_the_layers_of_a_model_are_shown(backend):
    from tinygen.layers import Dense

    dense = Dense(2, 3)
    dense.b.assign(np.inf)

    def step():
        return dense(tg.tensor(np.ones((1, 2), np.float32)))  # calls the layer

    places = watched(step).first.places
    assert places[0].file.endswith("basic.py")
    assert Place(__file__, line_of("calls the layer"), "step") in places


def test_no_values_an_integer_and_an_empty_array_are_finite():
    watched(lambda: tg.ops.log(tg.tensor(np.zeros((0, 2), np.float32))))
    assert watched(lambda: tg.ops.argmax(tg.tensor([1.0, 2.0]))).first is None


def test_an_event_on_each_backend(backend):
    x = tg.tensor(backend.asarray([-1.0, 2.0], np.float32), requires_grad=True)
    event = watched(lambda: tg.ops.log(x).sum()).first
    assert event.arguments == ["x: float32 of shape (2,), from -1 to 2"]
    assert event.result == "float32 of shape (2,), from 0.6931 to 0.6931, 1 of 2 not finite"
