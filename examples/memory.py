"""A decoder learns four digits by heart from one-hot codes; between the codes it draws images that it never saw."""

import tinygen as tg

steps = 300
digits = tg.data.load("digits")
four = [list(digits.labels).index(label) for label in (0, 1, 3, 4)]  # the first of each
x = digits.train[four].astype("float32") / 255

model = tg.models.Memory(seed=0)
for step in range(1, steps + 1):
    losses = model.train_step(x)
    if step % 100 == 0:
        print(f"step {step}  loss {losses['loss']:.5f}")

tg.viz.save_grid(model.preview(x, 49), "memory.png", model.value_range)
print("memory.png: the four digits in the corners, and mixtures of their codes between them")
