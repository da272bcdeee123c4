"""Corpora: what is read becomes what plain Python would make of it, from every source, once, by any threads."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from corpora import COMPRESS, READ, TEXT, check, run, split, texts
from hypothesis import given
from hypothesis import strategies as st

from firth._core import Ingest
from firth.corpus import UNKNOWN, Corpus, reader
from firth.corpus import corpus as corpora_module
from firth.corpus import draft as drafts
from firth.errors import CorpusError, MissingExtraError, SettingsError
from firth.vocab import Vocabulary


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat\n\non the mat", encoding="utf-8")
    return path


# ---- sources


@given(text=texts)
def test_file_sentences_and_function_agree(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("agree") / "text.txt"
    path.write_bytes(text.encode())
    expected = split(text)
    if not any(expected):
        with pytest.raises(CorpusError, match="not one word"):
            Corpus.read(path, cache=False)
        return
    check(Corpus.read(path, cache=False), expected)
    check(Corpus.read(expected), expected)
    check(Corpus.read(path, tokenizer=str.split), expected)


@pytest.mark.parametrize("kind", COMPRESS)
def test_compression_is_told_by_content(tmp_path, kind):
    path = tmp_path / "text.any"
    path.write_bytes(COMPRESS[kind](TEXT.encode()))
    check(Corpus.read(path), split(TEXT))


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst", "two.zst"])
@pytest.mark.parametrize("harm", ["cut", "spoilt"])
def test_damaged_files_are_said_and_leave_nothing(tmp_path, cache, kind, harm):
    raw = bytearray(COMPRESS[kind](TEXT.encode()))
    path = tmp_path / f"text.{kind}"
    if harm == "cut":
        del raw[-len(raw) // 3 :]
    else:
        raw[len(raw) // 2 : len(raw) // 2 + 40] = bytes(40)
    path.write_bytes(raw)
    with pytest.raises(CorpusError, match=rf"text\.{kind}: cannot be read to its end: .*anew"):
        Corpus.read(path)
    assert list(cache.iterdir()) == []


def test_zst_without_its_library_is_said(tmp_path, monkeypatch):
    path = tmp_path / "text.zst"
    path.write_bytes(COMPRESS["zst"](TEXT.encode()))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match=r"firth\[zst\]"):
        Corpus.read(path)


def test_folders_globs_and_lists(tmp_path):
    (tmp_path / "b" / ".git").mkdir(parents=True)
    for name, text in {
        "a.txt": "1 2",
        "b/c.txt": "3\n4\n",
        "b/d.log": "5",
        ".hidden": "6",
        "b/.git/x": "7",
    }.items():
        (tmp_path / name).write_text(text)
    check(Corpus.read(tmp_path), [["1", "2"], ["3"], ["4"], ["5"]])
    check(Corpus.read(f"{tmp_path}/**/*.txt"), [["1", "2"], ["3"], ["4"]])
    check(Corpus.read([tmp_path / "b" / "d.log", str(tmp_path / "a*")]), [["5"], ["1", "2"]])
    (tmp_path / "[x].txt").write_text("9")  # an existing name is no pattern
    check(Corpus.read(tmp_path / "[x].txt"), [["9"]])


@pytest.mark.parametrize("kind", ["txt", "xz"])
def test_standard_input(cache, kind):
    done = run(READ, "-", input=COMPRESS[kind](TEXT.encode()))
    assert done.returncode == 0, done.stderr
    assert b"Corpus(21,000 words" in done.stdout
    assert list(cache.iterdir()) == []
    done = run(READ, "-", input=b"ab\n\xe9")
    assert b"CorpusError: standard input:2: byte 0xe9 at column 1 is not UTF-8" in done.stderr


def test_pipes_have_a_name_and_are_read_once(tmp_path, cache):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(COMPRESS["gz"](TEXT.encode())))
    writer.start()
    check(Corpus.read(path), split(TEXT))
    writer.join()
    assert list(cache.iterdir()) == []


class Again:
    """Sentences that can be read again and again."""

    def __init__(self, sentences):
        self.sentences = sentences

    def __iter__(self):
        yield from self.sentences


def test_sentences_from_any_re_iterable():
    given = [["new york", "a\tb\n"], [], ("x",), np.array(["y", "y"]), ["caf\udce9", "中"]]
    expected = [list(map(str, sentence)) for sentence in given]
    check(Corpus.read(given), expected)
    check(Corpus.read(Again(given)), expected)
    many = [[str(i), str(i % 7)] for i in range(2_500)]
    check(Corpus.read(Again(many)), many)


class Stored:
    """Looks like a re-iterable, and is not."""

    def __init__(self):
        self.sentences = iter([["a"]])

    def __iter__(self):
        return self.sentences


@pytest.mark.parametrize(
    "make", [lambda: ([w] for w in "ab"), lambda: iter([["a"]]), lambda: map(list, "a"), Stored]
)
def test_what_can_be_read_only_once_is_refused(make):
    source = make()
    with pytest.raises(CorpusError, match=r"only once.* give a list of it, or an object whose __iter__"):
        Corpus.read(source)
    assert next(iter(source)) == ["a"]  # and is left unread


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere.txt", r"nowhere\.txt: no such file"),
        ("the cat\nsat", r"'the cat\\nsat': no such file .* lists of tokens"),
        ("nowhere/*.txt", r"nowhere/\*\.txt: no file matches"),
        (["the cat sat", "on the mat"], r"the cat sat: .*strings in a list are paths.*line\.split\(\)"),
        ([["the", "cat"], "sat"], "sentence 2: 'sat' is a string, not a list of tokens"),
        ([["the"], ["cat", 7]], "sentence 2: token 7 is not a string"),
        ([["the"], ["cat", ""]], "sentence 2: a token is empty"),
        ([["the"], ["\ud800"]], "sentence 2: token .* lone surrogate"),
        ([["the"]] * 1_500 + [None], "sentence 1501: None is not a list of tokens"),
        ([3], "sentence 1: 3 is not a list of tokens"),
        (["/dev/null", ["the"]], "stands among paths and is none"),
        ([], "the source is empty"),
        ([[], []], "not one word"),
        ("/dev/null", "/dev/null: not one word"),
        (7, "7 is neither a path nor sentences"),
    ],
)
def test_errors_say_value_cause_and_remedy(source, said):
    with pytest.raises(CorpusError, match=said) as raised:
        Corpus.read(source)
    assert "\n" not in str(raised.value)


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(CorpusError, match="this folder holds no files"):
        Corpus.read(tmp_path)


def test_settings_that_cannot_work(file):
    with pytest.raises(SettingsError, match="tokenizer='word' is not one of whitespace, words, zh"):
        Corpus.read(file, tokenizer="word")
    with pytest.raises(SettingsError, match="encoding='utf-9' is not known"):
        Corpus.read(file, encoding="utf-9")
    with pytest.raises(SettingsError, match="errors='skip' is not one of"):
        Corpus.read(file, errors="skip")
    with pytest.raises(SettingsError, match="no use for sentences"):
        Corpus.read([["a"]], tokenizer="words")


# ---- pieces, threads, tables that are full


@contextmanager
def narrow(chunk: int, memory: int) -> Iterator[None]:
    """Files are read in small chunks, on any number of threads, and words fill the memory soon."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reader, "CHUNK", chunk)
        patched.setattr(corpora_module, "SHARE", 1)
        patched.setattr(drafts, "MEMORY", memory)
        yield


