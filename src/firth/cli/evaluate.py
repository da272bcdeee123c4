"""firth evaluate: how good are the vectors?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from firth import evaluate, lm
from firth.cli.options import as_json, command_with, option, typed_option
from firth.cli.output import show
from firth.vectors import Method, Vectors

_TEXTS = "Classes and senses"
_SEEDS = "each draws the tenth of TRAIN that chooses how strong the penalty is"


@command_with(
    example="firth evaluate wiki.bin --analogies questions-words.txt --pairs EN-WS-353-ALL.txt\n"
    "firth evaluate wiki.bin --classify train.tsv test.tsv\n"
    "firth evaluate run/ --classify train.tsv test.tsv --polysemy --layer all"
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
@option("--coarse", is_flag=True, help="of a class like LOC:city take what stands before the colon", group=_TEXTS)
@option("--encoding", default="utf-8", help="of the files of --classify", group=_TEXTS)
@typed_option("seeds", tuple[int, ...], default=(1, 2, 3), default_text="1,2,3", help=_SEEDS, group=_TEXTS)
@option(
    "--layer",
    metavar="N|top|mix|all",
    default_text="top",
    help="of a neural language model: a layer, 0 the embeddings; the mean of all; or all, one by one",
    group=_TEXTS,
)
@option(
    "--pool",
    type=click.Choice(["mean", "max", "cls", "last"]),
    default_text="mean",
    help="how a neural language model's tokens become a text's vector",
    group=_TEXTS,
)
@as_json
def command(
    vectors: str,
    analogies: tuple[str, ...],
    pairs: tuple[str, ...],
    classify: tuple[tuple[str, str], ...],
    polysemy: bool,
    first: int,
    method: Method,
    layer: str | None,
    pool: str | None,
    as_json: bool,
    **probe: Any,
) -> None:
    """Score vectors on analogies, word pairs, classes of texts and senses of words.

    VECTORS is a file or directory of vectors, or of a language model. Analogies are counted by section; the
    similarities of pairs are correlated with those that people gave them; the classes of texts are learnt by
    logistic regression from the mean of their words' vectors, or a layer of a language model; the senses of words
    are told apart by a layer, and by no static vectors. Words that the vectors do not know are told of.
    """
    if not (analogies or pairs or classify or polysemy):
        raise click.UsageError(
            "give a set to score them on: --analogies FILE, --pairs FILE, --classify TRAIN TEST or --polysemy"
        )
    model = _opened(vectors)
    known = model if isinstance(model, Vectors) else model.vectors
    results: list[tuple[str, dict[str, Any], Any]] = []
    for path in analogies:
        results.append(("analogies", {}, evaluate.analogies(known, path, first=first or None, method=method)))
    results += [("pairs", {}, evaluate.word_pairs(known, path)) for path in pairs]
    for about, each in _layers(model, layer, pool) if classify or polysemy else ():
        results += [("classify", about, evaluate.classify(each, *files, **probe)) for files in classify]
        results += [("polysemy", about, evaluate.polysemy(each))] if polysemy else []
    told: dict[str, list[Any]] = {name: [] for name in ("analogies", "pairs", "classify", "polysemy")}
    for name, about, found in results:
        told[name].append({**about, **found.as_dict()})
    texts = [f"layer {about['layer']}\n{found}" if about else str(found) for _, about, found in results]
    show({"vectors": vectors, **told}, "\n\n".join(texts), as_json)


def _opened(path: str) -> Vectors | lm.Neural:
    """A neural language model, or vectors, which other models have, too."""
    if Path(path).is_dir() and lm.is_model(path):
        found = lm.load(path)
        if not isinstance(found, lm.NGram):
            return found
    return Vectors.load(path)


def _layers(
    model: Vectors | lm.Neural, layer: str | None, pool: str | None
) -> Iterator[tuple[dict[str, Any], Any]]:
    """What gives texts and words vectors: static ones, or layers of a neural language model with their names."""
    if isinstance(model, Vectors):
        if layer or pool:
            raise click.UsageError(
                "--layer and --pool go with a neural language model; static vectors have neither"
            )
        yield {}, model
        return
    from firth.lm.neural.probe import AtLayer, layers_of

    name: Any = int(layer) if layer and layer.isdigit() else layer or "top"
    for each in layers_of(model) if name == "all" else [name]:
        yield {"layer": each}, AtLayer(model, each, pool or "mean")  # type: ignore[arg-type]
