"""What commands print: lines for people, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from firth.files import check_writable
from firth.models.plan import Plan
from firth.vectors import Neighbour, Vectors
from firth.vectors.formats import of_extension

INTERRUPTED = 130  # the status: 128 + SIGINT, as shells have it


def fail(text: str, *, prefix: str = "firth") -> None:
    """One line on standard error, whatever the text holds."""
    click.echo(f"{prefix}: {' '.join(text.split())}", err=True)


def show(result: dict[str, Any], text: str, as_json: bool) -> None:
    """Print a result as JSON in a line, or its text for people."""
    click.echo(json.dumps(result, ensure_ascii=False) if as_json else text)


def neighbours_text(neighbours: Sequence[Neighbour]) -> str:
    """A line for each: the similarity first, so that words of any script stand in line."""
    return "\n".join(f"{similarity:7.4f}  {word}" for word, similarity in neighbours)


def neighbours_json(neighbours: Sequence[Neighbour]) -> list[dict[str, Any]]:
    """A word and its similarity each."""
    return [neighbour._asdict() for neighbour in neighbours]


def plan_text(plan: Plan, dim: int) -> str:
    """A plan of training for people, a line for each thing it takes."""
    free, fits = (
        plan.memory_available,
        "" if plan.fits else ": lower --dim, or the words with --min-count or --max-size",
    )
    memory = f"{plan.memory / 1e9:,.2f} GB" + ("" if free is None else f" of {free / 1e9:,.2f} GB available{fits}")
    disk = {"text": plan.disk_cache, "model": plan.disk_model, "vectors alone": plan.disk_vectors}
    time = "not measured, the memory does not suffice"
    if plan.seconds is not None and plan.words_per_second is not None:
        time = f"{plan.seconds:,.0f} s at {plan.words_per_second / 1e6:.2f} M words/s, as a short trial had"
    lines = {
        "text": f"{plan.words:,} words, vocabulary {plan.vocabulary:,} × {dim}",
        "memory": memory,
        "disk": ", ".join(f"{name} {size / 1e9:,.2f} GB" for name, size in disk.items()),
        "training": time,
    }
    return "\n".join(f"{name:8}  {value}" for name, value in lines.items())


def check_vectors_target(path: str, format: str | None = None) -> str:
    """The format that vectors written there will have; raises `FirthError` if they could not be written."""
    format = format or of_extension(Path(path))
    check_writable(path, directory=format == "firth")
    return format


def described(vectors: Vectors) -> str:
    """Number and size of vectors."""
    return f"{len(vectors):,} words × {vectors.dim}"
