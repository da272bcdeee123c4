"""What a kind of neural language model is made of: the contract that nnlm, elmo, gpt, gpt2 and bert keep.

A kind is a module with

    Config                  a frozen dataclass that validates itself: plain values, `vocabulary` and `dims` there,
                            `context` where a network sees so many tokens at most; `metadata={"help": …}` makes
                            a field an option of the command line
    SIZES                   {"tiny": {…}, …}: the fields of Config by the name of a size
    TOKENS                  the kinds of tokens that it goes with, the usual one first
    LEARNING                {"batch": …}: fields of `learning.Learning` that suit it, where the usual ones do not
    create(config, tokens)  a `Network` with its initial weights, drawn from torch's global generator
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from firth.lm.neural.stream import Stream

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Loss:
    """What a batch costs.

    `total` is to be minimised, a mean over what is predicted; `nll` the language model's part of it, in nats a
    prediction (without penalties, pairs of spans and the like); `predicted` how many predictions there were.
    `read` counts the tokens that the batch went through, where that is another number. `extras` are shares and
    means worth showing, such as a masked word's accuracy.
    """

    total: Tensor
    nll: Tensor
    predicted: int
    read: int | None = None
    extras: Mapping[str, float] = field(default_factory=dict)


class Batches(Protocol):
    """What is learnt from, cut into pieces; an epoch visits each once, in an order of its own."""

    def __len__(self) -> int:
        """The number of pieces."""

    def make(self, which: NDArray[np.int64], random: np.random.Generator) -> Batch:
        """The pieces numbered so as a batch on the CPU, a function of nothing but these arguments."""


class Network(Protocol):
    """An nn.Module that is a language model. B texts of T tokens; D dims; V words; L layers."""

    @property
    def config(self) -> Any:
        """The `Config` that it was made by."""

    @property
    def causal(self) -> bool:
        """Whether `logits(hidden(ids)[-1])[:, t]` predicts token t + 1 from those up to t, and nothing else."""

    @property
    def embeddings(self) -> Tensor:
        """The vectors of the input tokens, shape (V, D')."""

    def hidden(
        self, ids: Tensor, *, mask: Tensor | None = None, segments: Tensor | None = None, cache: Any = None
    ) -> list[Tensor]:
        """L + 1 tensors (B, T, D): what the embeddings give, then each layer, the last after a final norm.

        `ids` is int64 (B, T); `mask` bool (B, T), True for real tokens, None for all; `segments` int64 (B, T), for
        BERT. Positions count real tokens, so padding on the left changes nothing.
        """

    def logits(self, top: Tensor) -> Tensor:
        """(…, D) of the top layer to (…, V), not normalised."""

    def loss(self, batch: Batch) -> Loss:
        """The pretraining loss of a batch that `batches` made."""

    def batches(self, stream: Stream) -> Batches:
        """How a text is cut to be learnt."""

    # The parts of nn.Module that are used.
    training: bool

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]: ...  # noqa: D102
    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Tensor]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...  # noqa: D102
    def train(self, mode: bool = True) -> Any: ...  # noqa: D102
    def eval(self) -> Any: ...  # noqa: D102
    def to(self, device: Any) -> Any: ...  # noqa: D102
