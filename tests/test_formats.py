"""Formats: every bit comes back, gensim and Firth read each other, files are read as other tools write them."""

import json
import re
import resource
import struct
import sys
from functools import partial

import numpy as np
import pytest
import safetensors.numpy
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from vector_files import FILES, NAMES, WORDS, assert_same, binary, load_text, some

from firth.errors import FirthWarning, FormatError, SettingsError
from firth.files import COMPRESSED, write_directory
from firth.tensors import write_tensors
from firth.vectors import Vectors
from firth.vectors.formats.firth import FILE, to_tensors
from firth.words import decode, encode

deterministic = settings(deadline=None, derandomize=True)


any_word = st.one_of(
    st.text(max_size=6),
    st.binary(max_size=6).map(decode),
    st.sampled_from(["7 up", "a b", "b 7", "c 0.5", "d 8 9"]),
)
any_float = st.floats(width=32, allow_nan=False, allow_infinity=False)


# --- round trips


@pytest.mark.parametrize("name", NAMES)
def test_every_bit_comes_back(tmp_path, name):
    some().save(tmp_path / name)
    assert_same(Vectors.load(tmp_path / name), some())


@pytest.mark.parametrize("format", ["firth", "text", "binary", "glove"])
def test_the_format_is_in_the_content_not_the_name(tmp_path, format):
    some().save(tmp_path / "vectors", format=format)
    assert_same(Vectors.load(tmp_path / "vectors"), some())
    assert_same(Vectors.load(tmp_path / "vectors", format=format), some())


@deterministic
@given(data=st.data(), words=st.lists(any_word, min_size=1, unique=True), dim=st.integers(2, 4))
@pytest.mark.parametrize("name", ["v.firth", "v.txt", "v.bin", "v.glove"])
def test_any_words_and_numbers_come_back_or_are_refused(tmp_path_factory, name, data, words, dim):
    matrix = data.draw(hnp.arrays(np.float32, (len(words), dim), elements=any_float))
    path, vectors = tmp_path_factory.mktemp("any") / name, Vectors(words, matrix)
    try:
        vectors.save(path)
    except FormatError as error:
        assert "save as .firth" in str(error)
        ends_a_word = {"v.bin": rb"[ \n]", "v.txt": rb"\s", "v.glove": rb"\s"}[name]
        disguised = name == "v.glove" and encode(words[0]).startswith(COMPRESSED)
        assert disguised or any(re.search(ends_a_word, encode(word)) for word in words)
    else:
        assert_same(Vectors.load(path), vectors)


@pytest.mark.parametrize("name", NAMES)
def test_large_enough_for_several_blocks(tmp_path, name, monkeypatch):
    monkeypatch.setattr("firth.vectors.formats.word2vec_binary._BLOCK", 1000)
    monkeypatch.setattr("firth.vectors.formats.rows._FIRST_ROOM", 1000)
    for module in ("word2vec_text", "glove"):
        monkeypatch.setattr(f"firth.vectors.formats.{module}.BLOCK", 5000)
    vectors = some([f"w{place}" for place in range(2500)])
    vectors.save(tmp_path / name)
    assert_same(Vectors.load(tmp_path / name), vectors)
    assert_same(Vectors.load(tmp_path / name, limit=1700), vectors, 1700)


@pytest.mark.parametrize("name", NAMES)
def test_limit(tmp_path, name):
    some().save(tmp_path / name)
    assert_same(Vectors.load(tmp_path / name, limit=3), some(), 3)
    assert_same(Vectors.load(tmp_path / name, limit=10**9), some())
    with pytest.raises(SettingsError, match="limit=0"):
        Vectors.load(tmp_path / name, limit=0)


@pytest.mark.parametrize("name", ["v.firth", "v.txt", "v.bin"])
def test_no_words_at_all(tmp_path, name):
    Vectors([], np.empty((0, 4))).save(tmp_path / name)
    found = Vectors.load(tmp_path / name)
    assert (len(found), found.dim) == (0, 4)


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_padded_or_turned_in_memory(tmp_path, name):
    padded = np.random.default_rng(0).normal(size=(4, 16)).astype(np.float32)
    for matrix in (padded[:, :5], padded.T[:4]):
        Vectors("abcd", matrix).save(tmp_path / name)
        np.testing.assert_array_equal(Vectors.load(tmp_path / name).matrix, matrix)


# --- gensim


@pytest.mark.parametrize("name", FILES)
def test_gensim_reads_what_we_write(tmp_path, name):
    vectors = some([word for word in WORDS if word.isprintable()])
    vectors.save(tmp_path / name)
    options = {"binary": ".bin" in name, "no_header": ".glove" in name}
    found = KeyedVectors.load_word2vec_format(tmp_path / name, **options)
    assert found.index_to_key == list(vectors)
    assert found.vectors.tobytes() == vectors.matrix.tobytes()


