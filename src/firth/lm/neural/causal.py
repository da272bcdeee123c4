"""What GPT and GPT-2 learn by: each token from those before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from firth.lm.neural.network import Batch, Loss, Network
from firth.lm.neural.softmax import cross_entropy
from firth.lm.neural.stream import Stream


@dataclass(frozen=True, eq=False)
class Chunks:
    """A stream in pieces of `context` tokens to be predicted; the last may be shorter.

    Each has one token more, its first, which is the one before in the stream.
    """

    stream: Stream
    context: int

    def __len__(self) -> int:
        return -(-max(len(self.stream) - 1, 0) // self.context)

    def make(self, which: NDArray[np.int64], random: np.random.Generator) -> Batch:
        """`ids` (B, T + 1); where one is short, also `mask` (B, T + 1), False for what fills it up."""
        found = [self.stream.ids[at : at + self.context + 1] for at in (which * self.context).tolist()]
        width = max(map(len, found))
        if all(len(each) == width for each in found):
            return {"ids": torch.from_numpy(np.stack(found).astype(np.int64))}
        ids, mask = np.zeros((len(found), width), np.int64), np.zeros((len(found), width), np.bool_)
        for row, each in enumerate(found):
            ids[row, : len(each)], mask[row, : len(each)] = each, True
        return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask)}


def causal_loss(network: Network, batch: Batch) -> Loss:
    """The mean of −ln P(token | those before it) over all tokens of `ids` (B, T + 1) but each row's first.

    Tokens where `mask` (B, T + 1) is False are neither seen nor predicted.
    """
    ids, mask = batch["ids"], batch.get("mask")
    top = network.hidden(ids[:, :-1], mask=None if mask is None else mask[:, :-1])[-1]
    targets = ids[:, 1:]
    if mask is None:
        top, targets = top.flatten(0, 1), targets.flatten()
    else:
        top, targets = top[mask[:, 1:]], targets[mask[:, 1:]]
    mean, _ = cross_entropy(top, network.embeddings, targets)
    return Loss(mean, mean.detach(), len(targets))
