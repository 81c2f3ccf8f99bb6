"""What optimisers refuse, what a gradient that overflows does, and optimisers that are copied or pickled."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import tinygen as tg
from tinygen import optim
from tinygen.errors import GradientError
from tinygen.layers import Dense, Sequential
from tinygen.optim import SGD, Adam, AdamW, RMSprop
from tinygen.tensor import Parameter

OPTIMIZERS = [
    lambda p, **o: SGD(p, 0.1, 0.9, **o),
    lambda p, **o: RMSprop(p, 0.1, **o),
    lambda p, **o: Adam(p, 0.1, **o),
]
RNG = np.random.default_rng(0)


def parameter(n=3, dtype=np.float32):
    return Parameter(np.ones(n, dtype), "w")


PARAMS = {
    "a module": lambda: Dense(1, 1),
    "a Tensor": lambda: parameter(),
    "an array": lambda: np.ones(3),
    "arrays": lambda: [np.ones(3)],
    "a dict": lambda: {"w": parameter()},
    "names": lambda: Dense(1, 1).named_parameters(),
    "nothing": list,
    "None": lambda: None,
    "a number": lambda: 3,
    "text": lambda: "w",
    "modules": lambda: [Dense(1, 1)],
}


@pytest.mark.parametrize("params", PARAMS)
@pytest.mark.parametrize("kind", optim.OPTIMIZERS.values())
def test_what_are_no_parameters_is_refused(kind, params):
    with pytest.raises(
        ValueError, match=rf"^{kind.__name__}: params must be a list .*, such as module\.parameters\(\), not a"
    ):
        kind(PARAMS[params]())


def test_results_of_ops_integers_and_doubles_are_refused():
    w = parameter()
    for p in (w * 2, tg.tensor([1, 2])):
        with pytest.raises(ValueError, match="Adam: params must be Parameters, but one is the result of an op"):
            Adam([w, p])
    with pytest.raises(ValueError, match="has a Parameter twice"):
        Adam([w, w])
    with pytest.raises(ValueError, match="of one dtype and device"):
        Adam([w, parameter(dtype=np.float16)])
    assert len(Adam(p for p in Dense(2, 2).parameters()).params) == 2  # a generator is as good as a list


BAD = (-0.1, math.nan, math.inf, "0.1", None, True, [0.1], tg.tensor(0.1, requires_grad=True))
OPTIONS = {
    "lr": (optim.OPTIMIZERS.values(), BAD),
    "clip_norm": (optim.OPTIMIZERS.values(), (0, *(b for b in BAD if b is not None))),
    "clip_value": (optim.OPTIMIZERS.values(), (0, *(b for b in BAD if b is not None))),
    "momentum": ([SGD], (1, *BAD)),
    "alpha": ([RMSprop], (1, *BAD)),
    "eps": ([RMSprop, Adam, AdamW], BAD),
    "weight_decay": ([AdamW], BAD),
    "betas": ([Adam, AdamW], (0.9, (0.9,), (0.9, 0.9, 0.9), "ab", None)),
    "beta1": ([Adam, AdamW], (1, *BAD)),
    "beta2": ([Adam, AdamW], (1, *BAD)),
}
CASES = [(kind, option, value) for option, (kinds, values) in OPTIONS.items() for kind in kinds for value in values]


@pytest.mark.parametrize(("kind", "option", "value"), CASES, ids=str)
def test_an_option_out_of_range_is_refused(kind, option, value):
    given = {"beta1": {"betas": (value, 0.9)}, "beta2": {"betas": (0.9, value)}}.get(option, {option: value})
    with pytest.raises(ValueError, match=f"^{kind.__name__}: {option} is .*, but it must be a"):
        kind([parameter()], **given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.linear_decay(-1, 10), "linear_decay: lr is -1"),
        (lambda: optim.cosine_decay(0.1, 10.5), "cosine_decay: steps is 10.5"),
        (lambda: optim.cosine_decay(0.1, 10, warmup=-1), "cosine_decay: warmup is -1"),
        (lambda: optim.linear_decay(0.1, 10, final=math.nan), "linear_decay: final is nan"),
        (lambda: optim.step_decay(0.1, 0.5, 0), "step_decay: every is 0"),
        (lambda: optim.exponential_decay("0.1", 0.5), "exponential_decay: lr is '0.1'"),
    ],
)
def test_what_a_schedule_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("rate", [math.nan, -0.1, math.inf, "0.1", None])
def test_a_schedule_whose_rate_is_none_is_refused_before_anything_changes(rate):
    w = parameter()
    optimizer = Adam([w], lambda step: 0.1 if step == 0 else rate)
    optimizer.step([np.ones(3, np.float32)])
    before = w.numpy().copy()
    with pytest.raises(ValueError, match=r"Adam: lr\(1\) is .*, but it must be a finite number of at least 0"):
        optimizer.step([np.ones(3, np.float32)])
    assert optimizer.t == 1 and (w.numpy() == before).all()


@pytest.mark.parametrize(
    ("grads", "message"),
    [
        (np.ones((1, 3), np.float32), "grads must be a list, in the order of the parameters, not a ndarray"),
        (tg.tensor(np.ones((1, 3), np.float32)), "not a Tensor"),
        ({"w": np.ones(3)}, "not a dict"),
        (3.0, "not a float"),
        ([[1.0, 1.0, 1.0]], r"the gradient of w must be float32 of shape \(3,\), but it is list"),
        ([], "got 0 gradients for 1 parameters"),
        ([np.ones((1, 3))], r"but it is float64 of shape \(1, 3\)"),
        ([np.ones(3, int)], "a gradient must be of floats, but one is a ndarray"),
        ([np.ones(3, complex)], "a gradient must be of floats"),
    ],
)
def test_gradients_of_another_kind_are_refused(grads, message):
    w = parameter()
    with pytest.raises(GradientError, match=rf"^SGD\.step: .*{message}"):
        SGD([w], 0.1).step(grads)
    assert (w.numpy() == 1).all()


# Clipping


def clipped(gs, limit):
    """The definition in Python's floats, scaled so that nothing overflows."""
    largest = max(abs(float(x)) for g in gs for x in g.ravel())
    length = largest * math.sqrt(math.fsum((float(x) / largest) ** 2 for g in gs for x in g.ravel()))
    return [g.astype(np.float64) * min(1, limit / (length + 1e-6)) for g in gs]


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(np.float16, 1e-2), (np.float16, 6e4)]
    + [(np.float32, size) for size in (1e-30, 1e-4, 1.0, 300.0, 1e20, 3e38)]
    + [(np.float64, size) for size in (1e-4, 300.0, 1e150)],
)
def test_a_long_gradient_is_clipped_to_its_direction(backend, dtype, size):
    gs = [(RNG.uniform(0.2, 1, shape) * size).astype(dtype) for shape in ((4, 3), (50,))]
    params = [Parameter(backend.asarray(np.zeros(g.shape, dtype))) for g in gs]
    SGD(params, lr=1.0, clip_norm=0.5).step([backend.asarray(g) for g in gs])
    for p, g in zip(params, clipped(gs, 0.5), strict=True):
        np.testing.assert_allclose(-p.numpy().astype(np.float64), g, rtol=4 * float(np.finfo(dtype).eps), atol=1e-7)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_gradient_that_is_not_finite_is_said_and_changes_nothing(make, bad):
    w, v = parameter(), parameter(2)
    optimizer = make([w, v], clip_norm=1.0)
    optimizer.step([np.ones(3, np.float32), np.ones(2, np.float32)])
    before, state = [w.numpy().copy(), v.numpy().copy()], optimizer.state_dict()
    with pytest.raises(GradientError, match=r"\.step: the gradient's length is (inf|nan), which clip_norm can't scale"):
        optimizer.step([np.array([1, bad, 1], np.float32), np.ones(2, np.float32)])
    assert (w.numpy() == before[0]).all() and (v.numpy() == before[1]).all()
    for name, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_on_a_gpu_a_gradient_that_is_not_finite_makes_nan_and_waits_for_nothing(gpu):
    import standin

    w = Parameter(gpu.asarray(np.ones(3), np.float32))
    optimizer, g = SGD([w], lr=0.1, clip_norm=1.0), gpu.asarray([1.0, np.inf, 2.0], np.float32)
    with standin.capturing():
        optimizer.step([g])
    assert np.isnan(w.numpy()).any()
    h = gpu.asarray([1e20, 0, 0], np.float32)
    p = Parameter(gpu.asarray(np.ones(3), np.float32))
    SGD([p], lr=0.5, clip_norm=1.0).step([h])
    np.testing.assert_allclose(p.numpy(), [0.5, 1, 1], rtol=1e-6)