@pytest.mark.parametrize("options", [{"binary": True}, {"binary": False}, {"write_header": False}])
@pytest.mark.parametrize("name", ["v", "v.gz"])
def test_we_read_what_gensim_writes(tmp_path, name, options):
    vectors = some([word for word in WORDS if word.isprintable()])
    made = KeyedVectors(vectors.dim)
    made.add_vectors(list(vectors), vectors.matrix)
    made.save_word2vec_format(tmp_path / name, **options)
    assert_same(Vectors.load(tmp_path / name), vectors)
    assert_same(Vectors.load(tmp_path / name, limit=4), vectors, 4)


@pytest.mark.parametrize("name", ["v.kv", "v.model"])
def test_gensims_own_files_are_recognised(tmp_path, name):
    made = KeyedVectors(2)
    made.add_vectors(["a", "b"], np.ones((2, 2), np.float32))
    made.save(str(tmp_path / name))
    with pytest.raises(FormatError, match=r"pickle.*save_word2vec_format"):
        Vectors.load(tmp_path / name)


# --- Firth's own


def test_the_directory_keeps_everything_and_is_mapped(tmp_path):
    vectors = some()
    Vectors(vectors.words, vectors.matrix, counts=vectors.counts, info={"from": "größe"}).save(
        tmp_path / "v.firth"
    )
    found = Vectors.load(tmp_path / "v.firth")
    np.testing.assert_array_equal(found.counts, vectors.counts)
    np.testing.assert_array_equal(found.norms, vectors.norms)
    assert found.info == {"from": "größe"}
    assert found.most_similar("the") == vectors.most_similar("the")
    for array in (found.matrix, found.norms, found.counts):
        assert not array.flags.owndata
        assert not array.flags.writeable
    config = json.loads((tmp_path / "v.firth" / "config.json").read_text())
    assert (config["kind"], config["rows"], config["dim"]) == ("vectors", len(WORDS), 5)
    tensors = safetensors.numpy.load_file(tmp_path / "v.firth" / config["files"][FILE])
    np.testing.assert_array_equal(tensors["matrix"], vectors.matrix)


def test_vectors_may_be_saved_over_the_directory_that_they_are_mapped_from(tmp_path):
    some().save(tmp_path / "v.firth")
    for _ in range(2):
        Vectors.load(tmp_path / "v.firth").save(tmp_path / "v.firth")
    assert_same(Vectors.load(tmp_path / "v.firth"), some())


def test_the_vectors_of_any_saved_model_can_be_opened(tmp_path):
    tensors = partial(write_tensors, tensors=to_tensors(some()))
    more = partial(write_tensors, tensors={"output": np.ones((3, 4))})
    write_directory(tmp_path / "m.firth", {"kind": "word2vec"}, {FILE: tensors, "output.safetensors": more})
    assert_same(Vectors.load(tmp_path / "m.firth"), some())
    write_directory(tmp_path / "n.firth", {"kind": "corpus"}, {"output.safetensors": more})
    with pytest.raises(FormatError, match=r"holds no vectors, but 'corpus'"):
        Vectors.load(tmp_path / "n.firth")


@pytest.mark.skipif(sys.platform != "linux", reason="counts resident memory in Linux's unit, kilobytes")
def test_opening_and_looking_up_read_a_few_pages_only(tmp_path):
    rows, dim = 10_000_000, 1000  # 40 GB of zeros in a sparse file: no word but the empty one
    shapes = {"ends": ("U64", [rows]), "matrix": ("F32", [rows, dim]), "norms": ("F32", [rows])}
    shapes |= {"order": ("U32", [rows]), "text": ("U8", [0])}
    header, end = {}, 0
    for name, (dtype, shape) in shapes.items():
        begin, end = end, end + int(np.prod(shape)) * int(dtype[1:]) // 8
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    def write(file):
        text = json.dumps(header).encode()
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)

    write_directory(tmp_path / "v.firth", {"kind": "vectors"}, {FILE: write})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    vectors = Vectors.load(tmp_path / "v.firth")
    assert "the" not in vectors
    assert vectors[""].shape == (dim,)
    assert len(vectors) == rows
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


@pytest.mark.parametrize(
    "change",
    [
        {"matrix": None},
        {"norms": None},
        {"order": None},
        {"norms": np.ones(3, np.float32)},
        {"order": np.ones(3, np.uint32)},
        {"text": np.ones(3, np.uint8)},
        {"matrix": np.ones((12, 5))},
        {"matrix": np.ones(12, np.float32)},
        {"counts": np.ones((12, 1), np.int64)},
    ],
)
def test_arrays_that_do_not_make_vectors(tmp_path, change):
    tensors = {name: array for name, array in (to_tensors(some()) | change).items() if array is not None}
    write_directory(tmp_path / "v.firth", {}, {FILE: partial(write_tensors, tensors=tensors)})
    with pytest.raises(FormatError, match="do not make vectors"):
        Vectors.load(tmp_path / "v.firth")


