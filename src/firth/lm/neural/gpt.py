"""GPT: a Transformer decoder, LayerNorm behind each residual sum (Radford et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from firth.lm.neural.causal import Chunks, causal_loss
from firth.lm.neural.network import Batch, Loss
from firth.lm.neural.stream import Stream
from firth.lm.neural.transformer import Block, Cache, Embedding, Shape, initialise, sized, through, view

EPSILON = 1e-5
TOKENS = ("bpe", "bytes", "words", "wordpiece")
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"dims": 128, "layers": 4, "heads": 4, "context": 128},
    "mini": {"dims": 256, "layers": 4, "heads": 4, "context": 256},
    "base": {"dims": 768, "layers": 12, "heads": 12, "context": 512},  # as published: 117 M
}
# Before it begins to look around, a network with its LayerNorms behind the sums needs many steps, and short ones.
LEARNING: dict[str, Any] = {"batch": 8, "learning_rate": 5e-4}


@dataclass(frozen=True)
class Config(Shape):
    """The shape of GPT; the defaults are the published ones."""

    vocabulary: int = sized("vocabulary", 40478)
    dims: int = sized("dims", 768)
    layers: int = sized("layers", 12)
    heads: int = sized("heads", 12)
    context: int = sized("context", 512)


class GPT(nn.Module):
    """h₀ = U·W_e + W_p; h_l = block(h_{l−1}); P(next) = softmax(h_n·W_eᵀ)."""

    causal = True

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embed = Embedding(config)
        blocks = (Block(config, pre=False, gelu="tanh", epsilon=EPSILON) for _ in range(config.layers))
        self.blocks = nn.ModuleList(blocks)
        initialise(self)

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
        """The embeddings of `ids` (B, T) and the states above each block: layers + 1 tensors (B, T, D).

        `mask` (B, T) is False for padding, which no token sees and which takes no position; the states there mean
        nothing. With a `cache`, `ids` go on from what it holds. `segments` play no part.
        """
        seen = view(ids, causal=True, mask=mask, cache=cache, context=self.config.context)
        return through(self.blocks, self.embed(ids, seen.positions), seen, cache)

    def logits(self, top: Tensor) -> Tensor:
        """Scores (…, V) of the next token by states (…, D) of the last layer."""
        return functional.linear(top, self.embeddings)

    def loss(self, batch: Batch) -> Loss:
        """The mean of −ln P(token | those before it), by `causal_loss`."""
        return causal_loss(self, batch)

    def batches(self, stream: Stream) -> Chunks:
        """Pieces of `context` tokens."""
        return Chunks(stream, self.config.context)


def create(config: Config, tokens: object) -> GPT:
    """A network with fresh weights."""
    return GPT(config)
