"""The classic mistakes of piece 11, and right answers in other words."""

from tinygen.course import Mistake, Words

CRITIC = """    gr, gs = np.full(r.shape, -1 / r.size), np.full(s.shape, 1 / s.size)
    return s.mean() - r.mean(), gr, gs
"""
HINGE = """    loss = np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + s).mean()
    return loss, np.where(r < 1, -1 / r.size, 0.0), np.where(s > -1, 1 / s.size, 0.0)
"""
ONE_MEAN = """    n = r.size + s.size
    loss = (np.maximum(0, 1 - r).sum() + np.maximum(0, 1 + s).sum()) / n
    return loss, np.where(r < 1, -1 / n, 0.0), np.where(s > -1, 1 / n, 0.0)
"""
HINGE_LOOPS = """    loss, gr, gs = 0.0, np.zeros_like(r), np.zeros_like(s)
    for i in range(len(r)):
        if r[i, 0] < 1:
            loss, gr[i, 0] = loss + (1 - r[i, 0]) / len(r), -1 / len(r)
    for i in range(len(s)):
        if s[i, 0] > -1:
            loss, gs[i, 0] = loss + (1 + s[i, 0]) / len(s), 1 / len(s)
    return loss, gr, gs
"""
FOR_G = "    return -s.mean(), np.full(s.shape, -1 / s.size)\n"
STEP_OF_D = """        for w, gw in zip(D, gradients_of_D()):
            w -= lr * gw
            np.clip(w, -clip, clip, out=w)
"""
CLIP_THEN_STEP = """        for w, gw in zip(D, gradients_of_D()):
            np.clip(w, -clip, clip, out=w)
            w -= lr * gw
"""
CLIP_AT_THE_END = """        for w, gw in zip(D, gradients_of_D()):
            w -= lr * gw
    for w in D:
        np.clip(w, -clip, clip, out=w)
"""
CLIP_BY_MASKS = """        for w, gw in zip(D, gradients_of_D()):
            w[...] = w - lr * gw
        for w in D:
            w[w > clip] = clip
            w[w < -clip] = -clip
"""
STEP_OF_G = """    for w, gw in zip(G, gradients_of_G()):
        w -= lr * gw
"""
STEP_OF_G_IN_THE_LOOP = """        for w, gw in zip(G, gradients_of_G()):
            w -= lr * gw
"""
POWER = """            v = W @ self.u
            self.v = v / np.linalg.norm(v)
            u = W.T @ self.v
            self.u = u / np.linalg.norm(u)
"""
SIGMA = "        sigma = self.v @ W @ self.u\n        return w / sigma\n"
NOT_KEPT = """            v = W @ self.u
            v = v / np.linalg.norm(v)
            u = W.T @ v
            u = u / np.linalg.norm(u)
        else:
            u, v = self.u, self.v
"""
CONVERGED = """            for _ in range(1000):
                v = W @ self.u
                self.v = v / np.linalg.norm(v)
                u = W.T @ self.v
                self.u = u / np.linalg.norm(u)
"""
OTHER_POWER = """            v = self.u @ W.T
            self.v = v / np.sqrt(v @ v)
            u = self.v @ W
            self.u = u / np.sqrt(u @ u)
"""
SLOPE = "        return gy / sigma - (gy * w).sum() / sigma**2 * slope\n"
MATRIX = "        W = w.reshape(-1, w.shape[-1])\n        if training:\n"

HINGES = ["the hinge loss", "the hinge loss of unequal batches"]
ROUNDS = ["a round of one step", "a round of five steps"]
NORMED = ["one pass of the power method", "four passes, then evaluation", "a kernel"]

