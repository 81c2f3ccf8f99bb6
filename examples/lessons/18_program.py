# %% [markdown]
# # 18. From a tape to a program
#
# A training step in Python is a conversation: Python asks NumPy for a product, waits, asks for a sum, waits. The next
# step is the same conversation, word for word, with other numbers. So why not write it down once, strike out what need
# not be said, and hand the machine a list? That list is a *program*, and what shortens it is a *compiler*. In this
# lesson we build both, first in a few lines of plain Python, then with the real one.

# %%
import itertools
import statistics
from functools import partial
from pathlib import Path
from timeit import timeit

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg
from tinygen.compiler.passes import PASSES, optimised
from tinygen.compiler.plan import Plan
from tinygen.compiler.program import work
from tinygen.compiler.spans import bytes_apart, spans
from tinygen.compiler.work import kind_of
from tinygen.layers import Dense, LeakyReLU, Sequential
from tinygen.losses import bce_logits

Path("lessons_out").mkdir(exist_ok=True)
tg.seed(0)

# %% [markdown]
# ## A tracer in a few lines
#
# Here is a function of two numbers. It is written badly: it computes `w * x` twice, and something that nobody needs.


# %%
def f(x, w):
    y = w * x + 1
    x + w  # nobody needs this
    return y * y + w * x


# %% [markdown]
# How can we get the list of what f does? Not by reading its text. We call it, with things that are not numbers but
# *names*. A name has `+` and `*`, as a number has. They compute nothing: they write down what was asked for, and return
# a new name for the result.

# %%
program = []  # lines (result, operator, left, right)


class Name(str):
    def __add__(self, other):
        return written("+", self, other)

    def __mul__(self, other):
        return written("*", self, other)


def written(operator, left, right):
    program.append((Name(f"t{len(program)}"), operator, left, right))
    return program[-1][0]


def show(program):
    for result, operator, left, right in program:
        print(f"    {result} = {left} {operator} {right}")


result = f(Name("x"), Name("w"))
print("f, as it was traced; it returns", result)
show(program)

# %% [markdown]
# That is all of tracing. f doesn't know that it was traced; it ran as it always does. What it leaves is a list, and a
# list can be run without f, as often as we like, on any numbers:


# %%
def run(program, result, **values):
    for name, operator, left, right in program:
        a, b = values.get(left, left), values.get(right, right)
        values[name] = a + b if operator == "+" else a * b
    return values[result]


print(run(program, result, x=2, w=3), run(program, result, x=5, w=-1), "and by f:", f(2, 3), f(5, -1))

# %% [markdown]
# ## Two passes, by hand
#
# A list can also be changed. *Common subexpressions*: a line that says the same as an earlier one is dropped, and
# whoever reads it reads the earlier one. *Dead code*: walk from the end to the beginning, and keep a line only if
# somebody further down reads it.


# %%
def merge_equal(program, result):
    known, instead, kept = {}, {}, []
    for name, operator, left, right in program:
        line = (operator, instead.get(left, left), instead.get(right, right))
        if line in known:
            instead[name] = known[line]
        else:
            known[line] = name
            kept.append((name, *line))
    return kept, instead.get(result, result)


def drop_unused(program, result):
    read, kept = {result}, []
    for line in reversed(program):
        if line[0] in read:
            kept.insert(0, line)
            read |= {line[2], line[3]}
    return kept, result


lengths = [len(program)]
for change in (merge_equal, drop_unused):
    program, result = change(program, result)
    lengths.append(len(program))
    print(f"after {change.__name__}:")
    show(program)
toy, its_result = program, result
print("lines:", *lengths, "and the same result:", run(program, result, x=2, w=3))

# %% [markdown]
# Each pass takes a program and returns one that computes the same with less. All compilers are made of such passes.
#
# ## The real one
#
# Now a GAN, as small as it can be: points in the plane, one hidden layer each. Its step is the one of lesson 9.


