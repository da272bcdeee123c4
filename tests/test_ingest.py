"""The native reader: any text, in pieces, is what plain Python makes of it."""

import re
import sys
import threading
from itertools import pairwise

import numpy as np
import pytest
from corpora import cut, split, texts
from hypothesis import example, given
from hypothesis import strategies as st

from firth._core import Ingest, InvalidByte, renumber


def fed(*pieces: bytes) -> list[list[str]]:
    """The lines that the native reader makes of a text given in pieces, which end in white space."""
    ingest = Ingest()
    encoded = [ingest.add_text(piece) for piece in pieces]
    text, ends, counts, own_ids = ingest.drain()
    sorted_words = [bytes(text[a:b]) for a, b in pairwise([0, *ends.tolist()])]
    assert sorted_words == sorted(set(sorted_words))
    words = {own_id: word.decode() for own_id, word in zip(own_ids.tolist(), sorted_words, strict=True)}
    assert sorted(words) == list(range(len(words)))
    ids = [own_id for piece, _ in encoded for own_id in piece.tolist()]
    assert (
        counts.tolist() == [ids.count(own_id) for own_id in own_ids]
        if len(ids) < 1_000
        else counts.sum() == len(ids)
    )
    lines = [[]]
    for piece, ends in encoded:
        for a, b in pairwise([0, *ends.tolist()]):
            lines[-1] += [words[own_id] for own_id in piece[a:b].tolist()]
            lines.append([])
        lines[-1] += [words[own_id] for own_id in piece[int(ends[-1]) if len(ends) else 0 :].tolist()]
    assert lines.pop() == []
    return lines


@given(texts, st.sets(st.integers(0, 60)))
def test_any_text_in_pieces_is_what_python_makes_of_it(text, at):
    text = f"x{text}\n"  # a byte order mark at the beginning is no word, but that is not decided here
    spaces = [match.end() for match in re.finditer(rb"[ \n]", text.encode())]
    assert fed(*cut(text.encode(), [end for number, end in enumerate(spaces) if number in at])) == split(text)


def test_ids_begin_anew_when_the_words_are_taken_away():
    ingest = Ingest()
    before = ingest.memory
    assert ingest.add_text(b"a b a ")[0].tolist() == [0, 1, 0]
    ingest.add_text("".join(f"{i} " for i in range(100_000)).encode())
    assert ingest.memory > before + 1_000_000
    ingest.drain()
    assert ingest.memory == before
    assert ingest.add_text(b"c a\n")[0].tolist() == [0, 1]
    text, ends, counts, own_ids = ingest.drain()
    assert (text.tobytes(), ends.tolist(), counts.tolist(), own_ids.tolist()) == (b"ac", [1, 2], [1, 1], [1, 0])


def test_white_space_is_that_of_str_split():
    # All of the basic plane; above it is none, of which a sample is enough.
    codes = [*range(0xD800), *range(0xE000, 0x11000), *range(0x11000, sys.maxunicode + 1, 101)]
    text = "".join(f"a{chr(code)}b\n" for code in codes if code != ord("\n"))
    assert fed(text.encode()) == split(text)


@given(st.binary(max_size=40), st.sampled_from([b"", b"ab c\nd ", "ü\n中 ".encode()]))
@example(b"\xed\xa0\x80", b"")  # a surrogate
@example(b"\xc0\xaf", b"a\n")  # overlong
@example(b"\xe0\x80", b"")
@example(b"\xf4\x90\x80\x80", b"")  # beyond Unicode
def test_invalid_bytes_are_found_where_python_finds_them(raw, before):
    raw = before + raw + b"\n"
    try:
        expected = split("x" + raw.decode())
    except UnicodeDecodeError as error:
        good = raw[: error.start]
        place = (good.count(b"\n") + 1, len(good) - good.rfind(b"\n"), raw[error.start])
        with pytest.raises(InvalidByte) as raised:
            fed(raw)
        assert raised.value.args == place
    else:
        assert fed(b"x" + raw) == expected


def test_the_table_grows_and_keeps_every_word():
    words = [f"{i}:{'x' * (i % 23)}" for i in range(200_000)]
    assert fed(" ".join(words + words[::-1]).encode() + b"\n") == [words + words[::-1]]


def test_threads_may_read_side_by_side():
    text = " ".join(str(i % 5_000) for i in range(200_000)).encode() + b"\n"
    found = []
    threads = [threading.Thread(target=lambda: found.append(fed(text))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[text.decode().split()]] * 2


def test_ids_without_an_entry_are_refused_and_the_others_left_as_they_were():
    table = np.array([5, 0, 7], dtype=np.uint32)
    ids = np.array([2, 0, 1, 2], dtype=np.uint32)
    renumber(ids, table)
    assert ids.tolist() == [7, 5, 0, 7]
    with pytest.raises(ValueError, match="an id has no entry in the table"):
        renumber(ids := np.array([2, 3, 0], dtype=np.uint32), table)
    assert ids.tolist() == [2, 3, 0]
    renumber(np.empty(0, dtype=np.uint32), table[:0])
