# %% [markdown]
# # 16. How good is it?
#
# A generator has learnt. How good is it, and is it better than yesterday's? Eyes look at thirty images, and can't see
# what is missing. Losses say how the game stands, not how the images look. So people measure: FID, precision, recall.
# Each is a few lines. We write them, check them against `tg.metrics`, and then try to fool them.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg

Path("lessons_out").mkdir(exist_ok=True)
plt.rcParams["image.interpolation"] = "nearest"  # pixels stay sharp
tg.seed(0)
rng = tg.Generator(0, "how good")
digits = tg.data.load("digits")
train, test = (x.astype("float32") / 255 for x in (digits.train, digits.test))
n = len(test)  # 1,000: all sets are of this size

# %% [markdown]
# ## Features
#
# How far apart are two images? The distance of their pixels is a poor answer: move a digit by two pixels, and its
# strokes lie where none were. Better take numbers that say what the image *shows*. A classifier has such numbers
# before its last layer. For photographs people take 2,048 of a network called Inception. For digits we take 64 of the
# LeNet that comes with tinygen, scaled to mean square 1.

# %%
lenet = tg.metrics.load_classifier()


def features(images):
    with tg.no_grad():
        blocks = np.array_split(images, len(images) // 500)
        return np.concatenate([lenet.features(block).numpy() for block in blocks]).astype("float64")


def distances(x, y):
    """From each row of x to each row of y: ‖x - y‖² = ‖x‖² + ‖y‖² - 2 x·y."""
    squares = (x * x).sum(axis=1)[:, np.newaxis] + (y * y).sum(axis=1) - 2 * x @ y.T
    return np.sqrt(np.maximum(squares, 0))


real = features(test)
moved = np.roll(test, 2, axis=2)  # by two pixels to the right
other_class = digits.test_labels[:, np.newaxis] != digits.test_labels
farther = {}
for name, x, y in (("pixels", test.reshape(n, -1), moved.reshape(n, -1)), ("features", real, features(moved))):
    own = np.sqrt(((x - y) ** 2).sum(axis=1))
    stranger = np.where(other_class, distances(x, x), np.inf).min(axis=1)
    farther[name] = float((own > stranger).mean())
    print(f"in {name}, {farther[name]:.1%} of the digits are nearer to one of another class than to themselves, moved")

# %% [markdown]
# ## The distance of two normal distributions
#
# Now two heaps of features, real and made. Lesson 12 carried one heap to the other, and paid the way |x - y|. Pay its
# *square* instead. For two normal distributions on a line, sorting is again the best plan. It carries μ₁ + σ₁·t to
# μ₂ + σ₂·t, and as t has mean 0 and variance 1, the mean cost is
#
#     (μ₁ - μ₂)² + (σ₁ - σ₂)²        W₂², the squared Wasserstein (or Fréchet) distance

# %%
x, y = rng.normal(100_000, mean=0.0, std=1.0, dtype="float64"), rng.normal(100_000, mean=2.0, std=0.5, dtype="float64")
by_sorting, by_formula = float(((np.sort(x) - np.sort(y)) ** 2).mean()), 2.0**2 + 0.5**2
print(f"W₂² of N(0, 1) and N(2, 0.5²): by sorting 100,000 points {by_sorting:.3f}, by the formula {by_formula:.3f}")

# %% [markdown]
# In 64 dimensions there is a covariance C instead of σ², and (σ₁ - σ₂)² = σ₁² + σ₂² - 2 σ₁σ₂ becomes
#
#     ‖μ₁ - μ₂‖² + tr C₁ + tr C₂ - 2 tr (C₁½ C₂ C₁½)½        (Dowson and Landau 1982)
#
# where M½ is the root of a matrix: M½ M½ = M. We need its trace only. The root of a symmetric matrix has the roots of
# its eigenvalues; and C₁½ C₂ C₁½ has the eigenvalues of C₁ C₂, as AB always has those of BA. So they are real and not
# negative, and the trace is the sum of their roots. With features of Inception this is the *Fréchet Inception
# distance*, FID (Heusel et al. 2017). We keep the name for features of the LeNet.


# %%
def fid(x, y):
    C1, C2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(C1 @ C2).real, 0))  # rounding may put a 0 below 0
    distance = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum() + np.trace(C1) + np.trace(C2) - 2 * roots.sum()
    return max(float(distance), 0.0)


