"""Stored weights into a network's parameters, and parameters into what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from firth.errors import FormatError
from firth.lm.neural.hf.names import Names, Weight
from firth.lm.neural.hf.weights import some

_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_AGAIN = "take the whole checkpoint again"


def named_plainly(stored: dict[str, Tensor], names: Names, folder: Path) -> dict[str, Tensor]:
    """The stored weights without prefix, constants and the copies of tied ones; raises `FormatError`."""
    found: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        plain = names.plain(name)
        if plain in found:
            raise FormatError(
                f"{folder}: has {plain} twice, with the prefix {names.prefix!r} and without; {_AGAIN}"
            )
        if plain is not None:
            found[plain] = tensor
    for copy, original in names.tied.items():
        if copy in found:
            tensor = found.pop(copy)
            if not torch.equal(found.setdefault(original, tensor), tensor):
                raise FormatError(
                    f"{folder}: {copy} and {original} differ, though the published architecture ties them; "
                    "take a checkpoint of tied weights"
                )
    return found


def built(
    create: Callable[[], nn.Module], names: Names, layers: int, stored: dict[str, Tensor], folder: Path
) -> tuple[nn.Module, list[str]]:
    """A network with the stored weights, and what the parts are called that had none and are random.

    Raises `FormatError` that names weights which are missing, too many, of another shape, or no plain floats.
    """
    weights = list(names.weights(layers))
    absent = [part for part in names.optional if not any(name.startswith(part) for name in stored)]
    weights = [weight for weight in weights if not weight.theirs[0].startswith(tuple(absent))]
    wanted = [name for weight in weights for name in weight.theirs]
    if missing := [name for name in wanted if name not in stored]:
        raise FormatError(f"{folder}: its weights lack {some(missing)}; {_AGAIN}")
    if unknown := sorted(stored.keys() - set(wanted)):
        raise FormatError(
            f"{folder}: its weights hold {some(unknown)}, which config.json gives no place to; check that the two "
            "belong together"
        )
    with torch.device("meta"):  # shapes alone: no room is taken before they fit, and nothing drawn in vain
        network = create()
    for weight in weights:
        for name, part in _parts(network, weight):
            _check(name, stored[name], part, folder)
    if absent:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # what is left random is the same each time
            network = create()
    else:
        network.to_empty(device="cpu")
    for weight in weights:
        for name, part in _parts(network, weight):
            part.copy_(stored[name])
    return network, [names.optional[part] for part in absent]


def _parts(network: nn.Module, weight: Weight) -> Iterator[tuple[str, Tensor]]:
    """The stored names of a parameter, and what of it each is, laid out as stored."""
    parts = network.get_parameter(weight.ours).detach().chunk(len(weight.theirs))
    for name, part in zip(weight.theirs, parts, strict=True):
        yield name, part.T if weight.transposed else part


def _check(name: str, tensor: Tensor, part: Tensor, folder: Path) -> None:
    if tensor.dtype not in _FLOATS:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise FormatError(
            f"{folder}: {name} is of {kind}, a quantised form that Firth does not read; "
            "take the checkpoint in float32, float16 or bfloat16"
        )
    if tensor.shape != part.shape:
        raise FormatError(
            f"{folder}: {name} has the shape {list(tensor.shape)}, by config.json it is {list(part.shape)}; "
            "check that the two belong together"
        )


def taken(network: nn.Module, names: Names, layers: int) -> dict[str, Tensor]:
    """A network's weights as `transformers` names and lays them out."""
    found: dict[str, Tensor] = {}
    for weight in names.weights(layers):
        found |= {names.full(name): part for name, part in _parts(network, weight)}
    return found
