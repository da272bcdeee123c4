"""a : b :: c : ? for many questions at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from firth.errors import SettingsError
from firth.vectors import search
from firth.vectors.search import Floats

Method = Literal["3cosadd", "3cosmul"]
EPSILON = np.float32(0.001)  # Levy & Goldberg 2014, §3: keeps the division finite


def answer(
    candidates: search.Candidates,
    unit: Callable[[Sequence[int]], Floats],
    questions: Sequence[Sequence[int]],
    method: Method,
    topn: int,
) -> list[list[tuple[int, float]]]:
    """For each question, three positions, the best `topn` other rows with their scores.

    `unit` gives the rows at positions, (n, N), scaled to length 1.
    """
    if any(len(question) != 3 for question in questions):
        raise SettingsError("an analogy question needs three words: a, b, c of a : b :: c : ?")
    if method not in _METHODS:
        raise SettingsError(f"method={method!r} is unknown; choose 3cosadd or 3cosmul")
    distinct, places = np.unique(np.array(questions, dtype=np.intp), return_inverse=True)
    terms = places.reshape(-1, 3)
    vectors = unit(distinct.tolist())
    found = search.combined(candidates, vectors, terms, _METHODS[method], questions, topn)
    if method == "3cosmul":
        return found
    a, b, c = (vectors[terms[:, place]] for place in range(3))
    lengths = search.row_norms(b - a + c).tolist()
    return [
        [(position, score / (length or 1.0)) for position, score in best]
        for best, length in zip(found, lengths, strict=True)
    ]


def _add(a: Floats, b: Floats, c: Floats) -> Floats:
    """cos(d, b) − cos(d, a) + cos(d, c), which is |b − a + c| · cos(d, b − a + c)."""
    b -= a
    b += c
    return b


def _multiply(a: Floats, b: Floats, c: Floats) -> Floats:
    """s(b) · s(c) / (s(a) + ε) with s = (1 + cos)/2: Levy & Goldberg 2014, eq. 4."""
    for cosine in (a, b, c):
        cosine += 1
        cosine /= 2
    b *= c
    a += EPSILON
    b /= a
    return b


_METHODS = {"3cosadd": _add, "3cosmul": _multiply}
