"""GPT-2: GPT with LayerNorm before each sub-block, and one more at the end (Radford et al. 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from firth.lm.neural.causal import Chunks, causal_loss
from firth.lm.neural.network import Batch, Loss
from firth.lm.neural.stream import Stream
from firth.lm.neural.transformer import SPREAD, Block, Cache, Embedding, Shape, initialise, sized, through, view

EPSILON = 1e-5
TOKENS = ("bytes", "words", "bpe", "wordpiece")
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"dims": 128, "layers": 4, "heads": 4, "context": 128},
    "mini": {"dims": 256, "layers": 4, "heads": 4, "context": 256},
    "small": {"dims": 768, "layers": 12, "heads": 12, "context": 1024},  # from here on as published: 124 M
    "medium": {"dims": 1024, "layers": 24, "heads": 16, "context": 1024},  # 355 M
    "large": {"dims": 1280, "layers": 36, "heads": 20, "context": 1024},  # 774 M
    "xl": {"dims": 1600, "layers": 48, "heads": 25, "context": 1024},  # 1,558 M
}


@dataclass(frozen=True)
class Config(Shape):
    """The shape of GPT-2; the defaults are those of the small one."""

    vocabulary: int = sized("vocabulary", 50257)
    dims: int = sized("dims", 768)
    layers: int = sized("layers", 12)
    heads: int = sized("heads", 12)
    context: int = sized("context", 1024)


class GPT2(nn.Module):
    """h₀ = U·W_e + W_p; h_l = block(h_{l−1}); P(next) = softmax(LayerNorm(h_n)·W_eᵀ).

    The projections that end in a residual sum, two a block, start smaller by 1/√(2·layers).
    """

    causal = True

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embed = Embedding(config)
        blocks = [Block(config, pre=True, gelu="tanh", epsilon=EPSILON) for _ in range(config.layers)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(config.dims, EPSILON)
        initialise(self)
        for block in blocks:
            for last in (block.attention.out, block.feed.down):
                nn.init.normal_(last.weight, std=SPREAD / math.sqrt(2 * config.layers))

    @property
    def embeddings(self) -> Tensor:
        """The vectors of the tokens (V, D), which the softmax shares."""
        return self.embed.tokens.weight

    def hidden(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        segments: Tensor | None = None,
        cache: Cache | None = None,
    ) -> list[Tensor]:
        """The embeddings of `ids` (B, T) and the states above each block, the last after the norm, (B, T, D) each.

        `mask` (B, T) is False for padding, which no token sees and which takes no position; the states there mean
        nothing. With a `cache`, `ids` go on from what it holds. `segments` play no part.
        """
        seen = view(ids, causal=True, mask=mask, cache=cache, context=self.config.context)
        states = through(self.blocks, self.embed(ids, seen.positions), seen, cache)
        states[-1] = self.norm(states[-1])
        return states

    def logits(self, top: Tensor) -> Tensor:
        """Scores (…, V) of the next token by states (…, D) of the last layer."""
        return functional.linear(top, self.embeddings)

    def loss(self, batch: Batch) -> Loss:
        """The mean of −ln P(token | those before it), by `causal_loss`."""
        return causal_loss(self, batch)

    def batches(self, stream: Stream) -> Chunks:
        """Pieces of `context` tokens."""
        return Chunks(stream, self.config.context)


def create(config: Config, tokens: object) -> GPT2:
    """A network with fresh weights."""
    return GPT2(config)
