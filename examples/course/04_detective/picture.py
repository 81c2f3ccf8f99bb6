"""The picture of piece 4, the error of the student's numeric gradient and the ten verdicts; and those of tinygen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygen as tg
from tinygen import ops
from tinygen.colours import COLOURS
from tinygen.primitives import PRIMITIVES, primitive
from tinygen.viz.plots import figure, tidy, write_png

VERDICTS = {"right": COLOURS[2], "wrong": COLOURS[1], "kink": COLOURS[0], "random": COLOURS[3]}
X = np.array([[0.8, -0.5, 1.4, -1.1], [0.3, -0.9, 0.0, 1.2], [-0.2, 0.6, -1.5, 1.0]])
U = np.array([[0.7, -1.2, 0.9, 1.1], [-0.8, 1.3, -0.6, 1.0], [1.4, -0.9, 0.5, -1.1]])
OPS = {"tanh": ops.tanh, "softplus": ops.softplus, "log_softmax": ops.log_softmax, "square": lambda x: x * x}


def draw(detective, folder: Path) -> list[Path]:
    """detective.png: the numeric gradient's error by the step, in float64 and float32; and the suspects."""
    fig = figure(1080, 430)
    steps, suspects = fig.subplots(1, 2)
    h = np.logspace(-11, 0, 56)
    for dtype, colour, best in ((np.float64, COLOURS[0], 6e-6), (np.float32, COLOURS[1], 5e-3)):
        f, gradient = function(ops.softplus, dtype)
        error = [off(detective.numeric_gradient(f, X.copy(), step), gradient(X)) for step in h]
        steps.loglog(h, error, color=colour, label=np.dtype(dtype).name)
        steps.axvline(best, color=colour, linestyle=":", linewidth=1)
    steps.set(xlabel="step h", ylabel="relative error", ylim=(1e-12, 10))
    steps.set_title("the numeric gradient of tinygen's softplus", fontsize=11)
    steps.legend(frameon=False)
    names = list(detective.SUSPECTS)
    for row, name in enumerate(names):
        f, gradient = detective.weighed(*detective.SUSPECTS[name], U)
        word = detective.verdict(f, gradient, X.copy(), detective.numeric_gradient)
        step = 5e-3 if f(X).dtype == np.float32 else 6e-6
        error = np.clip(off(gradient(X), detective.numeric_gradient(f, X.copy(), step)), 1e-11, 10)
        colour = VERDICTS.get(word, "black")
        suspects.plot([1e-12, error], [row, row], color=colour, linewidth=1.2)
        suspects.plot(error, row, "o", color=colour)
        suspects.text(40, row, word, color=colour, va="center")
    suspects.set(xscale="log", xlim=(1e-12, 1e4), xlabel="relative error of the claim", yticks=range(len(names)))
    suspects.set(yticklabels=names, ylim=(len(names) - 0.5, -0.5), xticks=[1e-10, 1e-7, 1e-4, 1e-1])
    suspects.set_title("the ten suspects", fontsize=11)
    for axes in (steps, suspects):
        tidy(axes)
    write_png(fig, folder / "detective.png")
    return [folder / "detective.png"]


def function(op, dtype=np.float64):
    """Σ U · op(x) as a function of an array, which computes in a dtype; and its gradient by tinygen in float64."""

    def f(x):
        return (U.astype(dtype) * op(tg.tensor(x.astype(dtype)))).sum().numpy()[()]

    def gradient(x):
        at = tg.tensor(x, requires_grad=True)
        return tg.grad((U * op(at)).sum(), at).numpy()

    return f, gradient


def off(a, b):
    """The largest difference, in units of the largest b."""
    return np.max(np.abs(a - b)) / np.max(np.abs(b))


def liars():
    """Four ops of tinygen, honest and not: one that is right, a wrong one, one with a kink at 0, and a random one."""
    known = set(PRIMITIVES)

    @primitive
    def lying_sine(x):
        return np.sin(x)

    lying_sine.rules(lambda gy, y, x: -gy * ops.cos(x))
    for name in PRIMITIVES.keys() - known:  # it is not tinygen's
        del PRIMITIVES[name]
    rng = tg.random.Generator(0)
    return [ops.tanh, lying_sine, ops.relu, lambda x: ops.dropout(x, rng.bernoulli(0.5, x), 2.0)]


def numbers(detective=None):
    """Gradients by tinygen's rules, and the verdicts of tinygen's gradcheck; or both by the student's functions."""
    found = {}
    for name, op in OPS.items():
        f, gradient = function(op)
        found[name] = gradient(X) if detective is None else detective.numeric_gradient(f, X.copy())
    words = [gradchecked(op) if detective is None else judged(detective, op) for op in liars()]
    return found | {"verdicts": [list(VERDICTS).index(word) for word in words]}


def judged(detective, op):
    """The student's verdict."""
    return detective.verdict(*function(op), X.copy(), detective.numeric_gradient)


def gradchecked(op):
    """tinygen's verdict, read from what its gradcheck says."""
    try:
        tg.gradcheck(op, [tg.tensor(X)], order=1)
    except tg.GradcheckError as error:
        return "random" if "another result" in str(error) else "kink" if "a kink" in str(error) else "wrong"
    return "right"
