"""Texts as vectors: the layers of a network, token by token or pooled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from firth.errors import SettingsError
from firth.lm.neural.devices import device_of
from firth.lm.neural.inputs import word_pieces
from firth.lm.neural.network import Network
from firth.lm.neural.tokens import Tokens
from firth.settings import whole

Layer = int | Literal["top", "mix", "all"]
Pool = Literal["mean", "max", "cls", "last"]
Floats = NDArray[np.float32]

# The states of the tokens (…, T, D), and that of [CLS] (…, D), to one vector (…, D).
_POOLS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "mean": lambda states, first: states.mean(-2),
    "max": lambda states, first: states.max(-2),
    "last": lambda states, first: states[..., -1, :],
    "cls": lambda states, first: first,
}


def embed(
    network: Network, tokens: Tokens, texts: Sequence[str], *, layer: Layer, pool: Pool | None, batch: int
) -> list[Floats] | Floats:
    """See `Neural.embed`."""
    if pool not in (None, *_POOLS):
        raise SettingsError(f"pool={pool!r} must be None, {', '.join(map(repr, _POOLS))}")
    if pool == "cls" and tokens.cls is None:
        raise SettingsError(f"pool='cls' needs a model with [CLS], and {tokens.kind} have none; take 'mean'")
    encoded = tokens.encode_all(texts)
    for number, ids in enumerate(encoded):
        if not ids:
            raise SettingsError(f"text {number} ({texts[number][:40]!r}) has no tokens; leave it out")
    found: list[Floats] = [np.empty(0, np.float32)] * len(texts)
    for number, states, first in _states(network, tokens, encoded, layer, batch):
        found[number] = states if pool is None else _POOLS[pool](states, first)
    return found if pool is None else np.stack(found)


def embed_words(
    network: Network, tokens: Tokens, sentences: Sequence[Sequence[str]], *, layer: Layer, batch: int
) -> list[Floats]:
    """See `Neural.embed_words`."""
    if empty := [number for number, words in enumerate(sentences) if not words]:
        raise SettingsError(f"sentence {empty[0]} has no words; leave it out")
    pieces = [word_pieces(words, tokens) for words in sentences]
    rows = [[id for word in words for id in word] for words in pieces]
    found: list[Floats] = [np.empty(0, np.float32)] * len(rows)
    for number, states, _ in _states(network, tokens, rows, layer, batch):
        ends = np.cumsum([len(word) for word in pieces[number]])
        words = np.split(states, ends[:-1], axis=-2)
        found[number] = np.stack([each.mean(-2) for each in words], axis=-2)
    return found


def _states(
    network: Network, tokens: Tokens, rows: Sequence[Sequence[int]], layer: Layer, batch: int
) -> Iterator[tuple[int, Floats, Floats]]:
    """The number of each row, the states of its tokens (…, T, D), and that of the very first (…, D).

    Rows of like length are read together, so they come in another order.
    """
    if layer not in ("top", "mix", "all") and not isinstance(layer, int):
        raise SettingsError(f"layer={layer!r} must be 'top', 'mix', 'all' or a number, 0 being the embeddings")
    head, tail = _around(tokens)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    device = device_of(network)
    network.eval()
    for at in range(0, len(order), whole("batch", batch, 1)):
        some = order[at : at + batch]
        together, mask = padded([[*head, *rows[number], *tail] for number in some], tokens.pad)
        with torch.inference_mode():
            states = _chosen(network.hidden(together.to(device), mask=mask.to(device)), layer)
        for number, each in zip(some, states.float().cpu().numpy(), strict=True):
            yield number, each[..., len(head) : len(head) + len(rows[number]), :], each[..., 0, :]


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
