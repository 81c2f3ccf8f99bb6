# %% [markdown]
# # 8. The VAE, and a gradient through chance
#
# A variational autoencoder has two networks: the encoder gives each image a *cloud* of codes, not a point; the decoder
# draws the image again from any code in the cloud. To train it, a gradient has to get through a roll of the dice.
# How that is done (*reparameterisation*) is the subject of this lesson, and we study it with a single number first.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen import ops

Path("lessons_out").mkdir(exist_ok=True)
plt.rcParams["image.interpolation"] = "nearest"  # pixels stay sharp
rng = tg.Generator(0, "dice")

# %% [markdown]
# ## Where does the gradient go?
#
# Draw z from a normal distribution with mean mu and standard deviation sigma, and pay `(z - 3)²`. Which way should mu
# and sigma move so that we pay less on average? Here the average can be worked out:
#
#     E (z - 3)² = (mu - 3)² + sigma²      so     ∂/∂mu = 2 (mu - 3)     ∂/∂sigma = 2 sigma
#
# But if a generator of random numbers hands us z, there is no formula from mu to z: nothing to put on the tape.

# %%
mu, sigma, n = 1.0, 0.8, 100_000
exact = {"mu": 2 * (mu - 3), "sigma": 2 * sigma}

z = rng.normal(n, mean=mu, std=sigma, dtype="float64")
M = tg.tensor(mu, requires_grad=True, dtype="float64")
try:
    tg.grad(ops.mean((tg.tensor(z) - 3) ** 2), M)
except tg.GradientError as error:
    print("z drawn by a generator:", error)

# %% [markdown]
# ## The trick
#
# Draw `eps` from the *standard* normal distribution, which knows nothing of mu and sigma, and compute
#
#     z = mu + sigma · eps        ∂z/∂mu = 1        ∂z/∂sigma = eps
#
# z is distributed as before, but now it is a formula, in which eps is a mere constant. The dice are out of the way.

# %%
eps = rng.normal(n, dtype="float64")
S = tg.tensor(sigma, requires_grad=True, dtype="float64")
z = M + S * eps
cost = (z - 3) ** 2
by_tape = dict(zip(["mu", "sigma"], tg.grad(ops.mean(cost), [M, S], retain_graph=True), strict=True))
for name in exact:
    print(f"∂/∂{name:5}  exact {exact[name]:7.4f}   mean over {n:,} draws, by tape {by_tape[name]:7.4f}")

# %% [markdown]
# ## Is there another way?
#
# There is: `∂/∂mu E f(z) = E [f(z) · ∂/∂mu log p(z)]`, with `∂/∂mu log p(z) = (z - mu) / sigma²` for the normal
# distribution. It is called the *score function* estimator, or REINFORCE, and it needs no derivative of f at all.
# On average both are right. But a training step has few draws, so what matters is how far single draws scatter.

# %%
f, z_ = cost.numpy(), z.numpy()
one_by_one = {
    "reparameterised: f'(z) · 1": 2 * (z_ - 3),
    "score function: f(z) · (z - mu) / sigma²": f * (z_ - mu) / sigma**2,
}
for name, g in one_by_one.items():
    print(f"{name:41} mean {g.mean():6.3f}, standard deviation {g.std():6.3f}")

fig, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
for (name, g), colour in zip(one_by_one.items(), ("#0072B2", "#D55E00"), strict=True):
    axes.hist(g, bins=np.linspace(-30, 8, 77), density=True, color=colour, alpha=0.6, label=name)
axes.axvline(exact["mu"], color="black", linewidth=1, label=f"exact: {exact['mu']:.0f}")
axes.set(
    xlabel="∂/∂mu from a single draw", yticks=[], title="Both are right on average; one of them can be learnt from"
)
axes.title.set_fontsize(10)
axes.legend(frameon=False, fontsize=8, loc="upper left")
fig.savefig("lessons_out/08_estimators.png", dpi=80)

# %% [markdown]
# ## The loss of a VAE
#
# The encoder turns each image x into mu(x) and logvar(x) (the logarithm of sigma², so that any number is allowed).
# The loss is minus the ELBO of lesson 7, the lower bound on log p(x). It has two parts, which pull in opposite
# directions:
#
#     L = reconstruction + KL
#     reconstruction = -log p(x|z): how badly the decoder draws x from z = mu + sigma · eps
#     KL = ½ Σ (mu² + sigma² - 1 - log sigma²): how far the cloud is from the standard normal distribution
#
# The pixels here lie between 0 and 1, and -log p(x|z) is their cross entropy, summed over the image. It wants small
# clouds far apart, so as not to confuse images. The KL wants every cloud to be *the* cloud, N(0, 1). Its derivatives
# are `mu` and, with respect to logvar, `½ (sigma² - 1)`.

