# %% [markdown]
# # 17. Conditional GANs: draw me a three
#
# So far G drew what it liked. Now it is told a label y, and D judges the image together with its label: does it look
# real, *and* is it a three? We build four common ways of letting D know y, a few lines each, and a D that doesn't know
# it. Then we measure who gets what was ordered.

# %%
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygen as tg
from tinygen import ops
from tinygen.layers import Dense, Embedding, LeakyReLU, Module, Reshape, Sequential, Tanh
from tinygen.losses import bce_logits, cross_entropy

Path("lessons_out").mkdir(exist_ok=True)
plt.rcParams["image.interpolation"] = "nearest"  # pixels stay sharp
np.set_printoptions(precision=4, suppress=True)
tg.seed(0)
digits = tg.data.load("digits")
noise = tg.Generator(0, "noise")
latent, classes = 32, 10

# %% [markdown]
# ## A label as numbers
#
# A label is a name, not a size: 3 isn't between 2 and 4. So it becomes a *one-hot* row e, ten numbers with a 1 at place
# y, and is joined to the noise. What does a dense layer make of it? With W_z above W_y in its weights W:
#
#     [z, e] W + b = z W_z + b + (row y of W_y)
#
# A table, in which y is looked up. That is what an `Embedding` is. Only the rows that were looked up have a gradient:
# row k gets the sum of gy over the examples with label k.


# %%
def one_hot(y):
    return np.eye(classes, dtype="float32")[y]


y, z = np.array([3, 5, 3]), noise.normal((3, latent))
layer, table = Dense(latent + classes, 4), Embedding(classes, 4)
table.w.data = layer.w.data[latent:].copy()
joined = layer(np.concatenate([z, one_hot(y)], axis=1))
looked_up = z @ layer.w[:latent] + layer.b + table(y)
gy = noise.normal((3, 4))
by_one_hot = tg.grad(joined, layer.w, gy).numpy()[latent:]
by_table = tg.grad(looked_up, table.w, gy).numpy()
differences = [float(np.abs(a - b).max()) for a, b in ((joined.numpy(), looked_up.numpy()), (by_one_hot, by_table))]
print("one-hot against table: largest difference {:.0e}, of the gradients {:.0e}".format(*differences))
print("rows with a gradient:", *by_table.any(axis=1).nonzero()[0], " row 3:", by_table[3], " by hand:", gy[0] + gy[2])

# %% [markdown]
# So the same functions can be learnt with a one-hot label and with an embedding. They differ in how *loud* the label
# is. Beside 784 pixels, most of them near -1, ten numbers whose squares sum to 1 are a whisper; those of 50 numbers
# from N(0, 1) sum to about 50.
#
# ## The players
#
# G is dense, with the label joined to z. It has no batch norm: that would mix the classes of a batch.


# %%
def new_G():
    return Sequential(
        *(Dense(latent + classes, 128), LeakyReLU(0.2), Dense(128, 256), LeakyReLU(0.2)),
        *(Dense(256, 784), Tanh(), Reshape((28, 28, 1))),
    )


def draw(G, z, e):
    return G(ops.concatenate([z, e], axis=1))


class Blind(Module):
    """D that doesn't see the label: φ(x) (N, 128), then the score (N, 1)."""

    def __init__(self, label_width=0):
        self.trunk = Sequential(Dense(784 + label_width, 256), LeakyReLU(0.2), Dense(256, 128), LeakyReLU(0.2))
        self.last = Dense(128, 1)

    def features(self, x, e):
        return self.trunk(ops.reshape(x, (len(e), 784)))

    def forward(self, x, e):
        return self.last(self.features(x, e))

    def class_loss(self, x, e):
        return 0.0


# %% [markdown]
# *Joined* (Mirza and Osindero 2014): the label goes in beside the pixels, as e or as a row of a table.


# %%
class Joined(Blind):
    def __init__(self, width=None):
        super().__init__(width or classes)
        self.table = Embedding(classes, width) if width else None

    def features(self, x, e):
        label = e @ self.table.w if self.table else e
        return self.trunk(ops.concatenate([ops.reshape(x, (len(e), 784)), label], axis=1))