TABLE = Ingest().memory  # of an empty one


@given(
    many=st.lists(texts, min_size=1, max_size=3),
    chunk=st.integers(1, 40),
    threads=st.integers(1, 3),
    memory=st.sampled_from([1, 4 * TABLE]),
)
@pytest.mark.parametrize("tokenizer", ["whitespace", "words", str.split])
def test_pieces_threads_and_memory_change_nothing(tmp_path_factory, tokenizer, many, chunk, threads, memory):
    folder = tmp_path_factory.mktemp("many")
    many[-1] += " x"  # one word at least
    for number, text in enumerate(many):
        (folder / f"{number}.txt").write_bytes(text.encode())
    with narrow(1 << 20, 1 << 30):
        whole = Corpus.read(folder, tokenizer=tokenizer, cache=False, threads=1)
    if tokenizer != "words":
        check(whole, [line for text in many for line in split(text)])
    with narrow(chunk, memory):
        pieces = Corpus.read(folder, tokenizer=tokenizer, cache=False, threads=threads)
    assert contents(pieces) == contents(whole)


def contents(corpus: Corpus) -> list[bytes]:
    words = corpus.vocab.words
    return [
        array.tobytes()
        for array in (corpus.ids, corpus.offsets, corpus.vocab.counts, words.text, words.ends, words.order)
    ]


