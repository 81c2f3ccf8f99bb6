"""A convolutional GAN on handwritten digits: the networks of TensorFlow's DCGAN tutorial, all of it in sight."""

import tinygen as tg
from tinygen.layers import BatchNorm, Conv, ConvTranspose, Dense, Dropout, Flatten, LeakyReLU, Reshape, Sequential, Tanh
from tinygen.losses import bce_logits

steps = 2000
tg.seed(0)
digits = tg.data.load("digits")
loader = tg.data.Loader(digits.train, batch=64, value_range=(-1, 1))
noise = tg.Generator(0, "noise")

G = Sequential(  # 100 numbers to 7x7x256, 7x7x128, 14x14x64, 28x28x1
    *(Dense(100, 7 * 7 * 256, bias=False), BatchNorm(7 * 7 * 256), LeakyReLU(0.3), Reshape((7, 7, 256))),
    *(ConvTranspose(256, 128, 5, stride=1, bias=False), BatchNorm(128), LeakyReLU(0.3)),
    *(ConvTranspose(128, 64, 5, stride=2, bias=False), BatchNorm(64), LeakyReLU(0.3)),
    *(ConvTranspose(64, 1, 5, stride=2, bias=False), Tanh()),
)
D = Sequential(  # 28x28x1 to 14x14x64, 7x7x128, a score
    *(Conv(1, 64, 5, stride=2), LeakyReLU(0.3), Dropout(0.3)),
    *(Conv(64, 128, 5, stride=2), LeakyReLU(0.3), Dropout(0.3)),
    *(Flatten(), Dense(7 * 7 * 128, 1)),
)
opt_G = tg.optim.Adam(G.parameters(), lr=2e-4, betas=(0.5, 0.999))
opt_D = tg.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
print(G.summary(input_shape=(100,)))
print(D.summary(input_shape=(28, 28, 1)))

for step in range(1, steps + 1):
    x = loader.next_batch()

    with tg.no_grad():
        fake = G(noise.normal((64, 100)))
    loss_D = bce_logits(D(x), 1.0) + bce_logits(D(fake), 0.0)  # -log D(x) - log(1 - D(G(z)))
    opt_D.step(tg.grad(loss_D, D.parameters()))

    with tg.frozen(D):
        loss_G = bce_logits(D(G(noise.normal((64, 100)))), 1.0)  # -log D(G(z))
        opt_G.step(tg.grad(loss_G, G.parameters()))

    if step % 100 == 0:
        print(f"step {step}  loss_D {loss_D:.3f}  loss_G {loss_G:.3f}")

with tg.no_grad():
    images = G.eval()(noise.normal((100, 100)))
tg.viz.save_grid(images.numpy(), "dcgan.png", value_range=(-1, 1))
print("dcgan.png: 100 digits that nobody wrote")
