"""firth similar: which words are near?"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from firth.cli.options import as_json, command_with, option
from firth.cli.output import fail, neighbours_json, neighbours_text, show
from firth.errors import FirthError
from firth.vectors import Vectors


@command_with(
    example="firth similar wiki.bin france\n"
    "firth similar wiki.bin king woman --negative man\n"
    "firth similar wiki.bin --json < queries.txt"
)
@click.argument("vectors")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@option("--negative", multiple=True, metavar="WORD", help="a word to stay away from; may be repeated")
@option("--topn", default=10, metavar="N", help="how many words to show")
@option("--first", type=int, metavar="N", default_text="all", help="answer with the N most frequent words only")
@as_json
def command(
    vectors: str, words: tuple[str, ...], negative: tuple[str, ...], topn: int, first: int | None, as_json: bool
) -> int:
    """Show the words nearest to a word.

    They are ordered by cosine. Several words are one query: their mean. Without a word, or with "-", queries are
    read from standard input, a query a line, and answered one by one; one that cannot be answered is told of, and
    the status in the end is 1.

    VECTORS is a file or directory of any format that Firth reads, or a model.
    """
    known = Vectors.load(vectors)

    def answer(query: list[str]) -> None:
        found = known.most_similar(query, negative, topn=topn, first=first)
        result = {"query": query, "negative": list(negative), "neighbours": neighbours_json(found)}
        show(result, neighbours_text(found), as_json)

    if words and words != ("-",):
        answer(list(words))
        return 0
    status = 0
    for query in _queries():
        if not as_json:
            click.echo(" ".join(query))
        try:
            answer(query)
        except FirthError as error:
            status = 1
            fail(str(error))
            if as_json:
                show({"query": query, "negative": list(negative), "error": str(error)}, "", as_json)
    return status


def _queries() -> Iterator[list[str]]:
    if sys.stdin.isatty():
        raise click.UsageError("give a word, or queries on standard input")
    return (words for line in sys.stdin if (words := line.split()))
