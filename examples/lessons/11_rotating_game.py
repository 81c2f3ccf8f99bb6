# %% [markdown]
# # 11. The game that goes round in circles: f = xy
#
# Gradient descent goes down until it can't. Two players who each follow their own gradient need not arrive anywhere:
# they can chase each other for ever. The smallest game with this trouble has one number a player, and every GAN has a
# bit of it inside. We work out by hand what each way of taking turns does, and which cures work.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygen as tg

Path("lessons_out").mkdir(exist_ok=True)
np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## The game
#
# x wants `f = x y` small, y wants it large. At (0, 0) neither gains by moving alone: that is the *equilibrium*. Away
# from it x follows `-∂f/∂x = -y`, and y follows `∂f/∂y = x`. In steps so small that they are a flow,
#
#     d/dt (x² + y²) = 2x (-y) + 2y x = 0
#
# so the players walk on a circle around the equilibrium, and never reach it. (A loss can't do that: a gradient's way
# never returns to where it was.)
#
# ## Both at once: outwards
#
# With steps of length lr, both from the same place, `x' = x - lr · y`, `y' = y + lr · x`. So
#
#     x'² + y'² = x² - 2 lr x y + lr² y² + y² + 2 lr x y + lr² x² = (1 + lr²)(x² + y²)
#
# Each step leads a bit outwards, by `√(1 + lr²)`. A smaller lr makes it slower, no more.
#
# ## In turn: round and round
#
# x moves first and y sees it, as G and D do: `x' = x - lr · y`, `y' = y + lr · x'`. Now there is a quantity that stays
# the same, `Q = x² + y² - lr · x y`. Put in y' on the left, x' on the right, and subtract:
#
#     Q' = x'² + y' (y' - lr x') = x'² + y' y         Q = x (x - lr y) + y² = x x' + y²
#     Q' - Q = x' (x' - x) + y (y' - y) = x' (-lr y) + y (lr x') = 0
#
# So they walk on an ellipse (for lr < 2), neither in nor out. By tape:

# %%
lr, steps = 0.2, 120
start = (1.0, 0.5)


def play(in_turn, momentum=0.0, lr=lr, steps=steps):
    """The way of (x, y) in the game, both players with SGD and gradients by tape."""
    x, y = tg.Parameter(np.array(start[0])), tg.Parameter(np.array(start[1]))
    opt_x, opt_y = (tg.optim.SGD([player], lr=lr, momentum=momentum) for player in (x, y))
    way = [start]
    for _ in range(steps):
        gx = tg.grad(x * y, [x])
        if in_turn:
            opt_x.step(gx)
            opt_y.step(tg.grad(-x * y, [y]))
        else:
            gy = tg.grad(-x * y, [y])
            opt_x.step(gx)
            opt_y.step(gy)
        way.append((float(x), float(y)))
    return np.array(way)


ways = {"both at once": play(in_turn=False), "in turn": play(in_turn=True)}
r2 = (ways["both at once"] ** 2).sum(axis=1)
x, y = ways["in turn"].T
Q = x**2 + y**2 - lr * x * y
print(f"both at once: x² + y² grows by {r2[1] / r2[0]:.4f} a step, by hand 1 + lr² = {1 + lr**2:.4f}")
print(f"in turn: Q from {Q.min():.12f} to {Q.max():.12f}")

# %% [markdown]
# ## Momentum makes it worse
#
# Lesson 4 said that old gradients are answers to an opponent who has moved. Here that can be computed. With momentum β
# a turn is a matrix on (x, y, vx, vy): first x moves, then y. The size of its largest eigenvalue says by how much the
# game grows (above 1) or shrinks (below 1) a turn.


# %%
def growth(beta, lr):
    """The largest eigenvalue of a turn: vx ← β vx + y, x ← x - lr vx; vy ← β vy + x, y ← y + lr vy."""
    x_moves = np.array([[1, -lr, -lr * beta, 0], [0, 1, 0, 0], [0, 1, beta, 0], [0, 0, 0, 1]])
    y_moves = np.array([[1, 0, 0, 0], [lr, 1, 0, lr * beta], [0, 0, 1, 0], [1, 0, 0, beta]])
    return float(np.abs(np.linalg.eigvals(y_moves @ x_moves)).max())


growths = {}
for beta in (0.9, 0.5, 0.0):
    growths[beta] = growth(beta, lr=0.1)
    r = np.linalg.norm(play(True, beta, lr=0.1, steps=steps), axis=1)
    print(f"β = {beta:4}: {growths[beta]:.4f} a turn by hand; distance after {steps} turns by tape {r[-1]:.3g}")
print(f"β =  0.9 with lr / 10: {growth(0.9, lr=0.01):.4f};  β = -0.5: {growth(-0.5, lr=0.1):.4f}")

# %% [markdown]
# 0.9 blows the game up, 0.5 much less, and 0 keeps it on its ellipse: the reason for β₁ = 0.5 or 0 in GANs. (With
# β = 0.9 the steps become ten times as long, as lesson 4 says. But it is not that: with a tenth of the rate the game
# still grows.) Momentum *against* the last steps even shrinks it (Gidel et al. 2019), though few use that.
#
# ## Cure 1: look ahead
#
# Take a trial step, look at the gradients *there*, and make them your step from here (*extragradient*, Korpelevich
# 1976). Write the game as `w' = w + lr · J w` for w = (x, y), with `J = [[0, -1], [1, 0]]`, a turn by 90°. The trial
# step gives `w + lr J w`, and the real one
#
#     w' = w + lr J (w + lr J w) = (1 - lr²) w + lr J w,        for J J w = -w
#
# so the distance is multiplied by `√((1 - lr²)² + lr²) = √(1 - lr² + lr⁴)`, below 1 for every lr below 1.
#
# ## Cure 2: walk on, and average
#
# If the players walk around the equilibrium, the *mean* of their ways is close to it. This costs nothing, and it is
# what `ema` does in our GANs: samples are drawn with a running mean of G's weights (Yazıcı et al. 2019).


