"""A DCGAN begun in PyTorch continues in tinygen, and the report explains it. Needs PyTorch.

The networks are written as PyTorch's users write them: NCHW, momentum counted from the other end, weights (out, in).
"""

import numpy as np
import torch
from torch import nn

import tinygen as tg
from tinygen.export import load_torch_optimizer, load_torch_state_dict

steps = 1000  # in PyTorch; as many follow here
torch.manual_seed(0)
digits = tg.data.load("digits")
loader = tg.data.Loader(digits.train, batch=64, value_range=(-1, 1))

# In PyTorch

options = {"kernel_size": 4, "stride": 2, "padding": 1}
G = nn.Sequential(
    *(
        nn.Linear(64, 7 * 7 * 64, bias=False),
        nn.BatchNorm1d(7 * 7 * 64),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (64, 7, 7)),
    ),
    *(nn.ConvTranspose2d(64, 32, **options, bias=False), nn.BatchNorm2d(32), nn.LeakyReLU(0.3)),
    *(nn.ConvTranspose2d(32, 1, **options, bias=False), nn.Tanh()),
)
D = nn.Sequential(
    *(nn.Conv2d(1, 32, **options), nn.LeakyReLU(0.3), nn.Conv2d(32, 64, **options), nn.LeakyReLU(0.3)),
    *(nn.Flatten(), nn.Linear(7 * 7 * 64, 1)),
)
opt_G, opt_D = (torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (G, D))
bce = nn.BCEWithLogitsLoss()

for _ in range(steps):
    x = torch.from_numpy(loader.next_batch().reshape(64, 1, 28, 28))
    fake = G(torch.randn(64, 64))
    real_score, fake_score = D(x), D(fake.detach())
    loss_D = bce(real_score, torch.ones_like(real_score)) + bce(fake_score, torch.zeros_like(fake_score))
    opt_D.zero_grad()
    loss_D.backward()
    opt_D.step()
    score = D(fake)
    loss_G = bce(score, torch.ones_like(score))
    opt_G.zero_grad()
    loss_G.backward()
    opt_G.step()

# In tinygen

config = tg.models.DCGANConfig(
    latent_dim=64, g_channels=(64, 32), d_channels=(32, 64), kernel_size=4, dropout=0.0, bn_momentum=0.9, bn_eps=1e-5,
    lr=2e-4, beta1=0.5, eps=1e-8,
)  # fmt: skip
model = tg.models.DCGAN(config)
load_torch_state_dict(model.G, G.state_dict())
load_torch_state_dict(model.D, D.state_dict(), (28, 28, 1))
load_torch_optimizer(model.opt_G, opt_G.state_dict(), model.G)
load_torch_optimizer(model.opt_D, opt_D.state_dict(), model.D, (28, 28, 1))

z = np.random.default_rng(0).standard_normal((25, 64), np.float32)
with torch.no_grad():
    theirs = G.eval()(torch.from_numpy(z)).numpy().transpose(0, 2, 3, 1)
print(f"G(z) differs by {np.abs(model.G.eval()(z).numpy() - theirs).max():.1e} at most")
model.G.train()

recorder = tg.inside.Recorder(digits)
tg.fit(model, loader, steps, out="runs/from_pytorch", callbacks=[recorder], dataset=digits)
print(f"open {tg.report.report('runs/from_pytorch')} in a browser")
