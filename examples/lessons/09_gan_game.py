# %% [markdown]
# # 9. The GAN game: two losses, one gradient path, and what freezing means
#
# Two networks play a game. The generator G draws images from noise. The discriminator D says how likely an image is to
# be real. D learns to tell G's images from real ones; G learns to have its images taken for real. Nobody ever tells G
# what a digit looks like: all that it learns arrives through D. In this lesson we watch it arrive.

# %%
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygen as tg
from tinygen.layers import BatchNorm, Dense, Flatten, LeakyReLU, ReLU, Reshape, Sequential, Tanh
from tinygen.losses import bce_logits

Path("lessons_out").mkdir(exist_ok=True)
plt.rcParams["image.interpolation"] = "nearest"  # pixels stay sharp
tg.seed(0)

digits = tg.data.load("digits")
loader = tg.data.Loader(digits.train, batch=64, value_range=(-1, 1))
noise = tg.Generator(0, "noise")

# %% [markdown]
# ## The players
#
# Both are made of dense layers. G has batch norm (lesson 6), so that its signals keep their size. Each has an Adam of
# its own with β₁ = 0.5 instead of 0.9, so that it forgets old gradients soon: they are answers to an opponent who has
# moved (lesson 4).

# %%
G = Sequential(
    *(Dense(64, 128), BatchNorm(128), ReLU(), Dense(128, 256), BatchNorm(256), ReLU()),
    *(Dense(256, 784), Tanh(), Reshape((28, 28, 1))),
)
small = partial(tg.init.normal, std=0.02)  # so that D relies on what it has learnt, not on its random beginning
D = Sequential(  # a score s; D's probability is σ(s)
    *(Flatten(), Dense(784, 256, weight_init=small), LeakyReLU(0.2)),
    *(Dense(256, 128), LeakyReLU(0.2), Dense(128, 1)),
)
opt_G = tg.optim.Adam(G.parameters(), lr=4e-4, betas=(0.5, 0.999))
opt_D = tg.optim.Adam(D.parameters(), lr=4e-4, betas=(0.5, 0.999))

# %% [markdown]
# ## Two losses
#
#     L_D = mean of -log D(x) + mean of -log(1 - D(G(z)))      D wants: real 1, fake 0
#     L_G = mean of -log D(G(z))                               G wants: fake 1
#
# Both look at the same number, `D(G(z))`, and want opposite things of it. So there are two optimisers, and each may
# touch only its own player's weights.

# %%
steps = 2000
watched = noise.normal((8, 64))  # the same eight noise vectors throughout
film, verdicts = [], []
for step in range(1, steps + 1):
    x = loader.next_batch()

    with tg.no_grad():  # D's step: G is fixed
        fake = G(noise.normal((64, 64)))
    real_score, fake_score = D(x), D(fake)
    loss_D = bce_logits(real_score, 1.0) + bce_logits(fake_score, 0.0)
    opt_D.step(tg.grad(loss_D, D.parameters()))

    with tg.frozen(D):  # G's step: the gradient goes through D, which stays as it is
        loss_G = bce_logits(D(G(noise.normal((64, 64)))), 1.0)
        opt_G.step(tg.grad(loss_G, G.parameters()))

    if step % 25 == 0 or step == 1:
        verdicts.append((step, *(float(tg.ops.sigmoid(score).mean()) for score in (real_score, fake_score))))
    if step in (1, 100, 300, 600, 1000, 2000):
        with tg.no_grad():
            film.append(G.eval()(watched).numpy())  # eval: batch norm uses its running averages
        G.train()
        print(f"step {step:4}  loss_D {loss_D:.3f}  loss_G {loss_G:.3f}")

tg.viz.save_grid(np.concatenate(film), "lessons_out/09_film.png", (-1, 1), columns=8)

# %% [markdown]
# The film shows the same eight noise vectors at the steps printed above. Now the game as D sees it: neither wins.

# %%
at, real, made = np.array(verdicts).T
fig, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
axes.plot(at, real, color="#D55E00", label="D(x), real digits")
axes.plot(at, made, color="#0072B2", label="D(G(z)), made digits")
axes.axhline(0.5, color="#999999", linewidth=0.8)
axes.set(xlabel="step", ylim=(0, 1), title="What D believes: 1 is real")
axes.title.set_fontsize(10)
axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
fig.savefig("lessons_out/09_game.png", dpi=80)

