"""What a query is made of: words and raw vectors, each with a weight."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from firth.errors import SettingsError

Term = str | NDArray[np.floating]  # a word, or a raw vector (N,)
Query = Term | Sequence[Term | tuple[Term, float]]


def weighted(query: Query) -> list[tuple[Term, float]]:
    """The terms of a query with their weights, 1 where none is given; raises `SettingsError` for others."""
    if isinstance(query, str) or (isinstance(query, np.ndarray) and query.ndim == 1):
        return [(query, 1.0)]
    return [_pair(item) for item in query]


def _pair(item: object) -> tuple[Term, float]:
    term, weight = item, 1.0
    if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Real):
        term, weight = item[0], float(item[1])
    if not isinstance(term, str | np.ndarray):
        raise SettingsError(f"{term!r} is neither a word nor a vector; give a str or a numpy array")
    if not np.isfinite(weight):
        raise SettingsError(f"the weight {weight} is not finite; give a number")
    return term, weight


def check_vector(vector: NDArray[np.floating], dim: int) -> NDArray[np.floating]:
    """The vector, if it can be compared with others of `dim` components; else raises `SettingsError`."""
    if vector.shape != (dim,):
        raise SettingsError(f"a vector of shape {vector.shape} cannot be compared with these, of ({dim},)")
    if not np.isfinite(vector).all():
        worst = int(np.argmin(np.isfinite(vector)))
        raise SettingsError(
            f"a vector with {vector[worst]} at place {worst} has no direction; give finite numbers"
        )
    return vector
