"""The examples of tasks: files and rows, and what is said of those that are none."""

import json

import pytest

from firth.errors import CorpusError
from firth.lm.neural.examples import Answer, read_examples, with_targets


def write(folder, text, name="f.tsv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder, task, text, **more):
    return [(each.texts, each.target) for each in read_examples(write(folder, text), task, **more)]


def test_files_of_each_task(tmp_path):
    assert read(tmp_path, "classify", "a\tone two\nb\tthree\tfour\n") == [
        (("one two",), "a"), (("three\tfour",), "b"),
    ]  # fmt: skip
    assert read(tmp_path, "classify", "a one two\n\nb three\n") == [(("one two",), "a"), (("three",), "b")]
    assert read(tmp_path, "classify", "a one two\nc three\n", labels={"a", "b"})[0] == (("a one two",), None)
    assert read(tmp_path, "pair", "yes\tone two\tthree\n") == [(("one two", "three"), "yes")]
    assert read(tmp_path, "pair", "one two\tthree\n") == [(("one two", "three"), None)]
    assert read(tmp_path, "similarity", "2.5\tone\ttwo\n") == [(("one", "two"), 2.5)]
    assert read(tmp_path, "choice", "1\tc\tx\ty\n0\tc\tx\ty\tz\n")[1] == (("c", "x", "y", "z"), 0)
    assert read(tmp_path, "choice", "c\tx\ty\n") == [(("c", "x", "y"), None)]
    assert read(tmp_path, "tag", "\nEU\tNNP\tB-ORG\nis O\n\n\nNew York\tB-LOC\n") == [
        (("EU", "is"), ("B-ORG", "O")), (("New York",), ("B-LOC",)),
    ]  # fmt: skip
    assert read(tmp_path, "tag", "EU\nis\n\nit\n") == [(("EU", "is"), None), (("it",), None)]
    row = {"question": "q ?", "context": "a b a"}
    found = read(tmp_path, "span", json.dumps({**row, "answers": [{"text": "a", "start": 4}, "b"]}))
    assert found == [(("q ?", "a b a"), (Answer("a", 4), Answer("b", 2)))]
    assert read(tmp_path, "span", json.dumps({**row, "answers": []}))[0][1] == ()
    assert read(tmp_path, "span", json.dumps(row))[0][1] is None


@pytest.mark.parametrize(
    ("task", "text", "said"),
    [
        ("classify", "a\tone\ntwo\n", r"f.tsv:2: has no target, though others have; give a label and a text"),
        ("classify", "a\t \n", r"f.tsv:1: has no target"),
        ("pair", "yes\tone\ttwo\nno\tone\ttwo\tthree\n", r"f.tsv:2: .*4 fields where 3 are needed, or 2"),
        ("pair", "one\n", r"f.tsv:1: .*1 fields"),
        ("pair", "yes\tone\t\ttwo\n", r"f.tsv:1: .*4 fields"),
        ("similarity", "high\tone\ttwo\n", r"f.tsv:1: .*could not convert string to float: 'high'"),
        ("similarity", "1\tone\ttwo\nnan\tone\ttwo\n", r"f.tsv:2: .*no finite number"),
        ("choice", "2\tc\tx\ty\n", r"f.tsv:1: .*2 is none of its 2 choices, 0 to 1"),
        ("choice", "0\tc\tx\n", r"f.tsv:1: .*fewer than two choices"),
        ("tag", "EU\tO\nis\n", r"f.tsv:2: has no tag, though others have; give a word and a tag a line"),
        ("tag", "EU\tO\n\nis\n", r"f.tsv:3: has no target"),
        ("span", "{]\n", r"f.tsv:1: is no JSON"),
        ("span", '{"question": "q"}\n', r"f.tsv:1: .*'context'"),
        ("span", '{"question": "q", "context": "a", "answers": ["b"]}', r"f.tsv:1: .*'b' does not stand at -1"),
        ("classify", "\n\n", r"f.tsv: holds no example; give a label and a text"),
    ],
)
def test_bad_lines_are_told_with_their_place(tmp_path, task, text, said):
    with pytest.raises(CorpusError, match=said):
        made = read_examples(write(tmp_path, text), task)
        with_targets(made, task)


def test_rows_in_memory_are_told_by_their_number():
    assert read_examples([["a", "one"], ("b", "two")], "classify")[1].texts == ("two",)
    with pytest.raises(CorpusError, match=r"example 2: .*3 fields"):
        read_examples([("a", "one"), ("b", "two", "three")], "classify")
    with pytest.raises(CorpusError, match=r"example 1: .* cannot be read"):
        read_examples([()], "choice")
    with pytest.raises(CorpusError, match="the examples: holds no example"):
        read_examples([], "classify")
