# %% [markdown]
# # 15. A DCGAN, built of lesson 14's parts
#
# Lesson 9's networks were dense: to them an image is 784 numbers in no particular order. This lesson builds both
# players of convolutions, which know what is beside what. We count weights and sizes by hand, ask the tape how far a
# neuron sees, and let the two play.

# %%
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

import tinygen as tg
from tinygen.layers import BatchNorm, Conv, ConvTranspose, Dense, Flatten, LeakyReLU, ReLU, Reshape, Sequential, Tanh
from tinygen.losses import bce_logits

Path("lessons_out").mkdir(exist_ok=True)
plt.rcParams["image.interpolation"] = "nearest"  # pixels stay sharp
tg.seed(0)

# %% [markdown]
# ## The rules of thumb
#
# Radford et al. (2015, section 3) tried many networks and kept these habits; they are still good ones:
#
# - no pooling: D halves the image by convolutions of stride 2, G doubles it by transposed ones;
# - batch norm (lesson 6), but not at G's output and D's input;
# - ReLU in G and tanh at its end, leaky ReLU in D;
# - small weights at first, from N(0, 0.02²), and Adam with β₁ = 0.5 (lesson 4).
#
# Our kernels are 4x4: as 2 divides 4, all pixels get equally many stamps (lesson 14). D has no batch norm here, so that
# it judges each image for itself.

# %%
small = partial(tg.init.normal, std=0.02)
options = {"kernel_size": 4, "stride": 2, "weight_init": small}
latent = 64
G = Sequential(
    *(Dense(latent, 7 * 7 * 64, weight_init=small), Reshape((7, 7, 64)), BatchNorm(64, momentum=0.9), ReLU()),
    *(ConvTranspose(64, 32, **options), BatchNorm(32, momentum=0.9), ReLU()),
    *(ConvTranspose(32, 1, **options), Tanh()),
)
D = Sequential(
    *(Conv(1, 32, **options), LeakyReLU(0.2), Conv(32, 64, **options), LeakyReLU(0.2)),
    *(Flatten(), Dense(7 * 7 * 64, 1, weight_init=small)),
)
noise = tg.Generator(0, "noise")


def shapes(network, x):
    """The shape of one example before the network and after each of its layers that changes it."""
    found = [x.shape[1:]]
    for layer in network:
        x = layer(x)
        found += [x.shape[1:]] if x.shape[1:] != found[-1] else []
    return found


with tg.no_grad():
    shapes_G = shapes(G, noise.normal((2, latent)))
    shapes_D = shapes(D, np.zeros((1, 28, 28, 1), "float32"))
print("G:", *shapes_G, sep=" → ")
print("D:", *shapes_D, sep=" → ")

# %% [markdown]
# With padding "same", a stride of 2 halves the sides and a transposed one doubles them: 7, 14, 28. The channels go the
# other way: as the maps get larger, there are fewer of them.
#
# ## The weights, counted
#
# A convolution from c to c' channels has 4 · 4 · c · c' weights and c' biases, *whatever the size of the image*. Batch
# norm has two numbers a channel.

# %%
by_hand = {
    "G": (64 * 3136 + 3136) + 2 * 64 + (16 * 64 * 32 + 32) + 2 * 32 + (16 * 32 * 1 + 1),
    "D": (16 * 1 * 32 + 32) + (16 * 32 * 64 + 64) + (3136 * 1 + 1),
}
counted = {name: sum(p.size for p in network.parameters()) for name, network in (("G", G), ("D", D))}
dense_D = (784 * 256 + 256) + (256 * 128 + 128) + (128 + 1)
print("by hand:", by_hand, " counted:", counted, f" lesson 9's D: {dense_D:,}")

# %% [markdown]
# Most of G's weights are in its dense layer. D has a sixth of the weights of lesson 9's.
#
# ## How far a neuron sees
#
# A neuron of D's first map sees 4x4 pixels. One of the second map sees 4x4 neurons of the first, whose windows are 2
# pixels apart: 3 steps of 2 pixels and a window of 4, together 10x10 pixels. The tape says the same: only those pixels
# have a gradient.

# %%
image = tg.tensor(tg.Generator(0, "image").normal((1, 28, 28, 1)), requires_grad=True)
second_map = Sequential(*list(D)[:3])(image)
seen = tg.grad(second_map[0, 3, 3, 0], image).numpy()[0, :, :, 0] != 0
rows, columns = (int(seen.any(axis=axis).sum()) for axis in (1, 0))
print(f"a neuron of the second map depends on {rows}x{columns} pixels, {int(seen.sum())} in all")

# %% [markdown]
# So the first layers find strokes and corners, and only the last one, which is dense, sees the whole digit. And what
# they find, they find everywhere: move the image by 4 pixels, and the second map moves by one neuron. A dense layer
# would have to learn each place on its own.

