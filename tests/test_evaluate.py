import gzip
import itertools
import json
import lzma
import subprocess
import sys
import unicodedata
import warnings

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.errors import FirthWarning, MissingExtraError, SettingsError
from firth.evaluate import EvaluationError, analogies, word_pairs
from firth.vectors import Vectors

METHODS = ["3cosadd", "3cosmul"]


def gensim(vectors):
    keyed = KeyedVectors(vectors.dim)
    keyed.add_vectors(list(vectors), vectors.matrix)
    return keyed


def write(folder, *rows, name="set.txt"):
    path = folder / name
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def counts(result):
    return [(score.name, score.correct, score.answered) for score in result.sections]


def gensim_counts(vectors, path, **settings):
    _, sections = gensim(vectors).evaluate_word_analogies(str(path), **settings)
    return [
        (section["section"], len(section["correct"]), len(section["correct"]) + len(section["incorrect"]))
        for section in sections[:-1]
    ]


# --- the same counts as gensim


LATIN = [
    "Athens Greece",
    "Paris France",
    "Rome Italy",
    "Łódź Poland",
    "Straße Weg",
    "king queen",
    "Man WOMAN",
]
CHINESE = ["雅典 希腊", "巴黎 法国", "罗马 意大利", "北京 中国", "东京 日本", "国王 王后", "男人 女人"]


def related(pairs, *, noise, spellings, rng):
    """Vectors whose pairs differ by nearly one offset, and the spellings of a word near each other."""
    offset = rng.standard_normal(12)
    vectors = {}
    for pair in pairs:
        one, other = pair.split()
        base = 2 * rng.standard_normal(12)
        for word, centre in ((one, base), (other, base + offset)):
            for spelling in dict.fromkeys(spell(word) for spell in spellings):
                vectors[spelling] = centre + noise * rng.standard_normal(12)
    vectors |= {f"filler{i}": 2 * rng.standard_normal(12) for i in range(60)}
    words = list(rng.permutation(list(vectors)))
    return Vectors(words, [vectors[word] for word in words])


@pytest.mark.parametrize("pairs", [LATIN, CHINESE], ids=["latin", "chinese"])
@pytest.mark.parametrize("noise", [1.2, 30.0], ids=["related", "random"])
@pytest.mark.parametrize("first", [70, None])
@pytest.mark.parametrize("case_insensitive", [True, False])
def test_analogy_counts_equal_gensim(tmp_path, pairs, noise, first, case_insensitive):
    rng = np.random.default_rng(7)
    vectors = related(pairs, noise=noise, spellings=[str, str.lower, str.upper], rng=rng)
    questions = [f"{one} {other}" for one, other in itertools.permutations(pairs, 2)]
    path = write(tmp_path, ": all", *questions, ": gram-half", *questions[::2])
    ours = counts(analogies(vectors, path, first=first, case_insensitive=case_insensitive))
    assert ours == gensim_counts(vectors, path, restrict_vocab=first, case_insensitive=case_insensitive)
    if noise < 30 and first is None:  # neither all right nor all wrong, so that equality means something
        assert 0 < ours[0][1] < ours[0][2]


def trained(sentences):
    model = Word2Vec(sentences, vector_size=30, sg=1, epochs=3, min_count=3, alpha=0.05, workers=1, seed=1)
    return Vectors(model.wv.index_to_key, model.wv.vectors)


@pytest.fixture(scope="module")
def english(data):
    with (data / "text/wiki-en-1m.txt").open(encoding="utf-8") as file:
        return trained([line.split()[:2000] for line in itertools.islice(file, 4000)])


@pytest.fixture(scope="module")
def chinese(data):
    jieba = pytest.importorskip("jieba")
    jieba.setLogLevel("ERROR")
    with lzma.open(data / "text/zh-mixed.txt.xz", "rt", encoding="utf-8") as file:
        lines = (line for line in file if any(word in line for word in ("国", "首都", "城市")))
        return trained([jieba.lcut(line) for line in itertools.islice(lines, 1200)])


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_analogy_counts_equal_gensim_on_trained_vectors(tmp_path, request, data, language):
    vectors = request.getfixturevalue(language)
    name, step = {"english": ("questions-words.txt", 4), "chinese": ("CA-translated.txt", 1)}[language]
    lines = (data / "eval" / name).read_text(encoding="utf-8").splitlines()
    path = write(tmp_path, *(line for number, line in enumerate(lines) if line[0] == ":" or number % step == 0))
    result = analogies(vectors, path, first=5_000)
    assert counts(result) == gensim_counts(vectors, path, restrict_vocab=5_000)
    assert 0 < result.total.correct < result.total.answered < result.total.questions