# Copies and states


def trained(make, steps=3):
    net = Sequential(Dense(2, 3), Dense(3, 1))
    optimizer = make(net.parameters())
    for _ in range(steps):
        step(net, optimizer)
    return net, optimizer


def step(net, optimizer):
    x = np.random.default_rng(5).normal(size=(4, 2)).astype(np.float32)
    optimizer.step(tg.grad((net(x) ** 2).sum(), net.parameters()))


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda pair: pickle.loads(pickle.dumps(pair))}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("make", OPTIMIZERS)
def test_a_network_and_its_optimiser_copied_together_still_belong_together(make, way):
    net, optimizer = trained(make)
    twin, twins = COPIES[way]((net, optimizer))
    assert all(p is q for p, q in zip(twin.parameters(), twins.params, strict=True)) and twins.t == 3
    step(net, optimizer)
    step(twin, twins)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(twin.state_dict()[name], array)
    for name, array in optimizer.state_dict().items():
        np.testing.assert_array_equal(twins.state_dict()[name], array)
    step(twin, twins)
    assert (twin[0].w.numpy() != net[0].w.numpy()).all()


@pytest.mark.parametrize(
    "rate",
    [
        optim.linear_decay(0.1, 5, 0.01, 2),
        optim.cosine_decay(0.1, 5, warmup=1),
        optim.exponential_decay(0.1, 0.5, 2),
        optim.step_decay(0.1, 0.5, 2),
    ],
)
def test_schedules_can_be_pickled(rate):
    twin = pickle.loads(pickle.dumps(rate))
    assert [twin(i) for i in range(8)] == [rate(i) for i in range(8)]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_load_state_dict_brings_is_trained_on(dtype):
    """Parameters of any precision, that do not lie in C order, and that are loaded in between."""
    w = Parameter(np.asfortranarray(np.ones((3, 2), dtype)))
    net = Sequential()
    net.w = w
    optimizer = SGD(net.parameters(), 0.5)
    net.load_state_dict({"w": np.arange(6.0).reshape(2, 3).T})
    optimizer.step([np.ones((2, 3), np.float64).T])
    np.testing.assert_array_equal(net.w.numpy(), (np.arange(6.0).reshape(2, 3).T - 0.5).astype(dtype))
    assert net.w.dtype == dtype


