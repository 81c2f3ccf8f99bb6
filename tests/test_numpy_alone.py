"""NumPy is all that the engine needs; what needs more says what, and how to install it."""

import json
import subprocess
import sys

OTHERS = ("PIL", "cupy", "llvmlite", "matplotlib", "numba", "safetensors", "scipy", "threadpoolctl", "tqdm")

BEGIN = """
import sys

sys.modules.update(dict.fromkeys({others!r}))  # each import of them is a ModuleNotFoundError


class NumPyAlone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {{"numpy", "tinygen", *sys.stdlib_module_names}}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, NumPyAlone())

import json
import numpy as np
import tinygen as tg
"""


def numpy_alone(code, folder):
    """What code prints, as JSON, where nothing but NumPy and the standard library can be imported."""
    program = BEGIN.format(others=OTHERS) + code
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_network_learns_and_is_checked(tmp_path):
    code = """
from tinygen import data, gradcheck, init, layers, losses, metrics, models, ops, optim, report, train, viz

tg.seed(0)
x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
net = layers.Sequential(layers.Dense(2, 16, weight_init=init.he_normal), layers.ReLU(), layers.Dense(16, 1))
optimizer = optim.Adam(net.parameters(), lr=0.03)
errors = []
for _ in range(60):
    loss = losses.mse(net(x), x[:, :1] * x[:, 1:])
    optimizer.step(tg.grad(loss, net.parameters()))
    errors.append(loss.item())
digits, error = data.load("digits"), gradcheck(ops.matmul, [x[:2], x[:2].T]).error
history = tg.fit(models.Memory(), digits, steps=2, progress=False)
print(json.dumps([errors[0], errors[-1], error, len(digits.train), history.steps]))
"""
    first, last, error, digits, steps = numpy_alone(code, tmp_path)
    assert last < first / 4 and error < 1e-8 and digits == 9000 and steps == 2


NEEDS = {
    'tg.fit(model, x, 1, out=folder + "/run")': "fit: a run directory needs matplotlib pillow safetensors",
    'tg.viz.curves([{"step": 1, "loss": 1.0}])': "viz needs matplotlib",
    'tg.viz.save_grid(x, folder + "/x.png", (0, 1))': "save_grid needs pillow",
    'tg.viz.save_gif([folder + "/x.png"], folder + "/x.gif")': "save_gif needs pillow",
    'tg.data.load("folder:" + folder)': "data: a folder of images needs pillow tqdm",
    "tg.metrics.load_classifier()": "a judge needs safetensors",
}


def test_what_needs_more_says_what_and_how_to_install_it(tmp_path):
    code = f"""
folder, x = sys.argv[1], np.zeros((4, 28, 28, 1), np.float32)
model, messages = tg.models.Memory(), {{}}
for line in {list(NEEDS)!r}:
    try:
        eval(line)
    except tg.PackageError as error:
        messages[line] = str(error)
print(json.dumps(messages))
"""
    expected = {}
    for line, needs in NEEDS.items():
        owner, packages = needs.split(" needs ")
        expected[line] = f"{owner} needs {packages.replace(' ', ' and ')}: pip install {packages}"
    assert numpy_alone(code, tmp_path) == expected
    assert not list(tmp_path.iterdir())  # and nothing is left behind


def test_the_command_line_says_it_in_a_line(tmp_path):
    code = """
import contextlib, io
from tinygen.cli import main
stderr = io.StringIO()
with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
    status = main(["train", "memory", "--out", sys.argv[1] + "/run"])
print(json.dumps([status, stderr.getvalue()]))
"""
    status, stderr = numpy_alone(code, tmp_path)
    assert status == 2 and "pip install matplotlib pillow safetensors" in stderr and "Traceback" not in stderr
    assert not list(tmp_path.iterdir())
