"""A neural language model as a directory: weights, tokens, vectors, and where its training stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from firth.checkpoint import Origin
from firth.errors import FormatError, SettingsError
from firth.files import read_directory, write_directory
from firth.lm.kinds import NEURAL
from firth.lm.neural import tokens as all_tokens
from firth.lm.neural.kinds import module_of
from firth.lm.neural.learning import Learning, Standing
from firth.lm.neural.network import Network
from firth.lm.neural.tokens import Tokens
from firth.tensors import open_tensors, write_tensors
from firth.vectors import Vectors
from firth.vectors.formats import firth as firth_format

WEIGHTS = "model.safetensors"
TRAINING = "training.safetensors"


@dataclass(frozen=True)
class Unfinished:
    """What a model that is still to learn keeps; only where it is saved, if anywhere, it need not keep."""

    path: Path | None
    standing: Standing
    learning: Learning
    text: Origin
    held_out: Origin | None
    every: float | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "standing": self.standing.as_dict(),
            "learning": asdict(self.learning),
            "text": self.text.as_dict(),
            "held_out": self.held_out and self.held_out.as_dict(),
            "every": self.every,
        }

    @classmethod
    def from_dict(cls, path: Path, saved: Mapping[str, Any], tensors: dict[str, Tensor]) -> Unfinished:
        """What `as_dict` gave, and was found in `path`; raises `KeyError` or `TypeError` for anything else."""
        return cls(
            path,
            Standing.from_dict(saved["standing"], tensors),
            Learning(**saved["learning"]),
            Origin.from_dict(saved["text"]),
            saved["held_out"] and Origin.from_dict(saved["held_out"]),
            saved["every"],
        )


@dataclass(frozen=True)
class Learnt:
    """What a model knows: its kind's network with its weights, its tokens, how it was learnt."""

    kind: str
    network: Network
    tokens: Tokens
    history: list[dict[str, Any]] = field(default_factory=list)
    unfinished: Unfinished | None = None

    def vectors(self) -> Vectors:
        """The input vectors of the tokens; of words without the specials, in the order of their counts."""
        matrix = self.network.embeddings.detach().float().cpu().numpy()[: len(self.tokens)]
        names, counts = self.tokens.pieces(range(len(self.tokens))), self.tokens.counts
        if counts is None:
            return Vectors(names, matrix)
        first = all_tokens.END + 1
        return Vectors(names[first:], matrix[first:], counts=counts[first:])


def copied(model: Learnt) -> tuple[Tokens, Network]:
    """Tokens and a network that are the same and share nothing with the model's own."""
    tokens = all_tokens.load(model.tokens.kind, model.tokens.dump())
    return tokens, _network(model.kind, model.network.config, tokens, model.network.state_dict())


def _network(kind: str, config: Any, tokens: Tokens, weights: Mapping[str, Tensor]) -> Network:
    with torch.random.fork_rng(devices=[]):
        network: Network = module_of(kind).create(config, tokens)
    network.load_state_dict(weights)
    return network


def save(path: str | Path, model: Learnt) -> None:
    """Write a directory; what stood there stays whole until the new is."""
    vectors = model.vectors()
    config = {
        "kind": model.kind,
        "rows": len(vectors),
        "dim": vectors.dim,
        "config": asdict(model.network.config),
        "tokens": model.tokens.kind,
        "history": model.history,
    }
    weights = model.network.state_dict()
    files: dict[str, Callable[[IO[bytes]], object]] = {
        WEIGHTS: partial(_write, tensors=weights),
        all_tokens.FILE: lambda file: file.write(model.tokens.dump()),
        firth_format.FILE: partial(write_tensors, tensors=firth_format.to_tensors(vectors)),
    }
    if model.unfinished:
        config["training"] = model.unfinished.as_dict()
        files[TRAINING] = partial(_write, tensors=model.unfinished.standing.tensors)
    write_directory(path, config, files)


def _write(file: IO[bytes], tensors: Mapping[str, Tensor]) -> None:
    write_tensors(file, {name: each.detach().cpu().numpy() for name, each in tensors.items()})


def load(path: str | Path) -> Learnt:
    """What `save` wrote; raises `FormatError`."""
    config, files = read_directory(path)
    kind = config.get("kind")
    if kind not in NEURAL:
        raise FormatError(f"{path}: holds {kind!r}, which is no neural language model; use firth.load")
    try:
        tokens = all_tokens.load(config["tokens"], files[all_tokens.FILE].read_bytes())
        settings = module_of(kind).Config(**config["config"])
        network = _network(kind, settings, tokens, _read(files[WEIGHTS]))
        training = config.get("training")
        unfinished = training and Unfinished.from_dict(Path(path), training, _read(files[TRAINING]))
        return Learnt(kind, network.eval(), tokens, list(config["history"]), unfinished)
    except (KeyError, TypeError, ValueError, RuntimeError, SettingsError) as error:
        raise FormatError(f"{path}: is no whole {kind} model ({_line(error)}); copy or save it again") from None


def _read(path: Path) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(each)) for name, each in open_tensors(path).items()}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
