"""The classic mistakes of piece 9, and right answers in other words."""

from tinygen.course import Mistake, Words

FAKE = "    with tg.no_grad():\n        fake = gan.G(z)\n"
LOSS_D = "bce_logits(gan.D(x), 1.0) + bce_logits(gan.D(fake), 0.0)"
MOVE_D = "    gan.opt_D.step(tg.grad(loss, gan.D.parameters()))\n"
LOSS_G = "bce_logits(gan.D(gan.G(z)), 1.0)"
SIDE_G = f"""    with tg.frozen(gan.D):
        loss = {LOSS_G}
        gan.opt_G.step(tg.grad(loss, gan.G.parameters()))
"""
WHOLE = """    for x in batches:
        loss_D = step_D(gan, x, noise.normal((len(x), LATENT)))
    loss_G = step_G(gan, noise.normal((len(x), LATENT)))
"""
BACKWARD_D = "    gan.opt_D.zero_grad()\n    loss.backward()\n    gan.opt_D.step()\n"
D, G = ["D's step", "three steps of D", "D's step after old gradients"], ["G's step", "three steps of G"]

MISTAKES = [
    Mistake(
        "no detach",
        [(FAKE, "    fake = gan.G(z)\n"), (MOVE_D, BACKWARD_D)],
        ["D's step leaves G alone"],
        "D's step leaves a gradient on G, which says how to be caught more easily: make the fake examples inside "
        "tg.no_grad(), or detach() them.",
    ),
    Mistake(
        "leftover gradients",
        [(MOVE_D, "    loss.backward()\n    gan.opt_D.step()\n")],
        ["three steps of D", "D's step after old gradients"],
        "D follows gradients that earlier steps have left in its .grad: backward() adds, so call gan.opt_D.zero_grad() "
        "before it, or use tg.grad.",
    ),
    Mistake(
        "swapped labels",
        [(LOSS_D, "bce_logits(gan.D(x), 0.0) + bce_logits(gan.D(fake), 1.0)")],
        D,
        "D learns that real examples are fake and fake ones real: the label of x is 1, that of G(z) is 0.",
    ),
    Mistake(
        "one mean of real and fake",
        [
            ("import tinygen as tg\n", "import numpy as np\n\nimport tinygen as tg\n"),
            (LOSS_D, "bce_logits(gan.D(tg.ops.concatenate([x, fake])), np.array([[1.0]] * len(x) + [[0.0]] * len(z)))"),
        ],
        D,
        "D's loss is one mean over real and fake examples together: it is the mean over the real ones plus the mean "
        "over the fake ones.",
    ),
    Mistake(
        "no step of D's optimiser",
        [(MOVE_D, "    tg.grad(loss, gan.D.parameters())\n")],
        [*D, "D's step leaves G alone"],
        "D has its gradients but does not move: call gan.opt_D.step.",
    ),
    Mistake(
        "the saturating loss",
        [(LOSS_G, "-bce_logits(gan.D(gan.G(z)), 0.0)")],
        G,
        "G lowers log(1 - p), which saturates while D wins: lower -log p, the loss with the label 1, instead.",
    ),
    Mistake(
        "G is told 0",
        [(LOSS_G, "bce_logits(gan.D(gan.G(z)), 0.0)")],
        G,
        "G lowers D's loss, so it learns to be caught: in G's step the label of its examples is 1.",
    ),
    Mistake(
        "detached in G's step",
        [(LOSS_G, "bce_logits(gan.D(gan.G(z).detach()), 1.0)")],
        [*G, "G's step leaves D alone"],
        "No gradient reaches G: its examples are cut from the tape. In G's step nothing is detached; tg.frozen(gan.D) "
        "lets the gradient through D.",
    ),
    Mistake(
        "G's step moves D",
        [
            (
                SIDE_G,
                f"    loss = {LOSS_G}\n    for opt in (gan.opt_D, gan.opt_G):\n        opt.zero_grad()\n"
                "    loss.backward()\n    for opt in (gan.opt_D, gan.opt_G):\n        opt.step()\n",
            )
        ],
        ["three steps of G", "G's step leaves D alone"],
        "G's step moves D, too, towards being fooled more easily: only gan.opt_G takes a step there.",
    ),
    Mistake(
        "the same noise in both steps",
        [
            (
                WHOLE,
                "    for x in batches:\n        z = noise.normal((len(x), LATENT))\n"
                "        loss_D = step_D(gan, x, z)\n    loss_G = step_G(gan, z)\n",
            )
        ],
        ["a step of each", "three steps of D for one of G"],
        "G's step gets the noise of D's step, for whose examples D has just learnt its answer: draw new noise.",
    ),
]
OTHER_WORDS = [
    Words(
        "by backward()",
        [
            (FAKE, "    fake = gan.G(z).detach()\n"),
            (MOVE_D, BACKWARD_D),
            (
                SIDE_G,
                f"    gan.opt_G.zero_grad()\n    loss = {LOSS_G}\n    loss.backward()\n    gan.opt_G.step()\n",
            ),
        ],
    ),
    Words(
        "in formulas",
        [
            (LOSS_D, "tg.ops.softplus(-gan.D(x)).mean() + tg.ops.softplus(gan.D(fake)).mean()"),
            (SIDE_G, SIDE_G.replace(LOSS_G, "-tg.ops.log(tg.ops.sigmoid(gan.D(gan.G(z)))).mean()")),
            (
                WHOLE,
                WHOLE.replace("x in batches", "i in range(len(batches))").replace(
                    "        loss_D", "        x = batches[i]\n        loss_D"
                ),
            ),
        ],
    ),
    Words(
        "tg.grad without frozen",
        [
            (FAKE, "    fake = gan.G(z)\n"),
            (SIDE_G, f"    loss = {LOSS_G}\n    gan.opt_G.step(tg.grad(loss, gan.opt_G.params))\n"),
        ],
    ),
]
