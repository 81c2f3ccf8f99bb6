"""A GAN of your own, in the plane: it declares its steps, and gets the pictures, the warnings and the report."""

from dataclasses import dataclass
from functools import partial

import tinygen as tg
from tinygen.layers import Dense, LeakyReLU, Sequential
from tinygen.models import Loss, Model, Step

steps = 4000


@dataclass(frozen=True)
class Config:
    data_shape: tuple[int, ...] = (2,)
    width: int = 64
    lr: float = 1e-3


class OwnGAN(Model):
    """G moves points of Gaussian noise in the plane to where the data are."""

    Config = Config

    def __init__(self, config=None, seed=0):
        super().__init__(config, seed)
        width, rng = self.config.width, tg.Generator(seed, "own/init")
        dense = partial(Dense, rng=rng)
        self.G = Sequential(dense(2, width), LeakyReLU(), dense(width, width), LeakyReLU(), dense(width, 2))
        self.D = Sequential(dense(2, width), LeakyReLU(), dense(width, width), LeakyReLU(), dense(width, 1))
        self.opt_G = tg.optim.Adam(self.G.parameters(), self.config.lr, betas=(0.5, 0.9))
        self.opt_D = tg.optim.Adam(self.D.parameters(), self.config.lr, betas=(0.5, 0.9))
        self.game = tg.losses.GAN_LOSSES["nonsaturating"]

    def steps(self, x):
        """First D learns to tell x from G(z), while G is fixed; then G, while D passes the gradient on."""
        return [
            Step("D", partial(self.real_from_fake, x), {"D": self.D}, self.opt_D, frozen={"G": self.G}),
            Step("G", partial(self.fake_for_real, len(x)), {"G": self.G}, self.opt_G, frozen={"D": self.D}),
        ]

    def real_from_fake(self, x):
        z = self.noise(len(x))
        fake = self.G(z)
        real_score, fake_score = self.D(x), self.D(fake)
        loss = self.game.D(real_score, fake_score)
        return Loss(loss, named={"x": x, "z": z, "G(z)": fake, "D(x)": real_score, "D(G(z))": fake_score})

    def fake_for_real(self, n):
        z = self.noise(n)
        fake = self.G(z)
        score = self.D(fake)
        return Loss(self.game.G(score), named={"z": z, "G(z)": fake, "D(G(z))": score})

    def score(self, x):
        return self.D(x)

    def noise(self, n, rng=None):
        return (rng or self.rng).normal((n, 2))

    @tg.no_grad()
    def draw(self, z):
        with tg.layers.evaluating(self.G):  # batch norm, if there is any, takes its running statistics
            return self.G(z).data

    def sample(self, n, rng=None):
        return self.draw(self.noise(n, self.sampling_stream(rng)))


if __name__ == "__main__":
    ring = tg.data.load("ring8")
    callbacks = [tg.inside.Recorder(ring), tg.inside.Warnings(ring)]
    tg.fit(OwnGAN(), ring, steps, out="runs/own", callbacks=callbacks, progress=False)
    print("open", tg.report.report("runs/own", model=OwnGAN))
