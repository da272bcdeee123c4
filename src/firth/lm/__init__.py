"""Language models: what word comes next, and how likely."""

from __future__ import annotations

from pathlib import Path

from firth.errors import FormatError
from firth.files import read_directory
from firth.lm.ngram import arpa
from firth.lm.ngram.model import KIND, NGram, State, WordScore
from firth.lm.ngram.smoothing import AddK, JelinekMercer, Katz, KneserNey, MaximumLikelihood, ModifiedKneserNey
from firth.lm.sampling import Sampling

__all__ = [
    "AddK",
    "JelinekMercer",
    "Katz",
    "KneserNey",
    "MaximumLikelihood",
    "ModifiedKneserNey",
    "NGram",
    "Sampling",
    "State",
    "WordScore",
    "is_model",
    "load",
]

KINDS = {KIND: NGram}


def is_model(path: str | Path) -> bool:
    """Whether `load` opens it: a directory of a language model, or an ARPA file."""
    if Path(path).is_dir():
        return read_directory(path).config.get("kind") in KINDS
    return arpa.is_arpa(path)


def load(path: str | Path) -> NGram:
    """The language model in a directory that its `save` wrote, or in an ARPA file; raises `FormatError`."""
    if not Path(path).is_dir():
        return NGram.load(path)
    kind = read_directory(path).config.get("kind")
    if kind not in KINDS:
        raise FormatError(f"{path}: holds {kind!r}, which is no language model; open it with firth.load")
    return KINDS[kind].load(path)
