"""Folders give the class and the split of their pictures; otherwise the split is seeded, and covers every class."""

import numpy as np
import pytest
from PIL import Image

from tinygen.data import load
from tinygen.data.classes import arrange, split


def folder(root, *paths):
    """A folder with a grey picture at each path, the first with the value 1, then 2, ..."""
    for value, path in enumerate(paths, 1):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), value).save(root / path)
    return load(f"folder:{root}", size=1, channels=1)


def of(data, part="train"):
    """The values of the pictures of train or test, with the names of their classes."""
    images, labels = {"train": (data.train, data.labels), "test": (data.test, data.test_labels)}[part]
    values = images.ravel().tolist()
    return values if labels is None else list(zip(values, (data.classes[k] for k in labels), strict=True))


def test_folders_are_classes_and_deeper_ones_belong_to_them(tmp_path):
    data = folder(tmp_path, "cat/1.png", "cat/wild/lion/2.png", "dog/3.png", "Emu/4.png")
    assert of(data) == [(4, "Emu"), (1, "cat"), (2, "cat"), (3, "dog")]
    assert data.classes == ("Emu", "cat", "dog") and data.labels.dtype == np.int64
    assert str(data).endswith("3 labels (Emu, cat, dog)")


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    assert folder(tmp_path, *(f"{k}/a.png" for k in (10, 9, 1, 0, 100))).classes == ("0", "1", "9", "10", "100")


@pytest.mark.parametrize("paths", [["1.png", "2.png"], ["only/1.png", "only/2.png"], ["a/b/1.png", "a/b/2.png"]])
def test_one_folder_is_no_class(tmp_path, paths):
    data = folder(tmp_path, *paths)
    assert of(data) == [1, 2] and data.classes is None and data.test_labels is None and data.notes == ()


def test_the_folders_that_all_lie_in_are_passed_over(tmp_path):
    assert of(folder(tmp_path, "pets/all/cat/1.png", "pets/all/dog/2.png")) == [(1, "cat"), (2, "dog")]


def test_pictures_beside_the_folders_leave_all_without_a_class(tmp_path):
    data = folder(tmp_path, "cat/1.png", "2.png", "dog/3.png")
    assert data.labels is None and data.classes is None
    assert data.notes == ("no labels, because 1 image lies beside the folders (cat, dog)",)


def test_a_class_without_a_readable_picture_is_none(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"a/x.png"):
        data = folder(tmp_path, "b/1.png", "c/2.png")
    assert data.classes == ("b", "c") and data.labels.tolist() == [0, 1]


@pytest.mark.parametrize("test", ["test", "val", "Validation"])
def test_folders_for_training_and_testing_are_the_split(tmp_path, test):
    data = folder(tmp_path, "train/cat/1.png", "train/dog/2.png", f"{test}/cat/3.png", f"{test}/dog/4.png")
    assert of(data) == [(1, "cat"), (2, "dog")] and of(data, "test") == [(3, "cat"), (4, "dog")]


def test_given_parts_need_no_classes(tmp_path):
    data = folder(tmp_path, "train/1.png", "train/2.png", "test/3.png")
    assert of(data) == [1, 2] and of(data, "test") == [3] and data.classes is None


def test_test_pictures_may_have_no_class(tmp_path):
    data = folder(tmp_path, "train/cat/1.png", "train/dog/2.png", "test/3.png", "test/4.png")
    assert of(data) == [(1, "cat"), (2, "dog")] and of(data, "test") == [3, 4]


def test_of_two_folders_for_testing_one_is_used_and_that_is_said(tmp_path):
    data = folder(tmp_path, "train/1.png", "val/2.png", "test/3.png")
    assert (of(data), of(data, "test")) == ([1], [3])
    assert data.notes == ("val/ is left out: test/ is the test set",)


def test_test_pictures_of_a_class_that_is_not_trained_are_left_out_and_that_is_said(tmp_path):
    data = folder(tmp_path, "train/a/1.png", "train/b/2.png", "test/a/3.png", "test/c/4.png")
    assert of(data, "test") == [(3, "a")] and data.classes == ("a", "b")
    assert data.notes == ("1 image in test/ is left out: train/ has none of its class",)


@pytest.mark.parametrize("paths", [["train/1.png", "plane/2.png"], ["train/1.png", "test/2.png", "plane/3.png"]])
def test_a_train_among_other_things_is_a_class(tmp_path, paths):
    data = folder(tmp_path, *paths)
    assert "train" in data.classes and len(data.classes) == len(paths) == len(data.train)


@pytest.mark.parametrize("counts", [[100], [30, 70], [9] * 10, [1] * 25, [1, 99], [5, 15, 25, 35], [2, 2]])
def test_a_split_takes_a_tenth_of_each_class_and_leaves_each_one_to_train_on(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    train, test = split(labels, 0)
    assert sorted([*train, *test]) == list(range(len(labels))) and len(np.unique(labels[train])) == len(counts)
    tested = np.bincount(labels[test], minlength=len(counts))
    if min(counts) > 1:
        assert len(test) == len(labels) // 10 and (np.abs(tested - np.array(counts) / 10) <= 1).all()
    else:
        assert (tested[np.array(counts) == 1] == 0).all()


def test_a_split_is_drawn_by_its_seed_all_over_a_class():
    labels = np.repeat([0, 1], 500)
    tests = [split(labels, seed)[1] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(tests[0], tests[1])
    assert (tests[0] != tests[2]).any()
    assert all(200 < rows[labels[rows] == 0].mean() < 300 for rows in tests)  # 250 on average, 19 is a deviation


def test_the_split_of_many_paths_is_quick():
    arranged = arrange([(f"{i % 50}", f"{i}.png") for i in range(5000)], 0)
    assert len(arranged.test) == 500 and len(arranged.classes) == 50