order = rng.permutation(len(train))
some = train[order[:n]]  # real digits that the test set doesn't hold
fids = fid(real, features(some)), tg.metrics.fid(real, features(some))
print(f"1,000 training digits against 1,000 test digits: FID by hand {fids[0]:.6f}, by tg.metrics {fids[1]:.6f}")

# %% [markdown]
# Both sets are real, and their distance is not 0. That has a reason.
#
# ## The bias
#
# We don't have μ and C, only estimates from n images. Both sets err, each in its own way, and FID adds up squares: it
# is never negative, so errors don't cancel. Let us draw pairs of sets from all real digits, and watch FID fall as the
# sets grow. Beside it is a distance without this bias, *KID* (Binkowski et al. 2018): how alike are two real ones on
# average, two made ones, and a real and a made one? By `(x·y/64 + 1)³`, without the pairs of an image with itself.


# %%
def kid(x, y):
    xx, yy, xy = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    off_diagonal = len(x) * (len(x) - 1)
    return float((xx.sum() - xx.trace() + yy.sum() - yy.trace()) / off_diagonal - 2 * xy.mean())


learnt = features(train)
everything = np.concatenate([learnt, real])
kids = kid(real, learnt[order[:n]]), tg.metrics.kid(real, learnt[order[:n]], subsets=1, size=n)[0]
print(f"KID of the same two sets: by hand {kids[0]:.6f}, by tg.metrics {kids[1]:.6f}")
of_size = {}
for size in (100, 200, 500, 1000, 2000, 5000):
    pairs = [everything[rng.permutation(len(everything))[: 2 * size]] for _ in range(5)]
    of_size[size] = np.array([(fid(pair[:size], pair[size:]), kid(pair[:size], pair[size:])) for pair in pairs])
    mean, spread = of_size[size].mean(axis=0), of_size[size].std(axis=0)
    print(f"{size:5} real against {size:5} real: FID {mean[0]:.3f} ± {spread[0]:.3f}, ", end="")
    print(f"times {size} {mean[0] * size:4.0f}; KID {mean[1]:+.4f} ± {spread[1]:.4f}")

# %% [markdown]
# FID times the size stays about the same: the bias falls like 1/n. So an FID goes with its n, and two can be compared
# only if their n is the same. KID stays around 0 at any size; with few images it only wobbles more.
#
# ## What FID can't see
#
# It looks at means and covariances, and at nothing else. Take a ring, and one heap with the same mean and covariance.

# %%
angle = rng.uniform((2000, 1), dtype="float64") * 2 * np.pi
ring = np.hstack([np.cos(angle), np.sin(angle)])
heap = rng.normal((2000, 2), std=0.5**0.5, dtype="float64")
fid_of_heap = fid(ring, heap)
print(f"ring and heap: FID {fid_of_heap:.4f}; two rings: {fid(ring[:1000], ring[1000:]):.4f}")

# %%
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(9.5, 2.9), layout="constrained")
line, t = np.linspace(-3.5, 4, 400), np.linspace(-2, 2, 9)
for mean, std, base, colour in ((0, 1, 0, "#009E73"), (2, 0.5, 1, "#D55E00")):
    density = np.exp(-0.5 * ((line - mean) / std) ** 2) / std
    left.fill_between(line, base + 0.35 * density * (1 - 2 * (base == 0)), base, color=colour, alpha=0.4, linewidth=0)