@pytest.mark.parametrize(
    "language, name",
    [("english", "EN-WS-353-ALL.txt"), ("english", "EN-RG-65.txt"), ("chinese", "zh-wordsim-240.txt")],
)
@pytest.mark.parametrize("first", [3_000, None])
def test_word_pairs_equal_gensim(request, data, language, name, first):
    vectors, path = request.getfixturevalue(language), data / "eval" / name
    result = word_pairs(vectors, path, first=first)
    pearson, spearman, unknown = gensim(vectors).evaluate_word_pairs(str(path), restrict_vocab=first)
    assert (result.pearson, result.spearman) == pytest.approx((pearson[0], spearman[0]), abs=1e-5)
    assert (result.pearson_p, result.spearman_p) == pytest.approx((pearson[1], spearman[1]), rel=1e-3)
    assert 100 * (1 - result.coverage) == pytest.approx(unknown)


# --- analogies against their equations


def scores_by_definition(matrix, a, b, c, method):
    """Every word's score for one question, in double precision, straight from the papers."""
    units = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    if method == "3cosadd":
        query = units[b] - units[a] + units[c]
        scores = units @ query / np.linalg.norm(query)
    else:
        to_a, to_b, to_c = ((1 + units @ units[word]) / 2 for word in (a, b, c))
        scores = to_b * to_c / (to_a + 0.001)
    scores[[a, b, c]] = -np.inf
    return scores


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([6, 300, 5000]), dim=st.integers(5, 20))
def test_answers_are_the_best_by_definition(tmp_path_factory, method, seed, size, dim):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((size, dim)).astype(np.float32)
    best, second = [], []
    for question in rng.integers(0, size, (150, 3)):
        scores = scores_by_definition(matrix.astype(np.float64), *question, method)
        runner_up, winner = np.argsort(scores)[-2:]
        if scores[winner] - scores[runner_up] > 3e-4 * abs(scores[winner]):  # float32 can tell them apart
            best.append("w{} w{} w{} w{}".format(*question, winner))
            second.append("w{} w{} w{} w{}".format(*question, runner_up))
    path = write(tmp_path_factory.mktemp("questions"), ": best", *best, ": second", *second)
    result = analogies(Vectors([f"w{i}" for i in range(size)], matrix), path, method=method)
    assert counts(result) == [("best", len(best), len(best)), ("second", 0, len(best))]


@pytest.mark.parametrize("method", METHODS)
def test_of_equal_answers_the_most_frequent_wins(tmp_path, method):
    size = 9000
    matrix = np.tile(np.float32([0, 0, 0, -1]), (size, 1))
    matrix[:3] = np.eye(4)[:3]  # a, b, c
    matrix[[1100, 1101, 8900]] = [0, 1, 1, 0]  # the last in another block
    vectors = Vectors([f"w{i}" for i in range(size)], matrix)
    path = write(tmp_path, ": ties", "w0 w1 w2 w1100", "w0 w1 w2 w1101", "w0 w1 w2 w8900")
    assert analogies(vectors, path, method=method).total.correct == 1
    path = write(tmp_path, ": ties", "w0 w1 w2 w1100")
    assert analogies(vectors, path, method=method).total.correct == 1


@pytest.mark.parametrize("method", METHODS)
def test_rows_without_direction_neither_win_nor_count_as_known(tmp_path, method):
    matrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [np.nan, 1, 1], [np.inf, 1, 1], [1, -1, -1]]
    vectors = Vectors(["a", "b", "c", "zero", "nan", "inf", "far"], matrix)
    path = write(tmp_path, ": s", "a b c far", "a b c zero", "zero b c far", "a nan c far", "a b inf far")
    result = analogies(vectors, path, method=method)
    assert (result.total.correct, result.total.answered) == (1, 1)
    assert result.unknown == ("zero", "nan", "inf")


@pytest.mark.parametrize("method", METHODS)
def test_words_of_the_question_are_no_answers(tmp_path, method):
    vectors = Vectors(["a", "b", "c"], np.eye(3))
    path = write(tmp_path, ": s", "a b c a", "a b c b", "a b c c", "a a a a")
    assert analogies(vectors, path, method=method).total.correct == 0


def test_a_word_is_looked_up_and_right_in_any_spelling(tmp_path):
    words = ["a", "b", "c", "B", "C", "d", "D"]  # B and C, spellings of b and c, are near the query; D is next
    matrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0.9], [0, 0.9, 1], [1, 0.3, 1], [0, 1, 0.8]]
    vectors = Vectors(words, matrix)
    folded = analogies(vectors, write(tmp_path, ": s", "A B c d")).total
    exact = analogies(vectors, write(tmp_path, ": s", "a b c B", "a b c D"), case_insensitive=False).total
    assert (folded.correct, folded.answered) == (1, 1)
    assert (exact.correct, exact.answered) == (1, 2)
    path = write(tmp_path, ": s", "A b c d")
    with pytest.raises(EvaluationError, match=r"unknown: A.*case_insensitive=True"):
        analogies(vectors, path, case_insensitive=False)


