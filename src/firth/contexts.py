"""Contexts: how a position in the text becomes a prediction. Each is a small frozen dataclass.

The command line's flags are made from the fields: a field's metadata is the flag's help.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from firth.errors import SettingsError
from firth.settings import whole

_MOST = 1000  # words on each side
_WINDOW = {"help": "words on each side of the centre"}
_SHRINK = {"help": "draw the window anew from 1 to WINDOW at each position, so that near words count more"}


@dataclass(frozen=True)
class SkipGram:
    """Each context word predicts the centre word: C predictions a position, h = v_c.

    The roles of word2vec.c: the same pairs as "centre predicts context", with more even updates
    (Mikolov et al. 2013a).
    """

    window: int = field(default=5, metadata=_WINDOW)
    shrink: bool = field(default=False, metadata=_SHRINK)
    name: ClassVar[str] = "skipgram"

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", whole("window", self.window, 1, _MOST))


@dataclass(frozen=True)
class CBOW:
    """The context words together predict the centre word: one prediction a position, h = (1/C) Σ v_c or Σ v_c.

    `gradient="exact"` moves each v_c by (η/C)·EH, the derivative of the mean; `"word2vec"` leaves out the 1/C, as
    word2vec.c and gensim do (Irsoy et al. 2020). With `combine="sum"` the two are the same.
    """

    window: int = field(default=5, metadata=_WINDOW)
    shrink: bool = field(default=True, metadata=_SHRINK)
    combine: Literal["mean", "sum"] = field(
        default="mean", metadata={"help": "how context vectors become one hidden vector"}
    )
    gradient: Literal["exact", "word2vec"] = field(
        default="word2vec",
        metadata={"help": "exact derivative of the mean, or word2vec.c's without the 1/C"},
    )
    name: ClassVar[str] = "cbow"

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", whole("window", self.window, 1, _MOST))
        if self.combine not in ("mean", "sum"):
            raise SettingsError(f"combine={self.combine!r} must be 'mean' or 'sum'")
        if self.gradient not in ("exact", "word2vec"):
            raise SettingsError(f"gradient={self.gradient!r} must be 'exact' or 'word2vec'")


Context = SkipGram | CBOW
CONTEXTS: dict[str, type[Context]] = {kind.name: kind for kind in (SkipGram, CBOW)}
