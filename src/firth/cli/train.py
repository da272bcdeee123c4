"""firth train: learn vectors from text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from firth.checkpoint import Checkpoint
from firth.cli.options import (
    as_json,
    command_with,
    defaults_of,
    duration,
    may_read_text,
    one_of,
    option,
    quiet,
    settings_of,
)
from firth.cli.output import INTERRUPTED, check_vectors_target, described, fail, plan_text, show
from firth.contexts import CONTEXTS
from firth.errors import SettingsError
from firth.evaluate.report import number_or_none
from firth.files import check_writable
from firth.models.callbacks import EarlyStopping
from firth.models.word2vec import Word2Vec
from firth.objectives import OBJECTIVES
from firth.vectors import Vectors
from firth.vocab import Vocabulary

_setting, _DEFAULTS = settings_of(Word2Vec), defaults_of(Word2Vec)
_OF_FIELD = {
    field.name: choice
    for choice, kinds in (("context", CONTEXTS), ("objective", OBJECTIVES))
    for kind in kinds.values()
    for field in dataclasses.fields(kind)
}
_WITH_RESUME = {"sources", "resume", "threads", "log", "quiet", "as_json"}
_STOPPING = "Stopping and going on"


@command_with(
    example="firth train wiki.txt -o wiki.bin\n"
    "firth train wiki.txt.xz news/ -o both.firth --context cbow --window 8 --dim 300 --threads 8\n"
    "firth train wiki.txt -o wiki.firth --checkpoint-every 5m\n"
    "firth train --resume wiki.firth\n"
    "firth train news.txt --update wiki.firth -o both.firth --epochs 2"
)
@option("--out", "-o", metavar="OUT", help="NAME.firth for the model, else vectors by extension")
@option("--start", metavar="VECTORS", help="vectors that the words they know start from")
@option("--update", metavar="MODEL", help="a model that learns more, with its settings but for those given")
@option("--freeze", is_flag=True, help="words of --start or --update keep their vectors")
@option("--log", metavar="FILE", help="write progress as JSON lines, for machines")
@option("--dry-run", is_flag=True, help="say what memory, disk and time it would take, and train nothing")
@quiet
@as_json
@option(
    "--checkpoint-every",
    type=duration,
    metavar="TIME",
    help="save the model so often (30s, 5m, 2h) and at each epoch's end",
    group=_STOPPING,
)
@option(
    "--resume", metavar="MODEL", help="go on from the last checkpoint, with its text and settings", group=_STOPPING
)
@option("--held-out", metavar="FILE", help="a text whose loss is told after each epoch", group=_STOPPING)
@option(
    "--patience", type=int, metavar="N", help="stop when that loss has not fallen for N epochs", group=_STOPPING
)
@option(
    "--best", metavar="MODEL", help="where to save the model of the epoch with the least of it", group=_STOPPING
)
@_setting("dim", "Training", "numbers in a vector")
@_setting("epochs", "Training", "passes over the text")
@_setting(
    "learning_rate",
    "Training",
    "at the start; it falls linearly",
    default_text="the best for context and objective",
)
@_setting("min_learning_rate", "Training", "at the end")
@_setting(
    "subsample",
    "Training",
    "words of a greater share of the text are passed over now and then; 0 for none",
    default_text="the best for context and objective",
)
@_setting(
    "threads", "Training", "that learn at once; one alone gives the same bytes twice", default_text="all cores"
)
@_setting("deterministic", "Training", "the same bytes whatever the number of threads, more slowly")
@_setting("seed", "Training", "of everything random")
@one_of("context", CONTEXTS, default=_DEFAULTS["context"].name, help="what predicts what")
@one_of("objective", OBJECTIVES, default=_DEFAULTS["objective"].name, help="what is learnt from a prediction")
@_setting("min_count", "The vocabulary", "only words that occur at least this often")
@_setting("max_size", "The vocabulary", "only so many words, the most frequent", default_text="all")
@option(
    "--vocab", metavar="FILE", help="words and counts to use instead of the text's own", group="The vocabulary"
)
@option("--save-vocab", metavar="FILE", help="where to save words and counts", group="The vocabulary")
@may_read_text
@click.pass_context
def command(
    ctx: click.Context,
    /,
    sources: str | list[str] | None,
    out: str | None,
    resume: str | None,
    dry_run: bool,
    log: str | None,
    quiet: bool,
    as_json: bool,
    reading: dict[str, Any],
    **options: Any,
) -> None:
    """Learn vectors of words from text.

    This is word2vec with any context and any objective.

    INPUT is a file (plain, gz, bz2, xz or zst), a folder, a quoted glob pattern, or "-" for standard input; a line
    is a sentence. OUT named NAME.firth keeps the whole model; .bin, .txt, .vec and .glove keep the vectors.

    Ctrl-C stops and saves what was learnt until then (status 130); a second one leaves at once. With
    --checkpoint-every, --resume goes on after either, and after a crash.
    """
    watching = {"progress": not quiet, "log": log}
    if resume is not None:
        run = _resumed(ctx, resume, sources, options, watching)
    elif sources is None:
        raise click.UsageError("Missing argument 'INPUT...'")
    elif dry_run:
        model = _model(ctx, options)
        vocab = Vocabulary.load(options["vocab"]) if options["vocab"] else None
        plan = model.plan(sources, **reading, vocab=vocab, update=bool(options["update"]), progress=not quiet)
        show(asdict(plan), plan_text(plan, model.dim), as_json)
        ctx.exit(0 if plan.fits else 1)
    elif out is None:
        raise click.UsageError("Missing option '--out' / '-o'")
    else:
        run = _begun(ctx, sources, out, reading, options, watching)
    interrupted = False
    try:
        run.learn()
        run.save()
    except KeyboardInterrupt:
        interrupted = True
        if not _kept(run):
            ctx.exit(INTERRUPTED)
    if as_json or not interrupted:
        show(*_result(run.model, run.out, interrupted), as_json)
    if interrupted:
        ctx.exit(INTERRUPTED)


@dataclass(frozen=True)
class _Run:
    """A training, how it is done, and how what came of it is saved."""

    model: Word2Vec
    out: str
    learn: Callable[[], object]
    save: Callable[[], None]
    checkpointed: bool  # then it saves itself


def _begun(
    ctx: click.Context,
    sources: str | list[str],
    out: str,
    reading: dict[str, Any],
    options: dict[str, Any],
    watching: dict[str, Any],
) -> _Run:
    start, update, every, save_vocab = (
        options[name] for name in ("start", "update", "checkpoint_every", "save_vocab")
    )
    _check_flags(ctx, out, sources, options)
    whole = check_vectors_target(out) == "firth"
    if save_vocab:
        check_writable(save_vocab)
    model = _model(ctx, options)
    callbacks = []
    if options["patience"] is not None or options["best"]:
        patience = model.schedule.epochs if options["patience"] is None else options["patience"]
        callbacks.append(EarlyStopping(patience, best=options["best"]))

    def learn() -> None:
        model.fit(
            sources,
            **reading,
            vocab=Vocabulary.load(options["vocab"]) if options["vocab"] else None,
            start=Vectors.load(start) if start else None,
            update=bool(update),
            frozen="old" if options["freeze"] else (),
            held_out=options["held_out"],
            callbacks=callbacks,
            checkpoint=Checkpoint(out, every) if every else None,
            **watching,
        )

    def save() -> None:
        if save_vocab:
            model.vocab.save(save_vocab)
        if whole and not every:
            model.save(out)
        elif not whole:
            model.vectors.save(out)

    return _Run(model, out, learn, save, checkpointed=bool(every))


def _resumed(
    ctx: click.Context,
    path: str,
    sources: str | list[str] | None,
    options: dict[str, Any],
    watching: dict[str, Any],
) -> _Run:
    model = Word2Vec.load(path)
    _check_agreement(ctx, path, model, options)
    threads = ctx.params["threads"]
    return _Run(
        model, path, lambda: model.resume(sources, threads=threads, **watching), lambda: None, checkpointed=True
    )


def _model(ctx: click.Context, options: dict[str, Any]) -> Word2Vec:
    """The model to train: a new one, or that of --update with the settings that were given."""
    settings = {name: value for name, value in options.items() if name in _DEFAULTS}
    if not options["update"]:
        return Word2Vec(**settings)
    return Word2Vec.load(options["update"]).replace(
        **{name: settings[name] for name in _given(ctx) & settings.keys()}
    )


def _given(ctx: click.Context) -> set[str]:
    """The options that stand on the command line; for fields of context and objective, these."""
    names = {name for name in ctx.params if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT}
    return {_OF_FIELD.get(name, name) for name in names}


def _check_flags(ctx: click.Context, out: str, sources: str | list[str], options: dict[str, Any]) -> None:
    given = _given(ctx)
    for name, needs in {"freeze": "start or update", "patience": "held_out", "best": "held_out"}.items():
        if name in given and not given & set(needs.split(" or ")):
            raise click.UsageError(f"{_flag(name)} needs {' or '.join(map(_flag, needs.split(' or ')))}")
    for name, others in {"vocab": ("min_count", "max_size", "update"), "update": ("start",)}.items():
        for other in others:
            if {name, other} <= given:
                raise click.UsageError(f"{_flag(other)} plays no part with {_flag(name)}; leave one out")
    if options["best"]:
        check_writable(options["best"], directory=True)
    if options["checkpoint_every"] and Path(out).suffix != ".firth":
        raise click.UsageError(f"--checkpoint-every saves the whole model; name it NAME.firth, not {out}")
    if options["checkpoint_every"] and "-" in ([sources] if isinstance(sources, str) else sources):
        raise click.UsageError(
            "--checkpoint-every needs a text that can be read again; save standard input to a file"
        )


def _check_agreement(ctx: click.Context, path: str, model: Word2Vec, options: dict[str, Any]) -> None:
    """Refuse, beside --resume, what does not agree with the training that goes on."""
    given = _given(ctx) - _WITH_RESUME
    settings = Word2Vec(**{name: options[name] for name in given & _DEFAULTS.keys()}).settings
    for name in sorted(given):
        if name not in settings:
            raise click.UsageError(f"{_flag(name)} plays no part with --resume, which goes on as it was begun")
        if settings[name] != model.settings[name]:
            raise SettingsError(
                f"{path}: was begun with {name}={model.settings[name]}, not {settings[name]}; "
                f"leave {_flag(name)} out"
            )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _kept(run: _Run) -> bool:
    """Save what an interrupted model has learnt, unless there is nothing, or Ctrl-C comes again; say so."""
    model, out = run.model, run.out
    words = sum(row.words for row in model.history)
    if not words:
        fail("interrupted before anything was learnt; nothing was saved")
        return False
    if run.checkpointed and model.unfinished is None:
        fail(f"interrupted at once; {out} is as its last checkpoint left it")
        return False
    try:
        run.save()
    except KeyboardInterrupt:
        fail(f"interrupted twice; {out} is as it was")
        return False
    epochs = f"epoch {len(model.history)} of {model.schedule.epochs}"
    more = f"; firth train --resume {out} goes on" if run.checkpointed else ""
    fail(f"interrupted in {epochs}, after {words:,} words; what was learnt is saved in {out}{more}")
    return True


def _result(model: Word2Vec, out: str, interrupted: bool) -> tuple[dict[str, Any], str]:
    """What came of it, for machines and for people."""
    words, seconds = (sum(getattr(row, name) for row in model.history) for name in ("words", "seconds"))
    speed, loss = words / max(seconds, 1e-9), model.history[-1].loss
    result = {
        "saved": out,
        "interrupted": interrupted,
        "words": len(model.vectors),
        "dim": model.dim,
        "loss": number_or_none(loss),
        "words_per_second": speed,
        "seconds": seconds,
        "settings": model.settings,
        "history": [row.as_dict() for row in model.history],
    }
    trained = f"loss {loss:.4f}, {speed / 1e6:.2f} M words/s, {seconds:.1f} s"
    return result, f"saved {out}: {described(model.vectors)}; {trained}"
