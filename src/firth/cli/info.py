"""firth info: what is this file?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import firth
from firth.cli.options import as_json, command_with
from firth.cli.output import show
from firth.evaluate.report import table
from firth.lm import NGram
from firth.models.word2vec import Word2Vec
from firth.vectors import Vectors
from firth.vectors.formats import of_content

if TYPE_CHECKING:
    from firth.lm import Neural, Task


@command_with(example="firth info wiki.firth")
@click.argument("path")
@as_json
def command(path: str, as_json: bool) -> None:
    """Tell what a file of vectors or a model holds.

    PATH is a file or directory of any format that Firth reads, or a model, of which the settings and the history
    of its training are shown too.
    """
    found = firth.load(path)
    if not isinstance(found, Vectors | Word2Vec):
        show(*_language_model(path, found), as_json)
        return
    vectors = found.vectors if isinstance(found, Word2Vec) else found
    result: dict[str, Any] = {
        "path": path,
        "kind": "word2vec model" if isinstance(found, Word2Vec) else "vectors",
        "format": of_content(Path(path)),
        "bytes": _size(Path(path)),
        "words": len(vectors),
        "dim": vectors.dim,
        "first_words": vectors.words[:10],
        "occurrences": None if vectors.counts is None else int(vectors.counts.sum()),
    }
    if vectors.info:
        result["info"] = vectors.info
    if isinstance(found, Word2Vec):
        result["settings"] = found.settings
        result["history"] = [row.as_dict() for row in found.history]
    show(result, _text(result), as_json)


def _language_model(path: str, model: NGram | Neural | Task) -> tuple[dict[str, Any], str]:
    if isinstance(model, NGram):
        return _ngram(path, model)
    from firth.lm import Task

    return _task(path, model) if isinstance(model, Task) else _neural(path, model)


def _ngram(path: str, model: NGram) -> tuple[dict[str, Any], str]:
    result: dict[str, Any] = {
        "path": path,
        "kind": "n-gram model",
        "bytes": _size(Path(path)),
        "words": len(model.words),
        "ngrams": model.sizes,
        "settings": model.settings,
        "about": model.fitted.about,
    }
    facts = {
        "kind": "n-gram model",
        "size": f"{result['bytes'] / 1e6:,.1f} MB",
        "words": f"{len(model.words):,}: {' '.join(model.words[:10])} …",
        "n-grams": ", ".join(f"{size:,}" for size in model.sizes),
        **{key.replace("_", " "): _setting(value) for key, value in model.settings.items()},
    }
    return result, _aligned(facts)


def _neural(path: str, model: Neural) -> tuple[dict[str, Any], str]:
    config = asdict(model.network.config)
    result: dict[str, Any] = {
        "path": path,
        "kind": f"{model.kind} language model",
        "bytes": _size(Path(path)),
        "parameters": sum(each.numel() for each in model.network.parameters()),
        "tokens": model.tokens.kind,
        "vocabulary": len(model.tokens),
        "settings": config,
        "history": model.history,
        "unfinished": model.learnt.unfinished is not None,
    }
    facts = {
        "kind": result["kind"] + (", its training not ended" if result["unfinished"] else ""),
        "size": f"{result['bytes'] / 1e6:,.1f} MB, {result['parameters']:,} parameters",
        "tokens": f"{len(model.tokens):,} {model.tokens.kind}",
        **{key.replace("_", " "): _setting(value) for key, value in config.items() if key != "vocabulary"},
    }
    return result, _with_history(facts, model.history)


def _task(path: str, model: Task) -> tuple[dict[str, Any], str]:
    result: dict[str, Any] = {
        "path": path,
        "kind": "task",
        "bytes": _size(Path(path)),
        "task": model.task,
        "model": model.model,
        "labels": list(model.labels),
        "settings": model.settings,
        "history": model.history,
    }
    facts = {
        "kind": f"{model.task} by {model.model}",
        "size": f"{result['bytes'] / 1e6:,.1f} MB",
        **({"labels": f"{len(model.labels):,}: {' '.join(model.labels[:10])}"} if model.labels else {}),
        **{key.replace("_", " "): _setting(value) for key, value in model.settings.items()},
    }
    return result, _with_history(facts, model.history)


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.iterdir()
    return sum(file.stat().st_size for file in files)


def _text(result: dict[str, Any]) -> str:
    occurrences = result["occurrences"]
    facts = {
        "kind": result["kind"],
        "format": result["format"],
        "size": f"{result['bytes'] / 1e6:,.1f} MB",
        "words": f"{result['words']:,}: {' '.join(result['first_words'])} …",
        "dimensions": str(result["dim"]),
        "counts": "not known" if occurrences is None else f"of {occurrences:,} occurrences",
        **{key: str(value) for key, value in result.get("info", {}).items()},
        **{key.replace("_", " "): _setting(value) for key, value in result.get("settings", {}).items()},
    }
    return _with_history(facts, result.get("history", []))


def _with_history(facts: dict[str, str], history: Sequence[dict[str, Any]]) -> str:
    lines = [_aligned(facts)]
    if history:
        lines += ["", table(list(history[0]), [[_number(each) for each in row.values()] for row in history])]
    return "\n".join(lines)


def _aligned(facts: dict[str, str]) -> str:
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {value}" for name, value in facts.items())


def _setting(value: object) -> str:
    if isinstance(value, dict):
        rest = ", ".join(f"{key} {each}" for key, each in value.items() if key != "name")
        return f"{value['name']} ({rest})" if rest else value["name"]
    return "–" if value is None else str(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"
