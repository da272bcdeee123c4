"""What BERT learns from: pairs of spans, some of their words masked (Devlin et al. 2019, 3.1 and A.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from firth.errors import SettingsError
from firth.lm.neural.network import Batch
from firth.lm.neural.stream import Stream

MASKED = 0.15  # of all words
MARKED, REPLACED = 0.8, 0.1  # of these: [MASK] in their place, another word; the rest stay as they are
SHORT = 0.1  # share of pieces cut shorter, as tasks have short texts
APART = 0.5  # share of pairs whose second span is from elsewhere
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Marks:
    """The ids of BERT's special tokens; the defaults are those of the published uncased vocabulary."""

    pad: int = 0
    cls: int = 101
    sep: int = 102
    mask: int = 103


@dataclass(frozen=True, eq=False)
class Spans:
    """A stream in pieces that become [CLS] A [SEP] B [SEP], of `context` tokens at most.

    A piece is cut in two, at the end of a line if it holds one. Half of the time B is what follows A; else it is
    from elsewhere, and begins with a line if what follows A does. The stream's end tokens are left out. All of it
    is drawn anew each time.
    """

    stream: Stream
    context: int
    vocabulary: int
    marks: Marks

    def __post_init__(self) -> None:
        if self.context < 5:
            raise SettingsError(
                f"context={self.context} has no room for [CLS], two spans and two [SEP]; give 5 or more"
            )

    @cached_property
    def _ends(self) -> Ids:
        """How many words there are up to the end of each line."""
        return self.stream.offsets[1:] - np.arange(1, len(self.stream.offsets))

    @cached_property
    def _ordinary(self) -> Ids:
        """What another word may be."""
        marks = self.marks
        return np.setdiff1d(
            np.arange(self.vocabulary), [marks.pad, marks.cls, marks.sep, marks.mask, self.stream.end]
        )

    @property
    def _words(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __len__(self) -> int:
        return -(-self._words // (self.context - 3))

    def make(self, which: NDArray[np.int64], random: np.random.Generator) -> Batch:
        """The pieces numbered so, B of them, padded at the right.

        `ids`, `segments` (B, T) int64 and, if one is shorter, `mask` (B, T) bool, False for padding; `chosen`
        (M,), the places of the words to be predicted in the flattened ids; `words` (M,), what stood there;
        `apart` (B,), 1 where the second span does not follow the first.
        """
        pairs = [self._pair(int(piece), random) for piece in which]
        marks, width = self.marks, 3 + max(len(first) + len(second) for first, second, _ in pairs)
        ids = np.full((len(pairs), width), marks.pad, np.int64)
        segments, special = np.zeros_like(ids), np.ones(ids.shape, np.bool_)
        mask = np.zeros(ids.shape, np.bool_)
        for row, (first, second, _) in enumerate(pairs):
            middle, end = 2 + len(first), 3 + len(first) + len(second)
            ids[row, :end] = [marks.cls, *first, marks.sep, *second, marks.sep]
            segments[row, middle:end] = 1
            special[row, 1 : middle - 1] = special[row, middle : end - 1] = False
            mask[row, :end] = True
        chosen = choose(special, random)
        words = ids.flat[chosen]
        ids.flat[chosen] = self._disguised(words, random)
        found = {"ids": ids, "segments": segments, "chosen": chosen, "words": words}
        found["apart"] = np.array([apart for *_, apart in pairs], np.int64)
        batch = {name: torch.from_numpy(each) for name, each in found.items()}
        return batch if mask.all() else {**batch, "mask": torch.from_numpy(mask)}

    def _pair(self, piece: int, random: np.random.Generator) -> tuple[Ids, Ids, bool]:
        """The two spans, and whether the second is from elsewhere."""
        start = piece * (self.context - 3)
        stop = min(start + self.context - 3, self._words)
        if stop - start > 2 and random.random() < SHORT:
            stop = start + int(random.integers(2, stop - start))
        low, high = np.searchsorted(self._ends, (start, stop), side="right").tolist()
        cuts = np.unique(self._ends[low:high])
        cuts = cuts[(cuts > start) & (cuts < stop)]
        cut = int(random.choice(cuts if len(cuts) else np.arange(start + 1, max(stop, start + 2))))
        length, other = stop - cut, None
        if length and random.random() < APART:
            other = self._elsewhere(start, stop, length, len(cuts) > 0, random)
        second = self._span(cut, stop) if other is None else self._span(other, other + length)
        return self._span(start, cut), second, other is not None

    def _elsewhere(
        self, start: int, stop: int, length: int, line: bool, random: np.random.Generator
    ) -> int | None:
        """Where a span of another place begins; None if ten tries find none, as in a very short text."""
        for _ in range(10):
            at = int(random.choice(self._ends) if line else random.integers(self._words))
            at = min(at, self._words - length)
            if at + length <= start or at >= stop:
                return at
        return None

    def _span(self, start: int, stop: int) -> Ids:
        """The words from one number to another, without the ends of lines among them."""
        low, high = np.searchsorted(self._ends, (start, stop - 1), side="right").tolist()
        found = self.stream.ids[start + low : stop + high]
        return np.delete(found, self.stream.offsets[low + 1 : high + 1] - 1 - start - low).astype(np.int64)

    def _disguised(self, words: Ids, random: np.random.Generator) -> Ids:
        """What is shown in the place of words that are to be predicted."""
        die = random.random(len(words))
        others = random.choice(self._ordinary, len(words))
        return np.where(die < MARKED, self.marks.mask, np.where(die < MARKED + REPLACED, others, words))


def choose(special: NDArray[np.bool_], random: np.random.Generator) -> Ids:
    """The flat places of 15 % of each row's tokens, one at least, never special ones; `special` is (B, T)."""
    ordinary = (~special).sum(1)
    wanted = np.minimum(np.maximum(np.rint(MASKED * ordinary), 1), ordinary)
    order = np.where(special, 2.0, random.random(special.shape)).argsort(1)
    ranks = order.argsort(1)
    return np.flatnonzero(ranks < wanted[:, None])
