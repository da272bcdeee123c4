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

BLOCK = 8192  # rows scored at once
GROUP = 256  # questions answered at once within a block
_CELLS = 1 << 23  # of a score table that is kept for a whole block

Floats = NDArray[np.float32]
Positions = NDArray[np.intp]
Scorer = Callable[[slice], Floats]  # a group of questions -> their scores with a block's rows, (group, rows)


def row_norms(matrix: Floats) -> Floats:
    """The Euclidean length of each row, summed in double precision."""
    norms = np.empty(len(matrix), dtype=np.float32)
    for begin in range(0, len(matrix), BLOCK):
        block = matrix[begin : begin + BLOCK].astype(np.float64)
        with np.errstate(over="ignore"):  # a length beyond float32 is infinite, and its cosines 0
            norms[begin : begin + BLOCK] = np.sqrt(np.einsum("ij,ij->i", block, block))
    return norms


def not_finite(matrix: Floats) -> int | None:
    """The first row that holds NaN or infinity, if there is one."""
    for begin in range(0, len(matrix), BLOCK):
        finite = np.isfinite(matrix[begin : begin + BLOCK]).all(axis=1)
        if not finite.all():
            return begin + int(np.argmin(finite))
    return None


def cosines(unit: Floats, rows: Floats, norms: Floats) -> Floats:
    """Cosines of unit vectors (Q, N) with rows (R, N) of these norms: (Q, R), 0 for a row of length 0."""
    scores = unit @ rows.T
    scores /= np.where(norms > 0, norms, np.float32(1))
    return scores


@dataclass(frozen=True, eq=False)
class Candidates:
    """The rows that may answer: the whole matrix (V, N), or its rows at `positions` (rising)."""

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


class _Best:
    """The `topn` best rows so far for each of a group of questions; of equal scores the earlier row wins."""

    def __init__(self, questions: int, topn: int):
        self.questions, self.topn = questions, topn
        self.floor = np.full(questions, -np.inf, dtype=np.float32)  # what a row must exceed to get in
        self.question = self.row = np.empty(0, dtype=np.intp)  # sorted by question, falling score, row
        self.score = np.empty(0, dtype=np.float32)

    def offer(self, begin: int, scores: Floats) -> None:
        """Take in the scores (questions, rows) of the rows from `begin` on, which come in rising order."""
        floor, size = self.floor, scores.shape[1]
        if size > self.topn and np.isneginf(floor).any():
            enough = np.partition(scores, size - self.topn, axis=1)[:, size - self.topn]
            floor = np.maximum(floor, np.nextafter(enough, np.float32(-np.inf)))
        hopeful = np.flatnonzero(scores > floor[:, None])
        if len(hopeful) == 0:
            return
        question = np.concatenate((self.question, hopeful // size))
        row = np.concatenate((self.row, hopeful % size + begin))
        score = np.concatenate((self.score, scores.reshape(-1)[hopeful]))
        order = np.lexsort((row, -score, question))
        rank = np.arange(len(order)) - np.searchsorted(question[order], question[order])
        kept = order[rank < self.topn]
        self.question, self.row, self.score = question[kept], row[kept], score[kept]
        full = np.flatnonzero(np.bincount(self.question, minlength=self.questions) == self.topn)
        self.floor[full] = self.score[np.searchsorted(self.question, full, side="right") - 1]

    def answers(self) -> Iterator[list[tuple[int, float]]]:
        """Row and score of the best for each question, in order."""
        pairs = list(zip(self.row.tolist(), self.score.tolist(), strict=True))
        bounds = np.searchsorted(self.question, np.arange(self.questions + 1)).tolist()
        return (pairs[begin:end] for begin, end in pairwise(bounds))


def nearest(
    candidates: Candidates, unit: Floats, excluded: Sequence[Sequence[int]], topn: int
) -> list[list[tuple[int, float]]]:
    """The `topn` rows of highest cosine for each unit vector of (Q, N): (position in the matrix, cosine)."""

    def scorer(block: Floats, norms: Floats) -> Scorer:
        return lambda group: cosines(unit[group], block, norms)

    return _search(candidates, BLOCK, scorer, excluded, topn)


def combined(
    candidates: Candidates,
    unit: Floats,
    terms: Positions,
    combine: Callable[[Floats, Floats, Floats], Floats],
    excluded: Sequence[Sequence[int]],
    topn: int,
) -> list[list[tuple[int, float]]]:
    """The `topn` rows of highest combined cosines for each question, as (position in the matrix, score).

    A question is a row of `terms` (Q, 3), indices into `unit` (D, N). The cosines of these few vectors with a
    block are computed once, however many questions share them; `combine` makes scores of a group's three.
    """

    def scorer(block: Floats, norms: Floats) -> Scorer:
        table = cosines(unit, block, norms)
        return lambda group: combine(*(table[terms[group, place]] for place in range(3)))

    size = int(np.clip(_CELLS // max(1, len(unit)), GROUP, BLOCK))
    return _search(candidates, size, scorer, excluded, topn)


def _search(
    candidates: Candidates,
    size: int,
    scorer: Callable[[Floats, Floats], Scorer],
    excluded: Sequence[Sequence[int]],
    topn: int,
) -> list[list[tuple[int, float]]]:
    groups = [slice(begin, min(begin + GROUP, len(excluded))) for begin in range(0, len(excluded), GROUP)]
    best = [_Best(group.stop - group.start, topn) for group in groups]
    barred = [_cells(candidates, excluded[group]) for group in groups]
    for begin, block, norms in candidates.blocks(size):
        score = scorer(block, norms)
        for group, found, (question, row) in zip(groups, best, barred, strict=True):
            scores = score(group)
            here = (row >= begin) & (row < begin + len(block))
            scores[question[here], row[here] - begin] = -np.inf
            found.offer(begin, scores)
    return [
        [(candidates.position(row), score) for row, score in answer]
        for found in best
        for answer in found.answers()
    ]


def rank(candidates: Candidates, unit: Floats, position: int, excluded: int) -> int:
    """The place of the row at `position` in the order of `nearest`, from 1, without the one at `excluded`."""
    scores = np.concatenate([cosines(unit[None], block, norms)[0] for _, block, norms in candidates.blocks(BLOCK)])
    scores[excluded] = -np.inf
    better = np.count_nonzero(scores > scores[position])
    return int(1 + better + np.count_nonzero(scores[:position] == scores[position]))


def _cells(candidates: Candidates, excluded: Sequence[Sequence[int]]) -> tuple[Positions, Positions]:
    """The (question, row) pairs that may not answer, as two arrays."""
    found = [candidates.find(positions) for positions in excluded]
    questions = np.repeat(np.arange(len(found)), [len(each) for each in found])
    return questions, np.concatenate([np.empty(0, dtype=np.intp), *found])
