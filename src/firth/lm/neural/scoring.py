"""How likely each token of a text is, the text read through a window that slides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from firth.errors import SettingsError
from firth.lm.neural.devices import autocast, device_of
from firth.lm.neural.network import Network
from firth.lm.neural.stream import Stream
from firth.lm.neural.tokens import Tokens
from firth.settings import whole

_SCORES = 1 << 24  # that exist at once


class PieceScore(NamedTuple):
    """log10 P(token | tokens before it), and whether the token is the unknown word."""

    word: str
    log10: float
    unknown: bool


def log_probabilities(
    network: Network, tokens: Tokens, stream: Stream, *, stride: int | None = None, precision: str = "float32"
) -> NDArray[np.float32]:
    """ln P of each token of a text given those before it, shape (N,); an end token stands before the first.

    A window of as many tokens as the network reads (`config.context`) moves on by `stride` of them at a time; what
    it shows anew is scored, so that each token has at least context − stride + 1 before it, where there are so
    many. None is half of the context: a smaller stride costs more, and shows each token more.

    Raises `SettingsError` for a network that does not read from left to right, or a stride that skips tokens.
    """
    if not network.causal:
        raise SettingsError(
            f"{type(network).__name__} sees both sides of a word, so that a text has no probability; "
            "its history tells how well it foresees masked words"
        )
    width: int = network.config.context
    stride = max(1, width // 2) if stride is None else whole("stride", stride, 1, width)
    found = np.empty(len(stream), np.float32)
    network.eval()
    rows = max(1, _SCORES // (stride * network.config.vocabulary))
    with torch.inference_mode(), autocast(device_of(network), precision):
        first = min(width, len(stream))
        found[:first] = _scored(network, tokens, stream, np.zeros(1, np.int64), first, first)
        starts = np.arange(width, len(stream) - stride + 1, stride)  # of what is scored
        for at in range(0, len(starts), rows):
            some = starts[at : at + rows]
            scores = _scored(network, tokens, stream, some + stride - width, width, stride)
            found[some[0] : some[-1] + stride] = scores
        if rest := (len(stream) - width) % stride if len(stream) > width else 0:
            found[-rest:] = _scored(network, tokens, stream, np.array([len(stream) - width]), width, rest)
    return found


def _scored(
    network: Network, tokens: Tokens, stream: Stream, starts: NDArray[np.int64], width: int, last: int
) -> NDArray[np.float32]:
    """ln P of the last tokens of windows that are to foresee `width` tokens from `starts` on."""
    at = starts[:, None] + np.arange(-1, width)
    ids = np.where(at < 0, stream.end, stream.ids[np.maximum(at, 0)].astype(np.int64))
    shown = torch.from_numpy(ids).to(device_of(network))
    top = network.hidden(shown[:, :-1])[-1][:, -last:]
    targets = predicted(shown[:, -last:], tokens)
    log = torch.log_softmax(network.logits(top).float(), -1).gather(2, targets[..., None])
    scores: NDArray[np.float32] = log.flatten().cpu().numpy()
    return scores


def predicted(ids: Tensor, tokens: Tokens) -> Tensor:
    """The ids as they are predicted: what is read by its spelling alone is the unknown word."""
    return ids if tokens.unknown is None else ids.masked_fill(ids >= len(tokens), tokens.unknown)
