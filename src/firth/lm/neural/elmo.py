"""ELMo (Peters et al. 2018): words spelled by a character CNN, read by LSTMs in both directions.

    x_k = projection(highways(max over windows(CNN(characters of word k))))
    →h_k,j = LSTM_j(→h_k,j−1 before and at k) + →h_k,j−1 for j > 1, ←h likewise from the other end, →h_k,0 = x_k
    P(t_k+1 | t_1 … t_k) = softmax(W →h_k,L + b),   P(t_k−1 | t_N … t_k) = softmax(W ←h_k,L + b), the same W and b

A token has L + 1 vectors [→h_k,j; ←h_k,j], the first one [x_k; x_k]. The LSTMs' weights are each direction's own,
x and the softmax are shared. Unlike in the original, cells and projections are not clipped (the training loop
clips gradients), and a chunk's states begin at zero: none is carried from batch to batch.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from firth.errors import SettingsError
from firth.lm.neural.causal import Chunks
from firth.lm.neural.network import Batch, Loss
from firth.lm.neural.softmax import cross_entropy
from firth.lm.neural.stream import Stream
from firth.lm.neural.tokens import UNKNOWN, SpelledTokens
from firth.settings import real, whole
from firth.words import encode

# What a word is spelled with: 0 is nothing, a byte b of its UTF-8 is b + 1, and there are four marks.
BEGIN, END, LINE, OTHER = 257, 258, 259, 260
SYMBOLS = 261

TOKENS = ("spelled",)
LEARNING: dict[str, Any] = {"epochs": 10, "batch": 16, "learning_rate": 2e-3}

_FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {},
    "small": {"dims": 128, "cells": 1024, "filters": _FILTERS, "dropout": 0.1},
    "medium": {"dims": 256, "cells": 2048, "filters": _FILTERS, "dropout": 0.1},
    "original": {"dims": 512, "cells": 4096, "filters": _FILTERS, "highways": 2, "dropout": 0.1, "sampled": 8192},
}

# Nothing that anyone could act on; the projection is the paper's.
warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")


@dataclass(frozen=True)
class Config:
    """The shape of an ELMo.

    `filters` are pairs (width in bytes, how many). `cells` is what an LSTM remembers, `dims` what it says: with
    more cells its output is projected (Sak et al. 2014). A vector of one direction has `dims` numbers, a token's
    twice as many.
    """

    vocabulary: int
    context: int = field(default=64, metadata={"help": "tokens in a chunk of text"})
    dims: int = field(default=256, metadata={"help": "numbers in a vector of each direction"})
    cells: int = field(default=256, metadata={"help": "memory cells of an LSTM, projected to dims where more"})
    layers: int = field(default=2, metadata={"help": "LSTMs on top of one another, in each direction"})
    filters: tuple[tuple[int, int], ...] = ((1, 32), (2, 64), (3, 96), (4, 128), (5, 160))
    highways: int = field(default=1, metadata={"help": "highway layers on top of the character CNN"})
    character_dims: int = 16
    characters: int = field(default=50, metadata={"help": "bytes of a word that are read, its two ends included"})
    dropout: float = field(default=0.2, metadata={"help": "share of an LSTM's inputs left out while learning"})
    sampled: int = field(
        default=0, metadata={"help": "words drawn to learn the softmax by, for large vocabularies; 0: all words"}
    )

    def __post_init__(self) -> None:
        lowest = {"vocabulary": 2, "context": 1, "dims": 1, "cells": self.dims, "layers": 1, "highways": 0}
        for name, low in {**lowest, "character_dims": 1, "characters": 3, "sampled": 0}.items():
            object.__setattr__(self, name, whole(name, getattr(self, name), low))
        if not 0 <= real("dropout", self.dropout) < 1:
            raise SettingsError(f"dropout={self.dropout} must be at least 0 and below 1")
        try:
            filters = tuple((whole("filters' width", w, 1), whole("filters", n, 1)) for w, n in self.filters)
        except (TypeError, ValueError):
            filters = ()
        if not filters:
            raise SettingsError(
                f"filters={self.filters!r} must be pairs of width and number, as ((1, 32), (3, 64))"
            )
        object.__setattr__(self, "filters", filters)


def create(config: Config, tokens: SpelledTokens) -> ELMo:
    """An ELMo with its initial weights."""
    return ELMo(config, tokens)


def spell(words: Iterable[str], characters: int) -> Tensor:
    """Words as rows of symbols, int16 of shape (N, characters): begin, UTF-8, end, then 0.

    Of a word with more than characters − 2 bytes, the first ones count.
    """
    rows = [[BEGIN, *(byte + 1 for byte in encode(word)[: characters - 2]), END] for word in words]
    return _padded(rows, characters)


def spell_mark(mark: int, characters: int) -> Tensor:
    """One row for what is no word: `LINE`, the end of a line and the beginning of the next, or `OTHER`."""
    return _padded([[BEGIN, mark, END]], characters)


def _padded(rows: list[list[int]], characters: int) -> Tensor:
    return torch.tensor([row + [0] * (characters - len(row)) for row in rows], dtype=torch.int16).view(
        -1, characters
    )


class Highway(nn.Module):
    """y = g ⊙ relu(Wx + b) + (1 − g) ⊙ x, g = σ(W'x + b') (Srivastava et al. 2015)."""

    def __init__(self, dims: int):
        super().__init__()
        self.transform = nn.Linear(dims, dims)
        self.gate = nn.Linear(dims, dims)
        nn.init.constant_(self.gate.bias, -2.0)  # at first, x goes through nearly as it is

    def forward(self, x: Tensor) -> Tensor:
        """(N, dims) to (N, dims)."""
        gate = torch.sigmoid(self.gate(x))
        return gate * torch.relu(self.transform(x)) + (1 - gate) * x


class Window(nn.Module):
    """Filters of one width: the most that each finds in a word, relu(max over its windows)."""

    def __init__(self, dims: int, number: int, width: int):
        super().__init__()
        self.width = width
        self.filters = nn.Conv1d(dims, number, width)

    def forward(self, x: Tensor, inside: Tensor) -> Tensor:
        """Symbols (N, dims, longest + width − 1 or more), whether one is a word's (N, 1, longest): (N, number).

        Windows that begin in the word count, so it is of no matter how much padding follows it.
        """
        found: Tensor = self.filters(x[:, :, : inside.shape[2] + self.width - 1])
        return found.relu().mul(inside).amax(2)


class Spelling(nn.Module):
    """The character CNN: what a word's spelling says of it, whatever stands around it."""

    def __init__(self, config: Config):
        super().__init__()
        total = sum(number for _, number in config.filters)
        self.embed = nn.Embedding(SYMBOLS, config.character_dims, padding_idx=0)
        self.windows = nn.ModuleList(
            Window(config.character_dims, number, width) for width, number in config.filters
        )
        self.beyond = max(width for width, _ in config.filters) - 1
        self.highways = nn.Sequential(*(Highway(total) for _ in range(config.highways)))
        self.project = nn.Linear(total, config.dims)

    def forward(self, spelled: Tensor) -> Tensor:
        """Rows of symbols (N, characters), padded with 0, to vectors (N, dims)."""
        inside = spelled != 0
        longest = int(inside.sum(1).max())
        inside = inside[:, None, :longest]  # (N, 1, longest)
        x = functional.pad(self.embed(spelled[:, :longest].long()), (0, 0, 0, self.beyond)).transpose(1, 2)
        found = torch.cat([window(x, inside) for window in self.windows], 1)  # (N, all filters)
        vectors: Tensor = self.project(self.highways(found))
        return vectors