# --- sections, coverage, output


@pytest.fixture
def grid():
    """Eight words whose analogies all hold: p1 … p4 and q1 … q4, apart by one offset."""
    rng = np.random.default_rng(1)
    base, offset = rng.standard_normal((4, 20)), 0.5 * rng.standard_normal(20)
    return Vectors(["p1", "p2", "p3", "p4", "q1", "q2", "q3", "q4"], np.concatenate([base, base + offset]))


def test_unknown_words_and_sums(tmp_path, grid):
    path = write(
        tmp_path,
        *(": family", "p1 q1 p2 q2", "p1 q1 p2 p3", "p1 q1 p4 q4", "p1 q1 Elsewhere q2"),
        *(": gram1-plural", "p1 q1 p2 q2"),
        *(": gram2-tense", "p1 q1 Nowhere q2"),
    )
    result = analogies(grid, path, first=7)
    assert counts(result) == [("family", 1, 2), ("gram1-plural", 1, 1), ("gram2-tense", 0, 0)]
    assert result.unknown == ("q4", "Elsewhere", "Nowhere")
    assert [score.name for score in result.sums] == ["semantic", "syntactic", "total"]
    assert (result.semantic.correct, result.semantic.answered, result.semantic.questions) == (1, 2, 4)
    assert (result.syntactic.correct, result.syntactic.answered, result.syntactic.questions) == (1, 1, 2)
    assert result.total.accuracy == pytest.approx(2 / 3)
    assert result.total.coverage == pytest.approx(3 / 6)
    assert result.total.accuracy_of_all == pytest.approx(2 / 6)
    assert result.candidates == 7


def test_a_set_without_gram_sections_has_only_a_total(tmp_path, grid):
    result = analogies(grid, write(tmp_path, ": 家庭", "p1 q1 p2 q2"))
    assert [score.name for score in result.sums] == ["total"]
    assert result.semantic is None and result.syntactic is None


def test_results_are_json(tmp_path, grid):
    result = analogies(grid, write(tmp_path, ": s", "p1 q1 p2 q2", ": gram1", "p1 q1 p2 雅典"), method="3cosmul")
    told = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert told["method"] == "3cosmul"
    assert told["sections"][1]["accuracy"] is None and told["syntactic"]["accuracy_of_all"] == 0
    assert told["total"]["accuracy"] == 1.0 and told["total"]["questions"] == 2
    assert told["unknown"] == ["雅典"]
    pairs = word_pairs(grid, write(tmp_path, "p1 q1 3", "p1 q2 2", "p3 p4 1.5", "p1 雅典 7"))
    told = json.loads(json.dumps(pairs.as_dict(), allow_nan=False))
    assert (told["answered"], told["pairs"], told["unknown"]) == (3, 4, ["雅典"])
    assert told["spearman"] == pairs.spearman


def test_tables_are_aligned(tmp_path, grid):
    result = analogies(grid, write(tmp_path, ": 首都-国家", "p1 q1 p2 q2", ": gram1-plural", "p1 q1 p2 雅典"))
    _title, header, _rule, *rows = str(result).splitlines()
    wide = [sum(unicodedata.east_asian_width(char) == "W" for char in row) for row in (header, *rows[:-1])]
    assert len({len(row) + more for row, more in zip((header, *rows[:-1]), wide, strict=True)}) == 1
    assert rows[0].split() == ["首都-国家", "1", "1", "1", "100.0", "%", "100.0", "%", "100.0", "%"]
    assert rows[1].split()[4] == "–"
    assert rows[-1] == "1 unknown words: 雅典"
    pairs = word_pairs(grid, write(tmp_path, "p1 q1 3", "p1 q2 2", "p3 p4 1.5"))
    header, _rule, row, last = str(pairs).splitlines()
    assert len(header) == len(row)
    assert last == "no unknown words"


# --- reading sets


def test_line_ends_marks_blank_lines_and_compression_make_no_difference(tmp_path, grid):
    path = tmp_path / "set.txt.gz"
    path.write_bytes(gzip.compress("\ufeff: s\r\n\r\np1\tq1 p2  q2\r\n:t\np1 q1 p3 q3".encode()))
    assert counts(analogies(grid, path)) == [("s", 1, 1), ("t", 1, 1)]


