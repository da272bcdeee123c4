"""What tests of stopped training share: a text, breaks, and what a saved directory holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from training import clusters

import firth
from firth import files
from firth.models.word2vec import Word2Vec

PATHS = f"{Path(firth.__file__).parents[1]}:{Path(__file__).parent}"


def write_text(path: Path) -> Path:
    """A file of a few dozen blocks."""
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in clusters(10_000)))
    return path


def saved_parts(path: Path) -> list[bytes]:
    """What a saved directory holds, but for times."""
    config, data = files.read_directory(path)
    rows = [{**row, "seconds": 0} for row in config["history"]]
    settings = [json.dumps(each).encode() for each in (config["settings"], rows, config.get("training"))]
    return settings + [data[name].read_bytes() for name in sorted(data)]


class Broken(Exception):
    """Ends a training from within."""


def break_after_save(monkeypatch, *, within_epoch: bool = False) -> None:
    """End a training, as if it were killed, after its next checkpoint (or the next within an epoch)."""
    save = Word2Vec.save

    def save_and_break(model, path):
        save(model, path)
        if model.unfinished and (model.unfinished.position.next_block or not within_epoch):
            raise Broken

    monkeypatch.setattr(Word2Vec, "save", save_and_break)


def firth_train(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "firth", "train", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PATHS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
