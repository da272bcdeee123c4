"""Words and their positions: the one index that vocabularies and vectors share.

Bytes that are not UTF-8 (GoogleNews has some) are carried as surrogate escapes, so that what was read can be
written back unchanged.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray

from firth._core import find_words, order_words
from firth.errors import UnknownWordError

NOWHERE = 0xFFFFFFFF  # the position of a word that is not there
SPELLING_CANDIDATES = 50_000  # most frequent words among which a near spelling is sought
_BLOCK = 1 << 16  # words read at a time


def encode(word: str) -> bytes:
    """The bytes of a word, as they stood in the file it came from."""
    return word.encode("utf-8", "surrogateescape")


def decode(word: bytes) -> str:
    """The word that `encode` turns back into these bytes."""
    return word.decode("utf-8", "surrogateescape")


class Words(Sequence[str]):
    """An immutable list of distinct words: position to word, and word to position."""

    def __init__(self, words: Iterable[str]):
        self._words = list(words)
        self._positions: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self._words)

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        return self._words[position]

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.find(word) is not None

    def find(self, word: str) -> int | None:
        """The position of `word`, or None."""
        if self._positions is None:
            self._positions = {word: position for position, word in enumerate(self._words)}
        return self._positions.get(word)

    def position(self, word: str) -> int:
        """The position of `word`; raises `UnknownWordError` with the nearest spellings."""
        found = self.find(word)
        if found is None:
            raise UnknownWordError(self._unknown(word))
        return found

    def _unknown(self, word: str) -> str:
        known = [case for case in (word.lower(), word.capitalize(), word.upper()) if case != word and case in self]
        known += difflib.get_close_matches(word, self[:SPELLING_CANDIDATES], n=3, cutoff=0.75)
        nearest = ", ".join(repr(near) for near in dict.fromkeys(known))
        hint = f"; did you mean {nearest}?" if nearest else "; it may be rarer than min_count"
        return f"{word!r} is not among the {len(self):,} words{hint}"


class PackedWords(Words):
    """Words in three arrays, usable straight from a mapped file: nothing is read until it is asked for.

    `text` is all words in UTF-8 one after another (uint8), `ends` the end of each in it (uint64), `order` the
    positions of the words sorted by their bytes (uint32), in which a word is found by bisection.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.uint64], order: NDArray[np.uint32]):
        self.text, self.ends, self.order = text, ends, order

    @classmethod
    def pack(cls, words: Iterable[str]) -> PackedWords:
        """The packed form of any words; of packed ones, these themselves."""
        if isinstance(words, PackedWords):
            return words
        encoded = [encode(word) for word in words]
        ends = np.cumsum(np.fromiter(map(len, encoded), dtype=np.uint64, count=len(encoded)), dtype=np.uint64)
        text = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(text, ends, order_words(text, ends))

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            start, stop, step = position.indices(len(self))
            if step == 1:
                return [decode(word) for word in self.encoded(start, stop)]
            return [decode(self._bytes(each)) for each in range(start, stop, step)]
        return decode(self._bytes(range(len(self))[position]))

    def __iter__(self) -> Iterator[str]:
        return map(decode, self.encoded())

    def encoded(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes of the words from `start` to `stop`; faster than one by one."""
        for first in range(start, len(self) if stop is None else stop, _BLOCK):
            begin = int(self.ends[first - 1]) if first else 0
            ends = self.ends[first : first + _BLOCK if stop is None else min(first + _BLOCK, stop)] - np.uint64(
                begin
            )
            text = self.text[begin : begin + int(ends[-1])].tobytes()
            for low, high in pairwise([0, *ends.tolist()]):
                yield text[low:high]

    def first(self, size: int) -> PackedWords:
        """The first `size` words."""
        blocks = (self.order[begin : begin + _BLOCK] for begin in range(0, len(self), _BLOCK))
        order = np.concatenate([block[block < size] for block in blocks])
        ends = self.ends[:size]
        return PackedWords(self.text[: int(ends[-1])], ends, order)

    def begins_with(self, words: PackedWords) -> bool:
        """Whether these words are the first ones here."""
        size = len(words)
        return (
            size <= len(self)
            and np.array_equal(words.ends, self.ends[:size])
            and np.array_equal(words.text, self.text[: len(words.text)])
        )

    def find(self, word: str) -> int | None:
        """The position of `word`, or None."""
        try:
            wanted = encode(word)
        except UnicodeEncodeError:  # half a surrogate pair stands in no bytes
            return None
        low, high = 0, len(self.order)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(int(self.order[middle])) < wanted:
                low = middle + 1
            else:
                high = middle
        found = int(self.order[low]) if low < len(self.order) else None
        return found if found is not None and self._bytes(found) == wanted else None

    def find_all(self, words: PackedWords) -> NDArray[np.uint32]:
        """The position here of each of the words, `NOWHERE` for those that are not."""
        return find_words(self.text, self.ends, self.order, words.text, words.ends, words.order)

    def _bytes(self, position: int) -> bytes:
        begin = int(self.ends[position - 1]) if position else 0
        return self.text[begin : int(self.ends[position])].tobytes()
