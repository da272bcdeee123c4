"""A fitted n-gram model: its words, its tables, and the directory that holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from firth._core import NGramModel
from firth.corpus import Corpus
from firth.errors import CorpusError, FormatError
from firth.files import read_directory, write_directory
from firth.lm.ngram.arpa import SPECIALS
from firth.lm.ngram.estimation import Tables
from firth.tensors import open_tensors, write_tensors
from firth.vocab import Vocabulary
from firth.words import PackedWords, Words

KIND = "ngram"
FILE = "ngrams.safetensors"
UNKNOWN, START, STOP = range(3)

_WORDS: dict[str, type[np.generic]] = {"text": np.uint8, "ends": np.uint64, "order": np.uint32, "counts": np.int64}


@dataclass(frozen=True)
class Fitted:
    """`words` by id, <unk>, <s> and </s> first; how often each was `seen`, int64 (V + 3,); and the tables.

    `unseen` is log10 P of any word after an unseen history (NaN: undefined) for models that do not back off, None
    for those that do. `about` is told of the estimation.
    """

    words: Words
    seen: NDArray[np.int64]
    tables: Tables
    unseen: float | None
    about: dict[str, Any]

    @cached_property
    def native(self) -> NGramModel:
        """The tables as what scores."""
        return NGramModel(
            self.tables.left,
            self.tables.begin,
            self.tables.prob,
            self.tables.backoff,
            alone=self.unseen is not None,
            unseen=0.0 if self.unseen is None else self.unseen,
        )

    def follow(self, history: tuple[int, ...]) -> NDArray[np.float32]:
        """log10 P(w | history) of every word; a history begins with <s> or anywhere."""
        found = np.empty(len(self.words), np.float32)
        self.native.follow(np.array(history, np.uint32), found)
        return found

    def save(self, path: str | Path, settings: dict[str, Any]) -> None:
        """Write a directory: config.json, and all arrays in a safetensors file."""
        packed = PackedWords.pack(self.words)
        tensors: dict[str, NDArray[Any]] = {
            "text": packed.text,
            "ends": packed.ends,
            "order": packed.order,
            "counts": self.seen,
        }
        for name, first in (("left", 2), ("begin", 1), ("prob", 1), ("backoff", 1)):
            arrays = getattr(self.tables, name)
            tensors |= {f"{name}.{k}": array for k, array in enumerate(arrays, start=first)}
        unseen = "undefined" if self.unseen is not None and math.isnan(self.unseen) else self.unseen
        config = {
            "kind": KIND,
            "settings": settings,
            "ngrams": [len(each) for each in self.tables.prob],
            "unseen": unseen,
            "about": self.about,
        }
        write_directory(path, config, {FILE: partial(write_tensors, tensors=tensors)})

    @classmethod
    def load(cls, path: str | Path) -> tuple[Fitted, dict[str, Any]]:
        """What `save` wrote, and the settings; raises `FormatError`."""
        config, files = read_directory(path)
        if config.get("kind") != KIND or FILE not in files:
            raise FormatError(f"{path}: holds {config.get('kind')!r}, not an n-gram model; use firth.load")
        found = open_tensors(files[FILE])
        try:
            order = len(config["ngrams"])
            tables = Tables(
                left=[_typed(found[f"left.{k}"], np.uint32) for k in range(2, order + 1)],
                begin=[_typed(found[f"begin.{k}"], np.uint32) for k in range(1, order)],
                prob=[_typed(found[f"prob.{k}"], np.float32) for k in range(1, order + 1)],
                backoff=[_typed(found[f"backoff.{k}"], np.float32) for k in range(1, order)],
            )
            text, ends, by_bytes, seen = (_typed(found[name], dtype) for name, dtype in _WORDS.items())
            words = Words(PackedWords(text, ends, by_bytes))
            unseen = math.nan if config["unseen"] == "undefined" else config["unseen"]
            fitted = cls(words, seen, tables, unseen, config["about"])
            if not len(words) == len(seen) == len(tables.prob[0]) or tuple(words[: STOP + 1]) != SPECIALS:
                raise ValueError("its words and tables do not belong together")
            _ = fitted.native  # looks at the arrays
            return fitted, config["settings"]
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from None


def _typed(array: NDArray[Any], dtype: type[np.generic]) -> NDArray[Any]:
    if array.ndim != 1 or array.dtype != dtype:
        raise ValueError(f"an array is {array.dtype} of shape {array.shape}")
    return array


def damaged(path: str | Path, error: Exception) -> FormatError:
    """The error for a directory that is not what was saved."""
    return FormatError(f"{path}: is no whole n-gram model ({error}); copy or save it again")


def numbered(
    corpus: Corpus, vocab: Vocabulary, unknown: Literal["unseen", "word"]
) -> tuple[Words, NDArray[np.uint32], NDArray[np.int64]]:
    """The model's words; for each word of the corpus its id; and how often each id occurs.

    Words of the corpus that the vocabulary lacks get ids beyond those of the model, or are all <unk> ("word").
    Raises `CorpusError` for a text that holds <s> or </s>.
    """
    own = corpus.vocab
    for name in SPECIALS[1:]:
        if own.words.find(name) is not None:
            raise CorpusError(
                f"the text holds the word {name!r}, which every line is given of itself; take it out of the text"
            )
    prefix = vocab is own or (len(vocab) <= len(own) and vocab.words[:] == own.words[: len(vocab)])
    words = [word for word in vocab.words if word not in SPECIALS]
    if prefix and len(words) == len(vocab):
        table = np.arange(len(own), dtype=np.int64) + STOP + 1
        foreign = np.arange(len(own)) >= len(vocab)
    else:
        ids = {word: id for id, word in enumerate(words, start=STOP + 1)}
        table = np.array([ids.get(word, -1) for word in own.words], dtype=np.int64)
        foreign = table < 0
    kept = len(words) + STOP + 1
    table[foreign] = UNKNOWN if unknown == "word" else kept + np.arange(int(foreign.sum()))
    occurrences = np.zeros(max(kept, int(table.max()) + 1), np.int64)
    np.add.at(occurrences, table, own.counts)
    occurrences[STOP] = len(corpus.offsets) - 1
    return Words([*SPECIALS, *words]), table.astype(np.uint32), occurrences
