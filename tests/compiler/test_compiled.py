"""Compiled steps do what the steps as written do, on any batch, in any thread."""

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
from tinygen.backend import array_module
from tinygen.compiler.backends import default_back_end
from tinygen.errors import ConfigError, UserError
from tinygen.optim import SGD, AdamW, Optimizer, RMSprop, cosine_decay, step_decay
from tinygen.random import Generator
from tinygen.tracing import variant


def trainer(**options: Any) -> Any:
    made = Trainer(**options)
    return made.step, made


def test_a_step_of_an_object(back_end):
    compiled = follow(trainer, back_end=back_end)
    assert compiled.reason is None and compiled.program is not None and compiled.program.name == "step"


def dropped() -> Any:
    return trainer_of(layers.Dropout(0.5, rng=Generator(3)), layers.BatchNorm(4))


def trainer_of(*between: Any) -> Any:
    made = Trainer(*between, optimizer=lambda p: SGD(p, 0.01))
    return made.step, made


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


# Steps of several kinds


class Lazy(Trainer):
    """Each third step is another, and each fourth returns more."""

    def due(self) -> tuple[bool, bool]:
        return self.opt.t % 3 == 2, self.opt.t % 4 == 3

    def step(self, x: Any) -> Any:
        penalised, told = variant(self.due)
        loss = super().step(x + 1 if penalised else x)
        return [loss, loss * 2] if told else [loss]


def test_each_kind_of_step_has_a_program(back_end):
    def lazy():
        made = Lazy()
        return made.step, made

    compiled = follow(lazy, [(x,) for x in DATA[:13]], back_end=back_end)
    assert compiled.reason is None and len(compiled._ready) == 4


def test_a_kind_that_is_asked_for_in_some_steps_alone():
    def lazy():
        made = Lazy()
        seen = lambda: made.opt.t > 4
        return (lambda x: made.step(x * 2 if made.opt and variant(made.due)[0] and variant(seen) else x)), made

    assert follow(lazy, [(x,) for x in DATA[:13]]).reason is None


def test_a_buffer_that_changes_after_it_was_copied():
    """The copy lies where the buffer will lie, and must be taken before."""

    class Followed(Trainer):
        def __init__(self):
            super().__init__()
            self.net.sum, self.net.last = layers.Buffer(np.zeros(3)), layers.Buffer(np.zeros(3))

        def step(self, x: Any) -> Any:
            self.net.sum.assign(self.net.sum.data + x.sum(0))
            self.net.last.assign(self.net.sum.data)
            self.net.sum.assign(self.net.sum.data * 2)

    def followed():
        made = Followed()
        return made.step, made

    assert follow(followed).reason is None


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
        for _ in range(300 if back_end == "numpy" else 100):
            compiled(x)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
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


@pytest.mark.parametrize("back_end", ["plain", "numpy"])
def test_sums_of_small_whole_numbers_wrap_around_as_numpys_do(back_end):
    def step(x):
        return [x.sum(dtype=np.int8), x.sum(0, dtype=np.int8), (x + 1).sum(dtype=np.int8)]

    x = np.full((3, 100), 100, np.int8)
    for y, z in zip(compile(step, back_end)(x), step(x), strict=True):
        np.testing.assert_array_equal(y, z)
        assert y.dtype == np.int8


def rare_dtypes(x: Any) -> Any:
    shifted = x.copy()
    shifted[1:] = x[:1] * 2
    xp = array_module(x)
    return xp.concatenate([x, shifted], 0), xp.zeros_like(x), (x * x + x).sum(0), x.astype(np.int32) * 2


@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize("dtype", ["float16", "complex64", "complex128"])
def test_dtypes_that_native_code_has_not_are_left_to_numpy(dtype, back_end):
    x = np.arange(6).reshape(3, 2).astype(dtype)
    compiled = compile(rare_dtypes, back_end)
    for made, expected in zip(compiled(x), rare_dtypes(x), strict=True):
        assert made.dtype == expected.dtype
        np.testing.assert_array_equal(made, expected)
    assert compiled.reason is None


@pytest.mark.parametrize("length", [9, 200_000])
@pytest.mark.parametrize("chosen", [lambda x, w: (x > 0, w, x * 2), lambda x, w: (x > 0, x * 2, w)])
def test_a_choice_between_a_state_and_another_value(chosen, length, back_end):
    def trained(compiled: bool) -> Any:
        bias = layers.Dense(1, length).b

        def step(x: Any) -> Any:
            bias.data[...] = array_module(x).where(*chosen(x, bias.data))
            return x.sum()

        call = compile(step, back_end) if compiled else step
        for seed in range(3):
            call(np.random.default_rng(seed).normal(size=length).astype(np.float32))
        return bias.data

    np.testing.assert_array_equal(trained(True), trained(False))
