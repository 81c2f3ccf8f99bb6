"""The film: the right frames, the right times, small enough, and never written in part."""

import numpy as np
import pytest
from PIL import Image

from tinygen import viz
from tinygen.viz.film import choose_frames


def pictures(folder, n, size=8, channels=1):
    rng = np.random.default_rng(0)
    paths = [folder / f"step_{i:06d}.png" for i in range(n)]
    for i, path in enumerate(paths):
        level = np.full((1, size, size, channels), i / n)
        viz.save_grid(level + 0.01 * rng.normal(size=level.shape), path, (0, 1))
    return paths


def read(path):
    with Image.open(path) as film:
        times, greys = [], []
        for i in range(film.n_frames):
            film.seek(i)
            times.append(film.info["duration"])
            greys.append(np.asarray(film.convert("L")).mean())
        return times, greys, film.size, film.info["loop"]


def test_few_frames_are_all_shown_and_the_last_one_stays(tmp_path):
    viz.save_gif(pictures(tmp_path, 5), tmp_path / "a.gif")
    times, greys, size, loop = read(tmp_path / "a.gif")
    assert times == [400, 400, 400, 400, 2000]
    assert greys == sorted(greys) and len(set(greys)) == 5
    assert size == (68, 68) and loop == 0


def test_one_frame_is_a_film(tmp_path):
    viz.save_gif(pictures(tmp_path, 1), tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("n", [1, 2, 59, 60])
def test_up_to_sixty_pictures_are_all_chosen(n):
    assert choose_frames(n) == list(range(n))


@pytest.mark.parametrize("n", [61, 100, 5000])
def test_of_many_pictures_the_early_ones_are_shown_more_densely(n):
    chosen = choose_frames(n)
    assert chosen[0] == 0 and chosen[-1] == n - 1
    assert 40 <= len(chosen) <= 60 and chosen == sorted(set(chosen))
    early, late = np.array_split(np.diff(chosen), 2)
    assert early.mean() < late.mean()


def test_a_long_film_lasts_about_eight_seconds(tmp_path):
    viz.save_gif(pictures(tmp_path, 70), tmp_path / "a.gif")
    times, *_ = read(tmp_path / "a.gif")
    assert 6000 <= sum(times) <= 9000


@pytest.mark.parametrize("channels", [1, 3])
def test_noise_stays_within_the_size(tmp_path, channels, monkeypatch):
    monkeypatch.setattr("tinygen.viz.film.LARGEST_FILE", 100_000)
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(10)]
    for path in paths:
        viz.save_grid(rng.uniform(size=(9, 28, 28, channels)), path, (0, 1))
    viz.save_gif(paths, tmp_path / "a.gif")
    assert 10_000 < (tmp_path / "a.gif").stat().st_size <= 100_000
    assert len(read(tmp_path / "a.gif")[0]) == 10


def test_black_and_white_stay_so_and_greys_stay_grey(tmp_path):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (1, 256, 1))
    viz.save_grid(ramp, tmp_path / "a.png", None)
    viz.save_gif([tmp_path / "a.png"], tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as film, Image.open(tmp_path / "a.png") as picture:
        colours, before = np.asarray(film.convert("RGB")).astype(int), np.asarray(picture).astype(int)
    assert (colours == colours[..., :1]).all()
    assert np.abs(colours[..., 0] - before).max() <= 3
    assert {0, 255} <= set(colours.ravel().tolist())


def test_frames_of_another_mode_or_size_fit_in(tmp_path):
    paths = pictures(tmp_path, 3)
    broken = np.full((1, 8, 8), np.nan)
    viz.save_grid(broken, paths[0], (0, 1))  # a picture in colour
    viz.save_grid(np.zeros((4, 8, 8)), paths[1], (0, 1))  # a larger one
    viz.save_gif(paths, tmp_path / "a.gif")
    _, _, size, _ = read(tmp_path / "a.gif")
    assert size == (68, 68)
    with Image.open(tmp_path / "a.gif") as film:
        red, green, blue = film.convert("RGB").getpixel((34, 34))
    assert red > 200 and green < 60 and blue > 200


def test_a_film_needs_a_frame(tmp_path):
    with pytest.raises(ValueError, match="no frame"):
        viz.save_gif([], tmp_path / "a.gif")


def test_a_broken_frame_leaves_the_old_film(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"old")
    (tmp_path / "b.png").write_bytes(b"not a picture")
    with pytest.raises(OSError, match=r"b\.png"):
        viz.save_gif([tmp_path / "b.png"], tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes() == b"old"


def test_a_frame_that_can_not_be_read_is_left_out(tmp_path):
    paths = pictures(tmp_path, 3)
    paths[1].write_bytes(paths[1].read_bytes()[:60])
    viz.save_gif(paths, tmp_path / "a.gif")
    assert len(read(tmp_path / "a.gif")[0]) == 2
