"""firth vocab: count the words of a text."""

from __future__ import annotations

from typing import Any

from firth.cli.options import as_json, command_with, option, quiet, reads_text
from firth.cli.output import show
from firth.corpus import Corpus
from firth.files import check_writable
from firth.progress import watching


@command_with(
    example="firth vocab wiki.txt -o vocab.tsv --min-count 5\nfirth train wiki.txt -o wiki.bin --vocab vocab.tsv"
)
@option("--out", "-o", required=True, metavar="FILE", help="where to save words and counts, a line each")
@option("--min-count", default=1, metavar="N", help="only words that occur at least N times")
@option("--max-size", type=int, metavar="N", default_text="all", help="only the N most frequent words")
@as_json
@quiet
@reads_text
def command(
    sources: str | list[str],
    out: str,
    min_count: int,
    max_size: int | None,
    as_json: bool,
    quiet: bool,
    reading: dict[str, Any],
) -> None:
    """Count the words of a text.

    They are saved with their counts, the most frequent first; nothing is trained.

    INPUT is a file (plain, gz, bz2, xz or zst), a folder, a quoted glob pattern, or "-" for standard input.
    """
    check_writable(out)
    with watching(not quiet) as watcher:
        corpus = Corpus.read(sources, progress=watcher.reading, **reading)
    vocab = corpus.vocab.prune(min_count=min_count, max_size=max_size)
    vocab.save(out)
    result = {
        "saved": out,
        "words": len(vocab),
        "distinct": len(corpus.vocab),
        "occurrences": vocab.total,
        "total": corpus.vocab.total,
    }
    share = 100 * vocab.total / corpus.vocab.total
    text = f"saved {out}: {len(vocab):,} of {len(corpus.vocab):,} words, {share:.1f} % of {corpus.vocab.total:,}"
    show(result, text, as_json)
