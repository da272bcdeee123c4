"""What GPT, GPT-2 and BERT share: embeddings, attention, blocks, and a cache of keys and values (Vaswani 2017)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from firth.errors import SettingsError
from firth.lm.neural.dropout import Dropout, dropout
from firth.settings import real, whole

INNER = 4  # the feed-forward layer is so many times wider than the states
SPREAD = 0.02  # standard deviation of fresh weights


_HELP = {
    "vocabulary": "tokens that there are",
    "dims": "numbers in a token's state",
    "layers": "blocks, one above the other",
    "heads": "of attention in each block",
    "context": "tokens that it sees at most",
}


def sized(name: str, default: int) -> int:
    """A field of a `Shape` with its default and help."""
    found: int = field(default=default, metadata={"help": _HELP[name]})
    return found


@dataclass(frozen=True)
class Shape:
    """What a Transformer is made by; raises `SettingsError` for what cannot be."""

    vocabulary: int
    dims: int
    layers: int
    heads: int
    context: int
    dropout: float = field(
        default=0.1,
        metadata={"help": "share of the embeddings, attention and sub-blocks' outputs dropped in training"},
    )

    def __post_init__(self) -> None:
        for name in ("vocabulary", "dims", "layers", "heads", "context"):
            object.__setattr__(self, name, whole(name, getattr(self, name), 1))
        if self.dims % self.heads:
            raise SettingsError(f"dims={self.dims} must be a multiple of heads={self.heads}")
        if not 0 <= real("dropout", self.dropout) < 1:
            raise SettingsError(f"dropout={self.dropout} must be from 0 to below 1; 0.1 is customary")


class Cache:
    """Keys and values of the tokens that a network has read, so that each is computed once.

    Room for `capacity` tokens a row is taken at the first of them. `mask` (B, capacity) tells the padding
    among them; None: there is none.
    """

    def __init__(self, capacity: int):
        self.capacity, self.length = capacity, 0
        self.mask: Tensor | None = None
        self._stored: list[tuple[Tensor, Tensor]] = []

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the keys and values (B, H, T, D/H) of new tokens in a layer; returns those of all tokens."""
        if layer == len(self._stored):
            rows, heads, _, dims = keys.shape
            room = (rows, heads, self.capacity, dims)
            self._stored.append((keys.new_empty(room), values.new_empty(room)))
        end = self.length + keys.shape[2]
        for kept, new in zip(self._stored[layer], (keys, values), strict=True):
            kept[:, :, self.length : end] = new
        kept_keys, kept_values = self._stored[layer]
        return kept_keys[:, :, :end], kept_values[:, :, :end]

    def cover(self, mask: Tensor | None, shape: tuple[int, int]) -> Tensor | None:
        """Note which of B × T new tokens are real; returns the same of all, (B, length + T), None if all are."""
        rows, new = shape
        end = self.length + new
        if mask is not None and self.mask is None:
            self.mask = torch.ones(rows, self.capacity, dtype=torch.bool, device=mask.device)
        if self.mask is None:
            return None
        self.mask[:, self.length : end] = True if mask is None else mask
        return self.mask[:, :end]

    def keep(self, rows: Tensor) -> None:
        """Go on with some rows only, by their numbers."""
        self._stored = [(keys[rows], values[rows]) for keys, values in self._stored]
        self.mask = None if self.mask is None else self.mask[rows]


@dataclass(frozen=True)
class View:
    """Where T new tokens stand and what each may look at.

    `positions` is the place of the first where all rows have the same, else (B, T). `allowed`, (B, 1, T, S) or
    what spreads to it, is True where a query may look at a key; None: everywhere, or, if `causal`, at itself and
    what is before it.
    """

    positions: int | Tensor
    allowed: Tensor | None
    causal: bool


def view(ids: Tensor, *, causal: bool, mask: Tensor | None, cache: Cache | None, context: int) -> View:
    """What the tokens `ids` (B, T) see, behind those of the cache; raises `SettingsError` beyond the context."""
    rows, new = ids.shape
    past = cache.length if cache is not None else 0
    if past + new > context:
        raise SettingsError(
            f"{past + new:,} tokens are more than the context of {context:,}; cut the text, or slide"
        )
    if mask is not None and bool(mask.all()):
        mask = None
    known = cache.cover(mask, (rows, new)) if cache is not None else mask
    if known is None:
        plain = None if past == 0 or new == 1 else _triangle(new, past, ids.device)
        return View(past, plain if causal else None, causal and past == 0)
    positions = (known.cumsum(1)[:, past:] - 1).clamp(min=0)
    if not causal:
        return View(positions, known[:, None, None], False)
    if past == 0 and not bool((known[:, 1:] > known[:, :-1]).any()):
        return View(positions, None, True)  # padding at the end alone: no real token comes after it
    allowed = _triangle(new, past, ids.device) & known[:, None, None]
    # Padding looks at itself: a softmax over nothing is not a number.
    allowed[..., past:] |= torch.eye(new, dtype=torch.bool, device=ids.device)
    return View(positions, allowed, False)


def _triangle(new: int, past: int, device: torch.device) -> Tensor:
    return torch.ones(new, past + new, dtype=torch.bool, device=device).tril(past)


