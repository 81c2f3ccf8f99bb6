"""The classic mistakes of piece 5, and right answers in other words."""

from tinygen.course import Mistake, Words

V = "            self.v[i] = self.m * self.v[i] + g\n"
V_STEP = "            w -= self.lr * self.v[i]\n"
V_START = "        self.v = [np.zeros_like(w) for w in params]\n"
MEAN = "            self.mean[i] = self.beta1 * self.mean[i] + (1 - self.beta1) * g\n"
SQUARE = "            self.square[i] = self.beta2 * self.square[i] + (1 - self.beta2) * g**2\n"
M_HAT = "            m_hat = self.mean[i] / (1 - self.beta1**self.t)\n"
V_HAT = "            v_hat = self.square[i] / (1 - self.beta2**self.t)\n"
W_STEP = "            w -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)\n"
COUNT = "        self.t += 1\n        for"
STARTS = (
    "        self.mean = [np.zeros_like(w) for w in params]\n        self.square = [np.zeros_like(w) for w in params]\n"
)

MOMENTUM = ["momentum", "momentum, a rate that changes"]
LATER = ["Adam, five steps", "Adam, D's and G's in turn"]
ADAM = ["Adam, the first step", "Adam, small gradients", *LATER]

MISTAKES = [
    Mistake(
        "the weights stay",
        [(V_STEP, "            w = w - self.lr * self.v[i]\n")],
        [*MOMENTUM, "momentum, the caller's arrays"],
        "The arrays of params are as they were: change them in place; w = w - ... makes a new array and leaves them.",
    ),
    Mistake(
        "the gradient is damped",
        [(V, "            self.v[i] = self.m * self.v[i] + (1 - self.m) * g\n")],
        MOMENTUM,
        "v has (1 - m) g: that is a running mean, as in Adam. Momentum adds up whole gradients, v = m v + g.",
    ),
    Mistake(
        "Nesterov's momentum",
        [(V_STEP, "            w -= self.lr * (g + self.m * self.v[i])\n")],
        MOMENTUM,
        "w moves by g + m v: that is Nesterov's momentum. This one moves w by v.",
    ),
    Mistake(
        "uphill",
        [(V_STEP, "            w += self.lr * self.v[i]\n")],
        MOMENTUM,
        "Momentum moves w uphill: v adds up gradients, and they point to where the loss grows, so subtract lr v.",
    ),
    Mistake(
        "the rate inside v",
        [(V, "            self.v[i] = self.m * self.v[i] + self.lr * g\n"), (V_STEP, "            w -= self.v[i]\n")],
        ["momentum, a rate that changes"],
        "v has the learning rates of earlier steps in it: add up gradients alone, and multiply v by today's lr.",
    ),
    Mistake(
        "v is the caller's gradient",
        [
            (V_START, "        self.v = [None for w in params]\n"),
            (
                V,
                "            if self.v[i] is None:\n"
                "                self.v[i] = g\n"
                "            else:\n"
                "                self.v[i] *= self.m\n"
                "                self.v[i] += g\n",
            ),
        ],
        ["momentum, the caller's arrays"],
        "v = g is no copy: v and the caller's gradient are one array, and each changes when the other does.",
    ),
    Mistake(
        "no bias correction",
        [(M_HAT, "            m_hat = self.mean[i]\n"), (V_HAT, "            v_hat = self.square[i]\n")],
        ADAM,
        "m and v start at 0, so they are too small at first: divide by 1 - beta1**t and by 1 - beta2**t.",
    ),
    Mistake(
        "t from 0",
        [
            (COUNT, "        self.t += 1\n        t = self.t - 1\n        for"),
            (M_HAT, M_HAT.replace("self.t", "t")),
            (V_HAT, V_HAT.replace("self.t", "t")),
        ],
        ADAM,
        "At the first step t is 0, and 1 - beta**0 = 0: a division by 0. Count the step first; the first t is 1.",
    ),
    Mistake(
        "t is always 1",
        [(M_HAT, M_HAT.replace("**self.t", "")), (V_HAT, V_HAT.replace("**self.t", ""))],
        LATER,
        "The correction is that of the first step at all steps: it is 1 - beta**t, and t grows.",
    ),
    Mistake(
        "t counts arrays",
        [(COUNT, "        for"), (MEAN, "            self.t += 1\n" + MEAN)],
        ["Adam, five steps"],
        "t grows with every array: it counts steps, so it grows once a step, before the loop over the arrays.",
    ),
    Mistake(
        "one t for all optimisers",
        [
            ("        self.t = 0\n", "        Adam.t = 0\n"),
            (COUNT, COUNT.replace("self", "Adam")),
        ],
        ["Adam, D's and G's in turn"],
        "D's optimiser and G's count their steps together: keep t in self, not in the class or the module.",
    ),
    Mistake(
        "the corrected means are kept",
        [
            (M_HAT, "            m_hat = self.mean[i] = self.mean[i] / (1 - self.beta1**self.t)\n"),
            (V_HAT, "            v_hat = self.square[i] = self.square[i] / (1 - self.beta2**self.t)\n"),
        ],
        LATER,
        "The corrected means are carried on and corrected once more at the next step: keep m and v as they are.",
    ),
    Mistake(
        "the betas are swapped",
        [
            (MEAN, MEAN.replace("beta1", "beta2")),
            (SQUARE, SQUARE.replace("beta2", "beta1")),
            (M_HAT, M_HAT.replace("beta1", "beta2")),
            (V_HAT, V_HAT.replace("beta2", "beta1")),
        ],
        LATER,
        "beta1 and beta2 are swapped: beta1 is that of the mean of g, beta2 that of the mean of g².",
    ),
    Mistake(
        "g for g²",
        [(SQUARE, SQUARE.replace("g**2", "g"))],
        ADAM,
        "v is a mean of g, whose root is no number where g is negative: it is the mean of the squares g².",
    ),
    Mistake(
        "eps in the root",
        [(W_STEP, W_STEP.replace("np.sqrt(v_hat) + self.eps", "np.sqrt(v_hat + self.eps)"))],
        ["Adam, small gradients"],
        "eps is inside the root, where it counts as its own root, which is far larger: add it to √v̂.",
    ),
    Mistake(
        "eps before the correction",
        [
            (
                W_STEP,
                "            root = (np.sqrt(self.square[i]) + self.eps) / np.sqrt(1 - self.beta2**self.t)\n"
                "            w -= self.lr * m_hat / root\n",
            )
        ],
        ["Adam, small gradients"],
        "eps is added to √v before the correction, as TensorFlow does: add it to √v̂, after v is divided.",
    ),
    Mistake(
        "no eps",
        [(W_STEP, W_STEP.replace(" + self.eps", ""))],
        ["Adam, small gradients"],
        "Without eps the step is 0/0 where the gradient was always 0, and too large where it is tiny.",
    ),
    Mistake(
        "the caller's gradient is squared",
        [(SQUARE, SQUARE.replace("g**2", "np.multiply(g, g, out=g)"))],
        ["Adam, the caller's arrays"],
        "Your Adam writes into the gradients, which belong to the caller: compute in arrays of your own.",
    ),
]
OTHER_WORDS = [
    Words(
        "in place",
        [
            (V, "            self.v[i] *= self.m\n            self.v[i] += g\n"),
            (MEAN, "            self.mean[i] *= self.beta1\n            self.mean[i] += (1 - self.beta1) * g\n"),
            (SQUARE, "            self.square[i] += (1 - self.beta2) * (g * g - self.square[i])\n"),
        ],
    ),
    Words(
        "the corrections in lr and eps",  # Kingma and Ba 2015, section 2, with eps made to fit
        [
            (M_HAT, "            correction = np.sqrt(1 - self.beta2**self.t)\n"),
            (V_HAT, "            lr = self.lr * correction / (1 - self.beta1**self.t)\n"),
            (W_STEP, "            w -= lr * self.mean[i] / (np.sqrt(self.square[i]) + self.eps * correction)\n"),
        ],
    ),
    Words(
        "memories by number, made at the first step",
        [
            (V_START, "        self.v = {}\n"),
            (V, "            self.v[i] = g.copy() if i not in self.v else self.m * self.v[i] + g\n"),
            (STARTS, "        self.mean, self.square = {}, {}\n"),
            (MEAN, MEAN.replace("self.mean[i] +", "self.mean.get(i, 0.0) +")),
            (SQUARE, SQUARE.replace("self.square[i] +", "self.square.get(i, 0.0) +")),
        ],
    ),
]
