"""config.json of `transformers`, as our configs and back; what our networks do not compute is refused."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firth.errors import FirthWarning, FormatError


@dataclass(frozen=True)
class Settings:
    """How a kind of network is told in config.json, and what must hold there for it to be our network.

    A setting that is absent has the default of `transformers`, which is also the published one.
    """

    model_type: str
    architecture: str  # the class of transformers that has all our weights
    numbers: dict[str, tuple[str, int]]  # ours -> theirs, default
    dropouts: tuple[str, ...]  # 0.1 if absent
    inner: str | None  # the width within the feed-forward layer: null or four times the states'
    must: dict[str, tuple[Any, ...]]  # the values that mean what we compute, the default first

    def read(self, settings: dict[str, Any], path: Path) -> dict[str, Any]:
        """The fields of our config; raises `FormatError`."""
        fields = {ours: settings.get(theirs, default) for ours, (theirs, default) in self.numbers.items()}
        must = self.must
        if self.inner and isinstance(fields["dims"], int):
            must = {**must, self.inner: (4 * fields["dims"], None)}
        for key, allowed in must.items():
            value = settings.get(key, allowed[0])
            if value not in allowed:
                raise FormatError(
                    f'{path}: "{key}": {json.dumps(value)} makes another network than Firth\'s {self.model_type}, '
                    f"which has {json.dumps(allowed[0])}; take a checkpoint of the published architecture"
                )
        return fields | {"dropout": self._dropout(settings, path)}

    def _dropout(self, settings: dict[str, Any], path: Path) -> Any:
        found = {key: settings.get(key, 0.1) for key in self.dropouts}
        first, *others = found.values()
        if any(other != first for other in others):
            each = ", ".join(f"{key}={value}" for key, value in found.items())
            message = (
                f"{path}: {each}; Firth has one dropout for all and takes {first}, which fine-tuning will use"
            )
            warnings.warn(FirthWarning(message), stacklevel=2)
        return first

    def write(self, config: Any) -> dict[str, Any]:
        """The settings that `transformers` reads."""
        return {
            "architectures": [self.architecture],
            "model_type": self.model_type,
            "torch_dtype": "float32",
            **{theirs: getattr(config, ours) for ours, (theirs, _) in self.numbers.items()},
            **({self.inner: 4 * config.dims} if self.inner else {}),
            **dict.fromkeys(self.dropouts, config.dropout),
            **{key: allowed[0] for key, allowed in self.must.items()},
        }


def _numbers(*theirs: str, vocabulary: int, context: int) -> dict[str, tuple[str, int]]:
    ours = {"vocabulary": vocabulary, "dims": 768, "layers": 12, "heads": 12, "context": context}
    return {name: (stored, default) for (name, default), stored in zip(ours.items(), theirs, strict=True)}


_GPT_NUMBERS = ("vocab_size", "n_embd", "n_layer", "n_head", "n_positions")
_GPT_DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")

GPT = Settings(
    model_type="openai-gpt",
    architecture="OpenAIGPTLMHeadModel",
    numbers=_numbers(*_GPT_NUMBERS, vocabulary=40478, context=512),
    dropouts=_GPT_DROPOUTS,
    inner=None,
    must={"afn": ("gelu", "gelu_new"), "layer_norm_epsilon": (1e-5,), "tie_word_embeddings": (True,)},
)

GPT2 = Settings(
    model_type="gpt2",
    architecture="GPT2LMHeadModel",
    numbers=_numbers(*_GPT_NUMBERS, vocabulary=50257, context=1024),
    dropouts=_GPT_DROPOUTS,
    inner="n_inner",
    must={
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
        "layer_norm_epsilon": (1e-5,),
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "add_cross_attention": (False,),
        "tie_word_embeddings": (True,),
    },
)

BERT = Settings(
    model_type="bert",
    architecture="BertForPreTraining",
    numbers=_numbers(
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
        vocabulary=30522,
        context=512,
    ),
    dropouts=("hidden_dropout_prob", "attention_probs_dropout_prob"),
    inner="intermediate_size",
    must={
        "hidden_act": ("gelu",),
        "layer_norm_eps": (1e-12,),
        "type_vocab_size": (2,),
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
        "add_cross_attention": (False,),
        "tie_word_embeddings": (True,),
    },
)