class Direction(nn.Module):
    """LSTMs that read one way, each one's input added to its output but the first one's."""

    def __init__(self, config: Config):
        super().__init__()
        projected = config.dims if config.cells > config.dims else 0
        self.lstms = nn.ModuleList(
            nn.LSTM(config.dims, config.cells, batch_first=True, proj_size=projected) for _ in range(config.layers)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, T, dims) to the outputs of the layers, each (B, T, dims)."""
        outputs: list[Tensor] = []
        for lstm in self.lstms:
            x = self.dropout(x)
            y = lstm(x)[0]
            x = x + y if outputs else y
            outputs.append(x)
        return outputs


class ELMo(nn.Module):
    """The network. B texts of T tokens; D = 2·dims; V words that it predicts, and any others that it reads.

    Ids of V and above are those that `tokens` gave to words outside the vocabulary.
    """

    causal = True

    def __init__(self, config: Config, tokens: SpelledTokens):
        super().__init__()
        self.config, self.tokens = config, tokens
        self.spelling = Spelling(config)
        self.forwards = Direction(config)
        self.backwards = Direction(config)
        self.dropout = nn.Dropout(config.dropout)
        self.softmax = nn.Linear(config.dims, config.vocabulary)
        nn.init.zeros_(self.softmax.bias)
        marks = [spell_mark(OTHER, config.characters), spell_mark(LINE, config.characters)]
        self.spelled: Tensor  # a row for each id
        self.register_buffer("spelled", torch.cat(marks), persistent=False)

    @property
    def embeddings(self) -> Tensor:
        """What the spelling alone says of each word, shape (V, dims)."""
        rows = self._rows()[: self.config.vocabulary]
        with torch.no_grad():
            return torch.cat([self.spelling(some) for some in torch.split(rows, 4096)])

    def _rows(self) -> Tensor:
        """`spelled` with the words that have turned up since."""
        words = self.tokens.pieces(range(len(self.spelled), self.tokens.read))
        if words:
            rows = spell(words, self.config.characters).to(self.spelled.device)
            self.spelled = torch.cat([self.spelled, rows])
        return self.spelled

    def hidden(
        self, ids: Tensor, *, mask: Tensor | None = None, segments: Tensor | None = None, cache: Any = None
    ) -> list[Tensor]:
        """L + 1 tensors (B, T, 2·dims), forward | backward; those of masked tokens mean nothing.

        `segments` and `cache` are other networks'.
        """
        distinct, places = torch.unique(ids, return_inverse=True)
        x = self.spelling(self._rows()[distinct])[places]  # (B, T, dims); each distinct word is spelled once
        ahead, back = _orders(ids, mask)
        forwards = [_put_back(h, ahead) for h in self.forwards(_in_order(x, ahead))]
        backwards = [_put_back(h, back) for h in self.backwards(_in_order(x, back))]
        return [torch.cat(pair, 2) for pair in zip([x, *forwards], [x, *backwards], strict=True)]

    def logits(self, top: Tensor, *, backward: bool = False) -> Tensor:
        """(…, 2·dims) of the top layer to (…, V): of each token the next one, or `backward` the one before."""
        ahead, back = top.chunk(2, -1)
        scores: Tensor = self.softmax(back if backward else ahead)
        return scores

    def batches(self, stream: Stream) -> Chunks:
        """Chunks of `context` tokens, each overlapping the next by one: the last to predict, or to begin with."""
        return Chunks(stream, self.config.context)

    def loss(self, batch: Batch) -> Loss:
        """The mean of both directions' negative log-likelihoods.

        batch["ids"], int64 (B, T + 1), holds T tokens and the next for one direction, as for the other;
        batch["mask"], where there is one, is False for what fills up short rows.
        """
        ids, mask = batch["ids"], batch.get("mask")
        ahead, back = self.dropout(self.hidden(ids, mask=mask)[-1]).chunk(2, -1)
        targets = torch.where(ids < self.config.vocabulary, ids, UNKNOWN)
        real = torch.ones_like(ids[:, 1:], dtype=torch.bool) if mask is None else mask[:, 1:]
        forward = self._nll(ahead[:, :-1][real], targets[:, 1:][real])
        backward = self._nll(back[:, 1:][real], targets[:, :-1][real])
        total, read = (forward + backward) / 2, int(real.sum())
        each = {"forward": forward.item(), "backward": backward.item()}
        return Loss(total, total.detach(), predicted=2 * read, read=read, extras=each)

    def _nll(self, hidden: Tensor, targets: Tensor) -> Tensor:
        weight, bias = self.softmax.weight, self.softmax.bias
        if self.training and self.config.sampled:
            return sampled_cross_entropy(hidden, weight, bias, targets, self.config.sampled)
        return cross_entropy(hidden, weight, targets, bias)[0]


def sampled_cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, draws: int) -> Tensor:
    """The cross entropy over each target and the words drawn, as if each stood for all like it (Jean et al. 2015).

    `hidden` (N, dims), `weight` (V, dims), `bias` (V,), `targets` (N,). Of words in order of frequency, word w is
    drawn with P(w) = log((w + 2) / (w + 1)) / log(V + 1); its score is lessened by log P(w among the draws).
    """
    size, device = len(weight), hidden.device
    drawn = torch.rand(draws, device=device).mul(math.log(size + 1)).exp().long() - 1
    drawn = torch.unique(drawn.clamp(max=size - 1))
    others = functional.linear(hidden, weight[drawn], bias[drawn]).float() - _log_chance(drawn, size, draws)
    others = others.masked_fill(drawn == targets[:, None], -math.inf)
    right = (hidden * weight[targets]).sum(1) + bias[targets] - _log_chance(targets, size, draws)
    scores = torch.cat([right[:, None], others], 1)
    return functional.cross_entropy(scores, torch.zeros_like(targets))


def _log_chance(ids: Tensor, size: int, draws: int) -> Tensor:
    """log P(a word is among `draws` words drawn from `size`) = log(1 − (1 − P)^draws)."""
    each = ((ids + 2) / (ids + 1)).log() / math.log(size + 1)
    return torch.log(-torch.expm1(draws * torch.log1p(-each)))


class Backward(nn.Module):
    """The other direction, as a network that reads texts from their ends; `turned` turns them round."""

    causal = True

    def __init__(self, network: ELMo):
        super().__init__()
        self.network, self.config = network, network.config

    def hidden(self, ids: Tensor) -> list[Tensor]:
        """As `ELMo.hidden`, for texts that are turned round."""
        return [layer.flip(1) for layer in self.network.hidden(ids.flip(1))]

    def logits(self, top: Tensor) -> Tensor:
        """(…, 2·dims) of the top layer to (…, V)."""
        return self.network.logits(top, backward=True)


def turned(stream: Stream) -> Stream:
    """A text from its end to its beginning, again with an end token behind each line."""
    ids = np.concatenate([stream.ids[-2::-1], stream.ids[-1:]])
    return replace(stream, ids=ids, offsets=len(stream) - stream.offsets[::-1])


class Mix(nn.Module):
    """What a task makes of the layers: γ Σ_j s_j h_j, s = softmax(w); it learns w (L + 1 weights) and γ."""

    def __init__(self, layers: int):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))  # equal shares at first
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """L + 1 tensors of one shape to one of that shape."""
        shares = self.weights.softmax(0)
        return self.scale * torch.einsum("l,l...->...", shares, torch.stack(tuple(layers)))


def _orders(ids: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """In which order each direction reads: real tokens first, as they stand or from the last to the first."""
    places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    if mask is None:
        return places, places.flip(1)
    last = ids.shape[1]
    ahead = torch.where(mask, places, last)
    back = torch.where(mask, -places, last)
    return ahead.argsort(1), back.argsort(1)


def _in_order(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order[..., None].expand_as(x))


def _put_back(x: Tensor, order: Tensor) -> Tensor:
    return _in_order(x, order.argsort(1))
