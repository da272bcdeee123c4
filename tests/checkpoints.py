"""Checkpoints as `transformers` saves them, and as they were published."""

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from firth.lm.neural import bert, gpt, gpt2, tokens

KINDS = {"gpt": "bpe", "gpt2": "bytes", "bert": "wordpiece"}
MODULES = {"gpt": gpt, "gpt2": gpt2, "bert": bert}
TEXT = [
    "The quick brown fox jumps over the lazy dog, and the dogs jump over 17 foxes.",
    "Don't stop: it isn't over till it's over; we'll see who'd have been there.",
    "白天 有 太阳，晚上 有 月亮。纽约 在 美国，伦敦 在 英国。",
    "Émile's naïve café costs 3.50 € — “très cher”, said Zoë to Jürgen. 🙂👍🏽 Да!",
    "  spaces   everywhere\tand tabs  ",
]

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def trained(kind):
    """Tokens of the kind that goes with a network."""
    return tokens.train(KINDS[kind], lambda: iter(TEXT), 400)


@dataclass(frozen=True)
class Size:
    dims: int
    layers: int
    heads: int
    context: int


TINY = Size(8, 2, 2, 12)


def theirs(kind, size, *, vocabulary, seed=0, model="PreTraining", spread=0.1, **settings):
    """A model of transformers, of which no weight has its usual start: zero biases would hide mistakes."""
    torch.manual_seed(seed)
    if kind == "bert":
        config = transformers.BertConfig(
            vocab_size=vocabulary,
            hidden_size=size.dims,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=4 * size.dims,
            max_position_embeddings=size.context,
            **settings,
        )
    else:
        make = transformers.GPT2Config if kind == "gpt2" else transformers.OpenAIGPTConfig
        config = make(
            vocab_size=vocabulary,
            n_embd=size.dims,
            n_layer=size.layers,
            n_head=size.heads,
            n_positions=size.context,
            bos_token_id=0,
            eos_token_id=0,
            **settings,
        )
    found = getattr(transformers, f"AutoModelFor{model}" if model else "AutoModel").from_config(config)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(torch.randn_like(parameter) * spread)
    return found.eval()


def save(path, model, pieces, **settings):
    """What `save_pretrained` writes, and a tokenizer.json beside."""
    model.save_pretrained(path, **settings)
    (path / "tokenizer.json").write_bytes(pieces.dump())
    return path


def rewrite(path: Path, change):
    """Store other weights: `change` makes them of those that were saved."""
    file = path / "model.safetensors"
    changed = {name: tensor.contiguous() for name, tensor in change(load_file(file)).items()}
    save_file(changed, file, metadata={"format": "pt"})


def old_files(folder, kind, pieces, **settings):
    """The files of the first releases: no tokenizer.json."""
    folder.mkdir(exist_ok=True)
    numbers = pieces.tokenizer.get_vocab()
    if kind == "bert":
        lines = sorted(numbers, key=numbers.__getitem__)
        (folder / "vocab.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    else:
        pieces.tokenizer.model.save(str(folder))
        (folder / "vocab.json").write_text(json.dumps(numbers))
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def ours(kind, size, pieces):
    """A network of ours, none of its weights as usual, and its config."""
    module = MODULES[kind]
    config = module.Config(vocabulary=len(pieces), **vars(size))
    network = module.create(config, pieces).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network, config


def theirs_for_task(kind, name, pieces, labels=3, **settings):
    """A model of transformers for a task, its labels named L0, L1, …"""
    labels = 2 if name == "QuestionAnswering" else labels
    settings |= {"id2label": {number: f"L{number}" for number in range(labels)}} if "Classif" in name else {}
    return theirs(kind, TINY, vocabulary=len(pieces), model=name, pad_token_id=pieces.pad, **settings)


def close(ours, other, where=...):
    """What the two must be, where it counts."""
    torch.testing.assert_close(ours[where], other[where], atol=1e-5, rtol=1e-4)
