"""firth lm: language models. A command a file, a model's training a file."""

from __future__ import annotations

import click

from firth.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    package=__name__,
    names=("train", "perplexity", "score", "generate", "embed", "finetune", "predict", "export"),
    no_args_is_help=False,
    epilog="firth lm COMMAND --help tells what a command does, with an example.",
)
def command() -> None:
    """Train language models, and ask them what comes next.

    \b
    firth lm train wiki.txt -o run/ --model gpt2 --size tiny
    firth lm perplexity run/ valid.txt
    firth lm generate run/ "The city of"
    firth lm embed run/ texts.txt -o texts.npy
    """