left.plot([t, 2 + 0.5 * t], [np.zeros(9), np.ones(9)], color="black", linewidth=0.8)
left.set(yticks=[], xlabel="x")
left.set_title("from N(0, 1) to N(2, 0.5²)", fontsize=10)
middle.scatter(*heap[:600].T, s=2, color="#D55E00", label="made")
middle.scatter(*ring[:600].T, s=2, color="#009E73", label="real")
middle.set(xticks=[], yticks=[], aspect="equal", xlim=(-3, 3), ylim=(-2.6, 3.4))
middle.set_title(f"FID {fid_of_heap:.3f}", fontsize=10)
sizes = np.array(list(of_size))
for column, scale, name, colour in ((0, 1, "FID", "#D55E00"), (1, 50, "50 times KID", "#0072B2")):
    mean, spread = (scale * f([of_size[size][:, column] for size in sizes], axis=1) for f in (np.mean, np.std))
    right.errorbar(sizes, mean, spread, color=colour, capsize=2, label=name)
right.axhline(0, color="#999999", linewidth=0.8)
right.set(xscale="log", xlabel="images in each set")
right.set_title("real digits against real digits", fontsize=10)
middle.legend(frameon=False, fontsize=8, loc="upper right")
right.legend(frameon=False, fontsize=8, loc="upper right")
fig.savefig("lessons_out/16_fid.png", dpi=80)

# %% [markdown]
# On the left the plan of carriage; in the middle a heap that FID can't tell from the ring; on the right the bias, with
# the standard deviation of five pairs.
#
# ## Two ways to be wrong
#
# And FID is one number. A generator can make things that aren't real, or leave real things out, and the cures differ.
# So ask two questions (Kynkäänniemi et al. 2019). Draw a ball around each point of a set, up to its third nearest
# neighbour. All balls together say where the set is.
#
#     precision = the share of made points that lie in a ball of a real one         is what G makes real?
#     recall    = the share of real points that lie in a ball of a made one         does G make all that is real?


# %%
def radii(x, k=3):
    return np.sort(distances(x, x), axis=1)[:, k]  # the nearest of all is the point itself


def share_covered(points, centres):
    return float((distances(points, centres) <= radii(centres)).any(axis=1).mean())


cloud = rng.normal((150, 2), dtype="float64")
plane = {
    "collapsed": np.array([0.6, 0.4]) + rng.normal((150, 2), std=0.25, dtype="float64"),
    "too wide": rng.normal((150, 2), std=2.0, dtype="float64"),
}
in_plane = {}
for name, made in plane.items():
    in_plane[name] = share_covered(made, cloud), share_covered(cloud, made)
    print(f"{name}: precision {in_plane[name][0]:.2f}, recall {in_plane[name][1]:.2f}; ", end="")
    print("by tg.metrics:", *(f"{value:.2f}" for value in tg.metrics.precision_recall(cloud, made)))

# %%
fig, panels = plt.subplots(1, 4, figsize=(9.5, 2.7), layout="constrained")
for i, (name, made) in enumerate(plane.items()):
    for j, (axes, question) in enumerate(zip(panels[2 * i :], ("precision", "recall"), strict=False)):
        sets = [(cloud, "#009E73"), (made, "#D55E00")]
        (centres, colour), (points, other) = sets if j == 0 else sets[::-1]
        for centre, radius in zip(centres, radii(centres), strict=True):
            axes.add_patch(plt.Circle(centre, radius, color=colour, alpha=0.15, linewidth=0))
        axes.scatter(*points.T, s=3, color=other)
        axes.set_title(f"{name}: {question} {in_plane[name][j]:.2f}", fontsize=9)
        axes.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xticks=[], yticks=[])
fig.savefig("lessons_out/16_balls.png", dpi=70)