# %% [markdown]
# ## One gradient path
#
# L_G reaches G's weights in two stretches. First through D, from the verdict back to the *pixels*; then through G, from
# the pixels back to the weights. What passes in between has the shape of the images: it says of every pixel whether D
# would like it brighter or darker.
#
#     L_G → D → ∂L_G/∂pixels → G → ∂L_G/∂weights
#
# Compute the stretches one by one, and compare the result with the gradient computed in one go.

# %%
G.eval()
made = G(watched)
with tg.frozen(D):
    loss_G = bce_logits(D(made), 1.0)
at_pixels = tg.grad(loss_G, made, retain_graph=True)  # stretch 1: D
in_two = tg.grad(made, G.parameters(), at_pixels, retain_graph=True)  # stretch 2: G, given only the pixels' gradient
in_one = tg.grad(loss_G, G.parameters())
difference = max(np.abs(a.numpy() - b.numpy()).max() for a, b in zip(in_two, in_one, strict=True))
print(f"at the pixels: {at_pixels.shape}; largest difference of {len(in_one)} weight gradients: {difference:.0e}")

# %% [markdown]
# So G sees neither D nor the real digits. It is handed a picture, and follows it. Let us look at that picture:
# `-∂L_G/∂pixels`, orange where D wants the pixel brighter, blue where it wants it darker. Then take a small step along
# it *without G*: paint on the image directly, and ask D again.


# %%
def p_real(images):
    with tg.no_grad():
        return tg.ops.sigmoid(D(images)).numpy().ravel()


def repaint(images, length):
    """The images, each moved by `length` along the gradient with which L_G reaches it."""
    images = tg.tensor(images, requires_grad=True)
    with tg.frozen(D):
        g = tg.grad(bce_logits(D(images), 1.0, "sum"), images).numpy()
    size = np.sqrt((g**2).sum(axis=(1, 2, 3), keepdims=True))
    return np.clip(images.numpy() - length * g / size, -1, 1), -g / size


blue_to_orange = LinearSegmentedColormap.from_list("blue to orange", ["#0072B2", "white", "#D55E00"])
before = made.numpy()
after, push = repaint(before, 3.0)
fig, panels = plt.subplots(3, 8, figsize=(8, 3.4), layout="constrained")
for (first, second, third), image, wish, new, p, q in zip(
    panels.T, before[..., 0], push[..., 0], after[..., 0], p_real(before), p_real(after), strict=True
):
    first.imshow(image, cmap="gray", vmin=-1, vmax=1)
    first.set_title(f"D: {p:.0%}", fontsize=9)
    second.imshow(image, cmap="gray_r", vmin=-1, vmax=4)
    limit = np.abs(wish).max()
    second.imshow(wish, cmap=blue_to_orange, vmin=-limit, vmax=limit, alpha=np.minimum(1, 1.5 * np.abs(wish) / limit))
    third.imshow(new, cmap="gray", vmin=-1, vmax=1)
    third.set_title(f"D: {q:.0%}", fontsize=9)
for axes in panels.ravel():
    axes.set(xticks=[], yticks=[])
for axes, name in zip(panels[:, 0], ("G's image", "D's wishes", "a step along"), strict=True):
    axes.set_ylabel(name, fontsize=9)
fig.savefig("lessons_out/09_pixel_push.png", dpi=70)
print("D's verdict before:", p_real(before).round(2), "\nand after a step:  ", p_real(after).round(2))

# %% [markdown]
# Here and there the orange completes a stroke and the blue wipes away a blot; much of it is speckle that means nothing
# to us. D is easily pleased: after a step that we hardly see, it changes its mind. That is why D must keep learning,
# and why the game is played in small steps.
#
# ## What freezing means
#
# `backward()` puts a gradient into *every* weight on its path. D's weights lie on L_G's path, too, and their gradient
# says: "D, be fooled more easily". That must never be followed. G's weights lie on L_D's path, unless it is cut:
# "G, be caught more easily". Let us see who receives what.


# %%
def receives(network):
    """The length of the gradient that backward() left in a network's weights; clears it."""
    left = [p.grad for p in network.parameters()]
    for p in network.parameters():
        p.grad = None
    return None if left[0] is None else float(sum((g.numpy() ** 2).sum() for g in left) ** 0.5)


z, x = noise.normal((64, 64)), loader.next_batch()


def loss_D_of(fake):
    return bce_logits(D(x), 1.0) + bce_logits(D(fake), 0.0)