# %%
class TinyGAN(tg.models.Model):
    def __init__(self, width=3, latent=2):
        super().__init__()
        self.latent = latent
        self.G = Sequential(Dense(latent, width), LeakyReLU(0.2), Dense(width, 2))
        self.D = Sequential(Dense(2, width), LeakyReLU(0.2), Dense(width, 1))
        self.opt_G = tg.optim.SGD(self.G.parameters(), lr=0.1)
        self.opt_D = tg.optim.SGD(self.D.parameters(), lr=0.1)

    def train_step(self, x):
        with tg.no_grad():
            fake = self.G(self.rng.normal((len(x), self.latent)))
        loss_D = bce_logits(self.D(x), 1.0) + bce_logits(self.D(fake), 0.0)
        self.opt_D.step(tg.grad(loss_D, self.D.parameters()))
        with tg.frozen(self.D):
            loss_G = bce_logits(self.D(self.G(self.rng.normal((len(x), self.latent)))), 1.0)
            self.opt_G.step(tg.grad(loss_G, self.G.parameters()))
        return {"loss_D": loss_D, "loss_G": loss_G}


# %% [markdown]
# `tg.compile(gan)` gives a step that is traced when it is first called. `trace` shows the program as it was written
# down, before anything is done to it. Instead of numbers, the step gets arrays without elements, which write down what
# is asked of them: our `Name`, with a shape. Nobody in the step has to know: not the layers, not the rules of backprop,
# not the optimiser. So the backward pass is in the list as well, and the new weights are.

# %%
program = tg.compile(TinyGAN()).trace(np.zeros((8, 2), np.float32))  # a batch of this shape; no data is needed
text = str(program).splitlines()
print("\n".join(text[:28]), f"\n... and {len(text) - 28} lines more")

# %% [markdown]
# Read a line as `name  type[shape] = what computes it`. `G.0.w` is a weight as it was before the step, and `G.0.w'`
# what it becomes. A line with a dot is a *view*: another shape of the same memory, which costs nothing. `#` says which
# line of our code it comes from: look how a single `self.G(...)` becomes a handful of instructions.
#
# Now the passes, in the order in which tinygen takes them.

# %%
counts, sizes, texts = {"traced": len(work(program))}, {"traced": bytes_apart(program)}, {}
for change in PASSES:
    program = change(program)
    counts[change.__name__], sizes[change.__name__] = len(work(program)), bytes_apart(program)
    texts[change.__name__] = str(program).splitlines()
    print(f"{change.__name__:19} {counts[change.__name__]:4} instructions   {sizes[change.__name__]:6} bytes of arrays")

# %% [markdown]
# * `calls_first` moves what Python itself must compute in each step, such as a learning rate, to the top. After it,
#   nothing has to wait for Python.
# * `simplify` does arithmetic on constants now, and removes copies that change nothing. A view of a constant becomes a
#   constant of its own, and counts from here on, so there can be a few instructions more.
# * `merge_equal` and `drop_unused` are what we wrote by hand. Where do equal lines come from, in a step that nobody
#   wrote badly? From backprop: several rules ask for the same factor, and each computes it for itself.
# * `fuse` is new, and brings most. Here is the beginning of D's step after it; compare it with the print above.

# %%
begin = texts["fuse"].index("step D")
print("\n".join(texts["fuse"][begin : begin + 21]))

# %% [markdown]
# A *loop* takes each element once, does all that its members say, and goes to the next. Only what says `-> memory` is
# written to an array; what the members hand to each other stays where the processor computes. See how backprop joins
# in: the loop of a leaky ReLU also computes its slope, which the backward pass will want.
#
# `update_at_once` goes one step further. The gradient of a weight has one reader, the optimiser. So a few rows of it
# are multiplied, go into the update at once, and are forgotten: the gradient never exists as a whole.
#
# `compute_large_again` finds nothing to do in a step this small. In a convolutional network the way back needs what the
# layers made on the way forward, tens of megabytes each. Where that was made of another array that is kept anyway, the
# pass lets it go, and computes it again when its turn comes.

