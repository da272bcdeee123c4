"""BERT: a Transformer encoder that learns masked words and whether spans adjoin (Devlin et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from firth.lm.neural.masking import Marks, Spans
from firth.lm.neural.network import Batch, Loss
from firth.lm.neural.softmax import cross_entropy
from firth.lm.neural.stream import Stream
from firth.lm.neural.transformer import Block, Cache, Embedding, Shape, initialise, sized, through, view

EPSILON = 1e-12
SEGMENTS = 2
TOKENS = ("wordpiece",)
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"dims": 128, "layers": 2, "heads": 2, "context": 128},
    "mini": {"dims": 256, "layers": 4, "heads": 4, "context": 128},
    "small": {"dims": 512, "layers": 4, "heads": 8, "context": 256},
    "base": {"dims": 768, "layers": 12, "heads": 12, "context": 512},  # as published: 110 M
    "large": {"dims": 1024, "layers": 24, "heads": 16, "context": 512},  # 340 M
}
LEARNING: dict[str, Any] = {"batch": 16}  # thousands of steps pass before it begins to look around


@dataclass(frozen=True)
class Config(Shape):
    """The shape of BERT; the defaults are those of the base one, uncased."""

    vocabulary: int = sized("vocabulary", 30522)
    dims: int = sized("dims", 768)
    layers: int = sized("layers", 12)
    heads: int = sized("heads", 12)
    context: int = sized("context", 512)


class Masked(nn.Module):
    """What scores masked words: LayerNorm(gelu(dense(h))), then the token embeddings and a bias of its own."""

    def __init__(self, config: Config):
        super().__init__()
        self.dense = nn.Linear(config.dims, config.dims)
        self.norm = nn.LayerNorm(config.dims, EPSILON)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))

    def forward(self, top: Tensor) -> Tensor:
        """(…, D) → (…, D), which remains to be multiplied by the embeddings."""
        changed: Tensor = self.norm(functional.gelu(self.dense(top)))
        return changed


class Bert(nn.Module):
    """h₀ = LayerNorm(token + segment + position); h_l = block(h_{l−1}), which sees both sides."""

    causal = False

    def __init__(self, config: Config, marks: Marks = Marks()):  # noqa: B008 - frozen
        super().__init__()
        self.config, self.marks = config, marks
        self.embed = Embedding(config, segments=SEGMENTS, epsilon=EPSILON)
        blocks = (Block(config, pre=False, gelu="none", epsilon=EPSILON) for _ in range(config.layers))
        self.blocks = nn.ModuleList(blocks)
        self.pooler = nn.Linear(config.dims, config.dims)
        self.masked = Masked(config)
        self.adjacent = nn.Linear(config.dims, 2)
        initialise(self)

    @property
    def embeddings(self) -> Tensor:
        """The vectors of the tokens (V, D), which the masked words' softmax shares."""
        return self.embed.tokens.weight

    def hidden(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
        cache: Cache | None = None,
    ) -> list[Tensor]:
        """The embeddings of `ids` (B, T) and the states above each block: layers + 1 tensors (B, T, D).

        `mask` (B, T) is False for padding, which no token sees and which takes no position; the states there mean
        nothing. `segments` (B, T) are 0 or 1; None: all 0. There is no `cache`, as every token sees all others.
        """
        seen = view(ids, causal=False, mask=mask, cache=None, context=self.config.context)
        return through(self.blocks, self.embed(ids, seen.positions, segments), seen)

    def pooled(self, top: Tensor) -> Tensor:
        """tanh(W·h + b) of the first token, [CLS]: (B, T, D) → (B, D)."""
        return torch.tanh(self.pooler(top[:, 0]))

    def logits(self, top: Tensor) -> Tensor:
        """Scores (…, V) of the word behind a mask by states (…, D) of the last layer."""
        return functional.linear(self.masked(top), self.embeddings, self.masked.bias)

    def loss(self, batch: Batch) -> Loss:
        """The mean of −ln P(masked word) and, added to it, that of −ln P(whether the second span follows).

        The batch is what `Spans.make` gives. Only masked words are scored.
        """
        top = self.hidden(batch["ids"], mask=batch.get("mask"), segments=batch["segments"])[-1]
        places = self.masked(top.flatten(0, 1)[batch["chosen"]])
        nll, hits = cross_entropy(places, self.embeddings, batch["words"], self.masked.bias)
        scores = self.adjacent(self.pooled(top))
        follows = functional.cross_entropy(scores, batch["apart"])
        count = len(batch["words"])
        extras = {
            "masked-word accuracy": int(hits) / max(count, 1),
            "next-span accuracy": float((scores.argmax(-1) == batch["apart"]).float().mean()),
        }
        return Loss(nll + follows, nll.detach(), count, batch["ids"].numel(), extras)

    def batches(self, stream: Stream) -> Spans:
        """Pairs of spans with masked words."""
        return Spans(stream, self.config.context, self.config.vocabulary, self.marks)


def create(config: Config, tokens: Any) -> Bert:
    """A network with fresh weights, which masks by the special tokens of `tokens`."""
    return Bert(config, Marks(pad=tokens.pad, cls=tokens.cls, sep=tokens.sep, mask=tokens.mask))
