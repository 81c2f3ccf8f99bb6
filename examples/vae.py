"""A VAE learns digits; then random latents become new digits."""

import tinygen as tg

steps = 3500
digits = tg.data.load("digits")
model = tg.models.VAE(seed=0)
loader = tg.data.Loader(digits.train, batch=128, value_range=model.value_range)

for step in range(1, steps + 1):
    losses = model.train_step(loader.next_batch())
    if step % 500 == 0:
        print(f"step {step}  " + "  ".join(f"{name} {value:.1f}" for name, value in losses.items()))

x = digits.test.astype("float32") / 255
with tg.no_grad():
    loss = model.loss(x, rng=tg.Generator(0, "test"))
print(f"test loss {loss.value:.1f} nats an image")
tg.viz.save_grid(model.sample(100), "vae.png", model.value_range)
print("vae.png: 100 digits that nobody wrote")
