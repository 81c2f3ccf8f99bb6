"""Checkpoints: what comes out is what went in, and the error says why anything else is refused."""

import io
import pickle
import re
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from tinygen.errors import RunError
from tinygen.train import checkpoint

RNG = np.random.default_rng(0)
ARRAYS = {
    "plain": RNG.normal(size=(3, 4)).astype(np.float32),
    "transposed": RNG.normal(size=(3, 4)).T,
    "sliced": RNG.normal(size=(6, 8))[::2, 1::3],
    "reversed": np.arange(5)[::-1],
    "fortran": np.asfortranarray(RNG.normal(size=(2, 3, 4))),
    "broadcast": np.broadcast_to(np.float32(3), (2, 2)),
    "scalar": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float32),
    "flags": np.array([True, False]),
}
METADATA = {"step": 12, "generator": {"state": 2**127 + 1, "name": "größe"}, "list": [1.5, None, True]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "step_000012.safetensors"
    checkpoint.save(path, ARRAYS, METADATA)
    return path


def test_arrays_of_any_memory_order_come_back(path):
    tensors, metadata = checkpoint.load(path)
    assert metadata == METADATA
    assert tensors.keys() == ARRAYS.keys()
    for name, x in tensors.items():
        assert (x.dtype, x.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
        np.testing.assert_array_equal(x, ARRAYS[name])


def test_another_program_reads_the_same(path):
    others = safetensors.numpy.load_file(path)
    assert others.keys() == ARRAYS.keys()
    for name, x in others.items():
        np.testing.assert_array_equal(x, ARRAYS[name])


def test_equal_contents_make_equal_files_whatever_their_order(path):
    other = path.with_name("other")
    checkpoint.save(other, dict(reversed(ARRAYS.items())), dict(reversed(METADATA.items())))
    assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8", ">f4", ">i8"])
def test_every_dtype_is_as_safetensors_itself_writes_it(tmp_path, dtype):
    x = np.arange(6).reshape(2, 3).astype(dtype)
    checkpoint.save(tmp_path / "file", {"x": x, "bytes": np.arange(3, dtype=np.uint8)}, {})
    (read, metadata), others = checkpoint.load(tmp_path / "file"), safetensors.numpy.load_file(tmp_path / "file")
    assert metadata == {} and read["x"].dtype == others["x"].dtype == x.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read["x"], x)
    np.testing.assert_array_equal(others["x"], x)


def test_what_the_format_does_not_know_writes_nothing(tmp_path):
    for x in (np.array(["text"]), np.zeros(2, complex), np.array([None]), np.zeros(2, np.longdouble)):
        with pytest.raises(TypeError, match=r"x is an array of .*, which a checkpoint can't hold"):
            checkpoint.save(tmp_path / "file", {"x": x}, {})
    assert list(tmp_path.iterdir()) == []


def test_arrays_on_the_device_are_brought_home(backend, tmp_path):
    x = backend.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32).T
    checkpoint.save(tmp_path / "file", {"x": x}, {})
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "file")[0]["x"], [[1, 4], [2, 5], [3, 6]])


def test_a_file_cut_short_anywhere_is_refused(path):
    whole = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(RunError, match=f"{path}: truncated, or not a checkpoint at all"):
            checkpoint.load(path)


def test_every_damaged_byte_is_noticed(path):
    checkpoint.save(path, {"w": np.arange(4.0), "count": np.array(3)}, {"step": 12})
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        with pytest.raises(RunError, match=f"{path}: "):
            checkpoint.load(path)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(RunError, match=r"damaged, its checksum does not match its contents; give another checkpoint"):
        checkpoint.load(path)


def foreign_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", b"x" * 100)
    return buffer.getvalue()


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (foreign_zip(), "not a checkpoint at all"),
        (b"step: 12\n" * 20, "not a checkpoint at all"),
        (pickle.dumps(Bomb()), "not a checkpoint at all"),
        (safetensors.numpy.save({"w": np.zeros(3)}), "not a tinygen checkpoint"),
        (safetensors.numpy.save({"w": np.zeros(3)}, {"format": "pt"}), "not a tinygen checkpoint"),
        (safetensors.numpy.save({"w": np.zeros(3)}, {"tinygen": "soon"}), "damaged"),
        (safetensors.numpy.save({"w": np.zeros(3)}, {"tinygen": "1"}), "damaged"),
        (safetensors.numpy.save({"w": np.zeros(3)}, {"tinygen": "2", "crc32": "0"}), "written by a newer tinygen"),
    ],
    ids=["zip", "text", "pickle", "bare", "torch", "broken", "no checksum", "newer"],
)
def test_foreign_files_are_refused(tmp_path, contents, message):
    path = tmp_path / "step_000001.safetensors"
    path.write_bytes(contents)
    with pytest.raises(RunError, match=f"{re.escape(str(path))}: .*{message}"):
        checkpoint.load(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(RunError, match="there is no such checkpoint"):
        checkpoint.load(tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a checkpoint at all"):
        checkpoint.load(tmp_path)


def test_metadata_that_json_cannot_hold_writes_nothing(tmp_path):
    with pytest.raises(TypeError, match="JSON"):
        checkpoint.save(tmp_path / "file", {}, {"x": np.float32(1)})
    assert list(tmp_path.iterdir()) == []
