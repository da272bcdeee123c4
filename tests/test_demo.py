"""The demonstration: its text, its answers, its picture."""

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import firth
from firth import demo, plot
from firth.cli import main

TEXT = "a b c d e\n" * 50


class TestText:
    def collected(self, folder: Path, source: str, name: str = "module.py") -> list[str]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return list(demo.paragraphs(folder))

    def test_strings_and_comments_by_paragraph(self, tmp_path):
        source = '''\
"""A module of
   two lines.

Its second paragraph."""
# One comment
# on two lines.
#
# Another paragraph.
#! A line apart

# stands alone.
x = "two words"  # behind code
y = 1  # and behind more
def f():
    "of three words"
    raise ValueError(f"{x} is not what was wanted")
'''
        assert self.collected(tmp_path, source) == [
            "A module of two lines.",
            "Its second paragraph.",
            "of three words",
            "is not what was wanted",
            "One comment on two lines.",
            "Another paragraph. A line apart",
            "stands alone.",
            "behind code",
            "and behind more",
        ]

    def test_tests_and_installed_packages_are_no_library(self, tmp_path):
        for folder in ("test", "site-packages", "email/tests"):
            assert self.collected(tmp_path, "# a comment\n", f"{folder}/module.py") == []

    def test_what_cannot_be_parsed_is_passed_over(self, tmp_path):
        (tmp_path / "latin.py").write_bytes(b"# caf\xe9 and the like\n")
        (tmp_path / "two.py").write_text("# a comment\nprint 'two'\n")
        assert self.collected(tmp_path, "# another one\n") == ["another one"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> tuple[Path, str]:
    """The whole demonstration, once: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    result = CliRunner().invoke(main, ["demo", "-o", str(folder)])
    assert result.exit_code == 0, result.output
    return folder, result.stdout


class TestDemo:
    def test_half_a_million_words(self, shown):
        corpus = firth.Corpus.read(shown[0] / "stdlib.txt", tokenizer="words", cache=False)
        assert len(corpus.ids) >= 500_000

    def test_neighbours_are_real(self, shown):
        vectors = firth.load(shown[0] / "demo.firth").vectors.restrict(demo.FIRST)
        for word, near in (("list", "tuple"), ("encode", "decode"), ("month", "day"), ("socket", "connection")):
            assert vectors.rank(word, near) <= 10, (word, vectors.most_similar(word))
        assert "\ndecode\n" in shown[1] and "encode\n" in shown[1]

    def test_analogies_are_right(self, shown):
        vectors = firth.load(shown[0] / "demo.firth").vectors
        answers = [vectors.analogy(*question, topn=1, first=demo.FIRST)[0].word for question in demo.ANALOGIES]
        assert answers == ["writing", "tuples", "values"]
        assert all(f"{a} : {b} :: {c} : ?" in shown[1] for a, b, c in demo.ANALOGIES)

    def test_the_picture(self, shown):
        image = pytest.importorskip("matplotlib.image")
        picture = shown[0] / "words.png"
        assert image.imread(picture).shape[:2] == (plot.HEIGHT, plot.WIDTH)
        assert picture.stat().st_size < 300_000
        known = [word for word in demo.MAP.split() if word in firth.load(shown[0] / "demo.firth").vectors]
        assert len(known) >= 100 and len(set(known)) == len(known)

    def test_without_the_extra_it_answers_and_says_so(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        monkeypatch.setattr(demo, "write_text", lambda path: path.write_text(TEXT))
        monkeypatch.setattr(demo, "model", lambda: firth.Word2Vec(dim=4, epochs=1, subsample=0))
        monkeypatch.setattr(demo, "QUERIES", ("a",))
        monkeypatch.setattr(demo, "ANALOGIES", (("a", "b", "c"),))
        result = CliRunner().invoke(main, ["demo", "-o", str(tmp_path)])
        assert result.exit_code == 0, result.output
        assert "a : b :: c : ?" in result.stdout
        assert result.stderr.splitlines()[-1] == (
            "firth: the map of words needs an optional dependency; pip install 'firth[plot]'"
        )
        assert firth.load(tmp_path / "demo.firth").dim == 4 and not (tmp_path / "words.png").exists()


class TestMap:
    def test_labels_do_not_cover_each_other(self):
        random = np.random.default_rng(1)
        places = random.normal([600, 400], [220, 130], size=(100, 2)).round(-1)
        halves = random.uniform([10, 6], [50, 10], size=(100, 2))
        moved = plot._apart(places, halves)
        between, room = np.abs(moved[:, None] - moved[None]), halves[:, None] + halves[None]
        covering = (between < room).all(axis=2)
        assert np.array_equal(covering, np.eye(100, dtype=bool))
        assert (moved - halves >= plot._FRAME[0] - 1e-9).all() and (moved + halves <= plot._FRAME[1] + 1e-9).all()

    def test_too_few_or_unknown_words(self, tmp_path):
        pytest.importorskip("sklearn")
        vectors = firth.Vectors(list("abcdef"), np.eye(6))
        with pytest.raises(firth.SettingsError, match="a map of 2 words"):
            plot.word_map(vectors, ["a", "b"], tmp_path / "map.png", title="Letters")
        with pytest.raises(firth.UnknownWordError, match="'x'"):
            plot.word_map(vectors, list("abcdx"), tmp_path / "map.png", title="Letters")
        plot.word_map(vectors, list("abcdef"), tmp_path / "map.png", title="Letters")
        assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