@pytest.mark.parametrize("kind", ["txt", "gz", "xz"])
def test_many_threads_and_many_runs(tmp_path, kind):
    random = np.random.default_rng(1)
    for number in range(5):
        words = random.zipf(1.2, 20_000) % 3_000
        text = "".join(f"{word}{' ' if word % 9 else chr(10)}" for word in words)
        (tmp_path / f"{number}.txt").write_bytes(COMPRESS[kind](text.encode()))
    whole = contents(Corpus.read(tmp_path, cache=False, threads=1))
    with narrow(chunk=5_000, memory=1):
        assert contents(Corpus.read(tmp_path, cache=False, threads=7)) == whole


@given(st.integers(0, 5), st.integers(0, 300), st.integers(1, 40))
def test_the_first_of_several_bad_bytes_is_said(tmp_path_factory, file, line, chunk):
    folder = tmp_path_factory.mktemp("bad")
    for number in range(6):
        text = "".join(f"line {i}, é\n" for i in range(300)).encode().split(b"\n")
        if number >= file:
            text[line] += b" \xff"
        (folder / f"{number}.txt").write_bytes(b"\n".join(text))
    column = len(f"line {line}, é".encode()) + 2 if line < 300 else 2
    with narrow(chunk * 40, memory=1), pytest.raises(CorpusError) as raised:
        Corpus.read(folder, threads=3, cache=False)
    assert f"{file}.txt:{line + 1}: byte 0xff at column {column} " in str(raised.value)


# ---- vocabularies


def test_a_pruned_vocabulary_of_its_own_is_a_threshold(file):
    corpus = Corpus.read(file)
    assert corpus.encoded(corpus.vocab) is corpus.ids
    assert corpus.encoded(corpus.vocab.prune(min_count=2)) is corpus.ids
    assert corpus.encoded(Vocabulary.from_counts({"the": 9})) is corpus.ids


def test_another_vocabulary_is_translated():
    text = [[str(i % 1_000) for i in range(1_200_000)]]
    corpus = Corpus.read(text)
    other = Vocabulary.from_counts({"7": 5, "x": 4, "3": 1})
    ids = corpus.encoded(other)
    assert ids.dtype == np.uint32
    assert not ids.flags.writeable
    assert ids.tolist() == [{7: 0, 3: 2}.get(i % 1_000, UNKNOWN) for i in range(1_200_000)]


# ---- progress


@pytest.mark.parametrize("kind", ["txt", "xz"])
@pytest.mark.parametrize("threads", [1, 2])
def test_progress_is_in_bytes_on_disk(tmp_path, kind, threads):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(COMPRESS[kind](TEXT.encode() * 20))
    calls = []
    with narrow(chunk=1 << 16, memory=1 << 30):
        Corpus.read(
            tmp_path, threads=threads, progress=lambda *call: calls.append((call, threading.current_thread()))
        )
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    done, totals = zip(*(call for call, _ in calls), strict=True)
    assert set(totals) == {size}
    assert list(done) == sorted(done)
    assert done[-1] == size
    assert threads > 1 or len(calls) > 10
    assert {thread for _, thread in calls} == {threading.current_thread()}


def test_real_text(data):
    corpus = Corpus.read(data / "text" / "wiki-en-1m.txt")
    lines = (data / "text" / "wiki-en-1m.txt").read_text(encoding="utf-8").splitlines()
    check(corpus, [line.split() for line in lines])