received = {}
loss_D_of(G(z)).backward()
received["L_D, fake = G(z)"] = receives(D), receives(G)
loss_D_of(G(z).detach()).backward()
received["L_D, fake = G(z).detach()"] = receives(D), receives(G)
bce_logits(D(G(z)), 1.0).backward()
received["L_G"] = receives(D), receives(G)
with tg.frozen(D):
    bce_logits(D(G(z)), 1.0).backward()
received["L_G, with frozen(D)"] = receives(D), receives(G)
bce_logits(D(G(z).detach()), 1.0).backward()
received["L_G, fake = G(z).detach()"] = receives(D), receives(G)

print(f"{'loss':28}  D receives  G receives")
for name, lengths in received.items():
    print(f"{name:28}" + "".join(f"{'nothing' if size is None else f'{size:.4f}':>12}" for size in lengths))

# %% [markdown]
# Read it line by line.
#
# - *L_D, fake = G(z)*: G receives the wish to be caught. Harmless if it is cleared before G's step; below we forget it.
# - *detach()* cuts the path: the same numbers, but no tape behind them. G receives nothing, and its backward costs
#   nothing. The loop above uses `no_grad()`, which does not even write the tape.
# - *L_G*: D receives the wish to be fooled.
# - *frozen(D)* is not a cut: D's weights receive nothing, but the gradient passes *through*. G receives the same.
# - *detach()* in G's step is the classic bug: the path is cut where G begins, and G never learns.
#
# ## What is left over
#
# Suppose that G's step follows its own gradient *and* what L_D left in its weights. For a fake that D takes for real
# with probability p, L_G hands `-(1 - p)` to the score, as lesson 3 says for the label 1; L_D hands p to it, as for the
# label 0. With the same z the sum is `2p - 1`. It points the way of G's own as long as p is below one half: G still
# learns, in shorter steps. Once D is undecided there is nothing left, and beyond that G *unlearns*. So this bug does
# not look like one: G becomes as good as a coin, and never better. Shift D's scores to see it.


# %%
def gradient(loss, network):
    return np.concatenate([g.numpy().ravel() for g in tg.grad(loss, network.parameters())])


def cosine(u, v):
    return float(u @ v / np.sqrt((u @ u) * (v @ v)))


with tg.no_grad():
    scores = D(G(z)).numpy()
leftover = {}
for shift in (-1.0, 0.0, 1.0):
    shift -= float(scores.mean())
    p = float(tg.ops.sigmoid(scores + shift).mean())
    own, left = (gradient(bce_logits(D(G(z)) + shift, label), G) for label in (1.0, 0.0))
    leftover[p] = cosine(own, own + left), float(np.linalg.norm(own + left) / np.linalg.norm(own))
    print(f"p = {p:.2f}: cosine with G's own gradient {leftover[p][0]:+.2f}, {leftover[p][1]:.2f} times as long")

# %% [markdown]
# The other way round it is worse. D's weights keep the gradient that L_G left, and D's next step follows the sum of
# both: again `2p - 1` for each fake. Where D sees through a fake, it now learns to take it for real.

# %%
own, left = gradient(loss_D_of(G(z).detach()), D), gradient(bce_logits(D(G(z)), 1.0), D)
angle = float(np.degrees(np.arccos(cosine(own, own + left))))
print(f"angle between the gradient that D should follow and the one it follows: {angle:.0f}°")

# %% [markdown]
# `tg.grad(loss, parameters)`, as in the loop above, returns the gradients of the weights that you name, and leaves none
# anywhere: nothing can be left over. `frozen` then changes no number. It says what is meant, and naming a frozen weight
# is an error. And the classic bug? Its gradient isn't zero, it doesn't exist, and `tg.grad` says so. `backward()` can't
# know for whom you call it, and is silent.

# %%
try:
    tg.grad(bce_logits(D(G(z).detach()), 1.0), G.parameters())
    cut = None
except tg.GradientError as error:
    cut = error
    print(error)

# %% [markdown]
# ## Three things to try
#
# 1. Call `backward()` on `bce_logits(D(G(z).detach()), 1.0)`, then `opt_G.step()`. Who notices the bug, and when?
# 2. Repaint ten times in a row with small steps of 0.5, without G. How far does the verdict rise? Is it a digit?
# 3. Train D three times for each step of G, then G three times for each step of D. Which of the two ruins the game?
