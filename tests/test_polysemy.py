"""The senses of ambiguous words: contextual vectors may tell them apart, static ones cannot."""

import json
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner

from firth.cli import main
from firth.evaluate import EvaluationError, StaticWords, polysemy
from firth.evaluate.polysemy import SENTENCES
from firth.vectors import Vectors


@pytest.fixture(scope="module")
def vectors():
    """A random vector for each word of the sentences, but for some that are left unknown."""
    words = sorted(
        {word for line in SENTENCES.read_text().splitlines()[1:] for word in line.split("\t")[2].split()}
    )
    return Vectors(words[10:], np.random.default_rng(1).standard_normal((len(words) - 10, 20)))


class Given:
    """Gives all words of a sentence one row."""

    def __init__(self, rows):
        self.rows = rows

    def embed_words(self, sentences):
        return [np.tile(row, (len(words), 1)) for row, words in zip(self.rows, sentences, strict=True)]


def test_the_sentences_are_balanced():
    rows = [line.split("\t") for line in SENTENCES.read_text().splitlines()[1:]]
    assert len({word for word, _, _ in rows}) == 12
    assert set(Counter((word, sense) for word, sense, _ in rows).values()) == {5}
    assert len({sentence for _, _, sentence in rows}) == len(rows)


def test_static_vectors_are_at_chance_by_construction(vectors):
    result = polysemy(vectors)
    assert {each.accuracy for each in result.words} == {0.5} == {result.accuracy, result.chance}


def test_what_stands_around_a_word_tells_its_sense(vectors, tmp_path):
    class Around:
        def embed_words(self, sentences):
            each = StaticWords(vectors).embed_words(sentences)
            return [np.array([rows.sum(axis=0) - row for row in rows]) for rows in each]

    path = tmp_path / "set.tsv"
    path.write_text(
        "bank\tmoney\tthe bank of interest\nbank\tmoney\tinterest of a bank\n"
        "bank\triver\twater of the bank\nbank\triver\ta bank of water\n"
    )
    assert polysemy(Around(), path).accuracy == 1
    assert polysemy(vectors, path).accuracy == 0.5


def test_the_nearest_mean_without_the_occurrence_itself(tmp_path):
    path = tmp_path / "set.tsv"
    path.write_text("w\ta\tw 1\nw\ta\tw 2\nw\tb\tw 3\nw\tb\tw 4\nw\tb\tw 5\n")
    angles = np.radians([0, 80, 90, 100, 30])  # the first is nearer to b without itself in a
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    (score,) = polysemy(Given(rows), path).words
    # 0° is wrong, a being at 80° and b at about 73°; 80° is wrong; 90° and 100° are right; 30° is wrong.
    assert score.accuracy == 2 / 5
    assert (score.senses, score.sentences, score.chance) == (("a", "b"), 5, 0.5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("w\ta\tno such\n", r"set.tsv:1: .* is not a word, a sense and a sentence that has the word once"),
        ("# w\n\nw\ta\tw and w\n", r"set.tsv:3: "),
        ("w a w\n", r"set.tsv:1: "),
        ("w\ta\tw\nw\ta\tw x\n", r"set.tsv: 'w' needs two senses or more"),
        ("w\ta\tw\nw\ta\tw x\nw\tb\tw y\n", r"set.tsv: 'w' needs two .* two sentences or more of each"),
        ("", r"set.tsv: holds no sentence"),
    ],
)
def test_bad_files_are_told(tmp_path, vectors, content, said):
    path = tmp_path / "set.tsv"
    path.write_text(content)
    with pytest.raises(EvaluationError, match=said):
        polysemy(vectors, path)


def test_the_command(tmp_path, vectors):
    vectors.save(tmp_path / "v.bin")
    shown = CliRunner().invoke(main, ["evaluate", str(tmp_path / "v.bin"), "--polysemy", "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["polysemy"][0]["accuracy"] == 0.5
    assert (
        len(CliRunner().invoke(main, ["evaluate", str(tmp_path / "v.bin"), "--polysemy"]).stdout.splitlines())
        == 16
    )
