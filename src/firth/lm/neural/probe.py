"""A layer of a language model as `firth.evaluate` asks it: texts and words as frozen vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from firth.lm.neural.embedding import Floats, Layer, Pool
from firth.lm.neural.model import Neural

_MARKS = 2  # tokens around a text at most
_LIMITED = ("gpt", "gpt2", "bert")  # kinds that have places for so many tokens only


@dataclass(frozen=True)
class AtLayer:
    """What one layer of a model gives, for `evaluate.classify` and `evaluate.polysemy`.

    `layer` and `pool` are those of `Neural.embed`. A text that is longer than the model's context is embedded in
    stretches of whole words, which count by their tokens.
    """

    model: Neural
    layer: Layer = "top"
    pool: Pool = "mean"

    def embed(self, texts: Sequence[str], /) -> Floats:
        """A row for each text, float32 (n, D)."""
        tokens = self.model.tokens
        parts = [list(self._stretches(text)) for text in texts]
        every = [stretch for stretches in parts for stretch in stretches]
        rows = self.model.embed(every, layer=self.layer, pool=self.pool)
        sizes = np.array([len(tokens.encode(stretch)) for stretch in every], np.float32)
        begins = np.cumsum([0, *map(len, parts[:-1])])
        sums: Floats = np.add.reduceat(rows * sizes[:, None], begins)
        return np.divide(sums, np.add.reduceat(sizes, begins)[:, None], dtype=np.float32)

    def embed_words(self, sentences: Sequence[Sequence[str]], /) -> list[Floats]:
        """For each sentence of W words an array (W, D); of a word in pieces the mean."""
        return self.model.embed_words(sentences, layer=self.layer)

    def _stretches(self, text: str) -> Iterator[str]:
        """The text, or its halves, or theirs."""
        words = text.split()
        fits = len(self.model.tokens.encode(text)) + _MARKS <= self.model.network.config.context
        if fits or len(words) < 2 or self.model.kind not in _LIMITED:
            yield text
            return
        yield from self._stretches(" ".join(words[: len(words) // 2]))
        yield from self._stretches(" ".join(words[len(words) // 2 :]))


def layers_of(model: Neural) -> range:
    """The numbers of a model's layers, 0 being the embeddings."""
    return range(getattr(model.network.config, "layers", 1) + 1)
