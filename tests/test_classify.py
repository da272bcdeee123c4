"""The classification probe: what frozen vectors know of the classes of texts."""

import json
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import StandardScaler

import firth
from firth.cli import main
from firth.errors import FirthWarning, MissingExtraError, SettingsError
from firth.evaluate import EvaluationError, Labelled, MeanOfWords, classify, read_labelled
from firth.evaluate.classify import PENALTIES
from firth.evaluate.metrics import accuracy, macro_f1
from firth.vectors import Vectors

ANIMALS, TOOLS = ["cat", "dog", "cow", "hen"], ["saw", "axe", "drill", "rasp"]
FILLERS = ["the", "a", "of", "and", "is", "there"]


@pytest.fixture(scope="module")
def vectors():
    """Animals on one side, tools on the other, and words that say nothing, far louder than either."""
    rng = np.random.default_rng(3)
    words = ANIMALS + TOOLS + FILLERS
    matrix = rng.standard_normal((len(words), 8))
    matrix[:, 0] = [1] * 4 + [-1] * 4 + [0] * 6
    matrix[8:, 1:] *= 3
    return Vectors(words, matrix)


def texts(number, seed):
    """Texts of ten words, four of them of the class that the label names."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(["animal", "tool"], number).tolist()
    kinds = {"animal": ANIMALS, "tool": TOOLS}
    made = [[*rng.choice(kinds[label], 4), *rng.choice(FILLERS, 6)] for label in labels]
    return Labelled(f"texts {seed}", [" ".join(rng.permutation(each)) for each in made], labels)


def write(path, labelled, between="\t"):
    lines = [f"{label}{between}{text}\n" for label, text in zip(labelled.labels, labelled.texts, strict=True)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_it_learns_what_the_vectors_know(vectors):
    result = classify(vectors, texts(200, 1), texts(100, 2))
    assert result.accuracy > 0.95 and result.macro_f1 > 0.95
    assert result.majority < 0.6
    assert [run.seed for run in result.runs] == [1, 2, 3]
    assert result.coverage == 1
    blind = Vectors(list(vectors), np.random.default_rng(5).standard_normal((len(vectors), 1)))
    assert classify(blind, texts(200, 1), texts(100, 2)).accuracy < 0.8


def test_any_layer_of_a_model_is_asked_alike(vectors):
    class Layer:
        def embed(self, texts):
            return np.array([[sum(word in ANIMALS for word in text.split())] for text in texts], np.float16)

    result = classify(Layer(), texts(60, 1), texts(40, 2), seeds=[7])
    assert result.accuracy == 1 and result.coverage is None and result.dim == 1


def test_it_is_scikit_learns_regression_on_scaled_means(vectors):
    train, test, validation = texts(50, 1), texts(80, 2), texts(30, 3)
    result = classify(vectors, train, test, validation=validation, seeds=[4, 5])
    rows, held, asked = (
        [np.mean([vectors[word] for word in text.split()], axis=0) for text in part.texts]
        for part in (train, validation, test)
    )
    scaler = StandardScaler().fit(rows)
    by_penalty = [
        LogisticRegression(C=C, max_iter=1000).fit(scaler.transform(rows), train.labels) for C in PENALTIES
    ]
    scores = [each.score(scaler.transform(held), validation.labels) for each in by_penalty]
    predicted = by_penalty[int(np.argmax(scores))].predict(scaler.transform(asked))
    (run,) = result.runs  # with a set to choose C on, nothing is random
    assert (run.C, run.validation) == (PENALTIES[int(np.argmax(scores))], max(scores))
    assert run.accuracy == pytest.approx(accuracy_score(test.labels, predicted), abs=0.02)


def test_seeds_draw_the_validation_part(vectors):
    runs = classify(vectors, texts(60, 1), texts(30, 2), seeds=[1, 1, 2, 3, 4, 5]).runs
    assert runs[0] == runs[1]
    assert len({(run.validation, run.C) for run in runs}) > 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abc")), min_size=1))
def test_metrics_are_scikit_learns(pairs):
    gold, predicted = zip(*pairs, strict=True)
    assert accuracy(gold, predicted) == pytest.approx(accuracy_score(gold, predicted))
    assert macro_f1(gold, predicted) == pytest.approx(f1_score(gold, predicted, average="macro"))


def test_a_text_is_the_mean_of_its_known_words_whatever_their_case():
    vectors = Vectors(["The", "cat", "CAT"], [[1, 3], [5, 7], [9, 9]])
    words = MeanOfWords(vectors)
    found = words.embed(["the cat", "Cat purrs", "purrs", ""])
    assert found.tolist() == [[3, 5], [5, 7], [0, 0], [0, 0]]
    assert words.coverage(["the cat", "Cat purrs", "purrs"]) == 3 / 5


# --- files


def test_labels_stand_before_a_tab_or_a_space(tmp_path):
    tabs, spaces = tmp_path / "tabs.tsv", tmp_path / "spaces.txt"
    tabs.write_text("\ufeffvery good\tit 's a joy\n\nbad\ta bore \n")
    spaces.write_text("NUM:date When did it end ?\nLOC:city Where\tis it ?\n")
    assert read_labelled(tabs) == Labelled(str(tabs), ["it 's a joy", "a bore"], ["very good", "bad"])
    assert read_labelled(spaces).labels == ["NUM:date", "LOC:city"]
    found = read_labelled(spaces, coarse=True)
    assert found.labels == ["NUM", "LOC"] and found.texts == ["When did it end ?", "Where\tis it ?"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"good\ta joy\nbad a bore\n", r"f.tsv:2: 'bad a bore' is not a label and a text with a tab"),
        (b"1 a joy\n\n0\n", r"f.tsv:3: '0' is not a label and a text with white space"),
        (b"good\t\n", r"f.tsv:1: 'good' is not"),
        (b"\n", r"f.tsv: holds 0 texts and 0 labels"),
        (b"1 a\n0 caf\xe9\n", r"f.tsv:2: byte 0xe9 at column 6 is not UTF-8; convert the file"),
    ],
)
def test_bad_lines_are_told_with_their_place(tmp_path, content, said):
    path = tmp_path / "f.tsv"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=said):
        read_labelled(path)


def test_other_encodings(tmp_path):
    path = tmp_path / "f.txt"
    path.write_bytes("1 café\n".encode("latin-1"))
    assert read_labelled(path, encoding="latin-1").texts == ["café"]
    with pytest.raises(SettingsError, match="utf-9"):
        read_labelled(path, encoding="utf-9")


def test_what_cannot_be_learnt_is_said(vectors, monkeypatch):
    few, test = Labelled("few", ["cat", "saw"], ["a", "b"]), texts(10, 2)
    with pytest.raises(EvaluationError, match=r"one: has one class, 'a'; a probe needs two"):
        classify(vectors, Labelled("one", ["cat"], ["a"]), test)
    with pytest.warns(FirthWarning, match="lacks"), pytest.raises(EvaluationError, match="no class has two texts"):
        classify(vectors, few, test)
    with pytest.raises(SettingsError, match=r"validation=1.5 must be between 0 and 1"):
        classify(vectors, texts(20, 1), test, validation=1.5)
    with pytest.raises(SettingsError, match="seeds is empty"):
        classify(vectors, texts(20, 1), test, seeds=[])
    for made, said in ((np.full((20, 2), np.nan), "hold NaN"), (np.ones((5, 2)), r"20 texts .* shape \(5, 2\)")):
        broken = SimpleNamespace(embed=lambda _, made=made: made)
        with pytest.raises(EvaluationError, match=f"texts 1: .*{said}"):
            classify(broken, texts(20, 1), test)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtraError, match=r"firth\[eval\]"):
        classify(vectors, texts(20, 1), test)


def test_labels_that_only_the_test_has_count_as_wrong_and_are_told(vectors):
    test = texts(40, 2)
    strange = Labelled("strange", test.texts + test.texts, test.labels + ["plant"] * 40)
    with pytest.warns(FirthWarning, match="strange: has labels that texts 1 lacks, .*: plant"):
        found = classify(vectors, texts(200, 1), strange).accuracy
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found == classify(vectors, texts(200, 1), test).accuracy / 2


def test_the_command(vectors, tmp_path):
    vectors.save(tmp_path / "v.bin")
    train, test = write(tmp_path / "train.tsv", texts(100, 1)), write(tmp_path / "test.txt", texts(50, 2), " ")
    arguments = ["evaluate", tmp_path / "v.bin", "--classify", train, test, "--seeds", "4,5"]
    shown = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert shown.exit_code == 0, shown.output
    expected = classify(firth.load(tmp_path / "v.bin"), train, test, seeds=[4, 5])
    assert json.loads(shown.stdout)["classify"] == [json.loads(json.dumps(expected.as_dict()))]
    assert CliRunner().invoke(main, [*map(str, arguments)]).stdout.rstrip("\n") == expected.table()


def test_trec_reads_by_its_coarse_labels(data):
    folder = data / "classify"
    train = read_labelled(folder / "raw_TREC.train", coarse=True, encoding="latin-1")
    test = read_labelled(folder / "raw_TREC.test", coarse=True)
    assert (len(train), len(test)) == (5452, 500)
    assert train.classes == test.classes == ["ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"]
    reviews = read_labelled(folder / "stsa.binary.train")
    assert (len(reviews), reviews.classes) == (6920, ["0", "1"])
    assert len(read_labelled(folder / "R8_train.txt").classes) == 8
