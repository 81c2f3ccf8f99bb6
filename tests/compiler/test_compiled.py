"""Compiled steps do what the steps as written do, whatever happens between them."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest
from compiler.steps import DATA, Trainer, assert_alike, follow, network, tensors_of
from models.small import batches, small

import tinygen as tg
from tinygen import compile, layers, ops
from tinygen.compiler.backends import default_back_end
from tinygen.errors import ConfigError, UserError
from tinygen.optim import SGD, Adam, AdamW, Optimizer, RMSprop, cosine_decay, step_decay
from tinygen.random import Generator, default_rng


def trainer(**options: Any) -> Any:
    made = Trainer(**options)
    return made.step, made


def test_a_step_of_an_object(back_end):
    compiled = follow(trainer, back_end=back_end)
    assert compiled.reason is None and compiled.program is not None and compiled.program.name == "step"


class Own(Optimizer):
    """An optimiser of the user's own, whose rate falls with its steps, with a state."""

    slots = ("m",)

    def update(self, p: Any, g: Any, *state: Any, lr: float) -> None:
        (m,) = state
        m += g
        p -= lr / self.t**0.5 * m
        p *= 1 - self.lr


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True, clip_norm=0.1),
        lambda p: AdamW(p, cosine_decay(0.1, 6), weight_decay=0.1, clip_norm=0.5, clip_value=0.1),
        lambda p: RMSprop(p, step_decay(0.1, 0.5, 3), clip_value=0.01),
        lambda p: Own(p, 0.1),
    ],
)
def test_optimisers(optimizer, back_end):
    def state(owner):
        return [tensors_of(owner), owner.opt.state_dict()]

    compiled = follow(lambda: trainer(optimizer=optimizer), state=state, back_end=back_end)
    assert compiled.reason is None


# What is changed between steps


def dropped() -> Any:
    return trainer_of(layers.Dropout(0.5, rng=Generator(3)), layers.BatchNorm(4))


def trainer_of(*between: Any) -> Any:
    made = Trainer(*between, optimizer=lambda p: SGD(p, 0.01))
    return made.step, made


