"""Language models: what word comes next, and how likely.

`NGram` counts; `Neural`, a network, and `Task`, one that was fine-tuned, need the extra `lm` and are loaded when
they are first asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth.errors import FormatError
from firth.files import read_directory
from firth.lm.kinds import NEURAL, TASK, is_foreign
from firth.lm.ngram import arpa
from firth.lm.ngram.model import KIND, NGram, State, WordScore
from firth.lm.ngram.smoothing import AddK, JelinekMercer, Katz, KneserNey, MaximumLikelihood, ModifiedKneserNey
from firth.lm.sampling import Sampling

if TYPE_CHECKING:
    from firth.lm.neural.finetune import Task
    from firth.lm.neural.model import Neural

__all__ = [
    "NEURAL",
    "TASK",
    "AddK",
    "JelinekMercer",
    "Katz",
    "KneserNey",
    "MaximumLikelihood",
    "ModifiedKneserNey",
    "NGram",
    "Neural",
    "Sampling",
    "State",
    "Task",
    "WordScore",
    "is_model",
    "load",
]


def is_model(path: str | Path) -> bool:
    """Whether `load` opens it: a directory of a language model, Firth's or Hugging Face's, or an ARPA file."""
    if not Path(path).is_dir():
        return arpa.is_arpa(path)
    return is_foreign(path) or read_directory(path).config.get("kind") in (KIND, *NEURAL)


def load(path: str | Path) -> NGram | Neural:
    """The language model in a directory that its `save` wrote or Hugging Face's libraries, or in an ARPA file.

    Raises `FormatError`, and `MissingExtraError` for a neural one where the extra is not installed.
    """
    if not Path(path).is_dir():
        return NGram.load(path)
    kind = None if is_foreign(path) else read_directory(path).config.get("kind")
    if kind == KIND:
        return NGram.load(path)
    if kind is not None and kind not in NEURAL:
        raise FormatError(f"{path}: holds {kind!r}, which is no language model; open it with firth.load")
    from firth.lm.neural.model import Neural

    return Neural.load(path)


def __getattr__(name: str) -> Any:
    if name == "Neural":
        from firth.lm.neural.model import Neural

        return Neural
    if name == "Task":
        from firth.lm.neural.finetune import Task

        return Task
    raise AttributeError(f"module 'firth.lm' has no attribute {name!r}")
