"""firth lm predict: what a fine-tuned model says of examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from firth.cli.options import as_json, command_with, option, quiet
from firth.files import atomic_write

if TYPE_CHECKING:
    from firth.lm.neural.answers import Prediction
    from firth.lm.neural.examples import Example


@command_with(example="firth lm predict clf/ test.tsv\nfirth lm predict clf/ test.tsv --json -o predicted.jsonl")
@click.argument("task")
@click.argument("file", default="-")
@option("--out", "-o", metavar="FILE", help="where to write", default_text="standard output")
@option("--batch", default=32, metavar="N", help="examples that are read at once")
@option("--encoding", default="utf-8", help="of the examples")
@option("--device", metavar="NAME", default_text="a GPU where there is one", help="cpu, cuda or mps")
@quiet
@as_json
def command(
    task: str,
    file: str,
    out: str | None,
    batch: int,
    encoding: str,
    device: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Predict each example of FILE by TASK, what firth lm finetune wrote.

    FILE is as for finetune, with what is to be predicted or without it; where it is there, how right the
    predictions are is told on standard error. A line is what was predicted, its probability, and the texts, with
    tabs between; for tag a word and its tag. --json gives an object a line, with the probabilities of all labels.
    """
    from firth.lm.neural.examples import read_examples
    from firth.lm.neural.finetune import Task

    known = Task.load(task, device=device)
    examples = read_examples(file, known.task, labels=known.labels, encoding=encoding)
    found = known.predict(examples, batch=batch)
    if as_json:
        lines = [json.dumps(each.as_dict(), ensure_ascii=False) for each in found]
    else:
        pairs = zip(examples, found, strict=True)
        lines = [line for example, each in pairs for line in lines_of(known.task, example, each)]
    if out is None:
        for line in lines:
            click.echo(line)
    else:
        with atomic_write(out) as target:
            target.writelines(f"{line}\n".encode() for line in lines)
    if examples[0].target is not None and not quiet:
        figures = known.measured(examples, found)
        click.echo(", ".join(f"{name} {value:.4f}" for name, value in figures.items()), err=True)


def lines_of(task: str, example: Example, found: Prediction) -> Iterator[str]:
    """The lines for an example, tabs and line ends in its texts made spaces."""
    texts = [" ".join(text.split()) for text in example.texts]
    if task == "tag":
        yield from map("\t".join, zip(texts, found.value, strict=True))
        yield ""
    elif task == "similarity":
        yield "\t".join([f"{found.value:.4f}", *texts])
    else:
        shares = found.probabilities
        share = shares if task == "span" else shares[found.value]
        yield "\t".join([str(found.value), f"{share:.4f}", *texts[: 1 if task == "span" else None]])
