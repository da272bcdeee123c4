"""The weights of a Hugging Face directory: mapped from safetensors, in one file or in shards, never unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open

from firth.errors import FormatError
from firth.tensors import write_tensors

FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_UNSAFE = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.bin.index.json")  # of other libraries


def open_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors by name, on the CPU and mapped: a page is read when it is first touched.

    Raises `FormatError` for a file that is missing, cut short or damaged, and for weights in other formats.
    """
    if (folder / FILE).is_file():
        return _open_file(folder / FILE)
    if (folder / INDEX).is_file():
        return _open_shards(folder / INDEX)
    others = sorted(path.name for pattern in _UNSAFE for path in folder.glob(pattern))
    if others:
        raise FormatError(
            f"{folder}: has its weights only as {others[0]}; Firth reads {FILE} alone, since opening a pickle can "
            "run its author's code: download that file, or let transformers write it with save_pretrained"
        )
    raise FormatError(f"{folder}: has no {FILE}; download or save the directory again")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises `FormatError` for anything else."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{path}: is no JSON ({error}); download or save it again") from None
    if not isinstance(value, dict):
        raise FormatError(f"{path}: holds no JSON object; download or save it again")
    return value


def _open_file(path: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (SafetensorError, OSError, RuntimeError) as error:
        raise FormatError(
            f"{path}: is no whole safetensors file ({error}); it was cut short, or is something else: "
            "download or save it again"
        ) from None


def _open_shards(index: Path) -> dict[str, torch.Tensor]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise FormatError(f"{index}: has no weight_map of names to files; download or save the directory again")
    tensors: dict[str, torch.Tensor] = {}
    for shard in sorted(set(places.values())):
        if Path(shard).name != shard or not (index.parent / shard).is_file():
            raise FormatError(f"{index}: names the file {shard!r}, which is not beside it; download it again")
        tensors |= _open_file(index.parent / shard)
    if lost := sorted(places.keys() - tensors.keys()):
        raise FormatError(f"{index}: names {some(lost)}, which no file holds; download the directory again")
    return tensors


def write_weights(file: IO[bytes], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write the tensors as safetensors, in float32."""
    arrays = {name: tensor.detach().to("cpu", torch.float32).numpy() for name, tensor in tensors.items()}
    write_tensors(file, arrays, metadata={"format": "pt"})  # without which transformers refuses the file


def some(names: list[str]) -> str:
    """The first few of many names, and how many more there are."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
