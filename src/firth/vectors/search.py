"""The best rows for many questions at once, in one pass over the rows.

Rows are taken in blocks, and questions in groups within a block, so that the scores held at any time fit in
the cache and memory does not grow with the number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BLOCK = 4096  # rows scored at once
GROUP = 64  # questions answered at once within a block: 1 MB of scores
_CELLS = 1 << 22  # of a table of cosines that is kept for a whole block

Floats = NDArray[np.float32]
Positions = NDArray[np.intp]
Found = list[list[tuple[int, float]]]  # for each question the best rows: position in the matrix, score


def row_norms(matrix: Floats) -> Floats:
    """The Euclidean length of each row, summed in double precision."""
    norms = np.empty(len(matrix), dtype=np.float32)
    for begin in range(0, len(matrix), BLOCK):
        block = matrix[begin : begin + BLOCK].astype(np.float64)
        with np.errstate(over="ignore"):  # a length beyond float32 is infinite
            norms[begin : begin + BLOCK] = np.sqrt(np.einsum("ij,ij->i", block, block))
    return norms


def have_direction(norms: Floats) -> NDArray[np.bool_]:
    """Which rows can be similar to anything: those of a finite length above 0."""
    return (norms > 0) & (norms < np.inf)


def not_finite(matrix: Floats) -> int | None:
    """The first row that holds NaN or infinity, if there is one."""
    for begin in range(0, len(matrix), BLOCK):
        finite = np.isfinite(matrix[begin : begin + BLOCK]).all(axis=1)
        if not finite.all():
            return begin + int(np.argmin(finite))
    return None


@dataclass(frozen=True, eq=False)
class Candidates:
    """The rows that may answer: the whole matrix (V, N), or its rows at `positions` (rising).

    All have a direction.
    """

    matrix: Floats
    norms: Floats
    positions: Positions | None = None

    def __len__(self) -> int:
        return len(self.norms if self.positions is None else self.positions)

    def blocks(self, size: int) -> Iterator[tuple[int, Floats, Floats]]:
        """First index, rows and norms of each block."""
        for begin in range(0, len(self), size):
            part = slice(begin, begin + size)
            at = part if self.positions is None else self.positions[part]
            yield begin, self.matrix[at], self.norms[at]

    def find(self, positions: Sequence[int]) -> Positions:
        """Where positions in the matrix stand among these rows; those that do not are left out."""
        wanted = np.array(positions, dtype=np.intp)
        if self.positions is None:
            return wanted[wanted < len(self)]
        at = np.searchsorted(self.positions, wanted)
        inside = at < len(self)
        at, wanted = at[inside], wanted[inside]
        found: Positions = at[self.positions[at] == wanted]
        return found

    def position(self, index: int) -> int:
        """The position in the matrix of one of these rows."""
        return index if self.positions is None else int(self.positions[index])


def nearest(candidates: Candidates, unit: Floats, *, excluded: Sequence[Sequence[int]], topn: int) -> Found:
    """The `topn` rows of highest cosine for each unit vector of (Q, N), but those at the positions `excluded`."""
    groups = _groups(len(unit))
    barred = [_Cells(candidates, excluded[group]) for group in groups]

    def score(begin: int, rows: Floats, norms: Floats) -> Iterator[Floats]:
        for group, cells in zip(groups, barred, strict=True):
            scores = _cosines(unit[group], rows, norms)
            scores[cells.within(begin, len(rows))] = -np.inf
            yield scores

    return _search(candidates, BLOCK, score, len(unit), topn)


def combined(
    candidates: Candidates,
    unit: Floats,
    terms: Positions,
    *,
    gain: Callable[[Floats], Floats],
    cost: Callable[[Floats], Floats],
    excluded: Sequence[Sequence[int]],
    topn: int,
) -> Found:
    """The `topn` rows d of highest gain(cos(d, b)) + gain(cos(d, c)) − cost(cos(d, a)) for each question.

    A question (a, b, c) is a row of `terms` (Q, 3), indices into `unit` (D, N), each of which rules out the
    positions `excluded` for it. Cosines, gains and costs of these few vectors are computed once, however many
    questions share them; `gain` and `cost` return new arrays.
    """
    groups = _groups(len(terms))
    barred = _Cells(candidates, excluded)

    def score(begin: int, rows: Floats, norms: Floats) -> Iterator[Floats]:
        cosines = _cosines(unit, rows, norms)
        gains, costs = gain(cosines), cost(cosines)
        cells = barred.within(begin, len(rows))
        gains[cells], costs[cells] = -np.inf, np.inf
        for group in groups:
            a, b, c = terms[group].T
            scores = gains[b]
            scores += gains[c]
            scores -= costs[a]
            yield scores

    size = int(np.clip(_CELLS // max(1, len(unit)), GROUP, BLOCK))
    return _search(candidates, size, score, len(terms), topn)


def rank(candidates: Candidates, unit: Floats, position: int, excluded: int) -> int:
    """The place of the candidate at `position` in the order of `nearest`, from 1, without the one `excluded`."""
    scores = np.concatenate([_cosines(unit[None], rows, norms)[0] for _, rows, norms in candidates.blocks(BLOCK)])
    scores[candidates.find([excluded])] = -np.inf
    (index,) = candidates.find([position])
    better = np.count_nonzero(scores > scores[index])
    return int(1 + better + np.count_nonzero(scores[:index] == scores[index]))


def _cosines(unit: Floats, rows: Floats, norms: Floats) -> Floats:
    """Cosines of unit vectors (Q, N) with rows (R, N) of these norms: (Q, R)."""
    scores = unit @ rows.T
    scores /= norms
    return scores


def _groups(questions: int) -> list[slice]:
    return [slice(begin, min(begin + GROUP, questions)) for begin in range(0, questions, GROUP)]


def _search(
    candidates: Candidates,
    size: int,
    score: Callable[[int, Floats, Floats], Iterator[Floats]],
    questions: int,
    topn: int,
) -> Found:
    """The best by `score`, which gives a block's scores (GROUP, R) for one group of questions after another."""
    best = [_Best(group.stop - group.start, topn) for group in _groups(questions)]
    for begin, rows, norms in candidates.blocks(size):
        for found, scores in zip(best, score(begin, rows, norms), strict=True):
            found.offer(begin, scores)
    return [
        [(candidates.position(row), score) for row, score in answer]
        for found in best
        for answer in found.answers()
    ]


