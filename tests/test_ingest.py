"""The native reader: any text, in any pieces, is what plain Python makes of it."""

import sys
import threading
from itertools import pairwise

import pytest
from corpora import cut, split, texts
from hypothesis import example, given
from hypothesis import strategies as st

from firth._core import Ingest, InvalidByte


def fed(*texts: list[bytes]) -> list[list[str]]:
    """What the native reader makes of texts given in pieces."""
    ingest = Ingest()
    pieces = [piece for chunks in texts for piece in (*map(ingest.feed, chunks), ingest.end_text())]
    text, ends, order, counts, ranks = ingest.vocabulary()
    bounds = [0, *ends.tolist()]
    words = [bytes(text[a:b]) for a, b in pairwise(bounds)]
    assert [words[i] for i in order] == sorted(words)
    ids = [words[ranks[i]].decode() for encoded, _ in pieces for i in encoded]
    assert counts.sum() == len(ids)
    stops = [0, *(stop for _, sentence_ends in pieces for stop in sentence_ends.tolist())]
    assert stops[-1] == len(ids)
    return [ids[a:b] for a, b in pairwise(stops)]


@given(texts, st.lists(st.integers(0, 10_000), max_size=30))
@example("\ufeff\ufeffa b\n\ufeffc", [1, 2, 4])
def test_any_text_in_any_pieces_is_what_python_makes_of_it(text, at):
    assert fed(cut(text.encode(), at)) == split(text)


@given(st.lists(texts, max_size=4))
def test_texts_are_joined_as_separate_ones(many):
    assert fed(*([text.encode()] for text in many)) == [line for text in many for line in split(text)]


def test_white_space_is_that_of_str_split():
    # All of the basic plane; above it is none, of which a sample is enough.
    codes = [*range(0xD800), *range(0xE000, 0x11000), *range(0x11000, sys.maxunicode + 1, 101)]
    text = "".join(f"a{chr(code)}b\n" for code in codes if code != ord("\n"))
    assert fed([text.encode()]) == split(text)


@given(
    st.binary(max_size=40),
    st.sampled_from([b"", b"ab c\nd ", "ü\n中 ".encode()]),
    st.lists(st.integers(0, 99)),
)
@example(b"\xed\xa0\x80", b"", [])  # a surrogate
@example(b"\xc0\xaf", b"a\n", [])  # overlong
@example(b"\xe0\x80", b"", [1])
@example(b"\xf4\x90\x80\x80", b"", [])  # beyond Unicode
def test_invalid_bytes_are_found_where_python_finds_them(raw, before, at):
    raw = before + raw
    try:
        expected = split(raw.decode())
    except UnicodeDecodeError as error:
        good = raw[: error.start].removeprefix(b"\xef\xbb\xbf")
        place = (good.count(b"\n") + 1, len(good) - good.rfind(b"\n"), raw[error.start])
        with pytest.raises(InvalidByte) as raised:
            fed(cut(raw, at))
        assert raised.value.args == place
    else:
        assert fed(cut(raw, at)) == expected


def test_the_table_grows_and_keeps_every_word():
    words = [f"{i}:{'x' * (i % 23)}" for i in range(200_000)]
    assert fed([" ".join(words + words[::-1]).encode()]) == [words + words[::-1]]


def test_threads_may_read_side_by_side():
    text = " ".join(str(i % 5_000) for i in range(200_000)).encode()
    found = []
    threads = [threading.Thread(target=lambda: found.append(fed([text]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[text.decode().split()]] * 2
