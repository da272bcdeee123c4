"""Both kinds of word index agree with a dict, whatever the words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.errors import UnknownWordError
from firth.words import NOWHERE, PackedWords, Words, decode, encode

any_word = st.one_of(st.text(max_size=8), st.binary(max_size=8).map(decode))
deterministic = settings(deadline=None, derandomize=True)
KINDS = [Words, PackedWords.pack]


@pytest.mark.parametrize("kind", KINDS)
@deterministic
@given(words=st.lists(any_word, unique=True), others=st.lists(any_word))
def test_agrees_with_a_dict(kind, words, others):
    index = {word: position for position, word in enumerate(words)}
    made = kind(words)
    assert len(made) == len(words)
    assert list(made) == words
    assert [made[position] for position in range(-len(words), len(words))] == words + words
    assert made[1:-1:2] == words[1:-1:2]
    for word in words + others:
        assert made.find(word) == index.get(word)
        assert (word in made) == (word in index)


@deterministic
@given(st.lists(any_word, unique=True), st.lists(any_word, unique=True))
def test_all_words_of_another_list_are_found(words, others):
    index = {word: position for position, word in enumerate(words)}
    packed, wanted = PackedWords.pack(words), PackedWords.pack(others)
    assert packed.find_all(wanted).tolist() == [index.get(word, NOWHERE) for word in others]
    assert packed.begins_with(wanted) == (words[: len(others)] == others)
    for size in range(1, len(words) + 1):
        first = packed.first(size)
        assert list(first) == words[:size]
        assert first.order.tolist() == PackedWords.pack(words[:size]).order.tolist()
        assert packed.begins_with(first)


def test_long_lists_are_read_in_blocks(monkeypatch):
    monkeypatch.setattr("firth.words._BLOCK", 7)
    words = [f"{i * i}é" for i in range(100)]
    packed = PackedWords.pack(words)
    assert list(packed) == words
    assert packed[5:93] == words[5:93]
    assert packed[93:5] == []
    assert list(packed.first(50)) == words[:50]


@pytest.mark.parametrize("kind", KINDS)
def test_positions_outside_and_other_types(kind):
    made = kind(["a", "b"])
    with pytest.raises(IndexError):
        made[2]
    assert 1 not in made
    assert "\ud800" not in made


@deterministic
@given(st.binary())
def test_any_bytes_survive(word):
    assert encode(decode(word)) == word


def test_packed_arrays_are_what_they_say():
    packed = PackedWords.pack(["ß", "a", ""])
    assert packed.text.tobytes() == "ßa".encode()
    np.testing.assert_array_equal(packed.ends, np.array([2, 3, 3], dtype=np.uint64))
    np.testing.assert_array_equal(packed.order, np.array([2, 1, 0], dtype=np.uint32))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("asked", "offered"),
    [("France", "'france'"), ("frnace", "'france'"), ("paris", "'Paris'"), ("usa", "'USA'")],
)
def test_an_unknown_word_is_told_the_nearest_spellings(kind, asked, offered):
    with pytest.raises(UnknownWordError, match=offered) as caught:
        kind(["france", "germany", "Paris", "USA"]).position(asked)
    assert repr(asked) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, KeyError)


def test_an_unknown_word_that_resembles_nothing():
    with pytest.raises(UnknownWordError, match=r"'qqqq' is not among the 1 words; it may be rarer"):
        Words(["france"]).position("qqqq")