# %%
with tg.no_grad():
    moved = Sequential(*list(D)[:3])(np.roll(image.numpy(), 4, axis=2)).numpy()
difference = np.abs(moved[:, :, 2:-1] - second_map.numpy()[:, :, 1:-2]).max()
print(f"moved image against moved map, away from the border: largest difference {difference:.0e}")

# %% [markdown]
# ## The game
#
# The loop is lesson 9's. It takes about a minute, and has ten times the learning rate of Radford et al., who had days.

# %%
steps = 2000
digits = tg.data.load("digits")
loader = tg.data.Loader(digits.train, batch=32, value_range=(-1, 1), rng=tg.Generator(0, "batches"))
opt_G = tg.optim.Adam(G.parameters(), lr=2e-3, betas=(0.5, 0.999))
opt_D = tg.optim.Adam(D.parameters(), lr=2e-3, betas=(0.5, 0.999))
watched = noise.normal((12, latent))
film, verdicts = [], []
for step in range(1, steps + 1):
    x = loader.next_batch()
    with tg.no_grad():
        fake = G(noise.normal((32, latent)))
    real_score, fake_score = D(x), D(fake)
    loss_D = bce_logits(real_score, 1.0) + bce_logits(fake_score, 0.0)
    opt_D.step(tg.grad(loss_D, D.parameters()))
    with tg.frozen(D):
        loss_G = bce_logits(D(G(noise.normal((32, latent)))), 1.0)
        opt_G.step(tg.grad(loss_G, G.parameters()))
    verdicts.append([float(tg.ops.sigmoid(score).mean()) for score in (real_score, fake_score)])
    if step in (1, 100, 200, 500, 1000, 2000):
        with tg.no_grad():
            film.append(G.eval()(watched).numpy())
        G.train()
        print(f"step {step:4}  loss_D {loss_D:.3f}  loss_G {loss_G:.3f}")
tg.viz.save_grid(np.concatenate(film), "lessons_out/15_film.png", (-1, 1), columns=12)

# %% [markdown]
# Each row is one of the steps printed above, each column one z. At step 100 G has one image for all z, and a
# chequerboard: equal counts of stamps don't force one, but don't forbid it, either. Then D finds that out. In the end
# compare with lesson 9: there is no dust between the strokes, because each pixel is painted by stamps that also paint
# its neighbours. In numbers: how much do neighbouring pixels differ, beside those of real digits?


# %%
def roughness(images):
    """The mean absolute difference between a pixel and its right neighbour."""
    return float(np.abs(np.diff(images, axis=2)).mean())


with tg.no_grad():
    many = G.eval()(noise.normal((500, latent))).numpy()
rough = {"real": roughness(digits.test[:500].astype("float32") / 127.5 - 1), "made": roughness(many)}
print("differences between neighbours:", *(f"{name} {value:.3f}" for name, value in rough.items()))

# %% [markdown]
# ## The stamps
#
# The last layer of G paints with 32 stamps of 4x4 pixels, one a channel. They began as noise. Orange makes pixels
# brighter, blue darker.

# %%
stamps = list(G)[-2].w.numpy()[:, :, 0, :]
print("the stamps:", stamps.shape, f" they began with a standard deviation of 0.02, and have {stamps.std():.3f}")
blue_to_orange = LinearSegmentedColormap.from_list("blue to orange", ["#0072B2", "white", "#D55E00"])
fig, panels = plt.subplots(2, 16, figsize=(8, 1.3), layout="constrained")
limit = np.abs(stamps).max()
for axes, stamp in zip(panels.ravel(), np.moveaxis(stamps, 2, 0), strict=True):
    axes.imshow(stamp, cmap=blue_to_orange, vmin=-limit, vmax=limit)
    axes.set(xticks=[], yticks=[])
fig.savefig("lessons_out/15_stamps.png", dpi=80)

# %% [markdown]
# ## From one digit to another
#
# G is a smooth function of z, so on the way from one z to another the digits must change smoothly, too.

# %%
ends = watched[:4], watched[4:8]
ways = [(1 - t) * ends[0] + t * ends[1] for t in np.linspace(0, 1, 12, dtype="float32")]
with tg.no_grad():
    between = G.eval()(np.stack(ways, axis=1).reshape(-1, latent)).numpy()
tg.viz.save_grid(between, "lessons_out/15_between.png", (-1, 1), columns=12)

# %% [markdown]
# Most of the way they do: strokes bend, open and close. How good the digits are, lesson 16 measures.

# %% [markdown]
# ## Three things to try
#
# 1. Kernels of 5 and of 3: do you see a chequerboard in the first steps of the film, and in the last ones?
# 2. Leave out G's batch norm. What do the first 200 steps look like? And with `weight_init` left out as well?
# 3. Give each network one more layer, with 4x4 maps at the bottom. Which sizes do the images have to have then? Resize
#    the digits to 32x32 by padding them with -1.
