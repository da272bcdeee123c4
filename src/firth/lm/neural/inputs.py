"""How the texts of a task stand before a network: as the paper of its kind has them.

    gpt, gpt2   <start> a <extract>      <start> a <delimiter> b <extract>        (Radford et al. 2018, figure 1)
    bert        [CLS] a [SEP]            [CLS] a [SEP] b [SEP], segments 0 and 1  (Devlin et al. 2019, figure 4)
    elmo        </s> a </s>              the two by themselves

<start>, <delimiter> and <extract> are new tokens, which a task adds to a causal network's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from firth.errors import SettingsError
from firth.lm.neural.examples import Example, TaskName
from firth.lm.neural.network import Batch
from firth.lm.neural.tokens import Tokens

NONE = -100  # the target of what is not to be learnt

NEW = 3  # tokens that a causal network gets for a task: <start>, <delimiter>, <extract>

_UNITS = re.compile(r"\w+|[^\w\s]")  # where answers may begin and end


@dataclass(frozen=True)
class Layout:
    """How a kind of network takes texts.

    `begin`, `between` and `end` are the tokens around one or two texts, `context` the tokens that it sees at most,
    None for any number. `apart`: two texts are read by themselves. `turned`: their similarity is asked in both
    orders. `last`: of a word's pieces the last one stands for it, which alone has seen all of it, else the first.
    """

    begin: int
    between: int
    end: int
    context: int | None
    apart: bool = False
    turned: bool = False
    last: bool = False

    def room(self, texts: int) -> int:
        """The pieces that so many texts may have together."""
        return 1 << 30 if self.context is None else self.context - texts - 1

    @classmethod
    def of(cls, kind: str, config: Any, tokens: Tokens) -> Layout:
        """That of a kind of network; the last tokens of a causal one are those of `with_new_tokens`."""
        if kind == "elmo":
            return cls(tokens.end, tokens.end, tokens.end, None, apart=True)
        if kind == "bert":
            assert tokens.cls is not None and tokens.sep is not None
            return cls(tokens.cls, tokens.sep, tokens.sep, config.context)
        start, delimiter, extract = range(config.vocabulary - NEW, config.vocabulary)
        return cls(start, delimiter, extract, config.context, turned=True, last=True)


@dataclass(frozen=True)
class Input:
    """A row for a network: ids (T,), segments (T,), and where the words stand that a task asks for, (W,)."""

    ids: list[int]
    segments: list[int]
    places: list[int]


@dataclass(frozen=True)
class Encoded:
    """An example before a network: its candidates, each of one input or two.

    Candidates are the choices, or the stretches of a text that is too long for the context. `cut` tells that texts
    lost their ends for want of room. For span, `windows` are the first piece of the context in each candidate, and
    `spots` where in the context, in characters, the word stands that a piece is of.
    """

    example: Example
    candidates: list[list[Input]]
    cut: bool = False
    windows: list[int] = field(default_factory=list)
    spots: list[tuple[int, int]] = field(default_factory=list)


def encode(example: Example, task: TaskName, tokens: Tokens, layout: Layout) -> Encoded:
    """An example as a network takes it; raises `SettingsError` where the context has no room for it."""
    if task == "tag":
        return Encoded(example, [[each] for each in _stretches(example.texts, tokens, layout)])
    if task == "span":
        return _windows(example, tokens, layout)
    first, *others = (tokens.encode(text) for text in example.texts)
    groups = [[first, other] for other in others] if task == "choice" else [[first, *others]]
    fitted = [_fitted(group, layout.room(len(group))) for group in groups]
    candidates = [_inputs(group, layout, turned=layout.turned and task == "similarity") for group in fitted]
    return Encoded(example, candidates, cut=fitted != groups)


def _join(layout: Layout, *texts: Sequence[int], places: Sequence[int] = ()) -> Input:
    """One or two texts as a row; `places` are counted within the last."""
    *before, last = texts
    ids = [layout.begin]
    for each in before:
        ids += [*each, layout.between]
    begins = len(ids)
    ids += [*last, layout.end]
    segments = [0] * begins + [1 if before else 0] * (len(ids) - begins)
    return Input(ids, segments, [begins + place for place in places])


def _inputs(texts: Sequence[Sequence[int]], layout: Layout, *, turned: bool) -> list[Input]:
    if layout.apart:
        return [_join(layout, each) for each in texts]
    return [_join(layout, *texts), *([_join(layout, *reversed(texts))] if turned else [])]


def _fitted(texts: list[list[int]], room: int) -> list[list[int]]:
    """Texts that lose their ends, the longest first, until they have the room."""
    lengths = [len(each) for each in texts]
    while sum(lengths) > room:
        lengths[lengths.index(max(lengths))] -= 1
    return [text[:length] for text, length in zip(texts, lengths, strict=True)]


def _pieces(words: Sequence[str], tokens: Tokens, spaced: Sequence[bool]) -> list[list[int]]:
    """The pieces of each word, one at least; `spaced` tells which have white space before them."""
    nothing = tokens.pad if tokens.unknown is None else tokens.unknown
    written = [f" {word}" if space else word for word, space in zip(words, spaced, strict=True)]
    return [found or [nothing] for found in tokens.encode_all(written)]


def word_pieces(words: Sequence[str], tokens: Tokens) -> list[list[int]]:
    """The pieces of each word of a sentence, one at least."""
    return _pieces(words, tokens, [place > 0 for place in range(len(words))])


def _stretches(words: Sequence[str], tokens: Tokens, layout: Layout) -> Iterator[Input]:
    """A sentence in as few rows as it fits, each of whole words and with a place for each."""
    room = layout.room(1)
    stretch: list[list[int]] = []
    for pieces in word_pieces(words, tokens):
        pieces = pieces[:room]
        if sum(map(len, stretch)) + len(pieces) > room:
            yield _sentence(stretch, layout)
            stretch = []
        stretch.append(pieces)
    yield _sentence(stretch, layout)


def _sentence(words: list[list[int]], layout: Layout) -> Input:
    ends = list(accumulate(map(len, words)))
    places = [end - 1 if layout.last else end - len(word) for end, word in zip(ends, words, strict=True)]
    return _join(layout, [id for word in words for id in word], places=places)


def _windows(example: Example, tokens: Tokens, layout: Layout) -> Encoded:
    """A question beside each window of its context, half of which overlaps with the one before.

    The places are those of the context's pieces, and before them 0, which stands for no answer.
    """
    question, context = example.texts
    room = layout.room(2)
    if room < 8:
        raise SettingsError(f"a context of {layout.context} tokens has no room for answers; take a larger model")
    asked = tokens.encode(question)
    short = asked[: room // 2]
    spots, ids = [], []
    found = list(_UNITS.finditer(context))
    spaced = [match.start() > 0 and context[match.start() - 1].isspace() for match in found]
    for match, pieces in zip(found, _pieces([match[0] for match in found], tokens, spaced), strict=True):
        ids += pieces
        spots += [match.span()] * len(pieces)
    width = room - len(short)
    windows = list(range(0, max(len(ids) - width // 2, 1), max(width // 2, 1))) if len(ids) > width else [0]
    candidates = []
    for begin in windows:
        part = ids[begin : begin + width]
        places = range(len(part))
        row = _join(layout, part, places=places) if layout.apart else _join(layout, short, part, places=places)
        row = Input(row.ids, row.segments, [0, *row.places])
        candidates.append([_join(layout, short), row] if layout.apart else [row])
    return Encoded(example, candidates, cut=len(short) < len(asked), windows=windows, spots=spots)


@dataclass(frozen=True)
class Examples:
    """Encoded examples to be learnt, by the numbers that they should lead to."""

    encoded: Sequence[Encoded]
    targets: Sequence[list[Any]]
    pad: int

    def __len__(self) -> int:
        return len(self.encoded)

    def make(self, which: NDArray[np.int64], random: np.random.Generator) -> Batch:
        """The examples numbered so, as `batch_of` has them, and `targets`."""
        batch = batch_of([self.encoded[at] for at in which], self.pad)
        rows = [row for at in which for row in self.targets[at]]
        if isinstance(rows[0], list):
            filled = [torch.tensor(row) for row in rows]
            return {**batch, "targets": pad_sequence(filled, True, NONE)}
        return {**batch, "targets": torch.tensor(rows)}


def batch_of(encoded: Sequence[Encoded], pad: int) -> Batch:
    """Examples as tensors, filled up on the right; C candidates of S inputs in all.

    `ids`, `segments` int64 and `mask` bool (C·S, T); `counts` int64 (B,), the candidates of each; `places` int64
    (C, W), those of words in each candidate's last input, and `words` bool (C, W), which of them there are.
    """
    candidates = [inputs for each in encoded for inputs in each.candidates]
    rows = [row for inputs in candidates for row in inputs]

    def filled(values: Iterable[list[int]], value: int = 0) -> Tensor:
        return pad_sequence([torch.tensor(each, dtype=torch.int64) for each in values], True, value)

    return {
        "ids": filled((row.ids for row in rows), pad),
        "segments": filled(row.segments for row in rows),
        "mask": filled([1] * len(row.ids) for row in rows).bool(),
        "counts": torch.tensor([len(each.candidates) for each in encoded]),
        "places": filled(inputs[-1].places for inputs in candidates),
        "words": filled([1] * len(inputs[-1].places) for inputs in candidates).bool(),
    }
