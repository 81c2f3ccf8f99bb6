"""How a check calls the file of piece 5: an optimiser, arrays of weights, and a list of gradients a step."""

import numpy as np


def steps(optimisers, kind, settings, params, grads):
    """The arrays after all steps, for each of which `grads` has a list."""
    after = trained(optimisers, kind, settings, params, grads)
    return [np.where(np.isnan(w), np.nan, w) for w in after]  # one NaN on any machine: processors differ in its sign


def changing_rate(optimisers, kind, settings, params, grads, rates):
    """The arrays after steps, each with a learning rate of its own."""
    optimiser = getattr(optimisers, kind)(params, **settings)
    for lr, gs in zip(rates, grads):
        optimiser.lr = lr
        optimiser.step(gs)
    return params


def in_turn(optimisers, kind, settings, params, grads):
    """The arrays of two optimisers that take turns, as those of D and G do: one array each."""
    pair = [getattr(optimisers, kind)([w], **settings) for w in params]
    for gs in grads:
        for optimiser, g in zip(pair, gs):
            optimiser.step([g])
    return params


def arrays(optimisers, kind, settings, params, grads):
    """Whether the arrays of the caller are treated well, whatever the numbers are."""
    given = [[g.copy() for g in gs] for gs in grads]
    after = trained(optimisers, kind, settings, params, given)
    same_gradients = all(np.array_equal(g, h) for gs, hs in zip(given, grads) for g, h in zip(gs, hs))
    again = trained(optimisers, kind, settings, params, in_one_place(grads))
    return {
        "the weights move": not any(np.array_equal(w, p) for w, p in zip(after, params)),
        "the gradients are as they were": same_gradients,
        "a gradient's array may be used again": all(
            np.array_equal(w, v, equal_nan=True) for w, v in zip(after, again)
        ),
    }  # fmt: skip


def trained(optimisers, kind, settings, params, grads):
    params = [w.copy() for w in params]
    optimiser = getattr(optimisers, kind)(params, **settings)
    for gs in grads:
        optimiser.step(gs)
    return params


def in_one_place(grads):
    """The gradients, one step after the other, each time in the same arrays."""
    place = [np.empty_like(g) for g in grads[0]]
    for gs in grads:
        for p, g in zip(place, gs):
            p[...] = g
        yield place
