"""Every lesson runs from top to bottom, and what it says of its numbers is so.

The quick suite trains for three steps, which is enough for what holds of any weights. `--campaign` runs each lesson at
its full length, and checks what it says of the result.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tinygen as tg

FOLDER = Path(__file__).parent.parent / "examples" / "lessons"
LESSONS = sorted(FOLDER.glob("*.py"))
STEPS = re.compile(r"^(\w*steps) = [\d_]+$", re.M)


def derivative(n):
    for name in "wxb":
        assert n["by_trying"][name] == pytest.approx(n["by_hand"][name], rel=1e-8)
        assert n["gradient"][name] == pytest.approx(n["by_hand"][name], rel=1e-14)
        assert n["by_tape"][name] == pytest.approx(n["by_hand"][name], rel=1e-14)
    assert max(n["error_1"], n["error_2"]) < 1e-14


def broadcasting(n):
    gy, a, r = n["gy"], n["a"].numpy(), n["r"].numpy()
    np.testing.assert_allclose(n["ga"].numpy(), (gy * r).sum(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(n["gr"].numpy(), (gy * a).sum(axis=0, keepdims=True), rtol=1e-6)
    assert np.ptp(n["learnt"]["wrong"]) < 1e-12 < np.ptp(n["learnt"]["right"])


def neuron(n):
    for name, hand in n["by_hand"].items():
        np.testing.assert_allclose(n["by_tape"][name].numpy(), hand, rtol=1e-12, atol=1e-16)
    right, wrong = (np.abs(product - n["gv"]).max() for product in n["orders"].values())
    assert right < 1e-14 and wrong > 0.1
    assert n["report"].error < 1e-8
    assert n["caught"].worst.analytic != pytest.approx(n["caught"].worst.numeric, rel=0.01)


def four_images(n):
    assert n["largest_difference"] < 1e-6
    assert n["after"].item() < 1e-9
    np.testing.assert_allclose(n["by_layer"][4], n["exposure"], atol=1e-6)


def vae(n):
    assert n["by_tape"]["mu"].item() == pytest.approx(n["exact"]["mu"], abs=0.03)
    assert n["by_tape"]["sigma"].item() == pytest.approx(n["exact"]["sigma"], abs=0.03)
    steady, wild = (g.std() for g in n["one_by_one"].values())
    assert wild > 5 * steady
    np.testing.assert_allclose(n["through_sigma"], n["g_logvar"].numpy(), rtol=1e-4)


def gan_game(n):
    assert n["difference"] < 1e-7
    received = {name: tuple(size is not None for size in sizes) for name, sizes in n["received"].items()}
    assert received == {
        "L_D, fake = G(z)": (True, True),
        "L_D, fake = G(z).detach()": (True, False),
        "L_G": (True, True),
        "L_G, with frozen(D)": (False, True),
        "L_G, fake = G(z).detach()": (True, False),
    }
    assert n["received"]["L_G"][1] == n["received"]["L_G, with frozen(D)"][1]
    assert "cut by detach()" in str(n["cut"])


def convolution(n):
    np.testing.assert_allclose(n["by_loops"], n["by_op"], rtol=1e-12)
    np.testing.assert_allclose(n["gw"].numpy().ravel(), n["gw_by_hand"].ravel(), rtol=1e-12)
    np.testing.assert_allclose(n["by_transpose"], n["gx"].numpy(), rtol=1e-12)
    np.testing.assert_allclose(n["by_matrix"].ravel(), n["gx"].numpy().ravel(), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(n["row_by_op"], np.correlate(n["row"], n["kernel"], "valid"))
    np.testing.assert_allclose(n["by_turned_kernel"], n["by_transpose"], rtol=1e-12, atol=1e-14)
    assert set(n["report"].worst) == {1, 2, 3}


def when_gans_fail(n):
    for name, hand in n["by_hand"].items():
        np.testing.assert_allclose(n["by_tape"][name], hand, rtol=1e-12)
    assert n["second_by_trying"] == pytest.approx(n["second_by_hand"], rel=1e-8)
    assert n["second_by_tape"].item() == pytest.approx(n["second_by_hand"], rel=1e-12)
    assert n["n"].item() == pytest.approx(n["n0"], rel=1e-12)


def program(n):
    """What was traced computes the same after each pass, in fewer instructions and less memory."""
    assert n["lengths"] == [6, 5, 4]
    assert n["f"](2, 3) == 55 == n["run"](n["toy"], n["its_result"], x=2, w=3)
    counts, sizes = list(n["counts"].values()), list(n["sizes"].values())
    assert counts[0] > 2 * counts[-1] and sizes[0] > 1.5 * sizes[-1]
    assert (
        n["counts"]["merge_equal"] < n["counts"]["simplify"] and n["counts"]["drop_unused"] < n["counts"]["merge_equal"]
    )
    assert n["alike"]
    assert n["bytes_traced"] > 5 * n["plan"].room
    for by_tape, by_program in n["losses"].values():
        np.testing.assert_allclose(by_program, by_tape, rtol=1e-5)
    assert "x.sum() > 0" in n["hesitant"].reason
    assert "changes from step to step" in n["fading"].reason and "per_step" in n["fading"].reason
    assert n["mended"].reason is None and (np.diff(n["strengths"]) < 0).all()


def optimisers(n):
    np.testing.assert_allclose(n["ways"]["gradient descent"], n["by_hand"], rtol=1e-10, atol=1e-14)
    assert abs(n["v"] - 10) < 1e-6 and abs(abs(n["flipping"]) - 1 / 1.9) < 1e-6
    np.testing.assert_allclose(n["factors"], 0.5**0.5, rtol=1e-12)
    assert n["adam_difference"] < 1e-12 and n["scale_difference"] < 1e-6
    np.testing.assert_allclose(np.abs(n["ways"]["Adam"][1] - n["start"]), 0.2, rtol=1e-6)
    for measured, by_hand in n["left"].values():
        assert measured == pytest.approx(by_hand, rel=0.05)
    assert list(n["late"].values()) == [2, 7, 69]


def batch_norm(n):
    assert n["sizes"]["plain"][-1] == pytest.approx(n["factor"] ** 10, rel=0.5)
    assert n["sizes"]["batch norm"][-1] == pytest.approx(0.5**0.5, rel=0.05)
    np.testing.assert_allclose(n["gx"], n["gx_by_hand"], rtol=1e-10, atol=1e-14)
    assert n["along"] < 1e-13 and n["ratio"] == pytest.approx(10, rel=1e-9)
    assert (n["of_first"] != 0).all() and abs(n["of_first"].sum()) < 1e-14
    assert n["running"].mean.data[0] == pytest.approx(n["expected"], rel=0.02)


def elbo(n):
    np.testing.assert_allclose(np.add(n["climb"], n["gaps"]), n["log_px"], rtol=1e-12)
    assert (np.diff(n["climb"]) > 0).all()


def best_discriminator(n):
    for minimax, nonsaturating, of_js, of_both in n["slopes"].values():
        assert minimax == pytest.approx(of_js, abs=1e-5) and nonsaturating == pytest.approx(of_both, abs=1e-5)
    minimax = [row[0] for row in n["slopes"].values()]
    assert minimax[2:] == sorted(minimax[2:], reverse=True) and minimax[-1] < 0.02
    assert all(max(valley) < np.log(2) + 1e-9 for valley in n["valleys"].values())
    assert n["far"] == pytest.approx(np.log(2), abs=1e-6) and n["near"] > 0.3


def rotating_game(n):
    assert n["r2"][1:] / n["r2"][:-1] == pytest.approx(1 + n["lr"] ** 2, rel=1e-12)
    assert np.ptp(n["Q"]) < 1e-12
    assert n["growths"][0.9] > 1.15 and 1.02 < n["growths"][0.5] < 1.05
    assert n["growths"][0.0] == pytest.approx(1, abs=1e-9)
    assert n["growth"](0.9, 0.01) > 1.02 and n["growth"](-0.5, 0.1) < 1
    r = np.linalg.norm(n["ways"]["look ahead"], axis=1)
    np.testing.assert_allclose(r[1:] / r[:-1], np.sqrt(1 - n["lr"] ** 2 + n["lr"] ** 4), rtol=1e-10)
    assert n["of_mean"] < 0.1 * n["of_last"]
    assert n["measured"] == pytest.approx(n["gamma"] / 2, rel=0.05)


def wasserstein(n):
    assert n["by_sorting"] == pytest.approx(n["by_trying"], rel=1e-12)
    far = np.abs(n["shifts"]) > 1
    np.testing.assert_allclose(n["distances"][0], np.abs(n["shifts"]), atol=1e-3)
    np.testing.assert_allclose(n["distances"][1][far], np.log(2), atol=1e-5)
    assert n["gap_of_best"] == pytest.approx(n["W"], rel=1e-3)
    assert all(abs(((n["p"] - n["q"]) * f).sum() * n["dx"]) < n["W"] for f in n["others"].values())


def dcgan(n):
    assert n["counted"] == n["by_hand"] and n["dense_D"] > 6 * n["counted"]["D"]
    assert n["shapes_G"][-3:] == [(7, 7, 64), (14, 14, 32), (28, 28, 1)]
    assert n["shapes_D"] == [(28, 28, 1), (14, 14, 32), (7, 7, 64), (3136,), (1,)]
    assert (n["rows"], n["columns"], n["seen"].sum()) == (10, 10, 100)
    assert n["difference"] < 1e-6


def how_good(n):
    assert n["farther"]["pixels"] > 0.8 and n["farther"]["features"] < 0.01
    assert n["by_sorting"] == pytest.approx(n["by_formula"], rel=0.02)
    assert n["fids"][0] == pytest.approx(n["fids"][1], rel=1e-6) and n["kids"][0] == pytest.approx(
        n["kids"][1], rel=1e-9
    )
    fids, kids = np.moveaxis(np.array(list(n["of_size"].values())), 2, 0)
    sizes = np.array(list(n["of_size"]))
    np.testing.assert_allclose(fids.mean(axis=1) * sizes, 190, rtol=0.15)
    assert (np.diff(fids.mean(axis=1)) < 0).all() and (np.abs(kids.mean(axis=1)) < 3 * kids.std(axis=1) / 2).all()
    assert n["fid_of_heap"] < 0.01
    for name, (precision, recall) in n["in_plane"].items():
        assert (precision, recall) == tg.metrics.precision_recall(n["cloud"], n["plane"][name])
    assert n["in_plane"]["collapsed"][0] == 1 and n["in_plane"]["collapsed"][1] < 0.4
    assert n["in_plane"]["too wide"][0] < 0.8 and n["in_plane"]["too wide"][1] > 0.95
    scores, near = n["scores"], n["nearer"]
    assert scores["other real digits"][0] < 0.3 and min(scores["other real digits"][1:]) > 0.85
    assert scores["with noise"][1] < 0.6 and scores["with noise"][2] > 0.75
    assert scores["zero to four"][1] > 0.85 and scores["zero to four"][2] == pytest.approx(0.5, abs=0.03)
    assert scores["a hundred by heart"][1] > 0.85 and scores["a hundred by heart"][2] == 0
    assert near["test digits"] == pytest.approx(0.5, abs=1e-3) and near["softened copies"] > 0.98
    assert n["fid_of"]["softened copies"] < 2 * scores["other real digits"][0]


def conditional(n):
    np.testing.assert_allclose(n["joined"].numpy(), n["looked_up"].numpy(), atol=1e-5)
    np.testing.assert_allclose(n["by_one_hot"], n["by_table"], atol=1e-6)
    assert list(n["by_table"].any(axis=1).nonzero()[0]) == [3, 5]
    np.testing.assert_allclose(n["by_table"][3], n["gy"][0] + n["gy"][2], rtol=1e-6)
    assert n["error"] < 1e-6
    np.testing.assert_allclose(n["by_tape"], n["v_times_features"], rtol=1e-5, atol=1e-5)


CLAIMS: dict[str, Callable[[dict], None]] = {
    "01_derivative": derivative,
    "02_broadcasting": broadcasting,
    "03_neuron": neuron,
    "04_optimisers": optimisers,
    "05_four_images": four_images,
    "06_batch_norm": batch_norm,
    "07_elbo": elbo,
    "08_vae": vae,
    "09_gan_game": gan_game,
    "10_best_discriminator": best_discriminator,
    "11_rotating_game": rotating_game,
    "12_wasserstein": wasserstein,
    "13_when_gans_fail": when_gans_fail,
    "14_convolution": convolution,
    "15_dcgan": dcgan,
    "16_how_good": how_good,
    "17_conditional": conditional,
    "18_program": program,
}


def broadcasting_at_length(n):
    np.testing.assert_allclose(n["learnt"]["right"], n["targets"], atol=1e-3)
    np.testing.assert_allclose(n["learnt"]["wrong"], n["targets"].mean(), atol=1e-3)


def neuron_at_length(n):
    one, three, sixteen = (
        n["accuracy"](lambda x: x @ n["w"] + n["b"]),
        *(n["accuracy"](f) for f in n["networks"].values()),
    )
    assert one < 0.7 and three > 0.98 and sixteen > 0.98


def four_images_at_length(n):
    """All four are drawn well, and halfway between two codes the network draws no double exposure."""
    assert n["loss"].item() < 0.01 and np.abs(n["film"][-1] - n["x"]).mean() < 0.02
    assert np.abs(n["by_network"][4] - n["exposure"]).max() > 0.1
    distances = np.linalg.norm(n["way"][:, :, None] - n["way"][:, None], axis=-1).sum(axis=(1, 2))
    assert distances[-1] > 2 * distances[0], "the codes fled from each other"


def vae_at_length(n):
    pull, against = n["pull_reconstruction"], n["pull_kl"]
    assert (pull < 0).all() and (against > 0).all(), "one shrinks the clouds, the other blows them up"
    assert np.abs(pull + against).max() < 0.3 * against.min()
    codes, labels = n["codes"], n["labels"]
    apart = ((codes[:, None] - codes) ** 2).sum(axis=-1)
    np.fill_diagonal(apart, np.inf)
    assert (labels[apart.argmin(axis=1)] == labels).mean() > 0.55, "equal digits lie together"


def gan_game_at_length(n):
    assert all(0.15 < verdict < 0.85 for verdict in np.mean(n["verdicts"][-20:], axis=0)[1:]), "neither wins"
    before, after = n["p_real"](n["before"]), n["p_real"](n["after"])
    assert (after > before).all() and after.mean() > 0.7
    below, even, above = n["leftover"].values()
    assert below[0] > 0.9 and abs(even[0]) < 0.5 and above[0] < -0.7
    assert even[1] < below[1] < 1
    assert n["angle"] > 120


def optimisers_at_length(n):
    """On digits momentum and Adam are ahead of plain gradient descent."""
    plain, *others = (np.mean(curve[-50:]) for curve in n["curves"].values())
    assert max(others) < plain and min(n["right"].values()) > 0.87


def batch_norm_at_length(n):
    assert np.mean(n["curves"]["plain"][-50:]) > 2.2 and n["right"]["plain"] < 0.2
    assert np.mean(n["curves"]["batch norm"][-50:]) < 0.6 and n["right"]["batch norm"] > 0.85


def elbo_at_length(n):
    assert n["climb"][-1] == pytest.approx(n["log_px"], abs=1e-6)
    assert float(n["mu"]) ** 2 == pytest.approx(2, rel=0.15)
    assert float(n["bound"]) == pytest.approx(n["best"], abs=1e-4)
    assert n["variance"] == pytest.approx(n["data"].var(), rel=1e-2)
    assert np.log(2) < n["gap"] < np.log(2) + 0.05
    bounds = list(n["tighter"].values())
    assert bounds == sorted(bounds) and bounds[-1] == pytest.approx(n["log_px_bent"] - np.log(2), abs=0.005)


def best_discriminator_at_length(n):
    np.testing.assert_allclose(n["ops"].sigmoid(n["s"]).numpy(), n["p3"] / (n["p3"] + n["q3"]), atol=1e-4)
    assert n["wrong_by"] < 0.03
    lowest = np.log(4) - 2 * n["js"](n["p"], n["q"], n["dx"])
    assert np.mean(n["losses"][-300:]) == pytest.approx(lowest, abs=0.03)


def wasserstein_at_length(n):
    assert n["estimates"]["slopes punished"] == pytest.approx(n["W"], rel=0.1)
    assert all(0.4 < bound < n["W"] for bound in n["bounds"].values())
    assert min(n["agree"].values()) > 0.8
    assert n["pushed"]["slopes punished"] == pytest.approx(1, abs=0.25) and n["pushed"]["weights clipped"] < 0.5
    critic, minimax = n["ways"].values()
    assert abs(critic[-1]) < 0.15 and minimax[-1] > 5.5


def when_gans_fail_at_length(n):
    assert n["minimax"][-1] < 0.02 * n["minimax"][0] and n["believed"][-1] < 0.01
    assert n["nonsaturating"][-1] > 0.3 * n["nonsaturating"][0]
    hasty, calm = (list(film.values())[-1] for film in n["films"].values())
    assert int(hasty[2][0]) <= 3 and int(calm[2][0]) == 8, "modes found"
    assert calm[1].mean() == pytest.approx(1, abs=0.2)


def dcgan_at_length(n):
    assert n["rough"]["made"] == pytest.approx(n["rough"]["real"], rel=0.25)
    real, made = np.mean(n["verdicts"][-200:], axis=0)
    assert 0.1 < made < real < 0.9, "the game goes on"
    classes = n["tg"].metrics.predict(n["tg"].metrics.load_classifier(), (n["many"] + 1) / 2)
    assert np.bincount(classes, minlength=10).min() > 0.02 * len(classes), "G draws every digit"
    assert n["stamps"].std() > 0.05


def how_good_at_length(n):
    """A GAN improves while its losses stand still; VAE and GAN are wrong in different ways; FID is fooled."""
    (loss_D, loss_G, fid), (last_D, last_G, last) = n["history"][500], n["history"][2000]
    assert last < 0.4 * fid and abs(last_D - loss_D) < 0.2 and abs(last_G - loss_G) < 0.4
    scores, coarse = n["scores"], n["coarse"]
    (fid_vae, p_vae, r_vae, _), (fid_gan, p_gan, r_gan, _) = scores["VAE"], scores["GAN"]
    assert p_gan > p_vae and r_gan < r_vae and fid_gan < fid_vae and coarse["GAN"] > coarse["VAE"]
    assert max(coarse, key=coarse.get) == "with noise" and np.ptp(n["again"]) < 0.6
    assert max(scores["with noise"][0], fid_gan, fid_vae) < scores["zero to four"][0]
    assert scores["a hundred by heart"][0] < min(fid_gan, fid_vae)
    assert max(n["nearer"]["VAE"], n["nearer"]["GAN"]) < 0.2


def conditional_at_length(n):
    """A D that sees no label teaches none; a loud label is obeyed sooner; an obedient G leaves D nothing to say."""
    scores = n["scores"]
    of = {what: {name: row[what] for name, row in scores.items()} for what in scores["blind"]}
    assert of["GAN-test"]["blind"] < 0.2 and of["label against z"]["blind"] < 0.2
    assert (
        of["GAN-test"]["one-hot"]
        < 0.6
        < min(of["GAN-test"][name] for name in ("embedding", "projection", "classifier"))
    )
    assert of["D right"]["one-hot"] > 0.6 > max(of["D right"]["embedding"], of["D right"]["projection"])
    assert of["D right"]["classifier"] > 0.85
    assert min(of["FID"], key=of["FID"].get) == max(of["recall"], key=of["recall"].get) == "projection"
    assert of["recall"]["blind"] < 0.02 and of["recall"]["classifier"] < of["recall"]["projection"] - 0.05
    assert n["together"] > 0.6 and n["hint"] > 0.5
    assert n["of_real"][0] > 0.9 and n["of_real"][1] > 0.98


AT_LENGTH: dict[str, Callable[[dict], None]] = {  # what a lesson says of networks that have learnt
    "02_broadcasting": broadcasting_at_length,
    "03_neuron": neuron_at_length,
    "04_optimisers": optimisers_at_length,
    "05_four_images": four_images_at_length,
    "06_batch_norm": batch_norm_at_length,
    "07_elbo": elbo_at_length,
    "08_vae": vae_at_length,
    "09_gan_game": gan_game_at_length,
    "10_best_discriminator": best_discriminator_at_length,
    "12_wasserstein": wasserstein_at_length,
    "13_when_gans_fail": when_gans_fail_at_length,
    "15_dcgan": dcgan_at_length,
    "16_how_good": how_good_at_length,
    "17_conditional": conditional_at_length,
}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_tells_the_truth(path, tmp_path, monkeypatch, as_found, capsys, campaign):
    source = path.read_text() if campaign else STEPS.sub(r"\1 = 3", path.read_text())
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    exec(compile(source, str(path), "exec"), names)
    CLAIMS[path.stem](names)
    assert capsys.readouterr().out
    assert {item.name for item in tmp_path.iterdir()} == {"lessons_out"}, (
        "no lesson writes over the pictures in images/"
    )
    drawn = {picture.name: picture for picture in (tmp_path / "lessons_out").iterdir()}
    assert set(drawn) == pictures_of(path)
    if campaign and path.stem in AT_LENGTH:
        AT_LENGTH[path.stem](names)
        for name, picture in drawn.items():
            if picture.suffix == ".png":
                assert size_of(picture) == size_of(FOLDER / "images" / name), f"{name} in images/ is of an older lesson"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_cells_and_ends_in_three_things_to_try(path):
    cells = re.split(r"^# %%", path.read_text(), flags=re.M)
    assert cells[0] == "", "a lesson begins with a cell"
    for cell in cells[1:]:
        kind, *lines = cell.rstrip().splitlines()
        assert kind in ("", " [markdown]")
        if kind:
            assert all(line.startswith("#") for line in lines), "a cell of text is comments alone"
    assert cells[1].splitlines()[1].startswith(f"# # {int(path.stem[:2])}. ")
    last = cells[-1].splitlines()
    assert last[1] == "# ## Three things to try"
    assert [line[2:4] for line in last if re.match(r"# \d\.", line)] == ["1.", "2.", "3."]


def test_the_pictures_are_there_and_small():
    committed = {picture.name: picture.stat().st_size for picture in (FOLDER / "images").iterdir()}
    assert set(committed) == set().union(*map(pictures_of, LESSONS))
    assert max(committed.values()) < 80_000


def test_the_table_shows_each_lesson_with_a_picture():
    table = (FOLDER / "README.md").read_text()
    for path in LESSONS:
        (row,) = [line for line in table.splitlines() if f"({path.name})" in line]
        (picture,) = re.findall(r"\(images/([\w.]+)\)", row)
        assert picture in pictures_of(path)


def pictures_of(path: Path) -> set[str]:
    """The names of the pictures that a lesson writes."""
    return set(re.findall(r'"lessons_out/([\w.]+)"', path.read_text()))


def size_of(picture: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(picture) as opened:
        return opened.size
