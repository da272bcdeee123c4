"""What Hugging Face calls the weights of our networks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Weight(NamedTuple):
    """One of our parameters, and where it is stored."""

    ours: str
    theirs: tuple[str, ...]  # without the body's prefix; several are stacked along the first axis
    transposed: bool = False  # stored as (in, out), the way of the Conv1D of GPT's authors


@dataclass(frozen=True)
class Names:
    """How a kind of checkpoint names its weights; `{}` is the number of a layer."""

    prefix: str  # of the body's weights, absent where the body was saved alone
    once: dict[str, str]  # ours -> theirs, modules
    layer: dict[str, str | tuple[str, str, str]]
    matrices: dict[str, str]  # ours -> theirs, single parameters
    tied: dict[str, str]  # a copy -> the weight that it must be equal to
    conv: bool  # whether the layers' linear maps are transposed
    optional: dict[str, str]  # how the names of a part start that may be absent -> what the part is called
    buffers: str  # a pattern of stored constants, which are no weights

    def weights(self, layers: int) -> Iterator[Weight]:
        """Every parameter of a network with this many layers."""
        for ours, theirs in self.matrices.items():
            yield Weight(ours, (theirs,))
        for ours, theirs in self.once.items():
            for each in ("weight", "bias"):
                yield Weight(f"{ours}.{each}", (f"{theirs}.{each}",))
        for number in range(layers):
            for ours, stored in self.layer.items():
                modules = (stored,) if isinstance(stored, str) else stored
                for each in ("weight", "bias"):
                    names = tuple(f"{module.format(number)}.{each}" for module in modules)
                    yield Weight(
                        f"blocks.{number}.{ours}.{each}",
                        names,
                        self.conv and each == "weight" and "norm" not in ours,
                    )

    def plain(self, stored: str) -> str | None:
        """A stored name as `weights` has it: no prefix, no gamma and beta; None for a constant."""
        name = stored.removeprefix(self.prefix)
        if re.fullmatch(self.buffers, name):
            return None
        name = re.sub(r"(LayerNorm)\.gamma$", r"\1.weight", name)
        return re.sub(r"(LayerNorm)\.beta$", r"\1.bias", name)

    def full(self, name: str) -> str:
        """The name under which `transformers` saves a weight."""
        return name if name.startswith(HEADS) else self.prefix + name


HEADS = ("cls.", "lm_head.")  # beside the body, so they never have its prefix

_GPT_LAYER: dict[str, str | tuple[str, str, str]] = {
    "norm1": "h.{}.ln_1",
    "attention.qkv": "h.{}.attn.c_attn",
    "attention.out": "h.{}.attn.c_proj",
    "norm2": "h.{}.ln_2",
    "feed.up": "h.{}.mlp.c_fc",
    "feed.down": "h.{}.mlp.c_proj",
}

GPT = Names(
    prefix="transformer.",
    matrices={"embed.tokens.weight": "tokens_embed.weight", "embed.positions.weight": "positions_embed.weight"},
    once={},
    layer=_GPT_LAYER,
    tied={"lm_head.weight": "tokens_embed.weight"},
    conv=True,
    optional={},
    buffers=r"h\.\d+\.attn\.(masked_)?bias|position_ids",
)

GPT2 = Names(
    prefix="transformer.",
    matrices={"embed.tokens.weight": "wte.weight", "embed.positions.weight": "wpe.weight"},
    once={"norm": "ln_f"},
    layer=_GPT_LAYER,
    tied={"lm_head.weight": "wte.weight"},
    conv=True,
    optional={},
    buffers=r"h\.\d+\.attn\.(masked_)?bias",
)

BERT = Names(
    prefix="bert.",
    matrices={
        "embed.tokens.weight": "embeddings.word_embeddings.weight",
        "embed.positions.weight": "embeddings.position_embeddings.weight",
        "embed.segments.weight": "embeddings.token_type_embeddings.weight",
        "masked.bias": "cls.predictions.bias",
    },
    once={
        "embed.norm": "embeddings.LayerNorm",
        "pooler": "pooler.dense",
        "masked.dense": "cls.predictions.transform.dense",
        "masked.norm": "cls.predictions.transform.LayerNorm",
        "adjacent": "cls.seq_relationship",
    },
    layer={
        "attention.qkv": (
            "encoder.layer.{}.attention.self.query",
            "encoder.layer.{}.attention.self.key",
            "encoder.layer.{}.attention.self.value",
        ),
        "attention.out": "encoder.layer.{}.attention.output.dense",
        "norm1": "encoder.layer.{}.attention.output.LayerNorm",
        "feed.up": "encoder.layer.{}.intermediate.dense",
        "feed.down": "encoder.layer.{}.output.dense",
        "norm2": "encoder.layer.{}.output.LayerNorm",
    },
    tied={
        "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    conv=False,
    optional={
        "pooler.": "pooler",
        "cls.predictions.": "masked-word head",
        "cls.seq_relationship.": "next-sentence head",
    },
    buffers=r"embeddings\.position_ids",
)
