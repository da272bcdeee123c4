"""The neural probabilistic language model (Bengio et al. 2003): the last n − 1 words, side by side, tell the next.

x = (C(w_{t−1}), …, C(w_{t−n+1}))        their vectors, the rows of C
y = b + W x + U tanh(d + H x)            W, the direct connections, is optional
P(w_t | w_{t−1}, …) = softmax(y)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from firth.errors import SettingsError
from firth.lm.neural.network import Batch, Loss
from firth.lm.neural.stream import Stream
from firth.lm.neural.tokens import Tokens
from firth.settings import real, whole


@dataclass(frozen=True)
class Config:
    """The sizes of the network; `end`, the id of </s>, is what stands before a text."""

    vocabulary: int
    order: int = field(default=6, metadata={"help": "words in an n-gram: the last N − 1 tell the next"})
    dims: int = field(default=128, metadata={"help": "numbers in a word's vector"})
    layer: int = field(default=256, metadata={"help": "tanh units"})
    direct: bool = field(default=False, metadata={"help": "connect the vectors with the output directly, too"})
    dropout: float = field(default=0.25, metadata={"help": "share of vectors' numbers and units left out"})
    end: int = 1

    def __post_init__(self) -> None:
        for name, low in (("vocabulary", 2), ("order", 2), ("dims", 1), ("layer", 1), ("end", 0)):
            object.__setattr__(self, name, whole(name, getattr(self, name), low))
        if not 0 <= real("dropout", self.dropout) < 1:
            raise SettingsError(f"dropout={self.dropout} must be at least 0 and below 1; 0.25 is customary")

    @property
    def context(self) -> int:
        """The words that are read at a time. Any number would do, as no more than order − 1 are looked at."""
        return max(512, 2 * self.order)


SIZES: dict[str, dict[str, Any]] = {
    "tiny": {},
    "small": {"dims": 256, "layer": 512},
    "paper": {"dims": 60, "layer": 50, "direct": True, "dropout": 0.0},
}
TOKENS = ("words", "bytes", "bpe", "wordpiece")
LEARNING: dict[str, Any] = {"epochs": 8, "batch": 512, "learning_rate": 1e-3, "weight_decay": 0.01}


def create(config: Config, tokens: Tokens) -> NNLM:
    """A network that begins with each word's share of the text as its probability, where the tokens know it."""
    network = NNLM(replace(config, end=tokens.end))
    if tokens.counts is not None:
        shares = torch.from_numpy((tokens.counts + 1) / (tokens.counts + 1).sum())
        network.output.bias.data.copy_(shares.log())
    return network


class NNLM(nn.Module):
    """B texts, T words, n − 1 words before each, m numbers a vector, h units, V words."""

    causal = True

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        wide = (config.order - 1) * config.dims
        self.vectors = nn.Embedding(config.vocabulary, config.dims)  # C
        self.inner = nn.Linear(wide, config.layer)  # H and d
        self.output = nn.Linear(config.layer + wide * config.direct, config.vocabulary)  # U, W behind it, and b
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.vectors.weight, std=0.1)
        nn.init.xavier_uniform_(self.inner.weight)
        nn.init.zeros_(self.inner.bias)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    @property
    def embeddings(self) -> Tensor:
        """C, shape (V, m)."""
        return self.vectors.weight

    def hidden(
        self, ids: Tensor, *, mask: Tensor | None = None, segments: Tensor | None = None, cache: Any = None
    ) -> list[Tensor]:
        """The vector of each word (B, T, m), and the units above it and those before it (B, T, h)."""
        if mask is not None:
            ids = ids.masked_fill(~mask, self.config.end)
        last = self.config.order - 1
        found = self.vectors(F.pad(ids, (last - 1, 0), value=self.config.end))  # (B, n − 2 + T, m)
        windows = found.unfold(1, last, 1).transpose(2, 3).flatten(2)  # (B, T, (n − 1)·m)
        return [found[:, last - 1 :], self._above(windows)]

    def _above(self, x: Tensor) -> Tensor:
        x = self.dropout(x)
        units = self.dropout(torch.tanh(self.inner(x)))
        return torch.cat([units, x], -1) if self.config.direct else units

    def logits(self, top: Tensor) -> Tensor:
        """y."""
        found: Tensor = self.output(top)
        return found

    def loss(self, batch: Batch) -> Loss:
        """The mean of −log P(w | n − 1 words before it), `ids` (B, n) being those and w."""
        ids = batch["ids"]
        y = self.logits(self._above(self.vectors(ids[:, :-1]).flatten(1)))
        nll = F.cross_entropy(y, ids[:, -1])
        return Loss(total=nll, nll=nll.detach(), predicted=len(ids))

    def batches(self, stream: Stream) -> Windows:
        """Each word with those before it."""
        return Windows(stream, self.config.order)


class Windows:
    """The n-grams of a text, one ending at each of its words; ends of lines stand before it."""

    def __init__(self, stream: Stream, order: int):
        self.stream, self.back = stream, np.arange(1 - order, 1)

    def __len__(self) -> int:
        return len(self.stream)

    def make(self, which: NDArray[np.int64], random: np.random.Generator) -> Batch:
        """`ids`, int64 of shape (B, n)."""
        at = which[:, None] + self.back
        ids = self.stream.ids[np.maximum(at, 0)].astype(np.int64)
        return {"ids": torch.from_numpy(np.where(at < 0, self.stream.end, ids))}
