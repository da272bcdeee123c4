"""Texts that go on from their beginnings, many at a time, each token computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from firth.errors import SettingsError
from firth.lm.neural.devices import device_of
from firth.lm.neural.network import Network
from firth.lm.neural.transformer import Cache
from firth.lm.sampling import Sampling
from firth.settings import whole


@dataclass
class _Text:
    """A text that grows, what draws its tokens, and the first of its tokens that the network sees."""

    ids: list[int]
    random: np.random.Generator
    start: int = 0


def generate(
    network: Network,
    prompts: Sequence[Sequence[int]],
    *,
    length: int,
    sampling: Sampling = Sampling(),  # noqa: B008 - frozen
    seeds: Sequence[int],
    end: int | None = None,
    never: Sequence[int] = (),
    batch: int = 32,
) -> list[list[int]]:
    """The tokens that follow each of `prompts`, `length` of them at most, up to `end`, which is left out.

    `batch` texts grow at a time. Each is drawn by a generator of its own, seeded with its number of `seeds`, and
    neither what it sees nor where it stops depends on the others: alone it would be the same, as far as float32
    sums are. Tokens of `never` are not drawn. Where a text is longer than the network's context, the network sees
    its last tokens; it forgets half a context at a time, so that the others need not be computed again at every
    step.

    Raises `SettingsError` for a network that cannot generate, or a prompt without tokens.
    """
    if not network.causal:
        raise SettingsError(f"{type(network).__name__} sees both sides of a word and cannot go on; take a GPT")
    for number, prompt in enumerate(prompts):
        if not len(prompt):
            raise SettingsError(f"prompt {number} has no tokens to go on from; begin it with a word")
    texts = [_Text(list(prompt), np.random.default_rng(seed)) for prompt, seed in zip(prompts, seeds, strict=True)]
    length = whole("length", length, 0)
    never = list(never)
    with _still(network):
        for at in range(0, len(texts), whole("batch", batch, 1)):
            _grow(network, texts[at : at + batch], length, sampling, end, never)
    return [text.ids[len(prompt) :] for text, prompt in zip(texts, prompts, strict=True)]


def _grow(
    network: Network, live: list[_Text], length: int, sampling: Sampling, end: int | None, never: list[int]
) -> None:
    """Put tokens behind some texts, all at the same pace."""
    reader = _Reader(network)
    for left in range(length, 0, -1):
        scores = reader.scores(live, left)
        scores[:, never] = -np.inf
        drawn = [sampling.draw(row, text.random) for row, text in zip(scores, live, strict=True)]
        on = [row for row, id in enumerate(drawn) if id != end]
        if not on:
            break
        if len(on) < len(live):
            reader.keep(on)
            live = [live[row] for row in on]
        for text, row in zip(live, on, strict=True):
            text.ids.append(drawn[row])


@contextmanager
def _still(network: Network) -> Iterator[None]:
    """Without dropout and gradients."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(training)


class _Reader:
    """A network that reads growing texts; what it has read of them stays in a cache, if it uses one."""

    def __init__(self, network: Network):
        self.network = network
        self.context: int = network.config.context
        self.device = device_of(network)
        self.cache: Cache | None = None

    def scores(self, texts: Sequence[_Text], left: int) -> np.ndarray:
        """The scores (B, V) of the token after each text, of which `left` more will be asked for at most."""
        moved = False
        for text in texts:
            start = self._start(len(text.ids))
            moved, text.start = moved or start != text.start, start
        if self.cache is None or moved or self.cache.length == self.cache.capacity:
            ids, mask = self._padded([text.ids[text.start :] for text in texts])
            self.cache = Cache(min(self.context, ids.shape[1] + left - 1))
        else:
            ids, mask = torch.tensor([text.ids[-1:] for text in texts], device=self.device), None
        top = self.network.hidden(ids, mask=mask, cache=self.cache)[-1]
        if not self.cache.length:
            self.cache = None  # NNLM and ELMo keep nothing there, and read all again
        found: np.ndarray = self.network.logits(top[:, -1]).float().cpu().numpy()
        return found

    def _start(self, size: int) -> int:
        """The first token that is seen of so many: a function of nothing else, whatever the other texts are."""
        step = max(self.context // 2, 1)
        return -(-max(size - self.context, 0) // step) * step

    def _padded(self, windows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Token ids (B, T), padded on the left, so that all go on at the same place; True where they are real."""
        width = max(map(len, windows))
        ids, mask = np.zeros((len(windows), width), np.int64), np.zeros((len(windows), width), np.bool_)
        for row, window in enumerate(windows):
            ids[row, width - len(window) :], mask[row, width - len(window) :] = window, True
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all texts but those with these numbers."""
        if self.cache is not None:
            self.cache.keep(torch.tensor(rows, dtype=torch.int64, device=self.device))