@pytest.mark.parametrize(
    "content, message",
    [
        (b": s\np1 q1 p2 q2\np1 q1 p2\n", r"set.txt:3: 'p1 q1 p2' is 3 words where an analogy is four; mend"),
        (b": s\np1 q1 p2 q2 p3\n", r"set.txt:2: .* is 5 words"),
        (b"\np1 q1 p2 q2\n", r"set.txt:2: .* before any section; put a line ': name'"),
        (b": s\n: t\n", r"set.txt: holds no question"),
        (b"", r"set.txt: holds no question"),
        (b": s\n" + "雅典".encode("gb18030"), r"set.txt:2: byte 0x.. at column 1 .*iconv"),
        (
            ": s\n雅典 希腊 北京 中国\n".encode(),
            r"set.txt: none of the 1 questions .*雅典, 希腊, 北京.*8 candidate",
        ),
    ],
)
def test_analogies_that_cannot_be_read_or_answered(tmp_path, grid, content, message):
    path = tmp_path / "set.txt"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=message):
        analogies(grid, path)


def test_settings_are_checked(tmp_path, grid):
    path = write(tmp_path, ": s", "p1 q1 p2 q2")
    with pytest.raises(SettingsError, match="method='cosine' is unknown; choose 3cosadd or 3cosmul"):
        analogies(grid, path, method="cosine")
    with pytest.raises(SettingsError, match="first=0 must be at least 1"):
        analogies(grid, path, first=0)


@pytest.mark.parametrize("separator", ["\t", ",", " ", ", "])
def test_pairs_are_read_between_tabs_commas_and_spaces(tmp_path, grid, separator):
    rows = ["P1 q1 10.0", "p1 q2 7", "p1 q3 1e0", "p3 p4 -2"]
    path = write(tmp_path, "# a comment", *(row.replace(" ", separator) for row in rows))
    plain = write(tmp_path, *rows, name="plain.txt")
    assert word_pairs(grid, path).spearman == word_pairs(grid, plain).spearman
    assert word_pairs(grid, path).answered == 4


def test_words_with_spaces_in_pairs_between_tabs(tmp_path):
    vectors = Vectors(["New York", "city", "cat"], [[1, 0.1], [1, 0.2], [0, 1]])
    path = write(tmp_path, "New York\tcity\t9", "New York\tcat\t1", "city\tcat\t2")
    assert word_pairs(vectors, path).spearman == pytest.approx(1.0)


def test_a_header_is_left_out_and_said(tmp_path, grid):
    rows = ["p1\tq1\t3", "p1\tq2\t2", "p3\tp4\t1.5"]
    path = write(tmp_path, "# from a paper", "Word 1\tWord 2\tHuman (mean)", *rows)
    with pytest.warns(FirthWarning, match=r"set.txt:2: .*taken for a header"):
        assert word_pairs(grid, path).pairs == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert word_pairs(grid, write(tmp_path, *rows)).pairs == 3


@pytest.mark.parametrize(
    "content, message",
    [
        ("p1 q1 1\np1 q2\n", r"set.txt:2: 'p1 q2' is not two words and a number .*; mend or remove"),
        ("p1 q1 1\np1 q2 high\n", r"set.txt:2: 'p1 q2 high' is not"),
        ("p1 q1 2nd\np1 q2 2\n", r"set.txt:1: 'p1 q1 2nd' is not"),
        ("a b score\nc d score\np1 q1 1\n", r"set.txt:2: 'c d score' is not"),
        ("p1 q1 nan\n", r"set.txt:1: 'p1 q1 nan' is not"),
        ("p1\tq1\t3\t4\n", r"set.txt:1: .* is not two words and a number"),
        ("# nothing\n", r"set.txt: holds no pair"),
        ("p1 x 1\np1 y 2\np1 q2 3\n", r"set.txt: of 3 pairs only 1 have two known words \(unknown: x, y\)"),
        (
            "p1 q1 3\np1 q2 3\np1 q3 3\n",
            r"set.txt: the scores of all 3 known pairs are 3: there is no correlation",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::firth.errors.FirthWarning")
def test_pairs_that_cannot_be_read_or_correlated(tmp_path, grid, content, message):
    path = tmp_path / "set.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(EvaluationError, match=message):
        word_pairs(grid, path)


def test_pairs_without_scipy_name_the_extra(tmp_path, grid, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"firth\[eval\]"):
        word_pairs(grid, write(tmp_path, "p1 q1 3", "p1 q2 2", "p3 p4 1.5"))


def test_importing_loads_no_scipy():
    code = "import sys, firth.evaluate; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