# %% [markdown]
# *Projection* (Miyato and Koyama 2018, eq. 3). What should D say? By lesson 10 the best score is the logarithm of a
# ratio, and here it has two parts:
#
#     log p(x, y)/q(x, y) = log p(x)/q(x) + log p(y | x)/q(y | x)
#
# The first asks if x looks real, the second if it fits y. Suppose that both conditional ones are softmaxes of dense
# layers on φ(x). The logarithm of each is linear in φ(x), but for a term that is the same for all y. So the second part
# is v_y · φ(x), where v_y is the difference of two rows, and that term goes to the first:
#
#     D(x, y) = w · φ(x) + b + v_y · φ(x)


# %%
class Projecting(Blind):
    def __init__(self):
        super().__init__()
        self.v = Dense(classes, 128, bias=False)

    def forward(self, x, e):
        features = self.features(x, e)
        return self.last(features) + (self.v(e) * features).sum(axis=1, keepdims=True)


# %% [markdown]
# *Auxiliary classifier*, ACGAN (Odena et al. 2017): D isn't given y but has to guess it. Both players pay for wrong
# guesses, by the cross entropy, D for real and made images and G for its own.


# %%
class Guessing(Blind):
    def __init__(self):
        super().__init__()
        self.guess = Dense(128, classes)

    def class_loss(self, x, e):
        return cross_entropy(self.guess(self.features(x, e)), e.argmax(axis=1))


# %% [markdown]
# ## The game
#
# As in lesson 9. A made image gets the labels of the real batch, and D is held back by R1 (lesson 11), which makes it
# pay for steep slopes at real images.

# %%
steps = 2000


def play(D, gamma=0.1):
    G, z = new_G(), tg.Generator(0, "game")
    opt_G, opt_D = (tg.optim.Adam(player.parameters(), lr=1e-3, betas=(0.5, 0.999)) for player in (G, D))
    batches = tg.data.Loader(digits.train, 32, labels=digits.labels, rng=tg.Generator(0, "batches"))
    for _ in range(steps):
        x, y = batches.next_batch()
        x, e = tg.tensor(x, requires_grad=True), one_hot(y)
        with tg.no_grad():
            fake = draw(G, z.normal((len(y), latent)), e)
        real_score, fake_score = D(x, e), D(fake, e)
        loss_D = bce_logits(real_score, 1.0) + bce_logits(fake_score, 0.0) + D.class_loss(x, e) + D.class_loss(fake, e)
        slope = tg.grad(real_score.sum(), x, create_graph=True)
        loss_D = loss_D + gamma / 2 * (slope**2).sum() / len(y)
        opt_D.step(tg.grad(loss_D, D.parameters()))
        with tg.frozen(D):
            fake = draw(G, z.normal((len(y), latent)), e)
            loss_G = bce_logits(D(fake, e), 1.0) + D.class_loss(fake, e)
            opt_G.step(tg.grad(loss_G, G.parameters()))
    return G


players = {}
kinds = {"blind": Blind, "one-hot": Joined, "embedding": partial(Joined, width=50)}
kinds |= {"projection": Projecting, "classifier": Guessing}
for name, kind in kinds.items():
    tg.seed(0)
    D = kind()
    players[name] = play(D), D

# %% [markdown]
# ## Who gets what was ordered?
#
# A hundred z, each with all ten labels, for each G:
#
# - *label against z*: how much an image changes with the label, divided by how much it changes with z;
# - *GAN-test* (Shmelkov et al. 2018): how often a classifier of real digits reads the label that was ordered;
# - *GAN-train*: how often a classifier that was taught by made digits reads real ones right;
# - *D right*: how often D, shown a real digit with each of the ten labels, scores the true one highest (of the D that
#   guesses: how often its guess is right);
# - FID and recall, of lesson 16.

# %%
lenet = tg.metrics.load_classifier()
wanted = np.arange(1000) % classes
z = noise.normal((100, latent)).repeat(classes, axis=0)
teaching_steps = 300


def opinions(D, x):
    """D's score of each image with each of the ten labels, (N, 10); of a D that guesses, the logits of its guess."""
    with tg.no_grad():
        if isinstance(D, Guessing):
            return D.guess(D.features(x, x)).numpy()
        return np.hstack([D(x, one_hot(np.full(len(x), k))).numpy() for k in range(classes)])


