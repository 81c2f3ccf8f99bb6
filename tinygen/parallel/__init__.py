"""One training on several processes: each has its share of the batch, and all take the same step.

    mpiexec -n 4 tinygen train dcgan --parallel mpi       # on the command line

    with tg.parallel.join("mpi"):                         # in a program that mpiexec starts; fit needs no more
        tg.fit(model, data, steps=5000, out="runs/mine")

    for _ in range(steps):                                # in a loop of your own
        with tg.parallel.shares():
            loss = compute(loader.next_batch())
            opt.step(tg.parallel.mean(tg.grad(loss, opt.params)))

What is learnt equals, to rounding, what one process learns from the whole batch, batch norm and noise included.
"""

from ..processes import Group, group, own, shares, whole
from .joining import join
from .means import gather, mean

__all__ = ["Group", "gather", "group", "join", "mean", "own", "shares", "whole"]


def __dir__() -> list[str]:
    return __all__