# %%
mu_1 = tg.tensor([[0.5, -1.0]], requires_grad=True, dtype="float64")
logvar_1 = tg.tensor([[0.0, -2.0]], requires_grad=True, dtype="float64")
kl = tg.losses.gaussian_kl(mu_1, logvar_1)
g_mu, g_logvar = tg.grad(kl, [mu_1, logvar_1])
kl_by_hand = 0.5 * (np.exp(logvar_1.numpy()) - 1)
print(f"KL = {kl:.4f}")
print("∂KL/∂mu     by tape", g_mu.numpy()[0], " by hand", mu_1.numpy()[0])
print("∂KL/∂logvar by tape", g_logvar.numpy()[0].round(4), " by hand", kl_by_hand[0].round(4))

# %% [markdown]
# ## Digits in a plane
#
# Codes of two numbers can be plotted. Training takes about half a minute; the whole model is in
# `tinygen/models/vae.py`, one page.

# %%
steps = 3000
digits = tg.data.load("digits")
model = tg.models.VAE(tg.models.VAEConfig(latent_dim=2, hidden=(256, 128)), seed=0)
loader = tg.data.Loader(digits.train, batch=128, value_range=model.value_range, rng=tg.Generator(0, "batches"))
for step in range(1, steps + 1):
    losses = model.train_step(loader.next_batch())
    if step % 500 == 0:
        print(f"step {step}  " + "  ".join(f"{name} {value:.1f}" for name, value in losses.items()))

# %% [markdown]
# ## The two parts, pulling
#
# Take the trained model apart at z. The gradient of the reconstruction that arrives at z is passed on to mu unchanged,
# and to logvar times `½ sigma · eps`, since `z = mu + e^(logvar/2) · eps`. The KL adds its own pull. For one test
# image:

# %%
x = digits.test[:1].astype("float32") / 255
with tg.no_grad():
    mu, logvar = (tg.tensor(part, requires_grad=True) for part in model.encode(x))
eps = rng.normal(mu.shape)
z = mu + ops.exp(logvar * 0.5) * eps
reconstruction = model.reconstruction_loss(model.decoder(z), x)
gz, g_mu, g_logvar = tg.grad(reconstruction, [z, mu, logvar])
through_sigma = gz.numpy() * 0.5 * np.exp(logvar.numpy() / 2) * eps
print("at z                         ", gz.numpy()[0])
print("at mu, by tape               ", g_mu.numpy()[0], " the same")
print("at logvar, by tape           ", g_logvar.numpy()[0])
print("at logvar, gz · ½ sigma · eps", through_sigma[0])

# %% [markdown]
# One draw says little. But over all images and draws the two pulls must nearly cancel, or training would keep moving
# the codes. Look at logvar: the reconstruction would shrink the clouds to points; the KL blows them up again.

# %%
x = digits.train[:2000].astype("float32") / 255
with tg.no_grad():
    mu, logvar = (tg.tensor(part, requires_grad=True) for part in model.encode(x))
draws = 10
pull_reconstruction = 0
for _ in range(draws):
    z = model.reparameterise(mu, logvar, rng)
    g = tg.grad(model.reconstruction_loss(model.decoder(z), x), logvar)
    pull_reconstruction = pull_reconstruction - g.numpy().sum(axis=0) / draws
pull_kl = -0.5 * (np.exp(logvar.numpy()) - 1).mean(axis=0)
print("mean pull of the reconstruction on the two logvars:", pull_reconstruction.round(3))
print("                           of the KL:              ", pull_kl.round(3))

# %% [markdown]
# ## What it has learnt
#
# Left: where the test digits lie. The encoder was never told which digit is which, but equal digits lie together.
# Right: what the decoder draws all over the plane. Unlike in lesson 5, there is hardly a place without a digit: clouds
# overlap, and every place in between had to be drawn as *something* sensible.

# %%
x = digits.test.astype("float32") / 255
labels = digits.test_labels
codes = model.codes(x)
drawn = model.decode(model.plane(x, 11))

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.7), layout="constrained")
for label in range(10):
    some = codes[labels == label][:50]
    left.scatter(*some.T, s=7, linewidths=0, color=plt.colormaps["tab10"](label), label=label)
left.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal", xlabel="first latent", ylabel="second latent")
left.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9, markerscale=2.5)
right.imshow(tg.viz.grid(drawn, (0, 1), gutter=0), cmap="gray")
right.set_axis_off()
fig.savefig("lessons_out/08_plane.png", dpi=70)

# %% [markdown]
# For a new digit, draw z from N(0, 1) and decode it. That is all there is to sampling.

# %%
tg.viz.save_grid(model.sample(24, tg.Generator(1, "new digits")), "lessons_out/08_samples.png", (0, 1), columns=12)

# %% [markdown]
# ## Three things to try
#
# 1. `VAEConfig(latent_dim=2, beta=0.01)` hardly asks for overlapping clouds; `beta=10` asks for little else. What does
#    the plane look like, and what do the samples look like?
# 2. In the first part, pay `(z - 3)² + 100` instead. Neither exact gradient changes. Which of the two estimators
#    changes, and why?
# 3. `latent_dim=20`: draw `tg.viz.traversals(model, x)`. How many of the 20 latents does the model use (KL above 0)?
