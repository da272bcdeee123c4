"""firth lm perplexity: how well a model foresees a text."""

from __future__ import annotations

from typing import Any

import click

from firth import lm
from firth.cli.options import as_json, command_with, option, reads_text
from firth.cli.output import show

_STRIDE = "tokens by which a network's window moves on; fewer cost more, and show each token more before it"


@command_with(example="firth lm perplexity run/ valid.txt")
@click.argument("model")
@option("--stride", type=int, metavar="N", default_text="half of what a network sees", help=_STRIDE)
@option("--backward", is_flag=True, help="foresee each word from those after it, as an ELMo can, too")
@option("--device", metavar="NAME", default="cpu", help="where a network computes: cpu, cuda or mps")
@as_json
@reads_text
def command(
    model: str,
    sources: str | list[str],
    stride: int | None,
    backward: bool,
    device: str,
    as_json: bool,
    reading: dict[str, Any],
) -> None:
    """Tell the perplexity of a text under a model.

    MODEL is what firth lm train wrote, a Hugging Face directory, or an ARPA file; INPUT is text as for training.
    The ends of lines are foreseen, too. Unknown words count with the probability of the unknown word; the second
    figure leaves them out. Bits a byte compare models of different tokens. A network reads line after line in a
    window that moves on by --stride tokens.
    """
    chosen = lm.load(model)
    if isinstance(chosen, lm.NGram):
        if stride is not None or backward:
            raise click.UsageError(
                "--stride and --backward are for networks; an n-gram model sees all that it can"
            )
        found = chosen.perplexity(sources, **reading)
    else:
        found = chosen.to(device).perplexity(sources, stride=stride, backward=backward, **reading)
    show(found.as_dict(), str(found), as_json)
