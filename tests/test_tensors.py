"""The safetensors container: the library reads ours, we read the library's, and nobody can lie to us."""

import json
import resource
import struct
import sys

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firth.errors import FormatError
from firth.tensors import open_tensors, write_tensors

DTYPES = [
    np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8,
    np.uint64, np.uint32, np.uint16, np.uint8, np.bool_,
]  # fmt: skip


def every_dtype():
    tensors = {f"a {np.dtype(dtype)}": np.arange(7).astype(dtype) for dtype in DTYPES}
    return tensors | {"größe": np.zeros((0, 3), np.float32), "one": np.array(2.5), "m": np.eye(3, dtype="f4")}


def write(path, tensors):
    with path.open("wb") as file:
        write_tensors(file, tensors)


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_the_library_reads_what_we_write(tmp_path):
    write(tmp_path / "t", every_dtype())
    assert_equal(safetensors.numpy.load_file(tmp_path / "t"), every_dtype())


def test_we_read_what_the_library_writes(tmp_path):
    safetensors.numpy.save_file(every_dtype(), tmp_path / "t", metadata={"format": "np"})
    assert_equal(open_tensors(tmp_path / "t"), every_dtype())


@pytest.mark.parametrize("tensors", [{}, {"none": np.zeros(0, np.uint8)}])
def test_nothing_at_all(tmp_path, tensors):
    write(tmp_path / "t", tensors)
    assert_equal(open_tensors(tmp_path / "t"), tensors)
    assert_equal(safetensors.numpy.load_file(tmp_path / "t"), tensors)


@settings(deadline=None, derandomize=True)
@given(array=hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=5)), odd=st.integers(0, 9))
def test_rows_that_are_not_contiguous(tmp_path_factory, array, odd):
    path = tmp_path_factory.mktemp("t") / "t"
    tensors = {"odd": np.ones(odd, np.uint8), "turned": array.T, "every other": array[::2]}
    write(path, tensors)
    assert_equal(open_tensors(path), tensors)


def test_big_endian_numbers_are_written_little(tmp_path):
    write(tmp_path / "t", {"x": np.array([1.5, -2], dtype=">f4")})
    assert_equal(open_tensors(tmp_path / "t"), {"x": np.array([1.5, -2], dtype="<f4")})


def test_mapped_read_only_and_aligned(tmp_path):
    write(tmp_path / "t", {"b": np.ones(3, np.uint8), "m": np.ones((5, 3), np.float32), "e": np.ones(1)})
    for array in open_tensors(tmp_path / "t").values():
        assert not array.flags.writeable
        assert not array.flags.owndata
        assert array.flags.aligned
    assert (8 + int.from_bytes((tmp_path / "t").read_bytes()[:8], "little")) % 64 == 0


def test_cut_short_anywhere(tmp_path):
    write(tmp_path / "t", {"m": np.ones((2, 3), np.float32), "n": np.ones(2, np.int64)})
    whole = (tmp_path / "t").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(FormatError, match=str(tmp_path / "cut")):
            open_tensors(tmp_path / "cut")


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b"null",
        b"\xff{}",
        {"m": 3},
        {"m": {}},
        {"m": entry(dtype="F33")},
        {"m": entry(shape=[-2])},
        {"m": entry(shape=[-1, -2])},
        {"m": entry(shape=[2.0])},
        {"m": entry(shape=[True, 2])},
        {"m": entry(shape=["2"])},
        {"m": entry(shape=[3])},
        {"m": entry(offsets=[0, 8, 16])},
        {"m": entry(offsets=[-8, 0])},
        {"m": entry(offsets=[8, 16])},
        {"m": entry(), "n": entry()},
        {"m": entry(shape=[2**61], offsets=[0, 2**63])},
        {"m": entry(shape=[0, 2**70], offsets=[0, 0])},
        {"m": entry(shape=[1], offsets=[0, 4])},
    ],
)
def test_hostile_headers(tmp_path, header):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (tmp_path / "t").write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(FormatError, match="damaged"):
        open_tensors(tmp_path / "t")


def test_a_header_longer_than_the_file(tmp_path):
    (tmp_path / "t").write_bytes(struct.pack("<Q", 2**63) + b"{}")
    with pytest.raises(FormatError, match="cut short"):
        open_tensors(tmp_path / "t")


@pytest.mark.skipif(sys.platform != "linux", reason="counts resident memory in Linux's unit, kilobytes")
def test_opening_reads_none_of_the_data(tmp_path):
    size = 40 << 30  # sparse: more than most memories hold, so reading it would show
    header = json.dumps({"m": entry("U8", [size], [0, size])}).encode()
    with (tmp_path / "t").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    array = open_tensors(tmp_path / "t")["m"]
    assert array[size // 2] == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000
