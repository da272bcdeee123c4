"""firth lm train: the model named by --model says which options there are."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from firth.files import read_directory
from firth.lm.kinds import NEURAL

MODELS = {"ngram": "counts of the last few words, smoothed in one of six ways", **NEURAL}


class _ByModel(click.Command):
    """Hands over to the command of the model that --model names, or that --resume goes on with."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        name, rest = _taken(args, "--model")
        resumed, _ = _taken(args, "--resume")
        if name is None and resumed is not None:
            name = read_directory(resumed).config.get("kind")
        if name is None:
            with super().make_context(info_name, args, parent, **extra) as ctx:
                raise click.UsageError(f"--model is missing; choose one of {', '.join(MODELS)}", ctx)
        if name not in MODELS:
            raise click.UsageError(f"--model {name} is unknown; choose one of {', '.join(MODELS)}", parent)
        command = _command(name)
        return command.make_context(f"{info_name} --model {name}", rest, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Models"):
            formatter.write_dl([(f"--model {name}", about) for name, about in MODELS.items()])
        with formatter.section("Options of each"):
            formatter.write_text("firth lm train --model NAME --help")


def _command(name: str) -> click.Command:
    if name not in NEURAL:
        command: click.Command = import_module(f"firth.cli.lm.train_{name}").command
        return command
    from firth.cli.lm.train_neural import command_for  # loads torch

    return command_for(name)


def _taken(args: list[str], option: str) -> tuple[str | None, list[str]]:
    """The value of an option, and the arguments without it."""
    for at, arg in enumerate(args):
        if arg == "--":
            break
        if arg.startswith(f"{option}="):
            return arg.partition("=")[2], args[:at] + args[at + 1 :]
        if arg == option and at + 1 < len(args):
            return args[at + 1], args[:at] + args[at + 2 :]
    return None, args


command = _ByModel(
    "train",
    help="Learn a language model from text.\n\nThe options depend on the model.",
    options_metavar="--model NAME [OPTIONS]",
    params=[click.Argument(["inputs"], nargs=-1, metavar="INPUT...")],
    context_settings={"ignore_unknown_options": True},
)