# %% [markdown]
# Green is real, orange is made. The collapsed G makes only real things, and a third of them. The wide one makes
# nearly all, and much else. The right panel also shows a weak spot: where points are far apart, balls are large, and
# cover everything between. *Coverage* (Naeem et al. 2020) draws no ball around a made point: it is the share of *real*
# points in whose ball (of k = 5) a made one lies.
#
# ## Two generators
#
# A VAE (lesson 8) and a GAN (lesson 9), trained for a moment. While the GAN trains, compare its losses, means of the
# last 100 steps, with its FID.

# %%
steps = 2000
vae = tg.models.VAE(seed=0)
gan = tg.models.GAN(tg.models.GANConfig(latent_dim=64, g_hidden=(256, 512), d_hidden=(512, 256), lr=3e-4), seed=0)


def samples(model, seed=0):
    return tg.metrics.unit_images(model.sample(n, tg.Generator(seed, "samples")), model.value_range)


def train_on_digits(model, steps, shown=()):
    """Train the model; its mean losses of the last 100 steps and its FID at the steps in `shown` and at the last."""
    batches = tg.data.Loader(digits.train, batch=64, value_range=model.value_range, rng=tg.Generator(0, "batches"))
    losses, history = [], {}
    for step in range(1, steps + 1):
        found = model.train_step(batches.next_batch())
        losses.append([float(value) for name, value in found.items() if name.startswith("loss")])
        if step in shown or step == steps:
            history[step] = *np.mean(losses[-100:], axis=0), fid(real, features(samples(model)))
    return history


