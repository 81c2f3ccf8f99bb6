"""How well the VAE learns the digits: its test loss after 50 epochs, `python -m benchmarks.vae_quality`.

784-400-20, Bernoulli on grey values, Adam(1e-3), batch 128, 9,000 digits to train, 1,000 to test; nats per image.
With --torch, PyTorch trains the same network beside it: the same initial weights, batches and noise.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tinygen as tg


def train(seed: int, epochs: int, peer: Any = None) -> None:
    digits = tg.data.load("digits")
    model = tg.models.VAE(seed=seed)
    loader = tg.data.Loader(digits.train, 128, (0, 1), tg.Generator(seed, "loader", "cpu"))
    theirs = peer(model) if peer else None
    for _ in range(epochs):
        for x in loader:
            noise = model.rng.state
            model.train_step(x)
            if theirs:
                theirs.train_step(x, noise)
    x = digits.test.astype(np.float32) / 255
    with tg.no_grad():
        loss, parts, _ = model.loss(x, tg.Generator(seed, "test"))
    line = (
        f"seed {seed}  tinygen {loss.item():.2f}  (" + "  ".join(f"{k} {v.item():.2f}" for k, v in parts.items()) + ")"
    )
    print(line + (f"  PyTorch {theirs.test(x, tg.Generator(seed, 'test')):.2f}" if theirs else ""), flush=True)


def torch_peer(model: Any) -> Any:
    """The same VAE in PyTorch, with the same initial weights."""
    import torch

    class Peer:
        def __init__(self) -> None:
            own = [p.data for p in model.parameters()]
            self.params = [torch.tensor(w, requires_grad=True) for w in own]
            self.opt = torch.optim.Adam(self.params, lr=1e-3)

        def loss(self, x: Any, eps: Any) -> Any:
            w1, b1, w2, b2, w3, b3, w4, b4 = self.params
            x = torch.tensor(x).reshape(len(x), -1)
            mu, logvar = (torch.relu(x @ w1 + b1) @ w2 + b2).chunk(2, dim=1)
            z = mu + torch.exp(logvar / 2) * torch.tensor(eps)
            y = torch.relu(z @ w3 + b3) @ w4 + b4
            bce = torch.nn.functional.binary_cross_entropy_with_logits(y, x, reduction="sum")
            return (bce + 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()) / len(x)

        def train_step(self, x: Any, noise: Any) -> None:
            rng = tg.Generator()
            rng.state = noise
            loss = self.loss(x, rng.normal((len(x), 20)))
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()

        @torch.no_grad()
        def test(self, x: Any, rng: tg.Generator) -> float:
            return float(self.loss(x, rng.normal((len(x), 20))))

    return Peer()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--torch", action="store_true", help="train PyTorch's twin beside it")
    args = parser.parse_args()
    for seed in args.seeds:
        train(seed, args.epochs, torch_peer if args.torch else None)


if __name__ == "__main__":
    main()
