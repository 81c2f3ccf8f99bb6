"""Every model: twenty compiled steps are twenty eager ones, and draw the same random numbers.

Where the exact gradient of a parameter is 0 (a bias before batch norm), Adam divides rounding noise by itself: with its
eps of 1e-8 the parameter moves by lr in a direction that no two orders of summation share. So eps is 1e-3 here: noise
stays noise, and all else moves as before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models.small import SMALL, batches, fed, in_float64, small

from tinygen import compile

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in SMALL),
    ("gan", {"ema": 0.9, "r1": 1.0}),
    ("gan", {"instance_noise": 0.2, "instance_noise_steps": 7, "d_steps": 2}),
    ("gan", {"label_smoothing": 0.1, "mean_d_loss": True, "instance_noise": 0.1}),
    ("gan", {"loss": "minimax", "optimizer": "rmsprop"}),
    ("gan", {"loss": "lsgan", "optimizer": "adamw", "batch_norm": False}),
    ("gan", {"loss": "wasserstein", "optimizer": "sgd"}),
    ("gan", {"r1": 1.0, "r1_every": 3, "d_steps": 2}),
    ("dcgan", {"ema": 0.9, "r1": 0.5, "instance_noise": 0.1, "instance_noise_steps": 5}),
    ("cgan", {"ema": 0.9, "r1": 1.0, "loss": "hinge"}),
    ("wgangp", {"penalty": "one-sided"}),
    ("srgan", {"adversarial": 0}),
    ("srgan", {"batch_norm": False, "loss": "lsgan"}),
    ("vae", {"reconstruction": "mse"}),
    ("textgan", {"method": "mle"}),
]
STEPS = 20
NATIVE = "vae", "gan", "dcgan", "wgangp", "vaegan", "srgan"  # code is made for each of their loops
DRAWN_NARROW = "stylegan", "textgan"  # some of whose noise is computed in float32 whatever the model's dtype


def named(setting: tuple[str, dict[str, Any]]) -> str:
    return " ".join([setting[0], *(f"{name}={value}" for name, value in setting[1].items())])


def distance(x: Any, y: Any) -> float:
    """|x - y| / |x|; where |x| is below 1e-3, as KL's is at first, a difference of numbers near 1, |x - y| / 1e-3."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return float(np.linalg.norm(x - y) / max(np.linalg.norm(x), 1e-3))


@pytest.mark.parametrize(("name", "options"), [pytest.param(*s, id=named(s)) for s in SETTINGS])
@pytest.mark.families(everywhere=True)
def test_compiled_steps_are_the_eager_ones(name, options, back_end, campaign):
    if back_end == "native" and (name not in NATIVE or options) and not campaign:
        return
    wide = back_end == "numpy" or name not in (*NATIVE, *DRAWN_NARROW)
    model, twin = (small(name, eps=1e-3, **options) for _ in range(2))
    if wide:
        model, twin = in_float64(model), in_float64(twin)
    compiled, tolerance = compile(twin, back_end), 1e-9 if wide else 1e-4
    for x in batches(STEPS, size=4 * model.batches_per_step).astype(np.float64 if wide else np.float32):
        expected, made = model.train_step(fed(model, x)), compiled(fed(twin, x))
        assert compiled.reason is None and list(made) == list(expected)
        for metric, value in expected.items():
            assert distance(value.array, made[metric].array) < tolerance * 10, metric
    state = twin.state_dict()
    far = {n: d for n, x in model.state_dict().items() if (d := distance(x, state[n])) > tolerance}
    assert far == {}
    streams = twin.generators()
    assert all(stream.state == streams[n].state for n, stream in model.generators().items())
    assert [o.t for o in twin.optimizers().values()] == [o.t for o in model.optimizers().values()]


def test_eager_and_compiled_steps_can_be_mixed():
    model, twin = small("gan"), small("gan")
    compiled = compile(twin, "numpy")
    for k, x in enumerate(batches(6)):
        expected, made = model.train_step(x), (compiled if k % 2 else twin.train_step)(x)
        assert distance(expected["loss_D"].array, made["loss_D"].array) < 1e-5
    assert compiled.reason is None


def test_a_program_says_what_it_does():
    compiled = compile(small("vae"), "numpy")
    compiled(batches(1)[0])
    text = str(compiled.program)
    assert text.startswith("program vae(x: f32[4, 3, 2, 1])") and "encoder.1.w'" in text
