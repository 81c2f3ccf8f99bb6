"""A pool of earlier generated images, so that D does not forget them: Shrivastava et al. 2017, section 2.3."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import init, processes
from ..backend import Array, array_module, array_of, current_module
from ..checks import whole
from ..layers import Buffer, Module
from ..parallel.means import gather_batch
from ..processes import own
from ..random import Generator
from ..scopes import no_grad
from ..tensor import Tensor


class Pool(Module):
    """The last images that D was shown, up to `size` of them; a module, so that it is saved with the model.

    Until it is full, images are kept and shown as they come. Then for each new image, with probability 1/2, one is
    drawn from the pool and shown in its stead, and the new one takes its place. Those of one batch are drawn without
    repetition; of a batch larger than the pool, the rest is shown as it comes.
    """

    def __init__(self, size: int, shape: tuple[int, ...], rng: Generator):
        self.size, self.rng = whole("Pool", "size", size, 1), rng
        self.images = Buffer(init.zeros((size, *shape)))
        self.count = Buffer(current_module().zeros((), np.int64))  # how many images it has got, up to size

    @no_grad()
    def exchange(self, x: Any) -> Tensor:
        """As many images as x: new ones, and earlier ones in place of others, which stay in the pool.

        Processes that share a batch have the same pool, through which the whole batch goes.
        """
        everything = gather_batch(array_of(x))
        with processes.whole():
            shown = self._exchanged(everything)
        return Tensor(own(shown))

    def _exchanged(self, x: Array) -> Array:
        x, rest = x[: self.size], x[self.size :]
        n, xp, images, count = len(x), array_module(x), self.images.data, self.count.data
        full = count >= self.size
        free = xp.arange(n) + count
        free = xp.where(free < self.size, free, free - self.size)  # the first again, where few are free
        places = xp.where(full, self.rng.permutation(self.size)[:n], free)
        earlier = full & (self.rng.uniform((n,)) < 0.5)
        kept = ~full | earlier  # the new images that go into the pool
        chosen = (places[:, None] == xp.arange(self.size)).astype(x.dtype)  # one-hot rows: what is read and written
        flat, new = images.reshape(self.size, -1), x.reshape(n, -1)
        shown = xp.where(earlier[:, None], chosen @ flat, new)
        written = chosen * kept[:, None]
        self.images.assign((flat * (1 - written.sum(axis=0))[:, None] + written.T @ new).reshape(images.shape))
        self.count.assign(xp.minimum(count + n, self.size))
        shown = shown.reshape(x.shape)
        return xp.concatenate([shown, rest]) if len(rest) else shown

    def _options(self) -> str:
        return str(self.size)
