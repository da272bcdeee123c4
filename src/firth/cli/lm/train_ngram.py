"""firth lm train --model ngram: learn an n-gram model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from firth.cli.options import as_json, command_with, defaults_of, one_of, option, quiet, reads_text, settings_of
from firth.cli.output import show
from firth.files import check_writable
from firth.lm import NGram
from firth.lm.ngram.model import is_arpa_name
from firth.lm.ngram.smoothing import SMOOTHINGS
from firth.vocab import Vocabulary

_setting, _DEFAULTS = settings_of(NGram, prune=tuple[int, ...]), defaults_of(NGram)


@command_with(
    example="firth lm train wiki.txt -o run/ --model ngram --order 5\n"
    "firth lm train wiki.txt -o wiki.arpa.gz --model ngram --order 3 --prune 0,0,1 --max-size 100000"
)
@option("--out", "-o", required=True, metavar="OUT", help="NAME.arpa or .arpa.gz, else a directory")
@option("--log", metavar="FILE", help="write progress as JSON lines, for machines")
@quiet
@as_json
@_setting("order", "Counting", "words in the longest n-grams")
@_setting(
    "prune",
    "Counting",
    "leave out n-grams that occur at most so often, by length, the last for all longer ones",
    default_text="0",
)
@_setting("memory", "Counting", "GB to take before the disk is used", default_text="half of the machine's")
@_setting("threads", "Counting", "that work at once; the result is the same", default_text="all cores")
@one_of("smoothing", SMOOTHINGS, default=_DEFAULTS["smoothing"].name, help="what unseen n-grams get")
@_setting("min_count", "The vocabulary", "only words that occur at least this often")
@_setting("max_size", "The vocabulary", "only so many words, the most frequent", default_text="all")
@option(
    "--vocab", metavar="FILE", help="words and counts to use instead of the text's own", group="The vocabulary"
)
@_setting(
    "unknown",
    "The vocabulary",
    "what other words are: an unseen word, as KenLM has it, or all of them one word, which is learnt",
)
@reads_text
@click.pass_context
def command(
    ctx: click.Context,
    /,
    sources: str | list[str],
    out: str,
    log: str | None,
    quiet: bool,
    as_json: bool,
    vocab: str | None,
    reading: dict[str, Any],
    **settings: Any,
) -> None:
    """Learn an n-gram model from text.

    INPUT is a file (plain, gz, bz2, xz or zst), a folder, a quoted glob pattern, or "-" for standard input; a line
    is a sentence, whose start and end are learnt too. A directory is opened faster than an ARPA file, which KenLM
    and others read.
    """
    for name in ("min_count", "max_size"):
        if vocab and ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} plays no part with --vocab, which is used as it is")
    check_writable(Path(out), directory=not is_arpa_name(out))
    model = NGram(**settings)
    model.check_format(out)
    began = time.perf_counter()
    model.fit(sources, **reading, vocab=Vocabulary.load(vocab) if vocab else None, progress=not quiet, log=log)
    seconds = time.perf_counter() - began
    model.save(out)
    result = {
        "saved": out,
        "words": len(model.words),
        "ngrams": model.sizes,
        "seconds": seconds,
        "settings": model.settings,
        "about": model.fitted.about,
    }
    sizes = ", ".join(f"{size:,}" for size in model.sizes)
    show(result, f"saved {out}: {sizes} n-grams by length; {seconds:.1f} s", as_json)