class Embedding(nn.Module):
    """Token + position, and segment embeddings and a LayerNorm if there are `segments` (BERT); then dropout."""

    def __init__(self, config: Shape, *, segments: int = 0, epsilon: float = 0.0):
        super().__init__()
        self.tokens = nn.Embedding(config.vocabulary, config.dims)
        self.positions = nn.Embedding(config.context, config.dims)
        self.segments = nn.Embedding(segments, config.dims) if segments else None
        self.norm = nn.LayerNorm(config.dims, epsilon) if segments else None
        self.dropout = Dropout(config.dropout)

    def forward(self, ids: Tensor, positions: int | Tensor, segments: Tensor | None = None) -> Tensor:
        """States (B, T, D); no segments are all the first."""
        places = self.positions.weight
        if isinstance(positions, int):
            found = self.tokens(ids) + places[positions : positions + ids.shape[1]]
        else:
            found = self.tokens(ids) + functional.embedding(positions, places)
        if self.segments is not None:
            found = found + (self.segments.weight[0] if segments is None else self.segments(segments))
        if self.norm is not None:
            found = self.norm(found)
        dropped: Tensor = self.dropout(found)
        return dropped


def attend(queries: Tensor, keys: Tensor, values: Tensor, seen: View, share: float) -> Tensor:
    """softmax(QKᵀ/√E)·V of queries (B, H, T, E), keys and values (B, H, S, E), a share of the weights dropped."""
    if not share or queries.device.type != "cpu":
        return functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=seen.allowed, dropout_p=share, is_causal=seen.causal
        )
    # No kernel for CPUs is fused with dropout; torch's own way, in float32 whatever the precision, is slower.
    scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(2, 3)
    allowed = _triangle(scores.shape[2], 0, scores.device) if seen.causal else seen.allowed
    if allowed is not None:
        scores = scores + torch.zeros_like(allowed, dtype=scores.dtype).masked_fill_(~allowed, -math.inf)
    return dropout(torch.softmax(scores, -1, dtype=scores.dtype), share) @ values


class Attention(nn.Module):
    """Softmax(QKᵀ/√(D/H))·V in H heads, each of D/H dimensions, then a projection."""

    def __init__(self, config: Shape):
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.qkv = nn.Linear(config.dims, 3 * config.dims)  # rows: queries, keys, values
        self.out = nn.Linear(config.dims, config.dims)

    def forward(self, x: Tensor, seen: View, layer: int, cache: Cache | None) -> Tensor:
        """States (B, T, D) → (B, T, D)."""
        rows, new, dims = x.shape
        split = self.qkv(x).view(rows, new, 3, self.heads, dims // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4)  # (B, H, T, D/H) each
        if cache is not None:
            keys, values = cache.extend(layer, keys, values)
        found = attend(queries, keys, values, seen, self.dropout if self.training else 0.0)
        result: Tensor = self.out(found.transpose(1, 2).reshape(rows, new, dims))
        return result


class Feed(nn.Module):
    """down(gelu(up(x))), the inner layer four times as wide; GELU by tanh, or exact."""

    def __init__(self, config: Shape, gelu: Literal["tanh", "none"]):
        super().__init__()
        self.up = nn.Linear(config.dims, INNER * config.dims)
        self.down = nn.Linear(INNER * config.dims, config.dims)
        self.gelu = gelu

    def forward(self, x: Tensor) -> Tensor:
        """States (B, T, D) → (B, T, D)."""
        result: Tensor = self.down(functional.gelu(self.up(x), approximate=self.gelu))
        return result


class Block(nn.Module):
    """Attention and feed-forward, each with a residual connection.

    LayerNorm stands before each of the two (`pre`, GPT-2), or behind the sum with the residual (GPT, BERT).
    """

    def __init__(self, config: Shape, *, pre: bool, gelu: Literal["tanh", "none"], epsilon: float):
        super().__init__()
        self.attention = Attention(config)
        self.norm1 = nn.LayerNorm(config.dims, epsilon)
        self.feed = Feed(config, gelu)
        self.norm2 = nn.LayerNorm(config.dims, epsilon)
        self.dropout = Dropout(config.dropout)
        self.pre = pre

    def forward(self, x: Tensor, seen: View, layer: int = 0, cache: Cache | None = None) -> Tensor:
        """States (B, T, D) → (B, T, D)."""
        if self.pre:
            x = x + self.dropout(self.attention(self.norm1(x), seen, layer, cache))
            x = x + self.dropout(self.feed(self.norm2(x)))
        else:
            x = self.norm1(x + self.dropout(self.attention(x, seen, layer, cache)))
            x = self.norm2(x + self.dropout(self.feed(x)))
        return x


def through(blocks: Iterable[nn.Module], x: Tensor, seen: View, cache: Cache | None = None) -> list[Tensor]:
    """`x` (B, T, D), and what comes out of each block."""
    states = [x]
    for layer, block in enumerate(blocks):
        states.append(block(states[-1], seen, layer, cache))
    if cache is not None:
        cache.length += x.shape[1]
    return states


def initialise(network: nn.Module) -> None:
    """Weights from N(0, 0.02²), biases 0, LayerNorms 1 and 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=SPREAD)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
