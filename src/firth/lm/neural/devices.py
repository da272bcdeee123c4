"""Where networks compute, and how precisely."""

from __future__ import annotations

from typing import Any

import torch

from firth.errors import SettingsError
from firth.lm.neural.network import Network

TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def device_named(name: str | None) -> torch.device:
    """The device called "cpu", "cuda" or "mps"; None takes a GPU where there is one. Raises `SettingsError`."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return torch.device(next(each for each, is_there in there.items() if is_there))
    kind = name.partition(":")[0]
    if not there.get(kind):
        known = ", ".join(each for each, is_there in there.items() if is_there)
        raise SettingsError(f"device={name!r} is not to be had here; there is {known}")
    return torch.device(name)


def device_of(network: Network) -> torch.device:
    """Where a network's weights are."""
    return next(network.parameters()).device


def autocast(device: torch.device, precision: str) -> Any:
    """Matrix products in another precision than float32, if wanted."""
    return torch.autocast(device.type, TYPES.get(precision, torch.bfloat16), enabled=precision in TYPES)
