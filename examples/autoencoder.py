"""An autoencoder squeezes each digit into 32 numbers and draws it again."""

import tinygen as tg

steps = 3000
digits = tg.data.load("digits")
model = tg.models.Autoencoder(seed=0)
loader = tg.data.Loader(digits.train, batch=128, value_range=model.value_range)

for step in range(1, steps + 1):
    losses = model.train_step(loader.next_batch())
    if step % 500 == 0:
        print(f"step {step}  mean squared error {losses['loss']:.4f}")

x = digits.test[:50].astype("float32") / 255
tg.viz.save_grid(model.preview(x, 100), "autoencoder.png", model.value_range)
print("autoencoder.png: rows of digits that it never saw, each above its reconstructions")
