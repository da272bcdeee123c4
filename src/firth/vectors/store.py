"""Words with a vector each, and the questions one asks of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth.errors import FormatError, SettingsError
from firth.vectors import analogies, search
from firth.vectors.analogies import Method
from firth.vectors.terms import Query, Term, check_vector, weighted
from firth.words import Words

Floats = NDArray[np.float32]


class Neighbour(NamedTuple):
    """A word and how similar it is: a cosine, or the score of the method that found it."""

    word: str
    similarity: float


class Vectors:
    """Words, in falling order of frequency, with a row of a matrix each.

    `matrix` is float32 (V, N); other numbers are converted. `counts` are int64 (V,), where known; `norms`
    are the Euclidean lengths of the rows, float32 (V,), computed when first needed if not given. `info` is
    kept with the vectors in Firth's own format: anything that JSON can hold. All arrays are shown
    read-only; whoever changes the matrix underneath makes new Vectors.

    A row of zeros has no direction: its similarity to everything is 0, and it answers no question. Neither does
    a row whose length is not finite, and a question about such a word raises `SettingsError`.

    Raises `SettingsError` where the sizes do not fit, or a word stands twice.
    """

    def __init__(
        self,
        words: Words | Iterable[str],
        matrix: ArrayLike,
        *,
        counts: ArrayLike | None = None,
        norms: ArrayLike | None = None,
        info: dict[str, Any] | None = None,
    ):
        self.words = words if isinstance(words, Words) else _distinct(words)
        self.matrix: Floats = _read_only(matrix, np.float32, "matrix", 2, len(self.words))
        self.counts: NDArray[np.int64] | None = None
        if counts is not None:
            self.counts = _read_only(counts, np.int64, "counts", 1, len(self.words))
        if norms is not None:
            self.norms = _read_only(norms, np.float32, "norms", 1, len(self.words))
        self.info = dict(info or {})

    @cached_property
    def norms(self) -> Floats:
        """The Euclidean length of each row, float32 (V,)."""
        return _read_only(search.row_norms(self.matrix), np.float32, "norms", 1, len(self))

    @property
    def dim(self) -> int:
        """The number N of components of a vector."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.words

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __repr__(self) -> str:
        return f"<Vectors: {len(self):,} words × {self.dim}>"

    def __getitem__(self, word: str | Sequence[str]) -> Floats:
        """The row of a word, read-only (N,), or the rows of several, (n, N); raises `UnknownWordError`."""
        return self.matrix[self.words.position(word) if isinstance(word, str) else self._positions(word)]

    def restrict(self, first: int) -> Vectors:
        """The `first`, most frequent words, sharing this matrix; all of them where there are fewer."""
        first = _positive("first", first)
        if first >= len(self):
            return self
        counts = None if self.counts is None else self.counts[:first]
        norms = self.norms[:first] if "norms" in self.__dict__ else None
        return Vectors(Words(self.words[:first]), self.matrix[:first], counts=counts, norms=norms, info=self.info)

    @classmethod
    def load(cls, path: str | Path, *, limit: int | None = None, format: str | None = None) -> Vectors:
        """Read vectors, only the first `limit` if that is given; the format is recognised from the content.

        Formats: "firth" (a directory, opened memory-mapped: nothing is read before it is needed), "text"
        and "binary" (word2vec's), "glove" (text without a header); the files may be compressed. Any saved
        model is a directory whose vectors can be loaded so. Raises `FormatError` for what is none of these,
        or damaged, and warns (`FirthWarning`) of words that stand twice, of which the first is kept.
        """
        from firth.vectors import formats  # which makes Vectors

        return formats.read(path, limit=limit, format=format)

    def save(self, path: str | Path, *, format: str | None = None) -> None:
        """Write the vectors; the format is told by the extension if it is not given.

        .firth is Firth's own, which alone keeps counts, norms and any word whatever; .txt and .vec are
        word2vec's text, .bin its binary, .glove is text without a header; .gz after any of these four
        compresses. Numbers are written so that they are read back to the last bit. What stood there before
        stays whole until the new is. Raises `FormatError` where the format cannot hold the words, or a vector
        is not finite.
        """
        from firth.vectors import formats

        damaged = search.not_finite(self.matrix)
        if damaged is not None:
            raise FormatError(
                f"{path}: the vector of {self.words[damaged]!r} holds NaN or infinity; nothing was written; "
                "training diverged: lower the learning rate"
            )
        formats.write(self, path, format=format)

    def most_similar(
        self,
        positive: Query,
        negative: Query = (),
        *,
        topn: int = 10,
        first: int | None = None,
        among: Iterable[str] | None = None,
    ) -> list[Neighbour]:
        """The `topn` words of highest cosine to a query, the words of the query left out.

        A query is a word, a raw vector (N,), or a list of these, each alone or as a pair with its weight;
        what stands in `negative` is subtracted. It is the weighted mean of the words' unit vectors and of
        the raw vectors as they are. Only the `first`, most frequent words answer, or those `among` a given
        set. Of equally similar words the more frequent comes first.

        Raises `UnknownWordError`, and `SettingsError` for a vector of wrong size or with NaN.
        """
        query = weighted(positive) + [(term, -weight) for term, weight in weighted(negative)]
        return self.most_similar_batch([query], topn=topn, first=first, among=among)[0]

    def most_similar_batch(
        self,
        queries: Iterable[Query],
        *,
        topn: int = 10,
        first: int | None = None,
        among: Iterable[str] | None = None,
    ) -> list[list[Neighbour]]:
        """`most_similar` for each of many queries, in one pass over the matrix.

        A query is what `most_similar` takes as `positive`; weights below 0 subtract. The rows of a matrix
        (Q, N) are Q queries.
        """
        terms = [weighted(query) for query in queries]
        unit = np.array([self._unit_mean(query) for query in terms], dtype=np.float32).reshape(-1, self.dim)
        excluded = [[self.words.position(term) for term, _ in query if isinstance(term, str)] for query in terms]
        found = search.nearest(
            self._candidates(first, among), unit, excluded=excluded, topn=_positive("topn", topn)
        )
        return self._neighbours(found)

    def analogy(
        self, a: str, b: str, c: str, *, topn: int = 10, method: Method = "3cosadd", first: int | None = None
    ) -> list[Neighbour]:
        """The words d for which a : b :: c : d; `analogy("man", "king", "woman")` should begin with queen.

        "3cosadd" maximises cos(d, b − a + c) over unit vectors (Mikolov et al. 2013c); "3cosmul" maximises
        cos(d, b) · cos(d, c) / (cos(d, a) + 0.001) with cosines shifted to (1 + cos)/2 (Levy & Goldberg 2014,
        eq. 4). The three words are left out; `first` as in `most_similar`. Raises `UnknownWordError`.
        """
        return self.analogy_batch([(a, b, c)], topn=topn, method=method, first=first)[0]

    def analogy_batch(
        self,
        questions: Iterable[Sequence[str]],
        *,
        topn: int = 10,
        method: Method = "3cosadd",
        first: int | None = None,
        spellings: Mapping[str, Iterable[str]] | None = None,
    ) -> list[list[Neighbour]]:
        """`analogy` for each of many (a, b, c), in one pass over the matrix.

        `spellings` gives for a word of the questions others that are left out with it.
        """
        asked = [tuple(question) for question in questions]
        if any(len(question) != 3 for question in asked):
            raise SettingsError("an analogy question needs three words: a, b, c of a : b :: c : ?")
        words = {word: index for index, word in enumerate(dict.fromkeys(chain.from_iterable(asked)))}
        terms = np.array([[words[word] for word in question] for question in asked], dtype=np.intp).reshape(-1, 3)
        excluded = [self._positions([word, *(spellings or {}).get(word, ())]) for word in words]
        unit = self._unit(self._positions(words))
        answers = analogies.answer(
            self._candidates(first), unit, terms, excluded=excluded, method=method, topn=_positive("topn", topn)
        )
        return self._neighbours(answers)

    def rank(self, a: str, b: str) -> int:
        """The place of `b` among the neighbours of `a`: 1 is the nearest; raises `UnknownWordError`."""
        position, other = self._positions((a, b))
        if position == other:
            raise SettingsError(f"{a!r} is not its own neighbour; give two words")
        if not search.have_direction(self.norms[other]):
            raise SettingsError(f"{b!r} has no direction, so it is nobody's neighbour; give another word")
        unit = self._unit_mean([(a, 1.0)]).astype(np.float32)
        return search.rank(self._candidates(), unit, other, excluded=position)

    def similarity(self, a: Term, b: Term) -> float:
        """The cosine of two words or raw vectors (N,)."""
        return float(self._unit_mean([(a, 1.0)]) @ self._unit_mean([(b, 1.0)]))

    def n_similarity(self, words: Sequence[Term], others: Sequence[Term]) -> float:
        """The cosine of the means of two sets of words, each word with its vector as long as it is."""
        means = [self.mean_vector(each, normalize=False) for each in (words, others)]
        return self.similarity(*means)

    def mean_vector(
        self, words: Sequence[Term], weights: Sequence[float] | None = None, *, normalize: bool = True
    ) -> Floats:
        """Σ w·v / Σ |w|, float32 (N,), over words and raw vectors; `normalize` makes the words' vectors unit.

        Raises `SettingsError` for no words, or weights that do not fit them or are all 0.
        """
        terms = weighted(words)
        if weights is not None:
            if len(weights) != len(terms):
                raise SettingsError(f"{len(weights)} weights for {len(terms)} words; give one for each")
            terms = [(term, float(weight)) for (term, _), weight in zip(terms, weights, strict=True)]
        total = sum(abs(weight) for _, weight in terms)
        if not 0 < total < np.inf:
            raise SettingsError(f"the weights of {len(terms)} words add up to {total}; give words with weights")
        return (self._sum(terms, normalize=normalize) / total).astype(np.float32)

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The word least similar to the mean of the words' unit vectors; raises `UnknownWordError`."""
        if len(words) < 3:
            raise SettingsError(f"{len(words)} words have no odd one out; give three or more")
        unit = self._unit(self._positions(words))
        return words[int(np.argmin(unit @ unit.mean(axis=0)))]

    def _positions(self, words: Iterable[str]) -> list[int]:
        return [self.words.position(word) for word in words]

    def _unit(self, positions: Sequence[int]) -> Floats:
        """The rows at positions, (n, N), of length 1, or of 0 as before."""
        norms = self.norms[positions]
        if not np.isfinite(norms).all():
            word = self.words[positions[int(np.argmin(np.isfinite(norms)))]]
            raise SettingsError(
                f"the vector of {word!r} has no finite length; training diverged: lower the learning rate"
            )
        return np.divide(self.matrix[positions], np.where(norms > 0, norms, 1)[:, None], dtype=np.float32)

    def _sum(self, terms: Sequence[tuple[Term, float]], *, normalize: bool = True) -> NDArray[np.float64]:
        """Σ w·v, (N,), in double precision."""
        total = np.zeros(self.dim)
        for term, weight in terms:
            if not isinstance(term, str):
                total += weight * check_vector(term, self.dim)
            elif normalize:
                total += weight * self._unit([self.words.position(term)])[0]
            else:
                total += weight * self[term]
        return total

    def _unit_mean(self, terms: Sequence[tuple[Term, float]]) -> NDArray[np.float64]:
        if not terms:
            raise SettingsError("the query is empty; give a word or a vector at least")
        total = self._sum(terms)
        length = np.linalg.norm(total)
        return total / length if length > 0 else total

    def _candidates(self, first: int | None = None, among: Iterable[str] | None = None) -> search.Candidates:
        """The rows that may answer: all that have a direction, of the `first` words, `among` these."""
        end = len(self) if first is None else min(_positive("first", first), len(self))
        usable = search.have_direction(self.norms[:end])
        if among is not None:
            usable &= np.isin(np.arange(end), self._positions(among))
        if usable.all():
            return search.Candidates(self.matrix[:end], self.norms[:end])
        return search.Candidates(self.matrix, self.norms, np.flatnonzero(usable))

    def _neighbours(self, found: list[list[tuple[int, float]]]) -> list[list[Neighbour]]:
        return [[Neighbour(self.words[position], score) for position, score in answer] for answer in found]


def _distinct(words: Iterable[str]) -> Words:
    listed = list(words)
    if len(set(listed)) < len(listed):
        twice = next(word for word, count in Counter(listed).items() if count > 1)
        raise SettingsError(f"{twice!r} stands twice among the words; give each word one row")
    return Words(listed)


def _read_only(values: ArrayLike, dtype: type, name: str, axes: int, rows: int) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(values, dtype=dtype)
    if array.ndim != axes or len(array) != rows:
        needed = f"({rows}, N)" if axes == 2 else f"({rows},)"
        raise SettingsError(f"{name} has shape {array.shape}, but {rows:,} words need {needed}")
    view = array.view()
    view.flags.writeable = False
    return view


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise SettingsError(f"{name}={value} must be at least 1")
    return int(value)
