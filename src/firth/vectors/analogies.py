"""a : b :: c : ? by 3CosAdd and by 3CosMul, whose logarithm is a sum of three terms as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np

from firth.errors import SettingsError
from firth.vectors import search
from firth.vectors.search import Candidates, Floats, Found, Positions

Method = Literal["3cosadd", "3cosmul"]
EPSILON = 1e-3  # Levy & Goldberg's; keeps the division finite
SMALLEST = 1e-7  # what a shifted cosine is at least, so that its logarithm is finite


def answer(
    candidates: Candidates,
    unit: Floats,
    questions: Positions,
    *,
    excluded: Sequence[Sequence[int]],
    method: Method,
    topn: int,
) -> Found:
    """The best `topn` candidates for each question, with their scores.

    A question (a, b, c) is a row of `questions` (Q, 3): indices into `unit` (D, N), vectors of length 1, each
    of which rules out the positions `excluded` for it.
    """
    solve = partial(search.combined, candidates, unit, questions, excluded=excluded, topn=topn)
    if method == "3cosadd":
        found = solve(gain=np.copy, cost=np.copy)
        a, b, c = (unit[column] for column in questions.T)
        lengths = search.row_norms(b - a + c).tolist()
        return [
            [(position, score / (length or 1.0)) for position, score in best]
            for best, length in zip(found, lengths, strict=True)
        ]
    if method == "3cosmul":
        found = solve(gain=_log_shifted, cost=partial(_log_shifted, plus=EPSILON))
        return [[(position, math.exp(score)) for position, score in best] for best in found]
    raise SettingsError(f"method={method!r} is unknown; choose 3cosadd or 3cosmul")


def _log_shifted(cosines: Floats, plus: float = 0.0) -> Floats:
    """log((1 + cos) / 2 + plus)."""
    logarithms: Floats = np.log(np.maximum((1 + cosines) / 2, SMALLEST) + plus)
    return logarithms
