"""firth lm export: to where Hugging Face's libraries find it."""

from __future__ import annotations

from pathlib import Path

import click

from firth import lm
from firth.cli.options import as_json, command_with, option
from firth.cli.output import show
from firth.errors import SettingsError
from firth.files import read_directory


@command_with(example="firth lm export run/ -o hf/")
@click.argument("model")
@option("-o", "--output", required=True, metavar="DIR", help="where to write; a new directory")
@as_json
def command(model: str, output: str, as_json: bool) -> None:
    """Write a model as a Hugging Face directory.

    MODEL is a gpt, gpt2 or bert of firth lm train, or a task that a bert was fine-tuned for. transformers opens
    what is written with AutoModelForPreTraining, or the class of the task, and with AutoTokenizer.
    """
    if Path(model).is_dir() and not lm.is_model(model) and read_directory(model).config.get("kind") == "task":
        from firth.lm.neural.finetune import Task

        Task.load(model).export(output)
    else:
        found = lm.load(model)
        if isinstance(found, lm.NGram):
            raise SettingsError(
                f"{model}: is an n-gram model, which transformers does not have; ARPA files carry it"
            )
        found.export(output)
    show({"saved": output}, f"saved {output}", as_json)
