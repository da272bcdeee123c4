"""firth analogy: a is to b as c is to what?"""

from __future__ import annotations

from typing import Any

import click

from firth.cli.options import as_json, command_with, option, typed_option
from firth.cli.output import neighbours_json, neighbours_text, show
from firth.vectors import Method, Vectors


@command_with(example="firth analogy wiki.bin man king woman")
@click.argument("vectors")
@click.argument("a")
@click.argument("b")
@click.argument("c")
@typed_option("method", Method, default="3cosadd", help="how cosines are combined")
@option("--topn", default=10, metavar="N", help="how many words to show")
@option("--first", type=int, metavar="N", default_text="all", help="answer with the N most frequent words only")
@as_json
def command(vectors: str, a: str, b: str, c: str, as_json: bool, **settings: Any) -> None:
    """Show what is to C as B is to A.

    Man is to king as woman is to queen. 3cosadd finds what is nearest to B - A + C (Mikolov et al. 2013); 3cosmul
    weighs the three cosines evenly (Levy and Goldberg 2014).
    """
    found = Vectors.load(vectors).analogy(a, b, c, **settings)
    show({"question": [a, b, c], "neighbours": neighbours_json(found)}, neighbours_text(found), as_json)