train_on_digits(vae, steps // 2)
history = train_on_digits(gan, steps, (200, 500, 1000))
for step, (loss_D, loss_G, distance) in history.items():
    print(f"GAN, step {step:4}: loss_D {loss_D:.2f}, loss_G {loss_G:.2f}, FID {distance:.2f}")

# %% [markdown]
# From step 500 to 2,000 FID falls to a quarter of what it was. Both losses even rise a little. G became better and D
# did, too; a loss only says who is ahead.
#
# ## Six candidates
#
# Beside the two, four that need no training: other real digits, the same with noise, digits from zero to four alone,
# and a hundred digits over and over. As a second opinion FID is also measured on pixels, averaged down to 8x8.

# %%
candidates = {
    "other real digits": some,
    "with noise": np.clip(some + rng.normal(some.shape, std=0.3), 0, 1),
    "zero to four": train[order[digits.labels[order] < 5][:n]],
    "a hundred by heart": np.resize(some[:100], some.shape),
    "VAE": samples(vae),
    "GAN": samples(gan),
}
scores, coarse = {}, {}
for name, images in candidates.items():
    found = features(images)
    precision, recall = tg.metrics.precision_recall(real, found)
    scores[name] = fid(real, found), precision, recall, tg.metrics.density_coverage(real, found)[1]
    coarse[name] = fid(tg.metrics.pooled_pixels(test), tg.metrics.pooled_pixels(images))
    print("{:18}: FID {:5.2f}, precision {:.2f}, recall {:.2f}, coverage {:.2f}".format(name, *scores[name]), end="")
    print(f"; FID of 8x8 pixels {coarse[name]:.3f}")
again = [fid(real, features(samples(gan, seed))) for seed in range(1, 6)]
print("FID of five more sets of the same GAN:", *(f"{distance:.2f}" for distance in again))

# %%
fig, panels = plt.subplots(3, 2, figsize=(8, 2.4), layout="constrained")
for axes, (name, images) in zip(panels.T.ravel(), candidates.items(), strict=True):
    axes.imshow(tg.viz.grid(images[:12], (0, 1), columns=12), cmap="gray")
    axes.set(xticks=[], yticks=[])
    axes.set_title("{}: FID {:.2f}, P {:.2f}, R {:.2f}, C {:.2f}".format(name, *scores[name]), fontsize=9)
fig.savefig("lessons_out/16_candidates.png", dpi=80)

# %% [markdown]
# P, R and C are precision, recall and coverage. Begin with the real digits: 0.27 and 0.88 is the best to hope for, not
# 0 and 1. Without that row no other can be read. Then:
#
# - *Noise* costs precision, and little recall; *zero to four* costs recall and no precision. But FID prefers noise, and
#   even both generators, to these clean digits, as five classes are missing. Which is worse is for you to say.
# - *A hundred by heart*, each ten times, has a better FID than both generators. Recall finds it out: the third
#   neighbour of a point is its own copy, so all balls have radius 0. And coverage is low.
# - *VAE and GAN*: the blurred VAE reaches more of the real digits, the GAN's are more often like real ones. FID prefers
#   the GAN. FID of pixels prefers the VAE, and puts noise last. An FID is no better than its features.
# - *Five more sets* of the same GAN differ by 0.3. So smaller differences than that say nothing.
#
# ## The memoriser
#
# The first row is the best to hope for. It is also what a generator gets that has learnt the training digits by heart
# and hands them out. None of these numbers tells the two apart, as they all ask whether made images are *like* real
# ones. So ask whether they are *too* near to the ones that G has seen. How near is too near? The test digits say it,
# which G hasn't seen. Take the distance from each to its nearest training digit. How often is a made one nearer than a
# test digit? Half of the time, if they are new digits of the same kind. (Meehan et al. 2020 make a test of this.) Our
# memoriser disguises itself: it averages each pixel with its four neighbours.

# %%
around = sum(np.roll(some, by, axis) for by in (1, -1) for axis in (1, 2))
known = {"test digits": test, "softened copies": (some + around) / 5} | {m: candidates[m] for m in ("VAE", "GAN")}
to_nearest, nearest, nearer, fid_of = {}, {}, {}, {}
for name, images in known.items():
    found = features(images)
    ways = distances(found, learnt)
    to_nearest[name], nearest[name] = ways.min(axis=1), ways.argmin(axis=1)
    nearer[name] = float((to_nearest[name][:, np.newaxis] < to_nearest["test digits"]).mean())
    fid_of[name] = fid(real, found)
    print(f"{name:15}: nearer to a training digit than a test digit is: {nearer[name]:.0%} of the time", end="")
    print(f"; FID {fid_of[name]:.2f}")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", width_ratios=(1, 1.2))
for (name, way), colour in zip(to_nearest.items(), ("#000000", "#D55E00", "#009E73", "#0072B2"), strict=True):
    left.hist(way, bins=np.linspace(0, 5, 51), histtype="step", linewidth=1.3, color=colour, label=name)
left.set(xlabel="distance to the nearest training digit", yticks=[])
left.legend(frameon=False, fontsize=8, loc="upper right")
pairs = [images for name in known for images in (known[name][:12], train[nearest[name][:12]])]
sheet = tg.viz.grid(np.concatenate(pairs), (0, 1), columns=12)
right.imshow(sheet, cmap="gray")
right.set(xticks=[], yticks=(np.arange(4) + 0.5) * len(sheet) / 4, yticklabels=list(known))
right.tick_params(length=0, labelsize=8)
right.set_title("each above its nearest training digit", fontsize=10)
fig.savefig("lessons_out/16_memory.png", dpi=80)

# %% [markdown]
# The softened copies have an FID close to that of real digits, and are found out: 99% instead of 50%. VAE and GAN don't
# copy; their digits are farther from training digits than real ones, as they are not that good. A few copies among many
# new ones would escape, and so would copies that the features take for something else. So look at the pairs, too.
#
# What to report, then? FID with its n and its features, precision and recall beside it, each with that of real digits,
# and a few dozen images that nobody has chosen. `tinygen evaluate` prints such a table.

# %% [markdown]
# ## Three things to try
#
# 1. Put five images of pure noise among the real ones. What becomes of precision? And five among the made ones: what of
#    recall and coverage?
# 2. KID is made of products and sums, so the tape can take its gradient. Let a thousand images of noise follow it down.
#    How low does KID get, how low FID, and what do the images look like?
# 3. Choose other features: a LeNet with random weights, or the pixels themselves. Who is the best of the six now?
