"""Texts as vectors: the layers of a network, token by token or pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from firth.errors import SettingsError
from firth.lm.neural.network import Network
from firth.lm.neural.tokens import Tokens
from firth.settings import whole

Layer = int | Literal["top", "mix", "all"]
Pool = Literal["mean", "max", "cls", "last"]
Floats = NDArray[np.float32]


def embed(
    network: Network, tokens: Tokens, texts: Sequence[str], *, layer: Layer, pool: Pool | None, batch: int
) -> list[Floats] | Floats:
    """See `Neural.embed`."""
    _check(network, tokens, layer, pool)
    encoded = tokens.encode_all(texts)
    for number, ids in enumerate(encoded):
        if not ids:
            raise SettingsError(f"text {number} ({texts[number][:40]!r}) has no tokens; leave it out")
    head, tail = _around(tokens)
    order = sorted(range(len(texts)), key=lambda number: len(encoded[number]))
    found: list[Floats] = [np.empty(0, np.float32)] * len(texts)
    network.eval()
    with torch.inference_mode():
        for at in range(0, len(order), whole("batch", batch, 1)):
            some = order[at : at + batch]
            rows = [[*head, *encoded[number], *tail] for number in some]
            together, mask = padded(rows, tokens.pad)
            device = network.embeddings.device
            layers = network.hidden(together.to(device), mask=mask.to(device))
            states = _chosen(layers, layer)  # (B, T, D) or (B, L + 1, T, D)
            for number, row, each in zip(some, rows, states, strict=True):
                inside = each[..., len(head) : len(row) - len(tail), :]
                pooled = inside if pool is None else _pooled(inside, each, pool)
                found[number] = pooled.float().cpu().numpy()
    return found if pool is None else np.stack(found)


def _check(network: Network, tokens: Tokens, layer: Layer, pool: Pool | None) -> None:
    if layer not in ("top", "mix", "all") and not isinstance(layer, int):
        raise SettingsError(f"layer={layer!r} must be 'top', 'mix', 'all' or a number, 0 being the embeddings")
    if pool not in (None, "mean", "max", "cls", "last"):
        raise SettingsError(f"pool={pool!r} must be None, 'mean', 'max', 'cls' or 'last'")
    if pool == "cls" and tokens.cls is None:
        raise SettingsError(f"pool='cls' needs a model with [CLS], and {tokens.kind} have none; take 'mean'")


def _around(tokens: Tokens) -> tuple[list[int], list[int]]:
    """What stands around a text: BERT's [CLS] and [SEP], the ends of the lines before and behind for ELMo."""
    if tokens.cls is not None and tokens.sep is not None:
        return [tokens.cls], [tokens.sep]
    return ([tokens.end], [tokens.end]) if tokens.kind == "spelled" else ([], [])


def padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Rows of ids as one array (B, T), filled up on the right, and True where they are real."""
    ids = torch.full((len(rows), max(map(len, rows))), pad)
    mask = torch.zeros(ids.shape, dtype=torch.bool)
    for row, (ids_of_row, mask_of_row) in zip(rows, zip(ids, mask, strict=True), strict=True):
        ids_of_row[: len(row)] = torch.tensor(row)
        mask_of_row[: len(row)] = True
    return ids, mask


def _chosen(layers: list[Tensor], layer: Layer) -> Tensor:
    if layer == "top":
        return layers[-1]
    if isinstance(layer, int):
        if not -len(layers) <= layer < len(layers):
            raise SettingsError(f"layer={layer} is not there; the model has 0 to {len(layers) - 1}")
        return layers[layer]
    if len({each.shape for each in layers}) > 1:
        sizes = ", ".join(str(each.shape[-1]) for each in layers)
        raise SettingsError(f"layer={layer!r} needs layers of one size, and these have {sizes}; choose one")
    stacked = torch.stack(layers, 1)
    return stacked.mean(1) if layer == "mix" else stacked


def _pooled(inside: Tensor, whole_row: Tensor, pool: Pool) -> Tensor:
    """(…, T, D) to (…, D)."""
    if pool == "cls":
        return whole_row[..., 0, :]
    if pool == "last":
        return inside[..., -1, :]
    return inside.mean(-2) if pool == "mean" else inside.amax(-2)