# %%
begin = next(i for i, line in enumerate(texts["update_at_once"]) if line.startswith("  product"))
print("\n".join(texts["update_at_once"][begin : begin + 5]))

# %% [markdown]
# ## What it brings
#
# Our GAN is too small to be slow. Here is the same with wide layers, and a stopwatch that isn't easily fooled: two
# ways of doing the same take turns, and we look at the median of the ratios, not at the best time.

# %%
width, batch = 1024, 512
timing_steps = 15


def times_faster(slow, fast, times=1):
    """How many times longer `slow` takes than `fast`, each called so many times in a turn."""
    return statistics.median(timeit(slow, number=times) / timeit(fast, number=times) for _ in range(timing_steps))


# %% [markdown]
# First by hand, to see where the time goes: `max(x + b, 0.2 (x + b))`, a bias and a leaky ReLU. As NumPy is usually
# used, each operation asks for a new array. *Reuse of memory*: give it an old one. *Fusion*: do all three operations on
# a block that fits into the cache, then go to the next block.

# %%
x = np.random.default_rng(0).normal(size=(32 * batch, width)).astype(np.float32)
b, y, scratch = np.ones(width, np.float32), np.empty_like(x), np.empty_like(x)


def new_arrays():
    s = x + b
    return np.maximum(s, 0.2 * s)


def reused_arrays():
    np.add(x, b, out=y)
    np.multiply(y, 0.2, out=scratch)
    return np.maximum(y, scratch, out=y)


def in_blocks(rows=64):
    for first in range(0, len(x), rows):
        block, out, room = x[first : first + rows], y[first : first + rows], scratch[:rows]
        np.add(block, b, out=out)
        np.multiply(out, 0.2, out=room)
        np.maximum(out, room, out=out)
    return y


alike = np.array_equal(new_arrays(), reused_arrays()) and np.array_equal(new_arrays(), in_blocks())
gain_reuse, gain_blocks = times_faster(new_arrays, reused_arrays), times_faster(reused_arrays, in_blocks)
print(f"three operations on {x.nbytes / 1e6:.0f} MB, the same numbers each time: {alike}")
print(f"old arrays instead of new ones: {gain_reuse:.1f} times faster; in blocks: another {gain_blocks:.1f} times")

# %% [markdown]
# No less is computed; the numbers just have a shorter way to go. Arithmetic is cheap, and memory is slow.
#
# ## The plan of memory
#
# After the passes, tinygen knows when each array is made and when it is read for the last time. So it can plan, once
# and for all, where each lies: two that are not needed at the same time may have the same place, and what a loop makes
# may be written over what it reads for the last time.

# %%
program = tg.compile(TinyGAN(width, latent=64)).trace(np.zeros((batch, 2), np.float32))
bytes_traced = bytes_apart(program)
program = optimised(program)  # all passes
plan, instructions = Plan(program), work(program)
print(f"each result in an array of its own: {bytes_traced / 1e6:.1f} MB; after fusion: ", end="")
print(f"{bytes_apart(program) / 1e6:.1f} MB; as planned: {plan.room / 1e6:.1f} MB")

# %%
colours = {"product": "#0072B2", "loop": "#009E73", "sum": "#B4568C", "draw": "#A86F00", "copy": "#56B4E9"}
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", width_ratios=(1, 2))
left.barh(list(counts)[::-1], list(counts.values())[::-1], color="#0072B2")
left.set_title("instructions after each pass", fontsize=10)
for span in spans(program, plan):
    maker = instructions[span.first]
    colour = colours.get(kind_of(maker), "#999999") if span.value in maker.results else "#999999"
    box = (span.first, span.at / 1e6), span.last + 1 - span.first, span.size / 1e6
    right.add_patch(plt.Rectangle(*box, facecolor=colour, edgecolor="white", linewidth=0.5))
