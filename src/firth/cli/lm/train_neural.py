"""firth lm train --model nnlm, elmo, gpt, gpt2 or bert: learn a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import click
from click.core import ParameterSource

from firth.checkpoint import Checkpoint
from firth.cli.options import as_json, command_with, duration, may_read_text, option, quiet, typed_option
from firth.cli.output import INTERRUPTED, fail, show
from firth.files import check_writable
from firth.lm.kinds import NEURAL
from firth.lm.neural.kinds import module_of
from firth.lm.neural.learning import Learning
from firth.lm.neural.model import Neural

_LEARNING = tuple(each.name for each in dataclasses.fields(Learning))
_WITH_RESUME = {"sources", "resume", "device", "log", "quiet", "as_json"}
_STOPPING = "Stopping and going on"
_DEVICES = "where to compute: cpu, cuda or mps"


def command_for(kind: str) -> click.Command:
    """The command that trains a kind of network, its options those of the kind's `Config`."""
    module = module_of(kind)
    sizes, first = list(module.SIZES), next(iter(module.SIZES))
    decorators: list[Callable[[Any], Any]] = [
        command_with(example=_example(kind)),
        option("--out", "-o", metavar="OUT", help="a directory"),
        option("--device", metavar="NAME", default_text="a GPU if there is one", help=_DEVICES),
        option("--log", metavar="FILE", help="write progress as JSON lines, for machines"),
        quiet,
        as_json,
        option("--checkpoint-every", type=duration, metavar="TIME", help=_EVERY, group=_STOPPING),
        option("--resume", metavar="MODEL", help="go on from the last checkpoint of a training", group=_STOPPING),
        option("--held-out", metavar="FILE", help=_HELD_OUT, group=_STOPPING),
        *_fields(Learning, "Training", getattr(module, "LEARNING", {})),
        option("--size", type=click.Choice(sizes), default=first, help="a row of settings", group="The network"),
        *_fields(module.Config, "The network", module.SIZES[first]),
        option(
            "--tokens",
            type=click.Choice(module.TOKENS),
            default=module.TOKENS[0],
            help="words, GPT-2's bytes, GPT's bpe, BERT's wordpiece, or ELMo's spelled words",
            group="Tokens",
        ),
        option(
            "--vocabulary",
            type=int,
            metavar="N",
            default_text="10000 words, or 8000 pieces",
            help="how many tokens are learnt from the text",
            group="Tokens",
        ),
        may_read_text,
        click.pass_context,
    ]

    def command(ctx: click.Context, /, **values: Any) -> None:
        _run(ctx, kind, **values)

    command.__doc__ = f"""Learn a language model: {NEURAL[kind]}.

    INPUT is text, a line each; the ends of lines are learnt too. OUT is a directory, saved at each epoch's end:
    firth lm perplexity, score, generate, embed and firth evaluate open it. --size says how large the network is,
    and the other options change that.

    Ctrl-C stops and saves (status 130); --resume OUT goes on, and does so after a crash, from the last checkpoint.
    """
    built: Any = command
    for decorate in reversed(decorators):
        built = decorate(built)
    made: click.Command = built
    return made


_EVERY = "save so often (30s, 5m, 2h), besides each epoch's end"
_HELD_OUT = "a text whose loss is told after each epoch; the best epoch's weights are kept"


def _example(kind: str) -> str:
    sized = "" if kind == "nnlm" else " --size tiny"
    return (
        f"firth lm train wiki.txt -o run/ --model {kind}{sized} --held-out valid.txt\nfirth lm train --resume run/"
    )


def _fields(kind: type[Any], group: str, defaults: Mapping[str, Any]) -> list[Callable[[Any], Any]]:
    """An option for each field that has a help; its default is told, and left to the kind."""
    hints = get_type_hints(kind)
    return [
        typed_option(
            each.name,
            hints[each.name],
            default=None,
            default_text=_shown(each.name, defaults.get(each.name, each.default)),
            help=each.metadata["help"],
            group=group,
        )
        for each in dataclasses.fields(kind)
        if "help" in each.metadata and each.name != "vocabulary"
    ]


def _shown(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"no-{name}"
    return "never" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _run(
    ctx: click.Context,
    kind: str,
    *,
    sources: str | list[str] | None,
    out: str | None,
    resume: str | None,
    reading: dict[str, Any],
    quiet: bool,
    as_json: bool,
    log: str | None,
    device: str | None,
    **options: Any,
) -> None:
    watching: dict[str, Any] = {"progress": not quiet, "log": log, "device": device}
    if resume is not None:
        _check_resumed(ctx)
        model, out = Neural.load(resume), resume
    elif sources is None:
        raise click.UsageError("Missing argument 'INPUT...'")
    elif out is None:
        raise click.UsageError("Missing option '--out' / '-o'")
    else:
        check_writable(out, directory=True)
        model = _model(kind, options)
    try:
        if resume is not None:
            model.resume(sources, **watching)
        else:
            model.fit(
                sources or [],
                **reading,
                **watching,
                held_out=options["held_out"],
                checkpoint=Checkpoint(out, options["checkpoint_every"]),
                **{name: options[name] for name in _LEARNING if options[name] is not None},
            )
    except KeyboardInterrupt:
        fail(_interrupted(model, out))
        ctx.exit(INTERRUPTED)
    last = model.history[-1] if model.history else {}
    seconds = last.get("seconds", 0.0)
    result = {"saved": out, "kind": kind, "seconds": seconds, "history": model.history}
    loss = last.get("held_out_perplexity", last.get("perplexity", float("nan")))
    which = "held-out perplexity" if "held_out_perplexity" in last else "perplexity"
    show(result, f"saved {out}: {kind}, {which} {loss:,.2f} in the last epoch; {seconds:.1f} s", as_json)


def _model(kind: str, options: dict[str, Any]) -> Neural:
    own = {each.name for each in dataclasses.fields(module_of(kind).Config)} & options.keys() - {"vocabulary"}
    settings = {name: options[name] for name in own if options[name] is not None}
    chosen = {name: options[name] for name in ("size", "tokens", "vocabulary")}
    return Neural(kind, **chosen, **settings)


def _check_resumed(ctx: click.Context) -> None:
    given = {name for name in ctx.params if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT}
    for name in sorted(given - _WITH_RESUME):
        flag = f"--{name.replace('_', '-')}"
        raise click.UsageError(f"{flag} plays no part with --resume, which goes on as it was begun")


def _interrupted(model: Neural, out: str) -> str:
    unfinished = model.learnt.unfinished if model.started else None
    if unfinished is None or not unfinished.standing.step:
        return f"interrupted; {out} is as its last checkpoint left it, if there was one"
    step = unfinished.standing.step
    return f"interrupted after {step:,} steps, which are saved in {out}; firth lm train --resume {out} goes on"
