"""firth convert: from one format of vectors to another."""

from __future__ import annotations

import click

from firth.cli.options import as_json, command_with, option
from firth.cli.output import check_vectors_target, described, show
from firth.vectors import Vectors
from firth.vectors.formats import FORMATS


@command_with(example="firth convert GoogleNews-vectors-negative300.bin.gz news.firth --limit 500000")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@option("--limit", type=int, metavar="N", default_text="all", help="take the first N vectors only")
@option(
    "--format", type=click.Choice(list(FORMATS)), default_text="told by OUT's extension", help="the format of OUT"
)
@as_json
def command(source: str, target: str, limit: int | None, format: str | None, as_json: bool) -> None:
    """Write vectors in another format.

    IN is of any format, told by its content; that of OUT is told by its extension: .firth is Firth's own, opened
    at once however large, .txt and .vec are word2vec's text, .bin its binary, .glove is text without a header;
    .gz after any of these four compresses. Of a model the vectors are taken.
    """
    format = check_vectors_target(target, format)
    vectors = Vectors.load(source, limit=limit)
    vectors.save(target, format=format)
    result = {"saved": target, "format": format, "words": len(vectors), "dim": vectors.dim}
    show(result, f"saved {target}: {described(vectors)}", as_json)
