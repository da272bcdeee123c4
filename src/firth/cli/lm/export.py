"""firth lm export: to where Hugging Face's libraries find it."""

from __future__ import annotations

import click

import firth
from firth.cli.options import as_json, command_with, option
from firth.cli.output import show
from firth.errors import SettingsError
from firth.lm import NGram


@command_with(example="firth lm export run/ -o hf/")
@click.argument("model")
@option("-o", "--output", required=True, metavar="DIR", help="where to write; a new directory")
@as_json
def command(model: str, output: str, as_json: bool) -> None:
    """Write a model as a Hugging Face directory.

    MODEL is a gpt, gpt2 or bert of firth lm train, or a task that a bert was fine-tuned for. transformers opens
    what is written with AutoModelForPreTraining, or the class of the task, and with AutoTokenizer.
    """
    found = firth.load(model)
    if isinstance(found, firth.Vectors | firth.Word2Vec | NGram):
        raise SettingsError(
            f"{model}: transformers has nothing of this kind; only gpt, gpt2 and bert can be exported"
        )
    found.export(output)
    show({"saved": output}, f"saved {output}", as_json)
