"""Checkpoints of GPT, GPT-2 and BERT as Hugging Face directories: config.json, safetensors and a tokenizer."""

from __future__ import annotations

import json
import secrets
import shutil
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple, cast

from torch import nn

from firth.errors import FirthWarning, FormatError, SettingsError
from firth.files import CONFIG, FileError, atomic_write, writing_failed
from firth.lm.neural import bert, gpt, gpt2
from firth.lm.neural.heads import OF_WORDS
from firth.lm.neural.hf import configs, names
from firth.lm.neural.hf.fill import built, named_plainly, taken
from firth.lm.neural.hf.heads import Head, head_settings, taken_head, with_head
from firth.lm.neural.hf.tokens import read_tokens, special_ids, tokenizer_files
from firth.lm.neural.hf.weights import FILE, open_weights, read_json, write_weights
from firth.lm.neural.network import Network
from firth.lm.neural.tokens import Tokens

__all__ = ["Head", "kind_of", "read", "read_task", "write"]


class _Kind(NamedTuple):
    module: ModuleType
    settings: configs.Settings
    names: names.Names


_KINDS = {
    "gpt": _Kind(gpt, configs.GPT, names.GPT),
    "gpt2": _Kind(gpt2, configs.GPT2, names.GPT2),
    "bert": _Kind(bert, configs.BERT, names.BERT),
}


def kind_of(path: str | Path) -> str:
    """ "gpt", "gpt2" or "bert", as config.json tells; raises `FormatError` for what is none of these."""
    file = Path(path) / CONFIG
    found = read_json(file).get("model_type")
    kind = next((kind for kind, each in _KINDS.items() if each.settings.model_type == found), None)
    if kind is None:
        known = ", ".join(f'"{each.settings.model_type}"' for each in _KINDS.values())
        raise FormatError(f'{file}: its "model_type" is {json.dumps(found)}; Firth reads {known}')
    return kind


def read(path: str | Path) -> tuple[str, Network, Tokens]:
    """A directory that `transformers` saved, or that was published: the kind, the network and its tokens.

    The weights come from model.safetensors or its shards, of any precision, and are float32 on the CPU; nothing is
    unpickled. A part of BERT that the checkpoint lacks starts from random weights, and the head of a task that it
    has is left out; a `FirthWarning` names either. Raises `FormatError` for damaged files, other architectures,
    and weights that are missing or too many.
    """
    kind, network, tokens, head, absent = _read(Path(path))
    if absent:
        _warn(f"{path}: has no {' and no '.join(absent)}: left with random weights, to be learnt")
    if head:
        _warn(f"{path}: its head for the task {head.task} is left out; firth.lm.Task.load takes it")
    return kind, network, tokens


def read_task(path: str | Path) -> tuple[Network, Tokens, Head]:
    """BERT with the head of a task, as `transformers` saved it; raises `FormatError`.

    A GPT with a head is none of these: it reads texts without the tokens that our tasks put around them.
    """
    kind, network, tokens, head, absent = _read(Path(path))
    if kind != "bert" or head is None:
        raise FormatError(f"{path}: has no head of a task of BERT; open it with firth.lm.load, and fine-tune it")
    if "pooler" in absent and head.task not in OF_WORDS:
        raise FormatError(f"{path}: has no pooler, which its head needs; take the whole checkpoint again")
    return network, tokens, head


def _read(folder: Path) -> tuple[str, Network, Tokens, Head | None, list[str]]:
    """All that a checkpoint has, and the parts that it lacks."""
    name = kind_of(folder)
    kind, tokens, settings = _KINDS[name], read_tokens(folder, name), read_json(folder / CONFIG)
    config = _config(kind, settings, tokens, folder)
    stored = named_plainly(open_weights(folder), kind.names, folder)
    head = taken_head(stored, settings, config.dims, folder)
    create = partial(kind.module.create, config, tokens)
    network, absent = built(create, kind.names, config.layers, stored, folder)
    return name, cast(Network, network.eval()), tokens, head, absent


def _config(kind: _Kind, settings: dict[str, Any], tokens: Tokens, folder: Path) -> Any:
    """Ours, if the tokens belong to it."""
    fields = kind.settings.read(settings, folder / CONFIG)
    try:
        config = kind.module.Config(**fields)
    except SettingsError as error:
        raise FormatError(f"{folder / CONFIG}: {error}; download it again") from None
    if len(tokens) > config.vocabulary:
        raise FormatError(
            f"{folder}: its tokenizer has {len(tokens):,} tokens, its network {config.vocabulary:,}: they do not "
            "belong together; download both again"
        )
    if len(tokens) < config.vocabulary:
        _warn(
            f"{folder}: its network has {config.vocabulary:,} tokens, its tokenizer {len(tokens):,}; that may be "
            "padding, or a tokenizer that was cut short"
        )
    return config


def _warn(message: str) -> None:
    warnings.warn(FirthWarning(message), stacklevel=4)


def write(path: str | Path, network: Network, tokens: Tokens, head: Head | None = None) -> None:
    """Write a new directory that `transformers` opens, with AutoTokenizer and the class that config.json names.

    The whole directory appears at once, or not at all. Raises `SettingsError` for a network that is none of GPT,
    GPT-2 and BERT, and for heads of others than BERT, and `FileError` where something stands already or nothing
    can be written.
    """
    folder, config = Path(path), network.config
    name = next((name for name, kind in _KINDS.items() if isinstance(config, kind.module.Config)), None)
    if name is None:
        raise SettingsError(
            f"{type(network).__name__} is nothing that transformers has; only gpt, gpt2 and bert can be exported"
        )
    kind = _KINDS[name]
    weights = taken(cast(nn.Module, network), kind.names, config.layers)
    settings = kind.settings.write(config) | special_ids(tokens)
    if head is not None:
        if name != "bert":
            raise SettingsError(f"a task of {name} cannot be exported, transformers has no such head; bert's can")
        weights, settings = with_head(weights, head), settings | head_settings(head)
    texts = {CONFIG: settings, **tokenizer_files(tokens, name, config.context)}
    files = {name: partial(_write_json, value=value) for name, value in texts.items()}
    _write_folder(folder, {**files, FILE: partial(write_weights, tensors=weights)})


def _write_json(file: IO[bytes], value: Mapping[str, Any]) -> None:
    file.write(json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")


def _write_folder(folder: Path, files: Mapping[str, Callable[[IO[bytes]], object]]) -> None:
    """Write the files into a folder beside, renamed into place at the end."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileError(f"{folder}: is there already; remove it first, or choose another name")
    begun = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        begun.mkdir()
        for name, write in files.items():
            with atomic_write(begun / name) as file:
                write(file)
        begun.replace(folder)
    except OSError as error:
        raise writing_failed(folder, error) from error
    finally:
        shutil.rmtree(begun, ignore_errors=True)