teaches = partial(tg.metrics.gan_train, test_images=digits.test, test_labels=digits.test_labels, steps=teaching_steps)
test = digits.test.astype("float32") / 255
made, scores, opinion = {}, {}, {}
for name, (G, D) in players.items():
    with tg.no_grad():
        made[name] = draw(G, z, one_hot(wanted)).numpy() / 2 + 0.5
        real, found = (lenet.features(images).numpy() for images in (test, made[name]))
    opinion[name] = opinions(D, 2 * test - 1)
    by_z_and_label = made[name].reshape(100, classes, 784)
    scores[name] = {
        "label against z": float(by_z_and_label.std(axis=1).mean() / by_z_and_label.std(axis=0).mean()),
        "GAN-test": tg.metrics.gan_test(made[name], wanted),
        "GAN-train": teaches(made[name], wanted),
        "D right": float((opinion[name].argmax(axis=1) == digits.test_labels).mean()),
        "FID": tg.metrics.fid(real, found),
        "recall": tg.metrics.precision_recall(real, found)[1],
    }
    print(f"{name:10}:", ", ".join(f"{what} {value:.2f}" for what, value in scores[name].items()))
of_real = teaches(digits.train[:1000], digits.labels[:1000]), tg.metrics.gan_test(digits.test, digits.test_labels)
print(f"real digits: GAN-test {of_real[1]:.2f}, GAN-train with 1,000 of them {of_real[0]:.2f}")
ink = made["projection"].reshape(100, classes, 784).mean(axis=2)
together = float(np.corrcoef(ink.T)[np.triu_indices(classes, 1)].mean())
print(f"projection: the ink of two digits of one z has the correlation {together:.2f}")

# %%
fig, panels = plt.subplots(1, 3, figsize=(6, 4.6), layout="constrained")
for axes, name in zip(panels, ("blind", "projection", "classifier"), strict=True):
    by_label = made[name].reshape(100, classes, 28, 28, 1)[:4].swapaxes(0, 1)  # a row for a label, a column for a z
    sheet = tg.viz.grid(by_label.reshape(-1, 28, 28, 1), (0, 1), columns=4)
    axes.imshow(sheet, cmap=plt.colormaps["gray"].resampled(8))  # few greys make a small file
    axes.set(xticks=[], yticks=(np.arange(classes) + 0.5) * len(sheet) / classes, yticklabels=range(classes))
    axes.tick_params(length=0)
    axes.set_title(f"{name}: {scores[name]['GAN-test']:.0%}", fontsize=10)
fig.savefig("lessons_out/17_grid.png", dpi=80)

# %% [markdown]
# The picture has a row for each label and a column for each z; above is GAN-test.
#
# - *Blind*: z decides, whatever is ordered. If D doesn't see y, no y is better than another, and G needn't listen. (Its
#   recall is 0 as in lesson 16: the ten images of a z are nearly copies. Its GAN-train is luck: with NumPy alone, which
#   rounds differently, it was 0.18.)
# - *One-hot*: the whisper is hardly heard. The louder *embedding* is obeyed in seven cases of ten.
# - *Projection*: obeyed most, with the best FID and recall. *Classifier*: nearly as obedient, with less recall. G is
#   paid for being recognised, and that may make it avoid what is hard to recognise. (One seed and small networks, so
#   don't take it for a law. With NumPy alone GAN-test ranked the five the same.)
#
# And z keeps the style: down a column of the projection, a z with much ink in one digit has much in the others.
#
# ## The gradient of the label
#
# To G a label is ten numbers like the noise, so there is a derivative, and even a half of a label. How does the image
# change when e moves from 3 to 8, that is along v = e₈ - e₃? That is J v, with the Jacobian J = ∂G/∂e. Backprop gives
# Jᵀu for any u. But `u ↦ Jᵀu` is linear in u, and *its* gradient, given v, is J v: lesson 13's gradient of a gradient
# again.


# %%
def along(f, e, v):
    """J v, the derivative of f at e in the direction v."""
    e = tg.tensor(e, requires_grad=True)
    y = f(e)
    u = tg.tensor(np.zeros(y.shape), requires_grad=True)
    backward = tg.grad(y, e, u, create_graph=True)  # Jᵀu, as a function of u
    return tg.grad(backward, u, v).numpy()


