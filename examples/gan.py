"""A GAN on handwritten digits, all of it in sight: two networks, two optimisers, two losses."""

import tinygen as tg
from tinygen.layers import BatchNorm, Dense, Flatten, LeakyReLU, Reshape, Sequential, Tanh
from tinygen.losses import bce_logits

steps = 5000
tg.seed(0)
digits = tg.data.load("digits")
loader = tg.data.Loader(digits.train, batch=64, value_range=(-1, 1))
noise = tg.Generator(0, "noise")

G = Sequential(
    *(Dense(100, 256), LeakyReLU(0.2), BatchNorm(256, momentum=0.8)),
    *(Dense(256, 512), LeakyReLU(0.2), BatchNorm(512, momentum=0.8)),
    *(Dense(512, 1024), LeakyReLU(0.2), BatchNorm(1024, momentum=0.8)),
    *(Dense(1024, 784), Tanh(), Reshape((28, 28, 1))),
)
D = Sequential(Flatten(), Dense(784, 512), LeakyReLU(0.2), Dense(512, 256), LeakyReLU(0.2), Dense(256, 1))
opt_G = tg.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
opt_D = tg.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
print(G.summary(input_shape=(100,)))

for step in range(1, steps + 1):
    x = loader.next_batch()

    with tg.no_grad():
        fake = G(noise.normal((64, 100)))
    loss_D = bce_logits(D(x), 1.0) + bce_logits(D(fake), 0.0)  # -log D(x) - log(1 - D(G(z)))
    opt_D.step(tg.grad(loss_D, D.parameters()))

    with tg.frozen(D):
        loss_G = bce_logits(D(G(noise.normal((64, 100)))), 1.0)  # -log D(G(z))
        opt_G.step(tg.grad(loss_G, G.parameters()))

    if step % 500 == 0:
        print(f"step {step}  loss_D {loss_D:.3f}  loss_G {loss_G:.3f}")

with tg.no_grad():
    images = G.eval()(noise.normal((100, 100)))
tg.viz.save_grid(images.numpy(), "gan.png", value_range=(-1, 1))
print("gan.png: 100 digits that nobody wrote")
