"""firth lm perplexity: how well a model foresees a text."""

from __future__ import annotations

from typing import Any

import click

from firth import lm
from firth.cli.options import as_json, command_with, reads_text
from firth.cli.output import show


@command_with(example="firth lm perplexity run/ valid.txt")
@click.argument("model")
@as_json
@reads_text
def command(model: str, sources: str | list[str], as_json: bool, reading: dict[str, Any]) -> None:
    """Tell the perplexity of a text under a model.

    MODEL is what firth lm train wrote, or an ARPA file; INPUT is text as for training. The ends of lines are
    foreseen, too. Unknown words count with the probability of the unknown word; the second figure leaves them out.
    """
    found = lm.load(model).perplexity(sources, **reading)
    show(found.as_dict(), str(found), as_json)
