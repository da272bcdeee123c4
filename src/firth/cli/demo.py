"""firth demo: from a text that every Python has to answers and a picture."""

from __future__ import annotations

from pathlib import Path

import click

from firth import demo
from firth.cli.options import command_with, option
from firth.cli.output import fail, neighbours_text
from firth.errors import MissingExtraError
from firth.models.word2vec import Word2Vec
from firth.plot import word_map


@command_with(example="firth demo -o demo\nfirth similar demo/demo.firth exception")
@option("--out", "-o", default="firth-demo", metavar="DIR", help="where to put text, model and picture")
def command(out: str) -> None:
    """Show it all on a text that every Python has.

    Learns from the docstrings, messages and comments of the standard library, shows neighbours and analogies, and
    draws a map of words; takes half a minute and no download. Leaves stdlib.txt, demo.firth and words.png in DIR.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "stdlib.txt"
    click.echo(f"{text}: {demo.write_text(text):,} paragraphs of docstrings, messages and comments")
    model = demo.model().fit(text, tokenizer="words", cache=False)
    _answer(model)
    model.save(folder / "demo.firth")
    click.echo(f"\nsaved {folder / 'demo.firth'}; ask more: firth similar {folder / 'demo.firth'} exception")
    picture = folder / "words.png"
    try:
        _draw(model, picture)
    except MissingExtraError as error:
        fail(str(error))
    else:
        click.echo(f"saved {picture}: a map of words")


def _answer(model: Word2Vec) -> None:
    vectors = model.vectors
    for word in demo.QUERIES:
        click.echo(f"\n{word}\n{neighbours_text(vectors.most_similar(word, topn=5, first=demo.FIRST))}")
    for a, b, c in demo.ANALOGIES:
        found = vectors.analogy(a, b, c, topn=1, first=demo.FIRST)
        click.echo(f"\n{a} : {b} :: {c} : ?\n{neighbours_text(found)}")


def _draw(model: Word2Vec, picture: Path) -> None:
    seconds = sum(row.seconds for row in model.history)
    known = [word for word in demo.MAP.split() if word in model.vectors]
    word_map(
        model.vectors,
        known,
        picture,
        title="The words of Python’s standard library",
        subtitle=f"word2vec, learnt in {seconds:.0f} s from its docstrings, messages and comments",
    )
