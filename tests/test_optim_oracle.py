"""100 steps of each optimiser, schedule and clipping against PyTorch's, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import tinygen as tg
from tinygen import optim
from tinygen.optim import SGD, Adam, AdamW, RMSprop
from tinygen.tensor import Parameter

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

STEPS, WITHIN = 100, 1e-9  # of each tensor's relative norm
SHAPES = [(4, 5), (5,), (5, 2), (1,), (2, 1, 5), ()]
RNG = np.random.default_rng(21)
START = [0.7 * RNG.normal(size=shape) for shape in SHAPES]
X, T = RNG.normal(size=(20, 4)), RNG.normal(size=(20, 2))


def problem(xp, x, t, a, b, c, gain, waves, shift):
    """A network of tanh on 20 points, with ripples: many minima, and no parameter like another."""
    y = xp.tanh(x @ a + b) @ c * gain + shift
    ripples = xp.sin(waves * 3 * a.reshape(1, 4, 5)) ** 2
    return ((y - t) ** 2).mean() + 0.1 * ripples.mean() + 0.05 * (gain**4).sum()


CASES = {  # ours, PyTorch's, and the names of the state in each
    "sgd": (lambda p: SGD(p, 0.05), lambda p: torch.optim.SGD(p, 0.05), {}),
    "momentum": (
        lambda p: SGD(p, 0.02, momentum=0.9),
        lambda p: torch.optim.SGD(p, 0.02, momentum=0.9),
        {"v": "momentum_buffer"},
    ),
    "nesterov": (
        lambda p: SGD(p, 0.02, momentum=0.9, nesterov=True),
        lambda p: torch.optim.SGD(p, 0.02, momentum=0.9, nesterov=True),
        {"v": "momentum_buffer"},
    ),
    "rmsprop": (lambda p: RMSprop(p, 3e-3), lambda p: torch.optim.RMSprop(p, 3e-3), {"v": "square_avg"}),
    "rmsprop, WGAN's": (
        lambda p: RMSprop(p, 5e-3, alpha=0.9, eps=1e-3),
        lambda p: torch.optim.RMSprop(p, 5e-3, alpha=0.9, eps=1e-3),
        {"v": "square_avg"},
    ),
    **{
        f"adam {betas} {eps}": (
            lambda p, b=betas, e=eps: Adam(p, 5e-3, b, e),
            lambda p, b=betas, e=eps: torch.optim.Adam(p, 5e-3, b, e),
            {"m": "exp_avg", "v": "exp_avg_sq"},
        )
        for betas, eps in [((0.9, 0.999), 1e-8), ((0.5, 0.999), 1e-8), ((0.0, 0.9), 1e-7), ((0.9, 0.99), 1e-2)]
    },
    "adamw": (
        lambda p: AdamW(p, 0.01),
        lambda p: torch.optim.AdamW(p, 0.01),
        {"m": "exp_avg", "v": "exp_avg_sq"},
    ),
    "adamw, strong decay": (
        lambda p: AdamW(p, 0.02, (0.5, 0.9), 1e-6, weight_decay=0.5),
        lambda p: torch.optim.AdamW(p, 0.02, (0.5, 0.9), 1e-6, weight_decay=0.5),
        {"m": "exp_avg", "v": "exp_avg_sq"},
    ),
}


def assert_near(ours, theirs, what):
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert error < WITHIN, f"{what}: relative error {error:.1e}"


def run(make_ours, make_theirs, scheduler=None, clip=None, absent=()):
    """Both through 100 steps; gradients of the parameters in `absent` are None in every third step."""
    ours = [Parameter(p.copy()) for p in START]
    theirs = [torch.tensor(p, requires_grad=True) for p in START]
    optimizer, oracle = make_ours(ours), make_theirs(theirs)
    rates = scheduler and scheduler(oracle)
    for step in range(STEPS):
        missing = absent if step % 3 == 2 else ()
        g = tg.grad(problem(tg.ops, X, T, *ours), ours)
        optimizer.step([None if i in missing else x for i, x in enumerate(g)])
        oracle.zero_grad()
        problem(torch, torch.tensor(X), torch.tensor(T), *theirs).backward()
        for i in missing:
            theirs[i].grad = None
        if clip:
            clip(theirs)
        oracle.step()
        if rates:
            rates.step()
    for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
        assert_near(p.numpy(), q.detach().numpy(), f"parameter {i}")
        assert np.linalg.norm(p.numpy() - START[i]) > 0.01 * np.linalg.norm(START[i]), f"parameter {i} hardly moved"
    return optimizer, oracle


def compare_states(optimizer, oracle, names):
    ends = np.cumsum([p.size for p in START])
    for ours, theirs in names.items():
        for i, end in enumerate(ends):
            state = oracle.state[oracle.param_groups[0]["params"][i]][theirs].numpy()
            assert_near(optimizer.state[ours][end - state.size : end], state.ravel(), f"{ours} of parameter {i}")


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps(case):
    make_ours, make_theirs, names = CASES[case]
    compare_states(*run(make_ours, make_theirs), names)


@pytest.mark.parametrize("case", ["momentum", "nesterov", "rmsprop"])
def test_a_hundred_steps_some_without_gradient(case):
    """(Adam's correction counts the optimiser's steps in ours, a parameter's own in PyTorch's.)"""
    make_ours, make_theirs, names = CASES[case]
    compare_states(*run(make_ours, make_theirs, absent=(0, 3)), names)


LR, N, WARMUP = 0.03, 60, 10
schedulers = torch.optim.lr_scheduler
SCHEDULES = {
    "step_decay": (optim.step_decay(LR, 0.5, 15), lambda o: schedulers.StepLR(o, 15, 0.5)),
    "exponential_decay": (optim.exponential_decay(LR, 0.97), lambda o: schedulers.ExponentialLR(o, 0.97)),
    "linear_decay": (optim.linear_decay(LR, N, 0.3 * LR), lambda o: schedulers.LinearLR(o, 1.0, 0.3, N)),
    "linear warmup": (
        optim.linear_decay(LR, WARMUP + N, 0.3 * LR, warmup=WARMUP),
        lambda o: schedulers.SequentialLR(
            o,
            [schedulers.LinearLR(o, 1 / WARMUP, 1.0, WARMUP - 1), schedulers.LinearLR(o, 1.0, 0.3, N)],
            [WARMUP],
        ),
    ),
    "cosine_decay": (
        optim.cosine_decay(LR, STEPS, 0.1 * LR),
        lambda o: schedulers.CosineAnnealingLR(o, STEPS, 0.1 * LR),
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_give_the_rates_of_pytorch(schedule):
    rate, scheduler = SCHEDULES[schedule]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], LR)
    rates = scheduler(optimizer)
    for step in range(STEPS):
        assert rate(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9), step
        optimizer.step()
        rates.step()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_hundred_steps_on_a_schedule(schedule):
    rate, scheduler = SCHEDULES[schedule]
    run(lambda p: SGD(p, rate, momentum=0.9), lambda p: torch.optim.SGD(p, LR, momentum=0.9), scheduler)


@pytest.mark.parametrize("limit", [0.2, 1.0, 100.0])
def test_a_hundred_steps_with_the_norm_clipped(limit):
    run(
        lambda p: SGD(p, 0.1, clip_norm=limit),
        lambda p: torch.optim.SGD(p, 0.1),
        clip=lambda p: torch.nn.utils.clip_grad_norm_(p, limit),
    )


@pytest.mark.parametrize("limit", [0.01, 0.1])
def test_a_hundred_steps_with_the_values_clipped(limit):
    run(
        lambda p: Adam(p, 0.01, clip_value=limit),
        lambda p: torch.optim.Adam(p, 0.01),
        clip=lambda p: torch.nn.utils.clip_grad_value_(p, limit),
    )
