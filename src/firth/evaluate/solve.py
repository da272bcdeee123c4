"""The arithmetic of analogies: the best candidate for each of many questions, from few distinct cosines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firth.evaluate.candidates import Candidates

EPSILON = np.float32(1e-3)  # keeps 3CosMul's quotient finite; the paper's value
SMALLEST = np.float32(1e-7)  # a shifted cosine is not less, so that 0 is left to mark excluded words
QUESTIONS = 64  # questions scored together: with 1,024 candidates, 256 KB that stay in a core's cache
BLOCK = 1 << 22  # cosines held at once: 16 MB

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Method:
    """A score put together from cosines: gain(d, b) ∘ gain(d, c) ∘ cost(d, a), with ∘ a ufunc.

    `excluded` is below every score and absorbs under ∘: put where d is a, b or c, it rules d out.
    """

    combine: np.ufunc
    excluded: float
    gain: Callable[[Floats], Floats]
    cost: Callable[[Floats], Floats]


def _shifted(cosines: Floats) -> Floats:
    return np.maximum((1 + cosines) / 2, SMALLEST)


METHODS = {
    # cos(d, b − a + c) orders as its numerator: the length of b − a + c is the same for every d
    "3cosadd": Method(np.add, -np.inf, gain=np.positive, cost=np.negative),
    "3cosmul": Method(
        np.multiply, 0.0, gain=_shifted, cost=lambda cosines: np.reciprocal(_shifted(cosines) + EPSILON)
    ),
}


def solve(candidates: Candidates, questions: Numbers, method: Method) -> Numbers:
    """The best candidate for each question (a, b, c) (int64, Q × 3); −1 where every candidate is excluded.

    Few distinct words are asked for, so their cosines with the candidates are computed once, a block of
    candidates at a time; a question's scores are then three rows of them, combined.
    """
    asked, places = np.unique(questions, return_inverse=True)
    a, b, c = places.reshape(questions.shape).T
    units = candidates.units(asked)
    best = np.full(len(questions), method.excluded, dtype=np.float32)
    answers = np.full(len(questions), -1, dtype=np.int64)
    width = max(16, min(1024, BLOCK // len(asked)))
    for start in range(0, len(candidates), width):
        block = slice(start, start + width)
        cosines = units @ candidates.units(block).T
        gain, cost = method.gain(cosines), method.cost(cosines)
        itself = np.nonzero(asked[:, None] == candidates.forms[block])
        gain[itself] = cost[itself] = method.excluded
        for begin in range(0, len(questions), QUESTIONS):
            chunk = slice(begin, begin + QUESTIONS)
            scores = method.combine(gain[b[chunk]], gain[c[chunk]])
            method.combine(scores, cost[a[chunk]], out=scores)
            winners = scores.argmax(axis=1)  # the first of equals
            heights = scores[np.arange(len(winners)), winners]
            better = heights > best[chunk]
            best[chunk][better] = heights[better]
            answers[chunk][better] = winners[better] + start
    return answers
