"""firth lm finetune: teach a pretrained model a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from firth import lm
from firth.cli.options import as_json, command_with, option, quiet
from firth.cli.output import show
from firth.errors import SettingsError
from firth.files import check_writable
from firth.lm.kinds import TASKS

# Options that are handed on where they are given: their type, what holds without them, and what they say.
_LEARNING: dict[str, tuple[Any, str, str]] = {
    "epochs": (int, "3, or 20 for a head alone", "passes over the examples"),
    "batch": (int, "32", "examples that are learnt at once"),
    "learning_rate": (float, "0.04 / dims, or 0.003 for a head alone", "at its highest"),
    "warmup": (float, "0.1", "share of all steps in which the rate rises"),
    "weight_decay": (float, "0.01", "of matrices"),
    "accumulate": (int, "1", "batches whose gradients make a step"),
    "patience": (int, "never", "stop when the validation has not become better for N epochs"),
    "precision": (click.Choice(["float32", "bfloat16", "float16"]), "float32", "of matrix products"),
    "seed": (int, "1", "of everything random"),
}
_HEAD: dict[str, tuple[Any, str, str]] = {
    "auxiliary": (float, "0.5 for gpt and gpt2", "λ, how much of the language model's own loss is kept"),
    "dropout": (float, "0.1", "share of what the head sees left out"),
    "frozen": (bool, "frozen for elmo", "the network itself does not learn, only the head does"),
}


def _options(named: dict[str, tuple[Any, str, str]], group: str) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for name, (kind, held, help) in reversed(named.items()):
            flag = f"--{name.replace('_', '-')}"
            metavar = {int: "N", float: "X"}.get(kind)
            flags = f"{flag}/--no-{name}" if kind is bool else flag
            shown = {"default": None, "default_text": held, "help": help, "group": group}
            function = option(flags, type=kind, metavar=metavar, **shown)(function)
        return function

    return decorate


@command_with(
    example="firth lm finetune run/ train.tsv --task classify -o clf/ --validation dev.tsv\n"
    "firth lm predict clf/ test.tsv"
)
@click.argument("model")
@click.argument("train")
@option("--task", required=True, type=click.Choice(TASKS), help="what is to be learnt")
@option("--out", "-o", required=True, metavar="OUT", help="directory to write")
@option(
    "--validation",
    metavar="FILE|X",
    default="0.1",
    help="examples that choose the best epoch, or the share of TRAIN that does; 0 keeps the last",
)
@option("--encoding", default="utf-8", help="of the examples")
@option("--device", metavar="NAME", default_text="a GPU where there is one", help="cpu, cuda or mps")
@option("--log", metavar="FILE", help="write progress as JSON lines, for machines")
@quiet
@as_json
@_options(_LEARNING, "Learning")
@_options(_HEAD, "The head")
def command(
    model: str,
    train: str,
    task: Any,
    out: str,
    validation: str,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Teach MODEL, a language model that was pretrained, the task of the examples in TRAIN.

    A line of TRAIN has, with tabs between: a label and a text to classify (a space may do); a label and two
    texts for pair; a score and two texts for similarity; the number of the right one from 0, a context and the
    choices for choice; a word and its tag for tag, with blank lines between sentences; JSON with "question",
    "context" and "answers" for span.
    """
    check_writable(out, directory=True)
    found = lm.load(model)
    if isinstance(found, lm.NGram):
        raise SettingsError(f"{model} counts n-grams, which learn no tasks; fine-tune elmo, gpt, gpt2 or bert")
    given = {name: value for name, value in settings.items() if value is not None}
    made = found.finetune(train, task=task, validation=_validation(validation), progress=not quiet, **given)
    made.save(out)
    result = {
        "saved": out,
        "task": task,
        "model": made.model,
        "labels": list(made.labels),
        "settings": made.settings,
        "history": made.history,
    }
    show(result, f"saved {out}: {task} by {made.model}, {_best(made.history)}", as_json)


def _best(history: Sequence[Mapping[str, Any]]) -> str:
    """The epoch whose weights were kept, and how right it was."""
    if "error" not in history[-1]:
        return f"epoch {len(history)}"
    best = min(history, key=lambda row: row["error"])
    names = list(best)
    figures = names[names.index("error") + 1 : names.index("tokens")]
    return ", ".join([f"epoch {best['epoch']}", *(f"{name} {best[name]:.4f}" for name in figures)])


def _validation(text: str) -> str | float | None:
    """A share, nothing for 0, or else a file."""
    try:
        return float(text) or None
    except ValueError:
        return text
