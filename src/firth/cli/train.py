"""firth train: learn vectors from text."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import click
from click.core import ParameterSource

from firth.cli.options import as_json, command_with, one_of, option, quiet, reads_text, typed_option
from firth.cli.output import INTERRUPTED, check_vectors_target, described, fail, show
from firth.contexts import CONTEXTS
from firth.evaluate.report import number_or_none
from firth.files import check_writable
from firth.models.word2vec import Word2Vec
from firth.objectives import OBJECTIVES
from firth.vectors import Vectors
from firth.vocab import Vocabulary

_HINTS = get_type_hints(Word2Vec.__init__)
_DEFAULTS = {name: each.default for name, each in inspect.signature(Word2Vec).parameters.items()}


def _setting(name: str, group: str, help: str, **settings: Any) -> Callable[[Any], Any]:
    """The option for an argument of `Word2Vec`, with its default."""
    return typed_option(name, _HINTS[name], default=_DEFAULTS[name], help=help, group=group, **settings)


@command_with(
    example="firth train wiki.txt -o wiki.bin\n"
    "firth train wiki.txt.xz news/ -o both.firth --context cbow --window 8 --dim 300 --threads 8"
)
@option("--out", "-o", required=True, metavar="OUT", help="NAME.firth for the model, else vectors by extension")
@option("--start", metavar="VECTORS", help="vectors that the words they know start from")
@option("--log", metavar="FILE", help="write progress as JSON lines, for machines")
@quiet
@as_json
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
@_setting("seed", "Training", "of everything random")
@one_of("context", CONTEXTS, default=_DEFAULTS["context"].name, help="what predicts what")
@one_of("objective", OBJECTIVES, default=_DEFAULTS["objective"].name, help="what is learnt from a prediction")
@_setting("min_count", "The vocabulary", "only words that occur at least this often")
@_setting("max_size", "The vocabulary", "only so many words, the most frequent", default_text="all")
@option(
    "--vocab", metavar="FILE", help="words and counts to use instead of the text's own", group="The vocabulary"
)
@option("--save-vocab", metavar="FILE", help="where to save words and counts", group="The vocabulary")
@reads_text
@click.pass_context
def command(
    ctx: click.Context,
    /,
    sources: str | list[str],
    out: str,
    start: str | None,
    log: str | None,
    quiet: bool,
    as_json: bool,
    vocab: str | None,
    save_vocab: str | None,
    reading: dict[str, Any],
    **settings: Any,
) -> None:
    """Learn vectors of words from text.

    This is word2vec with any context and any objective.

    INPUT is a file (plain, gz, bz2, xz or zst), a folder, a quoted glob pattern, or "-" for standard input; a line
    is a sentence. OUT named NAME.firth keeps the whole model; .bin, .txt, .vec and .glove keep the vectors.

    Ctrl-C stops and saves what was learnt until then (status 130); a second one leaves at once.
    """
    _check_vocabulary_flags(ctx, vocab)
    whole = check_vectors_target(out) == "firth"
    if save_vocab:
        check_writable(save_vocab)
    model = Word2Vec(**settings)

    def save() -> None:
        if save_vocab:
            model.vocab.save(save_vocab)
        if whole:
            model.save(out)
        else:
            model.vectors.save(out)

    interrupted = False
    try:
        model.fit(
            sources,
            **reading,
            vocab=Vocabulary.load(vocab) if vocab else None,
            start=Vectors.load(start) if start else None,
            progress=not quiet,
            log=log,
        )
        save()
    except KeyboardInterrupt:
        interrupted = True
        if not _kept(model, out, save):
            ctx.exit(INTERRUPTED)
    if as_json or not interrupted:
        show(*_result(model, out, interrupted), as_json)
    if interrupted:
        ctx.exit(INTERRUPTED)


def _kept(model: Word2Vec, out: str, save: Callable[[], None]) -> bool:
    """Save what an interrupted model has learnt, unless there is nothing, or Ctrl-C comes again; say so."""
    words = sum(row.words for row in model.history)
    if not words:
        fail("interrupted before anything was learnt; nothing was saved")
        return False
    try:
        save()
    except KeyboardInterrupt:
        fail(f"interrupted twice; {out} is as it was")
        return False
    epochs = f"epoch {len(model.history)} of {model.schedule.epochs}"
    fail(f"interrupted in {epochs}, after {words:,} words; what was learnt is saved in {out}")
    return True


def _check_vocabulary_flags(ctx: click.Context, vocab: str | None) -> None:
    for name in ("min_count", "max_size"):
        if vocab and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"--{name.replace('_', '-')} plays no part with --vocab, which is used as it is"
            )


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
