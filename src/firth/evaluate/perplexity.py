"""Perplexity of anything that gives the words of a text their probabilities."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from firth.corpus import Corpus
from firth.evaluate.report import number_or_none


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
    nothing to count, infinite where a probability is 0.
    """

    perplexity: float
    known: float
    tokens: int
    unknown: int
    lines: int
    log10: float

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON, which knows neither NaN nor infinity."""
        return {
            name: number_or_none(value) if not math.isinf(value) else None for name, value in asdict(self).items()
        }

    def __str__(self) -> str:
        return (
            f"perplexity {self.perplexity:,.2f}, {self.known:,.2f} without unknown words; "
            f"{self.tokens:,} tokens in {self.lines:,} lines, {self.unknown:,} unknown"
        )


def perplexity(model: LanguageModel, corpus: Corpus) -> Perplexity:
    """The perplexity of a text under a model, with and without unknown words."""
    scores = model.token_scores(corpus)
    return Perplexity(
        perplexity=_of(scores.log10),
        known=_of(scores.log10[~scores.unknown]),
        tokens=len(scores.log10),
        unknown=int(scores.unknown.sum()),
        lines=len(corpus.offsets) - 1,
        log10=float(scores.log10.sum(dtype=np.float64)),
    )


def _of(log10: NDArray[np.floating]) -> float:
    if not len(log10):
        return math.nan
    mean = -float(log10.mean(dtype=np.float64))
    return 10**mean if mean < 300 else math.inf
