"""Perplexity of anything that gives the words of a text their probabilities."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firth.corpus import Corpus
from firth.evaluate.report import number_or_none
from firth.words import PackedWords


@dataclass(frozen=True)
class TokenScores:
    """What a model predicts of a text, token by token, in order; what a token is, the model says.

    `log10` is float of shape (N,): log10 P(token | all before it that the model looks at), ends of lines among
    them if it predicts those. `unknown`, bool of shape (N,), tells the tokens that the model does not know.
    """

    log10: NDArray[np.floating]
    unknown: NDArray[np.bool_]


class LanguageModel(Protocol):
    """Whatever scores texts: n-grams here, neural models of the same vocabulary beside them."""

    def token_scores(self, corpus: Corpus) -> TokenScores:
        """The probabilities of a text; raises `FirthError` where they are undefined."""


@dataclass(frozen=True)
class Perplexity:
    """10^(−mean log10 P): among so many equally likely words a model that good would have to choose.

    `perplexity` counts every token, the unknown ones with the probability of the unknown word; `known` leaves
    these out (but in the histories of others), and flatters a model that knows fewer words. NaN where there is
    nothing to count, infinite where a probability is 0. `bytes` is the size of the text, its words with one space
    or line's end behind each; `bits_per_byte`, −log2 P of all of it through that, compares models whatever their
    tokens are, as long as none is unknown.
    """

    perplexity: float
    known: float
    tokens: int
    unknown: int
    lines: int
    log10: float
    bytes: int
    bits_per_byte: float

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON, which knows neither NaN nor infinity."""
        return {
            name: number_or_none(value) if not math.isinf(value) else None for name, value in asdict(self).items()
        }

    def __str__(self) -> str:
        return (
            f"perplexity {self.perplexity:,.2f}, {self.known:,.2f} without unknown words; "
            f"{self.tokens:,} tokens in {self.lines:,} lines, {self.unknown:,} unknown; "
            f"{self.bits_per_byte:.4f} bits a byte"
        )


def perplexity(model: LanguageModel, corpus: Corpus) -> Perplexity:
    """The perplexity of a text under a model, with and without unknown words."""
    return perplexity_of(model.token_scores(corpus), lines=len(corpus.offsets) - 1, bytes=text_bytes(corpus))


def perplexity_of(scores: TokenScores, *, lines: int, bytes: int) -> Perplexity:
    """The perplexity of scores of a text of so many lines and bytes."""
    log10 = float(scores.log10.sum(dtype=np.float64))
    return Perplexity(
        perplexity=_of(scores.log10),
        known=_of(scores.log10[~scores.unknown]),
        tokens=len(scores.log10),
        unknown=int(scores.unknown.sum()),
        lines=lines,
        log10=log10,
        bytes=bytes,
        bits_per_byte=-log10 * math.log2(10) / bytes if bytes else math.nan,
    )


def text_bytes(corpus: Corpus) -> int:
    """The bytes of a text in UTF-8, its words with one space or line's end behind each."""
    ends = PackedWords.pack(corpus.vocab.words).ends.astype(np.int64)
    empty = int((corpus.offsets[1:] == corpus.offsets[:-1]).sum())
    return int(np.diff(ends, prepend=0) @ corpus.vocab.counts) + len(corpus.ids) + empty


def _of(log10: NDArray[np.floating]) -> float:
    if not len(log10):
        return math.nan
    mean = -float(log10.mean(dtype=np.float64))
    return 10**mean if mean < 300 else math.inf
