"""A word2vec model as a directory: vectors, output matrix, settings, history, and where its training stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.checkpoint import Unfinished
from firth.contexts import CONTEXTS
from firth.errors import FormatError, SettingsError
from firth.files import read_directory, write_directory
from firth.objectives import OBJECTIVES, Objective
from firth.tensors import open_tensors, write_tensors
from firth.train import EpochRow
from firth.vectors import Vectors
from firth.vectors.formats import firth as firth_format
from firth.vocab import Vocabulary
from firth.weights import Weights
from firth.words import PackedWords

KIND = "word2vec"
OUTPUT = "output.safetensors"
FROZEN = "frozen.safetensors"  # of a model that is still to learn, and not all of it


@dataclass(frozen=True)
class State:
    """What a model knows besides its settings."""

    vectors: Vectors
    weights: Weights
    history: list[EpochRow]
    unfinished: Unfinished | None


def save(path: str | Path, settings: dict[str, Any], state: State) -> None:
    """Write a directory: vectors as `Vectors.save` writes them, output matrix, settings and history."""
    weights = state.weights
    output: dict[str, NDArray[Any]] = {"output": weights.output[:, : weights.dim]}
    if weights.bias is not None:
        output["bias"] = weights.bias
    config = {
        "kind": KIND,
        "rows": len(state.vectors),
        "dim": weights.dim,
        "settings": settings,
        "history": [row.as_dict() for row in state.history],
    }
    tensors = {firth_format.FILE: firth_format.to_tensors(state.vectors), OUTPUT: output}
    if state.unfinished:
        config["training"] = state.unfinished.as_dict()
        if weights.frozen is not None:
            tensors[FROZEN] = {"frozen": weights.frozen}
    write_directory(path, config, {name: partial(write_tensors, tensors=each) for name, each in tensors.items()})


def settings_of(path: str | Path) -> dict[str, Any]:
    """The settings that `save` was given; raises `FormatError` for a directory of anything else."""
    config = read_directory(path).config
    if config.get("kind") != KIND:
        raise FormatError(f"{path}: holds {config.get('kind')!r}, not a word2vec model; use firth.load")
    if not isinstance(config.get("settings"), dict):
        raise FormatError(f"{path}: its settings are not those of a word2vec model; save it again")
    return dict(config["settings"])


def load(path: str | Path, objective: Objective, dim: int) -> State:
    """What `save` wrote, its matrices mapped from the files; raises `FormatError`."""
    directory, vectors = read_directory(path), Vectors.load(path)
    try:
        history = [EpochRow.from_dict(row) for row in directory.config["history"]]
        training = directory.config.get("training")
        unfinished = Unfinished.from_dict(Path(path), training) if training else None
        output = open_tensors(directory.files[OUTPUT])
        frozen = open_tensors(directory.files[FROZEN])["frozen"] if FROZEN in directory.files else None
    except (KeyError, TypeError, SettingsError) as error:
        raise FormatError(
            f"{path}: its settings are not those of a word2vec model ({error}); save it again"
        ) from None
    if vectors.counts is None:
        raise FormatError(f"{path}: its vectors lack their counts; save it again")
    vocab = Vocabulary(PackedWords.pack(vectors.words), vectors.counts)
    rows = objective.output_rows(vocab)
    shapes: dict[str, tuple[int, ...]] = {"output": (rows, dim)}
    if objective.start_bias(vocab) is not None:
        shapes["bias"] = (rows,)
    fits = frozen is None or (frozen.shape == (len(vocab),) and frozen.dtype == np.uint8)
    if not fits or vectors.dim != dim or {name: each.shape for name, each in output.items()} != shapes:
        raise FormatError(f"{path}: its vectors, output matrix and settings do not belong together; save it again")
    weights = Weights(vectors.matrix, output["output"], output.get("bias"), dim, frozen)
    return State(vectors, weights, history, unfinished)


def parts(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with context and objective made anew from their names and fields."""
    context, objective = dict(settings["context"]), dict(settings["objective"])
    return {
        **settings,
        "context": CONTEXTS[context.pop("name")](**context),
        "objective": OBJECTIVES[objective.pop("name")](**objective),
    }
