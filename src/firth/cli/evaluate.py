"""firth evaluate: how good are the vectors?"""

from __future__ import annotations

from typing import Any

import click

from firth import evaluate
from firth.cli.options import as_json, command_with, option, typed_option
from firth.cli.output import show
from firth.vectors import Method, Vectors

_CLASSES = "Classes of texts"
_SEEDS = "each draws the tenth of TRAIN that chooses how strong the penalty is"


@command_with(
    example="firth evaluate wiki.bin --analogies questions-words.txt --pairs EN-WS-353-ALL.txt\n"
    "firth evaluate wiki.bin --classify train.tsv test.tsv"
)
@click.argument("vectors")
@option("--analogies", multiple=True, metavar="FILE", help="sections of four words a line; may be repeated")
@option("--pairs", multiple=True, metavar="FILE", help="two words and a score a line; may be repeated")
@option(
    "--classify",
    nargs=2,
    multiple=True,
    metavar="TRAIN TEST",
    help="label<TAB>text or label text a line; may be repeated",
)
@option("--polysemy", is_flag=True, help="tell the senses of twelve ambiguous English words apart")
@option(
    "--first",
    type=click.IntRange(min=0),
    default=30_000,
    metavar="N",
    help="analogies ask for and answer with the N most frequent words only; 0 for all",
)
@typed_option("method", Method, default="3cosadd", help="how analogies are solved")
@option(
    "--coarse", is_flag=True, help="of a class like LOC:city take what stands before the colon", group=_CLASSES
)
@option("--encoding", default="utf-8", help="of the files of --classify", group=_CLASSES)
@typed_option("seeds", tuple[int, ...], default=(1, 2, 3), default_text="1,2,3", help=_SEEDS, group=_CLASSES)
@as_json
def command(
    vectors: str,
    analogies: tuple[str, ...],
    pairs: tuple[str, ...],
    classify: tuple[tuple[str, str], ...],
    polysemy: bool,
    first: int,
    method: Method,
    as_json: bool,
    **probe: Any,
) -> None:
    """Score vectors on analogies, word pairs and classes of texts.

    Analogies are counted by section; the similarities of pairs are correlated with those that people gave them;
    the classes of texts are learnt by logistic regression from the mean of their words' vectors.
    Words that the vectors do not know are told of.
    """
    if not (analogies or pairs or classify or polysemy):
        raise click.UsageError(
            "give a set to score them on: --analogies FILE, --pairs FILE, --classify TRAIN TEST or --polysemy"
        )
    known = Vectors.load(vectors)
    results: dict[str, list[Any]] = {
        "analogies": [evaluate.analogies(known, path, first=first or None, method=method) for path in analogies],
        "pairs": [evaluate.word_pairs(known, path) for path in pairs],
        "classify": [evaluate.classify(known, train, test, **probe) for train, test in classify],
        "polysemy": [evaluate.polysemy(known)] if polysemy else [],
    }
    told = {name: [each.as_dict() for each in found] for name, found in results.items()}
    show(
        {"vectors": vectors, **told},
        "\n\n".join(str(each) for found in results.values() for each in found),
        as_json,
    )