class _Cells:
    """The cells of a table of scores, (vectors, candidates), that are ruled out."""

    def __init__(self, candidates: Candidates, excluded: Sequence[Sequence[int]]):
        found = [candidates.find(positions) for positions in excluded]
        vectors = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
        rows = np.concatenate([np.empty(0, dtype=np.intp), *found])
        order = np.argsort(rows)
        self.vectors, self.rows = vectors[order], rows[order]

    def within(self, begin: int, size: int) -> tuple[Positions, Positions]:
        """The index of those cells in the part of the table with `size` candidates from `begin` on."""
        here = slice(*np.searchsorted(self.rows, (begin, begin + size)))
        return self.vectors[here], self.rows[here] - begin


class _Best:
    """The `topn` best rows so far for each of a group of questions; of equal scores the earlier row wins."""

    def __init__(self, questions: int, topn: int):
        self.questions, self.topn = questions, topn
        self.floor = np.full(questions, -np.inf, dtype=np.float32)  # what a row must exceed to get in
        self.question = self.row = np.empty(0, dtype=np.intp)  # sorted by question, falling score, row
        self.score = np.empty(0, dtype=np.float32)

    def offer(self, begin: int, scores: Floats) -> None:
        """Take in the scores (questions, rows) of the rows from `begin` on, which come in rising order."""
        hopeful = np.flatnonzero(scores.max(axis=1) > self.floor)  # after some blocks few questions gain
        if len(hopeful) == 0:
            return
        if len(hopeful) < len(scores):
            scores = scores[hopeful]
        entry, column = np.divmod(np.flatnonzero(scores > self._floor(hopeful, scores)), scores.shape[1])
        question = np.concatenate((self.question, hopeful[entry]))
        row = np.concatenate((self.row, begin + column))
        score = np.concatenate((self.score, scores[entry, column]))
        order = np.lexsort((row, -score, question))
        question = question[order]
        kept = np.arange(len(order)) - np.searchsorted(question, question) < self.topn
        self.question, self.row, self.score = question[kept], row[order[kept]], score[order[kept]]
        full = np.flatnonzero(np.bincount(self.question, minlength=self.questions) == self.topn)
        self.floor[full] = self.score[np.searchsorted(self.question, full, side="right") - 1]

    def _floor(self, questions: Positions, scores: Floats) -> Floats:
        """What these questions' scores must exceed, (questions, 1), seen that only `topn` of them can get in."""
        floor, spare = self.floor[questions], scores.shape[1] - self.topn
        if spare > 0 and np.isneginf(floor).any():
            enough = np.partition(scores, spare, axis=1)[:, spare]
            floor = np.maximum(floor, np.nextafter(enough, np.float32(-np.inf)))
        return floor[:, None]

    def answers(self) -> Iterator[list[tuple[int, float]]]:
        """Row and score of the best for each question, in order."""
        pairs = list(zip(self.row.tolist(), self.score.tolist(), strict=True))
        bounds = np.searchsorted(self.question, np.arange(self.questions + 1)).tolist()
        return (pairs[begin:end] for begin, end in pairwise(bounds))