G, D = players["projection"]
z = noise.normal((8, latent), dtype="float64")
three, eight = (one_hot(np.full(8, k)).astype("float64") for k in (3, 8))
from_z = partial(draw, G, z)
v = eight - three
slope = along(from_z, three, v)
with tg.no_grad():
    by_trying = (from_z(three + 1e-6 * v) - from_z(three - 1e-6 * v)).numpy() / 2e-6
    on_the_way = [from_z(three + t * v).numpy() for t in (0, 0.5, 1)]
error = float(np.abs(slope - by_trying).max() / np.abs(slope).max())
hint = float(np.corrcoef(slope.ravel(), (on_the_way[2] - on_the_way[0]).ravel())[0, 1])
print(f"J v by two gradients and by trying: largest difference {error:.1e} of the largest slope")
print(f"J v and the 8 less the 3: correlation {hint:.2f}")

# %%
blue_to_orange = LinearSegmentedColormap.from_list("blue to orange", ["#0072B2", "white", "#D55E00"])
fig, panels = plt.subplots(4, 8, figsize=(8, 4.4), layout="constrained")
limit = np.abs(slope).max()
rows = {"a 3": on_the_way[0], "to an 8": slope, "half of each": on_the_way[1], "an 8": on_the_way[2]}
for row, (name, images) in zip(panels, rows.items(), strict=True):
    row[0].set_ylabel(name, fontsize=9)
    shades = {"cmap": blue_to_orange, "vmin": -limit, "vmax": limit} if images is slope else {"cmap": "gray"}
    for axes, image in zip(row, images[..., 0], strict=True):
        axes.imshow(image, **shades)
        axes.set(xticks=[], yticks=[])
fig.savefig("lessons_out/17_label.png", dpi=70)

# %% [markdown]
# Orange becomes brighter, blue darker: the slope at the 3 already hints at the 8. Half of each was never ordered in
# training, and G draws something in between.
#
# ## What D says of labels
#
# And the slope of D's score along the label? In a projection D is linear in e, so it is v_k · φ(x), whatever e is. In
# the picture a row is the real digits of a class, a column the label that D was shown with them, and the colour the
# mean score, less that of all ten labels. Orange is liked.

# %%
e = tg.tensor(one_hot(digits.test_labels), requires_grad=True)
by_tape = tg.grad(D(2 * test - 1, e).sum(), e).numpy()
with tg.no_grad():
    v_times_features = D.features(2 * test - 1, e).numpy() @ D.v.w.numpy().T
print(f"∂D/∂e by tape and v·φ(x) by hand: largest difference {np.abs(by_tape - v_times_features).max():.1e}")

fig, panels = plt.subplots(1, 4, figsize=(8, 2.3), layout="constrained")
for axes, name in zip(panels, ("one-hot", "embedding", "projection", "classifier"), strict=True):
    centred = opinion[name] - opinion[name].mean(axis=1, keepdims=True)
    liked = np.stack([centred[digits.test_labels == k].mean(axis=0) for k in range(classes)])
    limit = np.abs(liked).max()
    axes.imshow(liked, cmap=blue_to_orange, vmin=-limit, vmax=limit)
    axes.set(xticks=range(classes), yticks=range(classes))
    axes.tick_params(length=0, labelsize=7)
    axes.set_title(f"{name}: ±{limit:.1f}", fontsize=9)
fig.savefig("lessons_out/17_opinions.png", dpi=80)

# %% [markdown]
# Where G obeys, D says little of labels. That is the second part of the best score, log p(y | x)/q(y | x): if a made 3
# is as surely a three as a real one, the ratio is 1, and there is nothing to object to. One-hot's G often draws what
# wasn't ordered, so its D finds the labels of three real digits in four. Only the D that guesses is paid for knowing
# labels.

# %% [markdown]
# ## Three things to try
#
# 1. Multiply e by 10 before the one-hot D gets it. Is the label loud enough now?
# 2. Order `(e₁ + e₇) / 2`, `2·e₃`, and a row of zeros. What comes?
# 3. In the classifier's game, let D pay for its guesses on real digits only. Does G still learn the label?