MISTAKES = [
    Mistake(
        "the critic's sign",
        [(CRITIC, "    return r.mean() - s.mean(), np.full(r.shape, 1 / r.size), np.full(s.shape, -1 / s.size)\n")],
        ["the critic's loss"],
        "This is what the critic raises, E r − E s. What it lowers by gradient descent is the negative of that: the "
        "loss and both gradients change their signs.",
    ),
    Mistake(
        "one mean over both",
        [(HINGE, ONE_MEAN)],
        HINGES,
        "This is one mean over real and fake scores together. The hinge loss is the mean over the real ones plus the "
        "mean over the fake ones: each half is divided by its own size.",
    ),
    Mistake(
        "no margin in the gradient",
        [
            (
                HINGE,
                HINGE.replace("np.where(r < 1, -1 / r.size, 0.0)", "np.full(r.shape, -1 / r.size)").replace(
                    "np.where(s > -1, 1 / s.size, 0.0)", "np.full(s.shape, 1 / s.size)"
                ),
            )
        ],
        HINGES,
        "The loss is right, but scores beyond the margin pass on a gradient, too: where max(0, ...) is flat, its slope "
        "is 0.",
    ),
    Mistake(
        "a hinge for G",
        [(FOR_G, "    return np.maximum(0, 1 - s).mean(), np.where(s < 1, -1 / s.size, 0.0)\n")],
        ["what G lowers"],
        "G has no margin: it lowers −mean(s), whose gradient never fades. The hinge is in D's loss alone.",
    ),
    Mistake(
        "G's sign",
        [(FOR_G, "    return s.mean(), np.full(s.shape, 1 / s.size)\n")],
        ["what G lowers"],
        "G would lower the scores of its own examples, which is what D does. G wants them high: it lowers −mean(s).",
    ),
    Mistake(
        "clipping before the step",
        [(STEP_OF_D, CLIP_THEN_STEP)],
        ROUNDS,
        "The weights are clipped before the step, which then leads out of [−clip, clip] again: clip after the step.",
    ),
    Mistake(
        "clipping G",
        [(STEP_OF_G, STEP_OF_G + "        np.clip(w, -clip, clip, out=w)\n")],
        ROUNDS,
        "G is clipped, too. Only the critic has to be kept from growing steep; G must be free to move.",
    ),
    Mistake(
        "new arrays",
        [
            (STEP_OF_D, STEP_OF_D.replace("w -= lr * gw", "w = w - lr * gw")),
            (STEP_OF_G, STEP_OF_G.replace("w -= lr * gw", "w = w - lr * gw")),
        ],
        ROUNDS,
        "The arrays of D and G are as they were. `w = w - lr * gw` makes a new array and leaves the old one alone: "
        "change it in place, with `w -= lr * gw`.",
    ),
    Mistake(
        "one clipping a round",
        [(STEP_OF_D, CLIP_AT_THE_END)],
        ["a round of five steps"],
        "D is clipped once, after all its steps. Clip after each of them, or the next gradient is that of a D which is "
        "out of bounds.",
    ),
    Mistake(
        "G in the loop",
        [(STEP_OF_G, STEP_OF_G_IN_THE_LOOP)],
        ["a round of five steps"],
        "G takes a step after each step of D. It takes one a round, after all of D's.",
    ),
    Mistake(
        "u not kept",
        [(POWER + SIGMA, NOT_KEPT + SIGMA.replace("self.", ""))],
        ["four passes, then evaluation"],
        "Each pass begins with the first u again, so σ is always one step away from a guess: keep u and v in self.",
    ),
    Mistake(
        "until it converges",
        [(POWER, CONVERGED)],
        NORMED,
        "The power method runs until it has converged. One step a pass is asked for: w changes slowly and u is kept, "
        "so it converges in the course of the training.",
    ),
    Mistake(
        "u moves in evaluation",
        [(MATRIX, MATRIX.replace("if training:", "if True:"))],
        ["four passes, then evaluation"],
        "u and v move outside training, too, so looking at D changes it: make a step of the power method only if "
        "training.",
    ),
    Mistake(
        "the Frobenius norm",
        [(SIGMA, "        return w / np.linalg.norm(W)\n")],
        NORMED,
        "w is divided by the root of the sum of its squares. σ is the largest singular value alone, vᵀ W u.",
    ),
    Mistake(
        "rows for columns",
        [(MATRIX, MATRIX.replace("w.reshape(-1, w.shape[-1])", "w.reshape(w.shape[-1], -1).T"))],
        NORMED,
        "reshape(C_out, -1) mixes the channels. C_out is the last axis of w, so the matrix is w.reshape(-1, C_out).",
    ),
    Mistake(
        "sigma constant",
        [(SLOPE, "        return gy / sigma\n")],
        ["the gradient through sigma"],
        "σ is taken for a constant. Only u and v are constant; σ = vᵀ W u depends on w, and that is the second term.",
    ),
]
OTHER_WORDS = [
    Words("by loops", [(HINGE, HINGE_LOOPS), (STEP_OF_D, CLIP_BY_MASKS)]),
    Words(
        "sigma by einsum",
        [
            (POWER + SIGMA, OTHER_POWER + "        return w / np.einsum('i,ij,j', self.v, W, self.u)\n"),
            (SLOPE, "        y = w / sigma\n        return (gy - (gy * y).sum() * slope) / sigma\n"),
        ],
    ),
    Words(
        "signs and ones",
        [
            (CRITIC, "    return np.mean(s) - np.mean(r), -np.ones_like(r) / len(r), np.ones_like(s) / len(s)\n"),
            (HINGE, HINGE.replace("np.where(r < 1, -1 / r.size, 0.0)", "-np.heaviside(1 - r, 0) / len(r)")),
            (FOR_G, "    return np.mean(-s), np.zeros(s.shape) - 1 / len(s)\n"),
        ],
    ),
]
