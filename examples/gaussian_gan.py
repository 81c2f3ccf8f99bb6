"""The smallest GAN: it learns a Gaussian of mean 4 and standard deviation 1.25 from samples alone."""

import numpy as np

import tinygen as tg
from tinygen.layers import Dense, LeakyReLU, Sequential
from tinygen.losses import bce_logits

steps = 3000
tg.seed(0)
data, noise = tg.Generator(0, "data"), tg.Generator(0, "noise")

G = Sequential(Dense(1, 16), LeakyReLU(), Dense(16, 1))  # noise in, number out
D = Sequential(Dense(1, 32), LeakyReLU(), Dense(32, 32), LeakyReLU(), Dense(32, 1))  # number in, score out: real?
opt_G = tg.optim.Adam(G.parameters(), lr=tg.optim.linear_decay(1e-3, steps), betas=(0.0, 0.9))
opt_D = tg.optim.Adam(D.parameters(), lr=tg.optim.linear_decay(5e-3, steps), betas=(0.0, 0.9))  # or both circle

for step in range(1, steps + 1):
    real = data.normal((128, 1), mean=4.0, std=1.25)

    with tg.no_grad():  # D's step: G is fixed, D learns real from fake
        fake = G(noise.normal((128, 1)))
    loss_D = bce_logits(D(real), 1.0) + bce_logits(D(fake), 0.0)
    opt_D.step(tg.grad(loss_D, D.parameters()))

    with tg.frozen(D):  # G's step: the gradient goes through D, which stays as it is
        loss_G = bce_logits(D(G(noise.normal((128, 1)))), 1.0)
        opt_G.step(tg.grad(loss_G, G.parameters()))

    if step % 500 == 0:
        with tg.no_grad():
            made = G(noise.normal((10_000, 1))).numpy()
        print(f"step {step:5}  mean {made.mean():.2f} (4.00)  std {made.std():.2f} (1.25)  loss_D {loss_D:.3f}")

print("percentiles 10, 50, 90 made:", np.percentile(made, [10, 50, 90]).round(2), " real: [2.4 4. 5.6]")
