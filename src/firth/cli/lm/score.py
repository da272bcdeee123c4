"""firth lm score: the probability of each line."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import click

from firth import lm
from firth.cli.options import as_json, command_with, option
from firth.evaluate.report import number_or_none
from firth.files import open_binary
from firth.words import decode


@command_with(example='echo "the city of london" | firth lm score run/\nfirth lm score run/ lines.txt --words')
@click.argument("model")
@click.argument("file", default="-")
@option("--words", "each_word", is_flag=True, help="a line for each word, too")
@as_json
def command(model: str, file: str, each_word: bool, as_json: bool) -> None:
    """Print log10 P of each line of FILE (default: standard input), and the line.

    MODEL is what firth lm train wrote, a Hugging Face directory, or an ARPA file; a network scores its own tokens.
    --words shows each word's log10 P, too, and how long an n-gram was known for it; unknown words are marked.
    """
    found = lm.load(model)
    with open_binary(file) as lines:
        for line in lines:
            sentence = decode(line).rstrip("\r\n")
            scores: Sequence[Any] = found.full_scores(sentence)
            total = math.fsum(each.log10 for each in scores)
            if as_json:
                words = [{**each._asdict(), "log10": _number(each.log10)} for each in scores]
                result = {"log10": _number(total), "line": sentence, "words": words}
                click.echo(json.dumps(result, ensure_ascii=False))
                continue
            click.echo(f"{total:.4f}\t{sentence}")
            for each in scores if each_word else ():
                length = f"  {each.length}" if isinstance(each, lm.WordScore) else ""
                click.echo(f"  {each.log10:9.4f}{length}  {each.word}{'  (unknown)' if each.unknown else ''}")


def _number(value: float) -> float | None:
    return None if math.isinf(value) else number_or_none(value)