right.set(xlim=(0, len(instructions)), ylim=(0, plan.room / 1e6), xlabel="instruction", ylabel="address, MB")
right.set_title("where each array lies, and when", fontsize=10)
fig.savefig("lessons_out/18_program.png", dpi=80)

# %% [markdown]
# A rectangle is an array: as long as it is needed, as high as it is large; blue if a product makes it, green if a loop
# does. The long ones are made on the way forward and read on the way back. Short ones take turns at the same address.
# `tinygen report` draws this picture for every run, under "Program", and there each rectangle can be clicked.
#
# ## The whole step
#
# Here is the step as Python runs it against the same step compiled, on the same batch: with layers of 64 units, then
# with the wide ones. With `tinygen[fast]` installed, loops and products run as machine code that was made for this
# program; without it, NumPy's functions run in a row, in planned memory.


# %%
losses, gains = {}, {}
for units, examples, latent in ((64, 64, 2), (width, batch, 64)):
    real = np.random.default_rng(1).normal(size=(examples, 2)).astype(np.float32)
    eager, other = TinyGAN(units, latent), TinyGAN(units, latent)
    other.load_state_dict(eager.state_dict())  # the same weights; and both draw the same noise
    step = tg.compile(other)
    losses[units] = [[float(loss) for loss in take(real).values()] for take in (eager.train_step, step)]
    gains[units] = times_faster(partial(eager.train_step, real), partial(step, real), times=10)
    by_tape, by_program = (", ".join(f"{loss:.6f}" for loss in both) for both in losses[units])
    print(f"{units} units: loss_D, loss_G by tape {by_tape}; by program {by_program}; ", end="")
    print(f"the compiled step is {gains[units]:.1f} times as fast")

# %% [markdown]
# With narrow layers, most of a step was Python's own time, and that is gone. With wide ones it is products of matrices,
# and they stay. Measure on a machine that does nothing else: the threads of a program wait for each other. (On two busy
# cores we saw 0.8 to 12 times for the narrow step, and 1.1 to 14 for the wide one.)
#
# ## What a program can't do
#
# Our `Name` has no value, so f could not have said `if x > 0`. It is the same here. A step that looks at a number, to
# decide what to do next, can't be written down as one list: in the next step it might decide otherwise. tinygen doesn't
# guess. Such a step runs as it was written, and says why:

# %%
hesitant = tg.compile(lambda x: 2 * x if x.sum() > 0 else x)
print(hesitant(np.ones(2, np.float32)), "but:", hesitant.reason)

# %% [markdown]
# And a number that Python changes from step to step? It would be frozen into the list at its first value. tinygen
# traces two steps, compares the lists, and finds it out:

# %%
ages = itertools.count(1)
fading = tg.compile(lambda x: x * (0.1 / next(ages)))
print(fading(np.ones(2, np.float32)), "but:", fading.reason)

# %% [markdown]
# The remedy is in the message: `tg.per_step(function)` says that this number is computed anew in each step. Python
# calls the function, and the program reads what it returns. That is how Adam's count of steps gets in, too.

# %%
mended = tg.compile(lambda x: x * tg.per_step(lambda: 0.1 / next(ages)))
strengths = [float(mended(np.ones(2, np.float32))[0]) for _ in range(4)]
print(f"compiled: {mended.reason is None}; the strength fades:", *(f"{value:.4f}" for value in strengths))

# %% [markdown]
# ## Three things to try
#
# 1. Give TinyGAN `tg.optim.Adam`. How many instructions is a step now, and what became of the gradients of the weights?
# 2. Teach the toy tracer a third pass: a line with two numbers, such as `2 + 3`, is computed at once.
# 3. In `in_blocks`, try 1, 16 and 4096 rows in a block. When does the gain vanish, and how large is your cache?
