# %% [markdown]
# # tinygen in ten minutes
#
# Gradients, an op of your own, a GAN that learns digits while you watch, and a page that shows what happened inside it.

# %%
import tinygen as tg

tg.seed(0)

# %% [markdown]
# ## A gradient
#
# A Tensor remembers how it was computed. `tg.grad` walks back over that record, the tape.

# %%
x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")
y = (x**3).sum()
dy = tg.grad(y, x, create_graph=True)  # 3x², itself on the tape
dy

# %%
tg.grad(dy.sum(), x)  # 6x

# %% [markdown]
# The tape as a picture, with the numbers in it:

# %%
tg.graph.graph(y)

# %% [markdown]
# ## An op of your own
#
# A primitive is a function on arrays and one rule per argument: `gy` is the gradient that arrives, `y` the result.
# `gradcheck` compares the rule with numeric derivatives, of first and second order.


# %%
@tg.primitive
def softsign(x):
    return x / (1 + abs(x))


softsign.rules(lambda gy, y, x: gy / (1 + abs(x)) ** 2)

tg.gradcheck(softsign, [tg.tensor([0.3, -1.2])])

# %% [markdown]
# ## A GAN on digits
#
# The digits come with the package. While `fit` runs, samples of the same noise and the curves so far appear below.
# 1,000 steps take a minute or less, and give rough digits; 5,000 give better ones.

# %%
steps = 1000
digits = tg.data.load("digits")
model = tg.models.GAN()
tg.fit(model, digits, steps=steps, out="runs/gan", log_every=100)

# %%
model.G

# %% [markdown]
# ## How good is it?
#
# FID compares the features of made digits with those of real ones; lower is better. Precision is the share of made
# digits that look real, recall the share of real ones that G can make.

# %%
scores = tg.metrics.evaluate(model, digits, n=1000, parts=("images",))
for name, score in scores.items():
    print(f"{name:10} {score.value:.3f}   real digits {score.reference:.3f}")

# %% [markdown]
# ## What happened inside
#
# The run was recorded. The page below shows which pixels D wanted changed, how much gradient each layer received, a
# step op by op, and more. It is one file, `runs/gan/report.html`. (A page like it shows when you run this cell; it is
# too large to be kept here.)

# %%
tg.report.report("runs/gan")

# %% [markdown]
# Where next: the lessons beside this notebook, from one derivative to a DCGAN.