# %%
def directions(w):
    """Where the players want to go from w = (x, y)."""
    w = tg.tensor(w, requires_grad=True)
    gx, gy = tg.grad(w[0] * w[1], w).numpy()
    return np.array([-gx, gy])


w = np.array(start)
way = [w]
for _ in range(steps):
    w = w + lr * directions(w + lr * directions(w))
    way.append(w)
ways["look ahead"] = np.array(way)
r = np.linalg.norm(ways["look ahead"], axis=1)
print(f"look ahead: {r[1] / r[0]:.6f} a step, by hand √(1 - lr² + lr⁴) = {np.sqrt(1 - lr**2 + lr**4):.6f}")

means = np.cumsum(ways["in turn"], axis=0) / np.arange(1, steps + 2)[:, np.newaxis]
of_last, of_mean = np.linalg.norm(ways["in turn"][-1]), np.linalg.norm(means[-1])
print(f"in turn: distance of the last point {of_last:.3f}, of the mean of all {of_mean:.3f}")

# %% [markdown]
# ## A GAN with two weights
#
# Is that a GAN at all? Take real data that are all 0, a G that makes a single point θ, and a D with one weight,
# `D(x) = ψ x` (the *Dirac-GAN*: Mescheder et al. 2018, definition 2.1). With the critic's loss of lesson 12, D wants
# `D(real) - D(fake) = -ψ θ` large and G wants it small: our game. With the losses of lesson 9 it turns in the same
# way, only not on exact circles.
#
# ## Cure 3: punish D's slope
#
# D's slope at the real data, `∂D/∂x = ψ`, should be 0 in the end, when nothing is left to tell apart. So let D pay for
# it: *R1* adds `½ γ ‖∂D/∂x‖²` at real points to D's loss. Here that is ½ γ ψ². In small steps
#
#     θ' = ψ        ψ' = -θ - γ ψ        so   θ'' + γ θ' + θ = 0
#
# which is a pendulum with friction γ. It comes to rest: the distance falls like `e^(-γ t / 2)` for γ below 2. By tape
# the slope is a gradient, and D's step takes the gradient of it (lesson 13 looks into that).

# %%
gamma, small_lr = 0.4, 0.05
real, fake = tg.tensor(np.zeros((1, 1)), requires_grad=True), np.ones((1, 1))
theta, psi = tg.Parameter(np.ones((1, 1))), tg.Parameter(np.zeros((1, 1)))
opt_G, opt_D = tg.optim.SGD([theta], lr=small_lr), tg.optim.SGD([psi], lr=small_lr)
way = [(1.0, 0.0)]
for _ in range(4 * steps):
    slope = tg.grad((real @ psi).sum(), real, create_graph=True)
    loss_D = (theta.detach() @ psi).sum() - (real @ psi).sum() + 0.5 * gamma * (slope**2).sum()
    opt_D.step(tg.grad(loss_D, [psi]))
    with tg.frozen(psi):
        opt_G.step(tg.grad(-(fake * theta @ psi).sum(), [theta]))
    way.append((float(theta.data[0, 0]), float(psi.data[0, 0])))
ways["in turn, with R1"] = np.array(way)
r = np.linalg.norm(ways["in turn, with R1"], axis=1)
time = 4 * steps * small_lr
measured = -np.log(r[-1] / r[0]) / time
print(
    f"R1: distance {r[-1]:.4f} after t = {time:.0f}; it falls at the rate {measured:.3f}, by hand γ/2 = {gamma / 2:.3f}"
)

# %%
fig, panels = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
grid = np.linspace(-2, 2, 9)
for axes, (name, way) in zip(panels, ways.items(), strict=True):
    u, v = np.meshgrid(grid, grid)
    arrows = (v, -u - gamma * v) if name == "in turn, with R1" else (-v, u)
    axes.quiver(u, v, *arrows, color="#bbbbbb", width=0.006)
    axes.plot(*way.T, color="#0072B2", linewidth=0.9)
    axes.plot(*way[0], "o", color="#D55E00", markersize=5)
    axes.plot(0, 0, "+", color="black", markersize=8)
    axes.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal", xticks=[], yticks=[])
    axes.set_title(name, fontsize=10)
fig.savefig("lessons_out/11_ways.png", dpi=80)

# %% [markdown]
# The orange point is the start, the cross the equilibrium, the arrows show where the players want to go. (The Dirac-GAN
# turns the other way: there it is G, across, that gains from a larger ψ.)
#
# Real GANs are many such turns at once, mixed with slopes that do lead down, and with noise. The cures are the same:
# small or no momentum, a mean of G's weights, a penalty on D's slope. Look-ahead costs twice the work and is rare.

# %% [markdown]
# ## Three things to try
#
# 1. Play with lr = 2.1 in turn. What is different, and where does the proof of the ellipse still hold?
# 2. Let D take five steps for each of G's in the Dirac-GAN, without R1. Does it come closer?
# 3. Replace the losses of the Dirac-GAN by lesson 9's: `bce_logits(real @ psi, 1.0) + bce_logits(theta @ psi, 0.0)`,
#    and `bce_logits(theta @ psi, 1.0)` for G. How does its way differ from a circle, near the equilibrium and far from
#    it?
