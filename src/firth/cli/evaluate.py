"""firth evaluate: how good are the vectors?"""

from __future__ import annotations

import click

from firth import evaluate
from firth.cli.options import as_json, command_with, option, typed_option
from firth.cli.output import show
from firth.vectors import Method, Vectors


@command_with(example="firth evaluate wiki.bin --analogies questions-words.txt --pairs EN-WS-353-ALL.txt")
@click.argument("vectors")
@option("--analogies", multiple=True, metavar="FILE", help="sections of four words a line; may be repeated")
@option("--pairs", multiple=True, metavar="FILE", help="two words and a score a line; may be repeated")
@option(
    "--first",
    type=click.IntRange(min=0),
    default=30_000,
    metavar="N",
    help="analogies ask for and answer with the N most frequent words only; 0 for all",
)
@typed_option("method", Method, default="3cosadd", help="how analogies are solved")
@as_json
def command(
    vectors: str, analogies: tuple[str, ...], pairs: tuple[str, ...], first: int, method: Method, as_json: bool
) -> None:
    """Score vectors on analogies and word pairs.

    Analogies are counted by section; the similarities of pairs are correlated with those that people gave them.
    Words that the vectors do not know are told of.
    """
    if not analogies and not pairs:
        raise click.UsageError("give a set to score them on: --analogies FILE or --pairs FILE")
    known = Vectors.load(vectors)
    solved = [evaluate.analogies(known, path, first=first or None, method=method) for path in analogies]
    correlated = [evaluate.word_pairs(known, path) for path in pairs]
    result = {
        "vectors": vectors,
        "analogies": [each.as_dict() for each in solved],
        "pairs": [each.as_dict() for each in correlated],
    }
    show(
        result, "\n\n".join([*(each.table() for each in solved), *(each.table() for each in correlated)]), as_json
    )
