"""IDX files are read to the byte, and a damaged one is refused in words that name it."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tinygen.data.idx import parse_idx, read_idx
from tinygen.errors import DataError

fixed = settings(deadline=None, derandomize=True)
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def to_idx(array: np.ndarray) -> bytes:
    """The file of an array, written from the definition of the format."""
    header = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


anything = st.sampled_from(list(CODES)).flatmap(
    lambda code: arrays.arrays(np.dtype(code), arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
)


@fixed
@given(anything)
def test_every_type_and_shape_comes_back_as_it_was(array):
    read = parse_idx(to_idx(array))
    assert read.dtype == array.dtype and read.dtype.isnative and read.flags.writeable
    np.testing.assert_array_equal(read, array)


@fixed
@given(anything, st.data())
def test_a_file_cut_anywhere_is_refused(array, data):
    raw = to_idx(array)
    with pytest.raises(DataError):
        parse_idx(raw[: data.draw(st.integers(0, len(raw) - 1))])


@fixed
@given(anything, st.binary(min_size=1, max_size=9))
def test_bytes_after_the_end_are_refused(array, more):
    with pytest.raises(DataError, match="bytes, but an array of shape"):
        parse_idx(to_idx(array) + more)


@fixed
@given(anything, st.data())
def test_a_changed_header_is_refused_or_means_what_it_says(array, data):
    raw = bytearray(to_idx(array))
    raw[data.draw(st.integers(0, 3 + 4 * array.ndim))] ^= data.draw(st.integers(1, 255))
    try:
        read = parse_idx(bytes(raw))
    except DataError:
        return
    assert to_idx(read) == raw  # such as uint8 that became int8, or (0, 2) that became (0, 3)


@fixed
@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_refused_or_are_what_they_say(raw):
    try:
        read = parse_idx(raw)
    except DataError:
        return
    assert to_idx(read) == raw


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not an IDX file: it begins with nothing instead of two zero bytes"),
        (b"\x89PNG\r\n", "not an IDX file: it begins with 89 50 4e 47"),
        (b"\0\0\x07\1\0\0\0\0", "type code is 0x07, but IDX has 0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E"),
        (b"\0\0\x08\0", "announces 0 axes in a file of 4 bytes"),
        (b"\0\0\x08\3\0\0\0\1", "announces 3 axes in a file of 8 bytes"),
        (b"\0\0\x08\1\0\0\0\5abc", r"11 bytes, but an array of shape \(5,\) takes 13"),
        (
            b"\0\0\x08\3" + b"\xff" * 12,
            "shape .* 79,228,162,458,924,105,385,300,197,375 bytes, more than the",
        ),
    ],
)
def test_what_is_wrong_is_said(raw, message):
    with pytest.raises(DataError, match=message):
        parse_idx(raw)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_files_are_read_gzipped_or_not(tmp_path, pack):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    path = tmp_path / "some-idx3-short"
    path.write_bytes(pack(to_idx(array)))
    np.testing.assert_array_equal(read_idx(path), array)


def test_a_wrong_file_is_named(tmp_path):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\1\0\0\0\5abc"))
    with pytest.raises(DataError, match=r"labels\.gz: 11 bytes, but .*; delete it and load again"):
        read_idx(path)


PIXELS = np.random.default_rng(0).integers(0, 256, (20, 5), np.uint8)
GZIPPED = gzip.compress(to_idx(PIXELS), mtime=0)


@fixed
@given(st.integers(10, len(GZIPPED) - 1), st.integers(0, 255))  # after the gzip header, whose date and flags may change
@example(10, 8)
@example(len(GZIPPED) - 9, 128)
def test_damaged_gzip_is_refused_and_named(tmp_path_factory, place, flipped):
    raw = bytearray(GZIPPED)
    if flipped:
        raw[place] ^= flipped
    else:
        del raw[place:]
    path = tmp_path_factory.mktemp("idx") / "images.gz"
    path.write_bytes(raw)
    try:
        read = read_idx(path)
    except DataError as error:
        assert f"{path}: " in str(error) and "delete it and load again" in str(error)
    else:  # bits without meaning: they pad the first byte of a stored stream, the last of a compressed one
        np.testing.assert_array_equal(read, PIXELS)
        assert flipped and place in (10, len(raw) - 9)


@pytest.mark.parametrize(
    ("announced", "message"), [(5, "more than 13 bytes, but an array of shape"), (1 << 30, "20,000,008 bytes, but")]
)
def test_a_decompression_bomb_is_refused_with_no_more_memory_than_it_needs(tmp_path, announced, message):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\1" + struct.pack(">I", announced) + bytes(20_000_000), 1))
    tracemalloc.start()
    with pytest.raises(DataError, match=message):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (1e6 if announced == 5 else 6e7)


def test_a_file_that_can_not_be_read_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"can't be read \(Is a directory\)"):
        read_idx(tmp_path)
