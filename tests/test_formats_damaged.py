"""Files of vectors that are damaged, or no vectors: what is wrong is said."""

import gzip
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from vector_files import FILES, NAMES, WORDS, binary, load_text, some

from firth.errors import FirthWarning, FormatError, SettingsError
from firth.files import FileError
from firth.vectors import Vectors


@pytest.mark.parametrize("header", [b"4 2\n", b"999999999999999 2\n"])
@pytest.mark.parametrize("body", [b"a 1 2\nb 3 4\nc 5 6\n", binary([(b"a", [1, 2])] * 3)[4:]])
def test_fewer_rows_than_promised(tmp_path, header, body):
    with (
        pytest.raises(FormatError, match=r"ends after 3 of the [49][,9]* rows.*cut short"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        load_text(tmp_path, header + body)


@pytest.mark.parametrize(
    "content",
    [
        b"1 2\na 1 2\nb 3 4\nc 5 6\n",
        binary([(b"a", [1, 2]), (b"b", [3, 4]), (b"c", [5, 6])], header=b"1 2\n"),
    ],
)
def test_more_rows_than_promised(tmp_path, content):
    with pytest.warns(FirthWarning, match="promises 1 rows, but it has 3; all were read"):
        found = load_text(tmp_path, content)
    assert list(found) == ["a", "b", "c"]
    assert list(load_text(tmp_path, content, limit=2)) == ["a", "b"]


def test_bytes_behind_the_last_row(tmp_path):
    with pytest.warns(FirthWarning, match="4 bytes behind its last row"):
        assert list(load_text(tmp_path, binary([(b"a", [1, 2])]) + b"junk")) == ["a"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"3 2\na 1 2\nb 1\nc 1 2\n", 3),
        (b"3 2\na 1 2\nb 1 2 3\nc 1 2\n", 3),
        (b"3 2\na 1 2\nc 1 2\nb 0.1 0.2 0.3\n", 4),
        (b"3 3\na 1 2\nb 1 2\nc 1 2\n", 2),
        (b"3 2\na 1 2\nb x 2\nc 1 2\n", 3),
        (b"3 2\na 1 2\nb\nc 1 2\n", 3),
        (b"3 2\na 1 2\nb 1 2,5\nc 1 2\n", 3),
        (b"a 1 2.0\nb 1 2\nc 1 2\nd 1\n", 4),
        (b"a 1.0 2 3\nb 1 2\nc 1 2\nd 1 2\n", 1),
    ],
)
def test_a_line_of_the_wrong_length_is_named(tmp_path, content, line):
    with pytest.raises(FormatError, match=rf"/v:{line}: is not a word and \d numbers"):
        load_text(tmp_path, content)


def test_a_damaged_line_beyond_the_limit_does_no_harm(tmp_path):
    assert list(load_text(tmp_path, b"3 2\na 1 2\nb 3 4\nc ?\n", limit=2)) == ["a", "b"]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e39"])
def test_numbers_that_are_not_finite(tmp_path, number):
    text = f"2 2\na 1 2\nb 3 {number}\n".encode()
    for content in (
        text,
        text[4:].replace(b"1", b"1.0"),
        binary([(b"a", [1, 2]), (b"b", [3, float("nan")])]),
    ):
        with pytest.raises(FormatError, match="the vector of 'b', row 2, holds NaN or infinity"):
            load_text(tmp_path, content)


@pytest.mark.parametrize("name", NAMES)
def test_vectors_that_are_not_finite_are_not_written(tmp_path, name):
    with pytest.raises(FormatError, match="vector of 'b' holds NaN or infinity; nothing was written"):
        Vectors("ab", [[1, 2], [np.nan, 3]]).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_cut_short_anywhere(tmp_path, name):
    vectors = some(WORDS[2:7], dim=3)
    vectors.save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for length in range(len(whole) - 1):
        try:
            found = load_text(tmp_path, whole[:length], name=name)
        except FormatError as error:
            assert name in str(error)
        else:  # a text may end between rows unnoticed without a header, or within its last number
            assert not name.endswith((".bin", ".gz"))
            rows = len(found)
            assert list(found) == list(vectors)[:rows]
            assert rows == len(vectors) or "glove" in name
            assert found.matrix[: rows - 1].tobytes() == vectors.matrix[: rows - 1].tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\x80\x04\x95\x10", "pickle"),
        (b"\x93NUMPY\x01\x00v\x00", r"NumPy array without words; make firth\.Vectors"),
        (b"PK\x03\x04" + bytes(30), "zip archive; unpack"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\n <html lang=en>", "web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\xba\x16\x4f\x2f" + bytes(60), r"fastText model; give the \.vec"),
        (struct.pack("<Q", 10) + b'{"m":{}}  ', "safetensors file; give the directory"),
        (b"\xff\xd8\xff\xe0" + bytes(30), "no file of vectors that Firth knows; it begins with"),
        (b"It was the best of times,\nit was the worst of times\n", "no file of vectors that Firth knows"),
        (b"{}", "no file of vectors that Firth knows"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_given_by_mistake(tmp_path, content, message, pack):
    with pytest.raises(FormatError, match=message) as caught:
        load_text(tmp_path, pack(content))
    assert "\n" not in str(caught.value)
    with pytest.raises(FormatError):
        load_text(tmp_path, pack(content), format="binary")


def test_archives_and_arrays_as_their_makers_write_them(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("glove.txt", "a 1 2")
    np.save(tmp_path / "v.npy", np.ones((2, 2)))
    for name in ("v.zip", "v.npy"):
        with pytest.raises(FormatError):
            Vectors.load(tmp_path / name)


@pytest.mark.parametrize("header", [b"2 0\n", b"2 99999999999\n", b"x y\n", b"2\n", b"-2 3\n"])
@pytest.mark.parametrize("format", ["text", "binary"])
def test_headers_that_are_none(tmp_path, header, format):
    with pytest.raises(FormatError, match="instead of the numbers of words and components"):
        load_text(tmp_path, header + b"a 1 2\n", format=format)


def test_places_and_names(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        Vectors.load(tmp_path / "none.bin")
    with pytest.raises(FormatError, match="that Firth wrote"):
        Vectors.load(tmp_path)
    with pytest.raises(SettingsError, match="the extension tells no format"):
        some().save(tmp_path / "v.w2v")
    with pytest.raises(SettingsError, match="the extension tells no format"):
        some().save(tmp_path / "v.firth.gz")
    for action in (Vectors.load, some().save):
        with pytest.raises(SettingsError, match="format='w2v' is unknown; choose one of firth, text"):
            action(tmp_path / "v", format="w2v")
    with pytest.raises(FileError, match="cannot be written"):
        some().save(tmp_path / "no" / "v.bin")
    assert list(Path(tmp_path).iterdir()) == []