CHANGES: dict[str, Any] = {
    "lr": lambda k, o: setattr(o.opt, "lr", 0.1 / (k + 1)),
    "betas": lambda k, o: k == 3 and setattr(o.opt, "betas", (0.5, 0.6)),
    "a schedule": lambda k, o: k == 3 and setattr(o.opt, "lr", cosine_decay(0.1, 9)),
    "t": lambda k, o: k == 3 and setattr(o.opt, "t", 100),
    "another layer": lambda k, o: k == 3 and setattr(o.net, "1", layers.ReLU()),
    "another array": lambda k, o: k == 3 and setattr(o.net[0].w, "array", np.ones((3, 4), np.float32)),
    "written weights": lambda k, o: o.net[0].w.assign(o.net[0].w.data * 0.5),
    "loaded weights": lambda k, o: k == 3 and o.net.load_state_dict(network(seed=7).state_dict()),
    "loaded optimiser": lambda k, o: k == 3 and o.opt.load_state_dict(Trainer().opt.state_dict()),
    "a hook": lambda k, o: k == 3 and o.net[0].w.register_hook(lambda g: g * 2.0),
    "another optimiser": lambda k, o: k == 3 and setattr(o, "opt", SGD(o.net.parameters(), 0.1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_between_steps_takes_effect(change):
    assert follow(trainer, change=CHANGES[change]).reason is None


def test_layers_switched_between_steps():
    def change(k, owner):
        if k == 1:
            owner.net[1].rate = 0.1
        if k == 2:
            owner.net[2].momentum = 0.3
        if k in (3, 5):
            owner.net.train(k == 5)

    assert follow(dropped, change=change).reason is None


def test_frozen_layers():
    def make():
        owner = Trainer()

        def step(x):
            owner.opt.zero_grad()
            loss = ops.mean(owner.net(x) ** 2)
            loss.backward()
            owner.opt.step()
            return loss

        return step, owner

    assert follow(make, change=lambda k, o: k in (2, 4) and o.net[0].requires_grad_(k == 4)).reason is None


def test_a_rate_that_is_set_before_each_step_is_no_reason_to_trace_again(monkeypatch):
    traced = []
    state = "tinygen.compiler.compiled.State"
    original = compile.__globals__["State"]
    monkeypatch.setattr(state, lambda roots: traced.append(roots) or original(roots))
    owner = Trainer()
    compiled = compile(owner.step, "numpy")
    for k, x in enumerate(DATA[:6]):
        owner.opt.lr = 0.1 / (k + 1)
        compiled(x)
    assert len(traced) == 1


def test_a_variable_of_the_function_takes_effect():
    def make():
        scale, settings, net = np.ones(3, np.float32), {"slope": 1.0}, network()

        def change(k):
            nonlocal scale
            settings["slope"] = float(k // 2)
            scale = np.full(3, k, np.float32)

        return lambda x: net(x * scale) * settings["slope"], change

    assert follow(make, change=lambda k, o: o(k), state=lambda o: ()).reason is None


def test_blocks_around_the_call():
    net = network(layers.Dropout(0.5, rng=Generator(3)))
    compiled = compile(lambda x: net(x), "numpy")
    compiled(DATA[0])
    with layers.evaluating(net):
        np.testing.assert_allclose(compiled(DATA[0]).array, net(DATA[0]).array, 1e-6)
    learning = compile(lambda x: net[0](x) if net[0](x).requires_grad else x, "numpy")
    assert learning(DATA[0]).shape == (5, 4)
    with tg.no_grad():
        assert learning(DATA[0]) is DATA[0] or learning(DATA[0]).shape == (5, 3)


# Batches


def test_batches_of_any_size_and_layout():
    x = DATA[0]
    made = [x[:1], x[:0], x[:2], np.asfortranarray(x), np.repeat(x, 2, 0)[::2], x[::-1], x[:, ::-1], x]
    compiled = follow(dropped, [(a,) for a in made if len(a)])
    assert compiled.reason is None
    assert follow(lambda: ((lambda x: x * 2), None), [(a,) for a in made], state=lambda o: ()).reason is None


def test_a_draw_for_a_batch_of_another_layout_is_the_same():
    def make():
        dropout = layers.Dropout(0.5, rng=Generator(5))
        return (lambda x: dropout(x)), dropout

    follow(make, [(np.asfortranarray(DATA[0]),), (DATA[0],)], state=lambda o: ())


def test_nests_labels_and_settings():
    net = network()

    def step(batch, *labels, options, **more):
        y = net(batch["x"])
        return {"y": [y, batch["x"]], "labels": labels, "same": (y, y), "k": options["k"], "none": None, **more}

    compiled = compile(step, "numpy")
    for k in range(4):
        given = {"x": DATA[k]}, np.arange(k % 2 + 1)
        made, expected = (f(*given, options={"k": k % 2}, name="x") for f in (compiled, step))
        assert list(made) == list(expected) and compiled.reason is None
        assert_alike(made, expected, f"step {k}")


def test_numbers_of_other_types_are_other_arguments():
    follow(lambda: ((lambda x, a: x * a), None), [(DATA[0].astype(int), a) for a in (1, 1.0, True, 2)], state=str)


def test_no_batch():
    def make():
        net, rng = network(), Generator(3)
        return (lambda: net(rng.normal((4, 3)))), rng

    follow(make, [()] * 3, state=lambda rng: str(rng.state))


def test_a_tensor_that_requires_grad():
    net = network()
    compiled = compile(lambda x: tg.grad(ops.sum(net(x) ** 2), [x])[0], "numpy")
    x = tg.tensor(DATA[0], requires_grad=True)
    np.testing.assert_allclose(compiled(x).array, tg.grad(ops.sum(net(x) ** 2), [x])[0].array, 1e-5)
    assert compiled.reason is None


def test_a_batch_in_the_memory_of_a_weight_that_changes():
    owner, twin = Trainer(), Trainer()
    compiled = compile(owner.step, "numpy")
    for _ in range(3):
        made, expected = (f(o.net[0].w.data.T) for f, o in ((compiled, owner), (twin.step, twin)))
        np.testing.assert_allclose(made.array, expected.array, 1e-5)
    assert compiled.reason is None


# What a step returns and leaves


def test_what_it_returns_is_as_it_was_returned():
    def make():
        owner = Trainer(optimizer=lambda p: SGD(p, 0.1))

        def step(x):
            w = owner.net[0].w
            before, view = w.data.copy(), w.data.T
            loss = owner.step(x)
            return w, w.data, view, before, before, x, loss, w.data[0, 0]

        return step, owner

    assert follow(make).reason is None
    step, owner = make()
    assert compile(step, "numpy")(DATA[0])[0] is owner.net[0].w


def test_what_it_returns_is_not_written_again():
    owner = Trainer()
    compiled = compile(lambda x: (owner.step(x), owner.net[0].w.data), "numpy")
    first = compiled(DATA[0])
    kept = [first[0].array.copy(), first[1].copy()]
    compiled(DATA[1])
    np.testing.assert_array_equal(first[0].array, kept[0])
    np.testing.assert_array_equal(first[1], kept[1])


@pytest.mark.parametrize("after", [False, True])
def test_gradients_that_it_leaves(after):
    def make():
        owner = Trainer()

        def step(x):
            if not after:
                owner.opt.zero_grad()
            loss = ops.mean(owner.net(x) ** 2)
            loss.backward()
            owner.opt.step()
            if after:
                owner.opt.zero_grad()
            return loss

        return step, owner

    compiled = follow(make, state=lambda o: [tensors_of(o), [p.grad for p in o.net.parameters()]])
    assert compiled.reason is None


def test_a_backward_over_weights_that_it_changed_is_refused():
    owner = Trainer()
    compiled = compile(owner.step, "numpy")
    compiled(DATA[0])
    loss = ops.mean(owner.net(DATA[1]) ** 2)
    compiled(DATA[2])
    with pytest.raises(tg.GradientError, match="changed after the forward pass"):
        loss.backward()


def test_writing_into_weights_and_arrays():
    def make():
        owner = Trainer()
        owner.sums, owner.listed = np.zeros(3, np.float32), [np.ones(3, np.float32)]
        total = np.zeros((), np.float32)

        def step(x):
            nonlocal total
            w = owner.net[0].w
            w.data[0] = x[0, 0]
            w.data[1:, 2] -= 1.0
            w.changed()
            w.data = w.data * 1.5
            w.assign(w.data + 1.0)
            owner.sums *= 0.9
            owner.sums += x.mean(0)
            owner.listed[0][...] = owner.sums * 2
            total += x.sum()
            return owner.net(x - owner.sums), total + 0

        return step, owner

    assert follow(make, state=lambda o: [tensors_of(o), o.sums, o.listed]).reason is None


def test_streams():
    def make():
        rng = Generator(3)
        return (lambda x: [rng.normal(x.shape, std=2.0), rng.uniform((2,), 1, 2), rng.integers(0, 9, (3,))]), rng

    assert follow(make, state=lambda rng: str(rng.state)).reason is None


def test_the_default_stream_after_a_new_seed():
    def step(x):
        return x + default_rng().normal(x.shape)

    compiled = compile(step, "numpy")
    for k in range(3):
        made = []
        for f in (compiled, step):
            tg.seed(k)
            made.append(f(DATA[0]))
        np.testing.assert_array_equal(*made)
    assert compiled.reason is None


# Weights in two places


def test_weights_that_two_layers_share():
    def make():
        owner, other = Trainer(), network(seed=1)
        other[0].w = owner.net[0].w
        owner.opt = Adam([*owner.net.parameters(), *other[2].parameters()], 0.01)

        def step(x):
            loss = ops.mean(owner.net(x) * other(x))
            owner.opt.step(tg.grad(loss, owner.opt.params))
            return loss

        return step, owner

    assert follow(make).reason is None


@pytest.mark.parametrize("turned", [False, True])
def test_weights_that_two_optimisers_share(turned):
    def make():
        owner = Trainer()
        other = SGD(owner.net.parameters(), 0.02)

        def step(x):
            for opt in (other, owner.opt) if turned else (owner.opt, other):
                loss = ops.mean(owner.net(x) ** 2)
                opt.step(tg.grad(loss, owner.net.parameters()))
            return loss

        return step, owner

    follow(make)


def test_two_steps_that_share_a_network():
    def make():
        owner = Trainer()
        other = SGD(owner.net[2].parameters(), 0.1)

        def second(x):
            loss = ops.mean(owner.net(x))
            other.step(tg.grad(loss, other.params))
            return loss

        return owner, second

    (owner, second), (twin, other) = make(), make()
    first, last = compile(twin.step, "numpy"), compile(other, "numpy")
    for x in DATA[:5]:
        assert_alike([first(x), last(x)], [owner.step(x), second(x)], "")
    assert_alike(tensors_of(twin), tensors_of(owner), "")


# Copies, threads and memory


def test_copies_of_a_model_and_of_a_compiled_step():
    model = small("gan")
    compiled = compile(model, "numpy")
    xs = batches(4)
    compiled(xs[0])
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        expected = copy.deepcopy(model).train_step(xs[1])
        assert_alike(compile(twin, "numpy")(xs[1]), expected, "")
    again = copy.deepcopy(compiled)
    before = model.state_dict()
    again(xs[2])
    assert_alike(model.state_dict(), before, "the copy's step leaves the model")


def test_threads_train_at_the_same_time():
    xs, made = batches(15), {}

    def run(seed, compiled):
        model = small("gan", seed)
        step = compile(model, "numpy") if compiled else model.train_step
        for x in xs:
            step(x)
        made[seed, compiled] = model.state_dict()

    threads = [threading.Thread(target=run, args=(seed, c)) for seed in (0, 1) for c in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (0, 1):
        for name, x in made[seed, False].items():
            np.testing.assert_allclose(made[seed, True][name], x, 1e-3, 1e-4, err_msg=name)


def test_memory_stays_and_is_given_back(back_end):
    model = small("gan")
    compiled = compile(model, back_end)
    x = batches(1)[0]
    for _ in range(20):
        compiled(x)
    tracemalloc.start()
    try:
        compiled(x)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            compiled(x)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000  # less than 70 bytes a step
    finally:
        tracemalloc.stop()
    gone = weakref.ref(model), weakref.ref(compiled)
    del model, compiled
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


# Which back end, and what can be compiled


def test_back_ends(monkeypatch):
    monkeypatch.setenv("TINYGEN_NUMBA", "0")
    assert default_back_end() == "numpy"
    with pytest.raises(ConfigError, match="back_end is 'cuda', but it must be one of 'plain', 'numpy', 'native'"):
        compile(lambda x: x, "cuda")
    with pytest.raises(UserError, match="expected a model or a function, but got int"):
        compile(3)


def test_functions_objects_and_parts_of_functions(monkeypatch):
    import functools

    net = network()

    class Callable:
        def __call__(self, x):
            return net(x)

    for step in (net, Callable(), functools.partial(lambda n, x: n(x), net), tg.no_grad()(lambda x: net(x))):
        compiled = compile(step, "plain")
        np.testing.assert_allclose(compiled(DATA[0]).array, net(DATA[0]).array, 1e-6)
        assert compiled.reason is None
