"""What a task puts on top of a network: a state that stands for its texts or words, and one linear layer.

    gpt, gpt2   the state of <extract>; for similarity those of both orders added up       (Radford et al. 2018, 3)
                L₂ + λ·L₁: the language model's loss on the task's texts is kept            (eq. 5, λ = 0.5)
    bert        tanh(W·h + b) of [CLS]; for tags and answers each token's h                 (Devlin et al. 2019, 4)
    elmo        h = γ Σ_j s_j h_j (Peters et al. 2018, eq. 1), its mean over the tokens, u; with that of a second
                text, v: u | v | |u − v| | u ⊙ v; for answers h | q | h ⊙ q, with the question's mean, q

A choice is the softmax over the scores of its candidates, a tag is told from its word's state, and an answer goes
from the word i with the highest S·h_i to the word j with the highest E·h_j.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from firth.lm.neural.elmo import Mix
from firth.lm.neural.examples import TaskName
from firth.lm.neural.inputs import NONE
from firth.lm.neural.network import Batch, Loss
from firth.lm.neural.softmax import cross_entropy

SPREAD = 0.02  # standard deviation of a head's fresh weights
OF_WORDS: tuple[TaskName, ...] = ("tag", "span")  # tasks that ask words; the others ask texts
OF_TWO: tuple[TaskName, ...] = ("pair", "similarity", "choice", "span")  # tasks with two texts in a candidate


class Summary(Protocol):
    """What stands for texts and words. C candidates of S inputs of T tokens; D dims; W words asked for."""

    def tokens(self, layers: Sequence[Tensor]) -> Tensor:
        """A network's L + 1 layers (…, T, D) to (…, T, D)."""

    def texts(self, network: Any, tokens: Tensor, mask: Tensor) -> Tensor:
        """(C, S, T, D), of which `mask` (C, S, T) tells the real ones, to (C, F)."""

    def words(self, tokens: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """The same, and where in the last input words are, int64 (C, W), to (C, W, F')."""


class Top:
    """GPT's and BERT's: the top layer, and of a text the state that `of_text` picks."""

    def __init__(self, of_text: Callable[[Any, Tensor, Tensor], Tensor]):
        self.texts = of_text

    def tokens(self, layers: Sequence[Tensor]) -> Tensor:
        """The top layer."""
        return layers[-1]

    def words(self, tokens: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """The states there, (C, W, D)."""
        return _at(tokens[:, -1], places)


def extracted(network: Any, tokens: Tensor, mask: Tensor) -> Tensor:
    """The states of the last real token, which has seen the whole text, added over the inputs, (C, D)."""
    return _at(tokens, mask.sum(-1, keepdim=True) - 1).sum((1, 2))


def pooled(network: Any, tokens: Tensor, mask: Tensor) -> Tensor:
    """The state of [CLS], the first token, through a layer that has learnt whether spans adjoin, (C, D)."""
    found: Tensor = network.pooled(tokens[:, 0])
    return found


class Mixed(nn.Module):
    """ELMo's: layers mixed in shares that the task learns; texts meet only here."""

    def __init__(self, layers: int):
        super().__init__()
        self.mix = Mix(layers)

    def tokens(self, layers: Sequence[Tensor]) -> Tensor:
        """γ Σ_j s_j h_j."""
        mixed: Tensor = self.mix(layers)
        return mixed

    def texts(self, network: Any, tokens: Tensor, mask: Tensor) -> Tensor:
        """The means u and v of the inputs' tokens as u, (C, D), or as u | v | |u − v| | u ⊙ v, (C, 4D)."""
        means = _means(tokens, mask)
        if means.shape[1] == 1:
            return means[:, 0]
        one, other = means.unbind(1)
        return torch.cat([one, other, (one - other).abs(), one * other], -1)

    def words(self, tokens: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """The states h there, (C, W, D), or beside the mean q of another input h | q | h ⊙ q, (C, W, 3D)."""
        states = _at(tokens[:, -1], places)
        if tokens.shape[1] == 1:
            return states
        asked = _means(tokens, mask)[:, :1].expand_as(states)
        return torch.cat([states, asked, states * asked], -1)


def _at(tokens: Tensor, places: Tensor) -> Tensor:
    """(…, T, D) at int64 (…, W) to (…, W, D)."""
    return tokens.gather(-2, places[..., None].expand(*places.shape, tokens.shape[-1]))


def _means(tokens: Tensor, mask: Tensor) -> Tensor:
    """(…, T, D) to the mean over real tokens, (…, D)."""
    return (tokens * mask[..., None]).sum(-2) / mask.sum(-1, keepdim=True)


class TaskNetwork(nn.Module):
    """A network and the head of a task. B examples of one candidate or more, C candidates in all, of S inputs.

    `features` is the width of what `summary` gives, `outputs` that of the linear layer: labels, tags, two for the
    ends of an answer, or one score. A `frozen` network does not learn, nor drop anything out.
    """

    def __init__(
        self,
        network: Any,
        summary: Any,
        task: TaskName,
        *,
        features: int,
        outputs: int,
        inputs: int,
        dropout: float,
        auxiliary: float,
        frozen: bool,
    ):
        super().__init__()
        self.network, self.summary, self.task = network, summary, task
        self.inputs, self.auxiliary, self.frozen = inputs, auxiliary, frozen
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, outputs)
        nn.init.normal_(self.head.weight, std=SPREAD)
        nn.init.zeros_(self.head.bias)
        network.requires_grad_(not frozen)

    def train(self, mode: bool = True) -> TaskNetwork:
        """Learn, or don't."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self

    def forward(self, batch: Batch) -> Tensor:
        """The scores of a batch: (B, labels), (B,), (B, choices), (C, W, tags), or (C, W, 2).

        What is not there, of choices or words, has the score −∞ (tags: means nothing).
        """
        return self._scores(batch, self._layers(batch))

    def loss(self, batch: Batch) -> Loss:
        """Cross entropy, for similarity the squared error; λ times the language model's loss is added to it."""
        layers = self._layers(batch)
        scores, targets = self._scores(batch, layers), batch["targets"]
        if self.task == "similarity":
            own = functional.mse_loss(scores.float(), targets)
        else:
            if self.task in OF_WORDS:  # words, or the two ends, are examples of their own
                scores = (scores if self.task == "tag" else scores.transpose(1, 2)).flatten(0, 1)
            own = functional.cross_entropy(scores.float(), targets.flatten(), ignore_index=NONE)
        read, count = int(batch["mask"].sum()), len(batch["counts"])
        if not self.auxiliary:
            return Loss(own, own.detach(), count, read)
        nll = self._language(batch, layers[-1])
        return Loss(own + self.auxiliary * nll, own.detach(), count, read, {"language_loss": float(nll.detach())})

    def _layers(self, batch: Batch) -> list[Tensor]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            layers: list[Tensor] = self.network.hidden(
                batch["ids"], mask=batch["mask"], segments=batch["segments"]
            )
        return layers

    def _scores(self, batch: Batch, layers: Sequence[Tensor]) -> Tensor:
        top = self.summary.tokens(layers)
        tokens = top.view(-1, self.inputs, *top.shape[1:])  # (C, S, T, D)
        mask = batch["mask"].view(-1, self.inputs, top.shape[1])
        if self.task in OF_WORDS:
            scores: Tensor = self.head(self.dropout(self.summary.words(tokens, mask, batch["places"])))
            return scores if self.task == "tag" else scores.masked_fill(~batch["words"][..., None], -torch.inf)
        scores = self.head(self.dropout(self.summary.texts(self.network, tokens, mask)))  # (C, outputs)
        if self.task == "similarity":
            return scores[:, 0]
        if self.task == "choice":
            return pad_sequence(list(torch.split(scores[:, 0], batch["counts"].tolist())), True, -torch.inf)
        return scores

    def _language(self, batch: Batch, top: Tensor) -> Tensor:
        """The mean of −ln P(token | those before it) over the inputs."""
        real = batch["mask"][:, 1:]
        nll, _ = cross_entropy(top[:, :-1][real], self.network.embeddings, batch["ids"][:, 1:][real])
        return nll


def with_head(
    kind: str, network: Any, task: TaskName, outputs: int, *, dropout: float, auxiliary: float, frozen: bool
) -> TaskNetwork:
    """The head that a kind of network gets for a task, with fresh weights."""
    two, dims = task in OF_TWO, network.config.dims
    if kind == "elmo":
        summary: Summary = Mixed(network.config.layers + 1)
        inputs, features = 1 + two, 2 * dims * ((3 if task == "span" else 4) if two else 1)
    else:
        summary = Top(pooled if kind == "bert" else extracted)
        inputs, features = 1 + (kind != "bert" and task == "similarity"), dims
    return TaskNetwork(
        network,
        summary,
        task,
        features=features,
        outputs=outputs,
        inputs=inputs,
        dropout=dropout,
        auxiliary=auxiliary,
        frozen=frozen,
    )