# --- files as other tools write them


@pytest.mark.parametrize("newline", [b"\n", b""])
def test_both_newline_habits(tmp_path, newline):
    rows = [(b"</s>", [1, 2]), (b"", [3, 4]), (b"b", [struct.unpack("<f", b"\n\n\n\n")[0], 5])]
    found = load_text(tmp_path, binary(rows, newline=newline))
    assert list(found) == ["</s>", "", "b"]
    np.testing.assert_array_equal(found.matrix, np.array([numbers for _, numbers in rows], np.float32))


def test_text_of_word2vec_c_ends_its_lines_with_a_space(tmp_path):
    found = load_text(tmp_path, b"2 2\n</s> 0.5 -1.000000 \nthe 1e-05 2 \n")
    assert list(found) == ["</s>", "the"]
    np.testing.assert_array_equal(found.matrix, np.array([[0.5, -1], [1e-5, 2]], np.float32))


@pytest.mark.parametrize("header", [b"3 2\n", b"", b"3 2\r\n"])
def test_tabs_returns_blank_lines_and_no_newline_at_the_end(tmp_path, header):
    found = load_text(tmp_path, header + b"a\t0.5\t1\r\nb  2 3\n\nc 4 5")
    assert list(found) == ["a", "b", "c"]
    np.testing.assert_array_equal(found.matrix, [[0.5, 1], [2, 3], [4, 5]])


@pytest.mark.parametrize("header", [b"7 2\n", b""])
def test_words_with_spaces_and_none_in_text(tmp_path, header):
    lines = [
        b"the",
        b"new york",
        b". . .",
        b"route 66",
        b"",
        b"at name@domain.com",
        "a\u00a0b\u2003c".encode(),
    ]
    found = load_text(tmp_path, header + b"".join(line + b" 0.5 -1.25\n" for line in lines))
    assert list(found) == [line.decode() for line in lines]
    assert (found.matrix == [0.5, -1.25]).all()


@pytest.mark.parametrize("name", ["v.txt", "v.glove", "v.bin", "v.firth"])
@pytest.mark.parametrize("word", ["new york", "version 2.0", "a\nb", " ", "a "])
def test_words_that_a_format_cannot_hold_are_refused_and_the_old_file_stays(tmp_path, name, word):
    some().save(tmp_path / name)
    vectors = some(["the", word])
    if name == "v.firth" or (word == "new york" and name != "v.bin"):
        vectors.save(tmp_path / name)
        assert_same(Vectors.load(tmp_path / name), vectors)
    else:
        with pytest.raises(FormatError, match=r"would not be read back.*save as \.firth"):
            vectors.save(tmp_path / name)
        assert_same(Vectors.load(tmp_path / name), some())


def test_glove_refuses_words_that_hide_the_number_of_components(tmp_path):
    with pytest.raises(FormatError, match="'route 66', which end in a number"):
        some(["route 66", "windows 7"]).save(tmp_path / "v.glove")
    vectors = some(["route 66", "windows", "7"])
    vectors.save(tmp_path / "v.glove")
    assert_same(Vectors.load(tmp_path / "v.glove"), vectors)


@pytest.mark.parametrize(
    "content",
    [
        b"4 2\na 1 2\nb 3 4\na 5 6\na 7 8\n",
        b"a 1.0 2\nb 3 4\na 5 6\na 7 8\n",
        binary([(b"a", [1, 2]), (b"b", [3, 4]), (b"a", [5, 6]), (b"a", [7, 8])]),
    ],
)
def test_of_repeated_words_the_first_is_kept(tmp_path, content):
    with pytest.warns(FirthWarning, match="2 rows repeat a word, as 'a'; the first"):
        found = load_text(tmp_path, content)
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found.matrix, [[1, 2], [3, 4]])


@pytest.mark.parametrize("suffix", [".txt", ".bin", ".glove"])
def test_undecodable_words_are_written_back_byte_for_byte(tmp_path, suffix):
    row = {".bin": b"\xe9t\xff " + struct.pack("<2f", 0.5, 2) + b"\n"}.get(suffix, b"\xe9t\xff 0.5 2\n")
    content = (b"" if suffix == ".glove" else b"1 2\n") + row
    load_text(tmp_path, content).save(tmp_path / f"again{suffix}")
    assert (tmp_path / f"again{suffix}").read_bytes() == content