def test_a_state_of_another_kind_is_refused():
    (_, adam), (_, sgd), (_, rms) = (trained(make) for make in (OPTIMIZERS[2], OPTIMIZERS[0], OPTIMIZERS[1]))
    good = adam.state_dict()
    for state in (None, [good], "adam"):
        with pytest.raises(TypeError, match=r"expected the dict of this Adam's state_dict\(\), not a"):
            adam.load_state_dict(state)
    other = Adam([parameter()]).state_dict()
    for state in (
        {},
        sgd.state_dict(),
        rms.state_dict(),
        other,
        good | {"m": good["m"].tolist()},
        good | {"more": good["m"]},
    ):
        with pytest.raises(ValueError, match=r"load_state_dict: this Adam keeps .*, but the state has"):
            adam.load_state_dict(state)
    signed = {"v": sgd.state_dict()["v"], "t": np.asarray(3)}
    for optimizer, state in (
        (adam, good | {"t": np.asarray(2.5)}),
        (adam, good | {"t": np.asarray(-1)}),
        (adam, good | {"v": good["v"].astype(int)}),
        (adam, good | {"v": -1 - good["v"]}),
        (rms, signed),
    ):
        with pytest.raises(
            ValueError, match=r"load_state_dict: in a state of \w+, t counts steps; .* of another optimiser\?"
        ):
            optimizer.load_state_dict(state)
    for name, array in adam.state_dict().items():
        np.testing.assert_array_equal(array, good[name])
