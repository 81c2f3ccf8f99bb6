"""What is said of a name that is not there: what it is called here, where it is, or which name is like it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

import tinygen as tg
from tinygen.names import FOREIGN
from tinygen.refusals import explained

PLACES = {
    "": tg,
    "ops": tg.ops,
    "layers": tg.layers,
    "losses": tg.losses,
    "optim": tg.optim,
    "Tensor": tg.tensor([1.0]),
}

MEANT = [
    ("ops", "cat", "module 'tinygen.ops' has no attribute 'cat'; here it is tg.ops.concatenate"),
    ("ops", "sofmax", "module 'tinygen.ops' has no attribute 'sofmax' (did you mean 'softmax'?)"),
    ("ops", "nansum", "module 'tinygen.ops' has no attribute 'nansum' (did you mean 'sum'?)"),
    ("ops", "Conv2D", "module 'tinygen.ops' has no attribute 'Conv2D'; here it is tg.layers.Conv"),
    ("ops", "mse", "module 'tinygen.ops' has no attribute 'mse'; here it is tg.losses.mse"),
    ("ops", "permute", "module 'tinygen.ops' has no attribute 'permute'; here it is tg.ops.transpose"),
    ("ops", "xyzzy", "module 'tinygen.ops' has no attribute 'xyzzy'"),
    ("ops", "_ipython_display_", "module 'tinygen.ops' has no attribute '_ipython_display_'"),
    ("layers", "Conv2d", "module 'tinygen.layers' has no attribute 'Conv2d'; here it is tg.layers.Conv"),
    ("layers", "dense", "module 'tinygen.layers' has no attribute 'dense' (did you mean 'Dense'?)"),
    ("layers", "exp", "module 'tinygen.layers' has no attribute 'exp'; here it is tg.ops.exp"),
    ("losses", "MSELoss", "module 'tinygen.losses' has no attribute 'MSELoss'; here it is tg.losses.mse"),
    ("losses", "bce_logit", "module 'tinygen.losses' has no attribute 'bce_logit' (did you mean 'bce_logits'?)"),
    ("optim", "Adamw", "module 'tinygen.optim' has no attribute 'Adamw' (did you mean 'AdamW'?)"),
    ("Tensor", "permute", "'Tensor' object has no attribute 'permute'; here it is tg.Tensor.transpose"),
    ("Tensor", "unsqueeze", "'Tensor' object has no attribute 'unsqueeze'; here it is tg.ops.expand_dims"),
    ("Tensor", "softmax", "'Tensor' object has no attribute 'softmax'; here it is tg.ops.softmax"),
    ("Tensor", "requires_gard", "'Tensor' object has no attribute 'requires_gard' (did you mean 'requires_grad'?)"),
    ("", "relu", "module 'tinygen' has no attribute 'relu'; here it is tg.ops.relu"),
    ("", "nn", "module 'tinygen' has no attribute 'nn'; here it is tg.layers"),
]


@pytest.mark.parametrize(("place", "name", "message"), MEANT)
def test_what_is_meant(place, name, message):
    with pytest.raises(AttributeError) as caught:
        getattr(PLACES[place], name)
    assert str(caught.value) == message
    assert not hasattr(PLACES[place], name) and getattr(PLACES[place], name, 3) == 3


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_said_of_a_foreign_name_is_there_and_the_name_itself_is_not(name):
    for target in FOREIGN[name].split():
        room, _, own = target.rpartition(".")
        owner = tg.Tensor if room == "Tensor" else PLACES[room]
        assert hasattr(owner, own) and not hasattr(owner, name)


def test_a_traceback_names_it_once():
    done = subprocess.run(
        [sys.executable, "-c", "import tinygen as tg; tg.ops.sofmax"], capture_output=True, text=True, timeout=60
    )
    assert done.stderr.splitlines()[-1].endswith("has no attribute 'sofmax' (did you mean 'softmax'?)")


def test_nothing_is_looked_for_until_the_message_is_read():
    code = """
        import sys, tinygen as tg
        assert not hasattr(tg.ops, "cat") and not hasattr(tg.tensor(1.0), "view")
        assert "difflib" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=60)


def test_an_op_names_itself_when_it_asks_a_tensor_for_what_it_lacks():
    @explained
    def wrong(x):
        return x.view(-1)

    with pytest.raises(TypeError, match=r"^wrong: 'Tensor' object has no attribute 'view'; here it is tg.Tensor.resh"):
        wrong(tg.tensor([1.0]))
