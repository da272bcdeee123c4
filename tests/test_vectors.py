"""The questions one asks of vectors: against gensim, against the definition, and where there is no answer."""

import tracemalloc

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.errors import SettingsError, UnknownWordError
from firth.vectors import Vectors, analogies, search
from firth.words import PackedWords

deterministic = settings(deadline=None, derandomize=True)

V, N = 300, 20
NAMES = [f"w{i}" for i in range(V)]
RAW = np.random.default_rng(5).normal(size=N)


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(7)
    return (rng.normal(size=(V, N)) * rng.uniform(0.1, 9, size=(V, 1))).astype(np.float32)


@pytest.fixture(params=[list, PackedWords.pack])
def vectors(request, matrix):
    return Vectors(request.param(NAMES), matrix, counts=np.arange(V, 0, -1))


@pytest.fixture(scope="module")
def gensim(matrix):
    made = KeyedVectors(N)
    made.add_vectors(NAMES, matrix)
    return made


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks so small that every question crosses several."""
    monkeypatch.setattr(search, "BLOCK", 37)
    monkeypatch.setattr(search, "GROUP", 3)


def assert_like(found, expected, tolerance=1e-6):
    assert [word for word, _ in found] == [word for word, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=tolerance)


# --- looking up


def test_lookup(vectors, matrix):
    assert len(vectors) == V
    assert vectors.dim == N
    assert "w3" in vectors
    assert "x" not in vectors
    assert 3 not in vectors
    assert list(vectors) == NAMES
    np.testing.assert_array_equal(vectors["w3"], matrix[3])
    np.testing.assert_array_equal(vectors[["w3", "w1"]], matrix[[3, 1]])
    assert vectors[[]].shape == (0, N)
    np.testing.assert_allclose(vectors.norms, np.linalg.norm(matrix, axis=1), rtol=1e-6)
    assert vectors.norms.dtype == vectors.matrix.dtype == np.float32
    assert vectors.counts.dtype == np.int64


def test_nothing_can_be_changed_by_accident(vectors, matrix):
    for array in (vectors.matrix, vectors.norms, vectors.counts, vectors["w1"]):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 1
    assert matrix.flags.writeable


def test_restricted_to_the_most_frequent(vectors):
    few = vectors.restrict(10)
    assert list(few) == NAMES[:10]
    assert np.shares_memory(few.matrix, vectors.matrix)
    np.testing.assert_array_equal(few.counts, vectors.counts[:10])
    assert few.most_similar("w3", topn=20) == vectors.most_similar("w3", topn=20, first=10)
    assert "w10" not in few
    assert len(vectors.restrict(10 * V)) == V


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"words": ["a", "b", "a"], "matrix": np.ones((3, 2))}, "'a' stands twice"),
        ({"words": ["a"], "matrix": np.ones((2, 2))}, r"matrix has shape \(2, 2\)"),
        ({"words": ["a"], "matrix": np.ones(1)}, r"matrix has shape \(1,\)"),
        ({"words": ["a"], "matrix": np.ones((1, 2)), "counts": [1, 2]}, "counts has shape"),
        ({"words": ["a"], "matrix": np.ones((1, 2)), "norms": [[1]]}, "norms has shape"),
    ],
)
def test_sizes_that_do_not_fit(arguments, message):
    with pytest.raises(SettingsError, match=message):
        Vectors(**arguments)


def test_rows_padded_to_cache_lines_are_used_as_they_are():
    padded = np.arange(64, dtype=np.float32).reshape(4, 16)
    vectors = Vectors("abcd", padded[:, :10])
    assert np.shares_memory(vectors.matrix, padded)
    assert vectors.most_similar("a", topn=1)[0].word == "b"


# --- the nearest


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("w3", []),
        (["w3"], ["w5"]),
        (["w3", "w250"], ["w5", "w7"]),
        ([("w3", 0.3), "w4", ("w9", -2.0)], []),
        (RAW, []),
        (RAW.astype(np.float32), ["w2"]),
        ([RAW, "w8", ("w1", 0.5)], []),
        ([(RAW, 0.2), "w8"], [RAW[::-1], "w11"]),
    ],
)
@pytest.mark.parametrize("first", [None, 40])
def test_most_similar_is_gensims(vectors, gensim, small_blocks, positive, negative, first):
    found = vectors.most_similar(positive, negative, topn=25, first=first)
    assert_like(found, gensim.most_similar(positive, negative, topn=25, restrict_vocab=first))


def test_weights_of_negatives_subtract(vectors):
    expected = vectors.most_similar([("w1", 1.0), ("w2", -0.5)])
    assert_like(vectors.most_similar("w1", [("w2", 0.5)]), expected)


def test_a_neighbour_has_names(vectors):
    best = vectors.most_similar("w3", topn=1)[0]
    assert best.similarity == pytest.approx(vectors.similarity("w3", best.word), abs=1e-6)
    assert isinstance(best.similarity, float)


def test_many_queries_are_answered_as_each_alone(vectors, small_blocks):
    queries = ["w3", RAW, ["w3", ("w9", -1.0)], *NAMES[:20]]
    together = vectors.most_similar_batch(queries, topn=7, first=200)
    assert len(together) == len(queries)
    for query, found in zip(queries, together, strict=True):
        assert_like(found, vectors.most_similar(query, topn=7, first=200))
    rows = vectors.most_similar_batch(vectors.matrix[:5], topn=1)
    assert [[word for word, _ in found] for found in rows] == [[name] for name in NAMES[:5]]
    assert vectors.most_similar_batch([]) == []


@deterministic
@given(
    names=st.sets(st.sampled_from(NAMES)),
    first=st.none() | st.integers(1, V + 5),
    query=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
    topn=st.integers(1, V),
    block=st.integers(1, 100),
)
def test_among_and_first_against_the_definition(matrix, names, first, query, topn, block):
    vectors = Vectors(NAMES, matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BLOCK", block)
        found = vectors.most_similar(query, topn=topn, first=first, among=names)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    mean = sum(unit[NAMES.index(word)] for word in query)
    scores = {name: unit[NAMES.index(name)] @ mean / np.linalg.norm(mean) for name in names - set(query)}
    allowed = [name for name in NAMES[:first] if name in scores]
    assert_like(found, sorted(((name, scores[name]) for name in allowed), key=lambda item: -item[1])[:topn])


@deterministic
@given(
    axes=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([-2.0, -1.0, 0.0, 0.5, 4.0])), min_size=1),
    axis=st.integers(0, 2),
    topn=st.integers(1, 30),
    block=st.integers(1, 9),
)
def test_equals_come_in_the_order_of_frequency(axes, axis, topn, block):
    matrix = np.array([scale * np.eye(3)[each] for each, scale in axes], dtype=np.float32)
    vectors = Vectors([str(place) for place in range(len(axes))], matrix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BLOCK", block)
        found = vectors.most_similar(np.eye(3)[axis], topn=topn)
    expected = [(str(place), np.sign(matrix[place, axis])) for place in np.flatnonzero(matrix.any(axis=1))]
    assert found == sorted(expected, key=lambda item: (-item[1], int(item[0])))[:topn]


METHODS = ["3cosadd", "3cosmul"]


def test_rows_of_zeros_are_similar_to_nothing():
    vectors = Vectors(["zero", "a", "b", "nought"], [[0, 0], [1, 0], [-1, 0], [0, 0]])
    assert vectors.most_similar("a") == [("b", -1)]
    assert vectors.most_similar("zero") == [("a", 0), ("b", 0)]
    assert vectors.most_similar("a", "a") == [("b", 0)]
    assert vectors.similarity("zero", "nought") == vectors.similarity("zero", "a") == 0
    for method in METHODS:
        assert vectors.analogy("zero", "a", "b", method=method) == []
        assert [word for word, _ in vectors.analogy("zero", "a", "a", method=method)] == ["b"]
    with pytest.raises(SettingsError, match="'nought' has no direction"):
        vectors.rank("a", "nought")


def test_rows_that_are_not_finite_answer_nothing_and_cannot_be_asked():
    matrix = np.eye(6, dtype=np.float32) + 1
    matrix[1, 1], matrix[3, 2], matrix[4] = np.nan, np.inf, 3e38
    matrix[5, 5] = 3  # farther than b by more than sums in another order may differ
    vectors = Vectors(["a", "nan", "b", "inf", "long", "c"], matrix)
    assert_like(vectors.most_similar("a"), [("b", 8 / 9), ("c", 3 / 14**0.5)])
    assert vectors.rank("a", "c") == 2
    for method in METHODS:
        assert [word for word, _ in vectors.analogy("a", "b", "b", method=method)] == ["c"]
    for word in ("nan", "inf", "long"):
        with pytest.raises(SettingsError, match=f"'{word}' has no finite length.*learning rate"):
            vectors.most_similar(word)
        with pytest.raises(SettingsError, match=f"'{word}' has no direction"):
            vectors.rank("a", word)


def test_the_shortest_and_longest_float32_vectors():
    tiny, huge = np.float32(1e-40), np.float32(1e38)
    vectors = Vectors(["a", "b", "c"], [[tiny, 0], [huge, huge / 2], [1, 1]])
    assert_like(vectors.most_similar("a"), [("b", 2 / 5**0.5), ("c", 0.5**0.5)], 1e-4)


def test_memory_does_not_grow_with_questions_times_rows():
    rows, questions = 60_000, 1_000
    matrix = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    vectors = Vectors(map(str, range(rows)), matrix)
    assert len(vectors.norms) == rows
    "0" in vectors  # noqa: B015 - builds the index
    tracemalloc.start()
    vectors.most_similar_batch(matrix[:questions], topn=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6 < rows * questions * 4


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda v: v.most_similar(np.ones(3)), r"shape \(3,\).*\(20,\)"),
        (lambda v: v.most_similar([np.full(N, np.nan)]), "nan at place 0"),
        (lambda v: v.similarity("w1", np.append(np.ones(N - 1), np.inf)), "inf at place 19"),
        (lambda v: v.most_similar([]), "query is empty"),
        (lambda v: v.most_similar([0.5, 0.5]), "0.5 is neither a word nor a vector"),
        (lambda v: v.most_similar([("w1", np.nan)]), "weight nan"),
        (lambda v: v.most_similar("w1", topn=0), "topn=0"),
        (lambda v: v.most_similar("w1", first=0), "first=0"),
        (lambda v: v.restrict(0), "first=0"),
        (lambda v: v.analogy("w1", "w2", "w3", method="cos"), "method='cos'"),
        (lambda v: v.analogy_batch([("w1", "w2")]), "three words"),
        (lambda v: v.rank("w1", "w1"), "not its own neighbour"),
        (lambda v: v.doesnt_match(["w1", "w2"]), "three or more"),
        (lambda v: v.mean_vector([]), "0 words"),
        (lambda v: v.mean_vector(["w1"], [1, 2]), "2 weights for 1 words"),
        (lambda v: v.mean_vector(["w1"], [0]), "add up to 0"),
    ],
)
def test_questions_without_an_answer(vectors, ask, message):
    with pytest.raises(SettingsError, match=message) as caught:
        ask(vectors)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "ask",
    [
        lambda v: v["w1x"],
        lambda v: v[["w1", "w1x"]],
        lambda v: v.most_similar("w1x"),
        lambda v: v.most_similar("w1", ["w1x"]),
        lambda v: v.most_similar("w1", among=["w1x"]),
        lambda v: v.analogy("w1", "w2", "w1x"),
        lambda v: v.rank("w1", "w1x"),
        lambda v: v.similarity("w1", "w1x"),
        lambda v: v.n_similarity(["w1"], ["w1x"]),
        lambda v: v.doesnt_match(["w1", "w2", "w1x"]),
    ],
)
def test_unknown_words_are_told_with_their_nearest_spelling(vectors, ask):
    with pytest.raises(UnknownWordError, match="'w1x' is not among the 300 words; did you mean 'w1'"):
        ask(vectors)


# --- analogies


def test_an_analogy_asks_what_is_to_the_third_as_the_second_to_the_first():
    vectors = Vectors(
        ["man", "woman", "king", "queen", "noise"],
        [[1, 0, 0.1], [-1, 0, 0.1], [1, 1, 0], [-1, 1, 0], [0, -1, 0.1]],
    )
    for method in METHODS:
        assert vectors.analogy("man", "king", "woman", method=method)[0].word == "queen"


@pytest.mark.parametrize("first", [None, 50])
def test_3cosadd_is_the_neighbours_of_the_sum(vectors, gensim, small_blocks, first):
    found = vectors.analogy("w1", "w2", "w60", first=first)
    assert_like(found, gensim.most_similar(["w2", "w60"], ["w1"], restrict_vocab=first))


@pytest.mark.parametrize("first", [None, 50])
def test_3cosmul_is_the_papers_equation(vectors, matrix, small_blocks, first):
    unit = matrix.astype(np.float64) / np.linalg.norm(matrix, axis=1, keepdims=True)
    a, b, c = ((1 + unit[place] @ unit.T) / 2 for place in (1, 2, 60))
    scores = b * c / (a + 0.001)
    order = [place for place in np.argsort(-scores) if place not in (1, 2, 60) and place < (first or V)]
    expected = [(NAMES[place], scores[place]) for place in order[:10]]
    assert_like(vectors.analogy("w1", "w2", "w60", method="3cosmul", first=first), expected, 1e-5)


@pytest.mark.filterwarnings("ignore:Call to deprecated")
def test_3cosmul_is_gensims(vectors, gensim, small_blocks, monkeypatch):
    monkeypatch.setattr(analogies, "EPSILON", 1e-6)  # gensim's, where the paper has 0.001
    for a, b, c in np.random.default_rng(3).choice(NAMES, (20, 3)):
        found = vectors.analogy(a, b, c, method="3cosmul")
        assert_like(found, gensim.most_similar_cosmul([b, c], [a]), 1e-5)


def test_spellings_of_the_questions_words_are_left_out(vectors, small_blocks):
    question = ("w1", "w2", "w3")
    plain = vectors.analogy_batch([question, ("w4", "w5", "w2")], topn=V)
    other = plain[0][0].word
    found = vectors.analogy_batch([question, ("w4", "w5", "w6")], topn=V, spellings={"w2": [other, "w9"]})
    assert found[0] == [neighbour for neighbour in plain[0] if neighbour.word not in (other, "w9")]
    assert {other, "w9"} <= {word for word, _ in found[1]}  # which has no word of another spelling


@pytest.mark.parametrize("method", METHODS)
def test_many_analogies_are_answered_as_each_alone(vectors, small_blocks, method):
    rng = np.random.default_rng(1)
    questions = [tuple(rng.choice(NAMES[:30], 3, replace=False)) for _ in range(40)]
    together = vectors.analogy_batch(questions, topn=3, method=method)
    for question, found in zip(questions, together, strict=True):
        assert not {word for word, _ in found} & set(question)
        assert_like(found, vectors.analogy(*question, topn=3, method=method))
    assert vectors.analogy_batch([], method=method) == []


# --- pairs and sets


def test_rank_is_the_place_among_the_neighbours(vectors, gensim, small_blocks):
    order = [word for word, _ in vectors.most_similar("w3", topn=V)]
    assert len(order) == V - 1
    for word in ("w0", "w4", "w299", order[0]):
        assert vectors.rank("w3", word) == order.index(word) + 1 == gensim.rank("w3", word)


def test_similarities_are_gensims(vectors, gensim):
    assert vectors.similarity("w1", "w2") == pytest.approx(gensim.similarity("w1", "w2"), abs=1e-6)
    assert vectors.similarity("w1", vectors["w1"] * 3) == pytest.approx(1, abs=1e-6)
    one, other = ["w1", "w2", "w3"], ["w4", "w5"]
    assert vectors.n_similarity(one, other) == pytest.approx(gensim.n_similarity(one, other), abs=1e-6)


@pytest.mark.parametrize("weights", [None, [1, 2, 0.5], [1, -2, 0.5]])
@pytest.mark.parametrize("normalize", [True, False])
def test_means_are_gensims(vectors, gensim, weights, normalize):
    found = vectors.mean_vector(["w1", "w2", RAW], weights, normalize=normalize)
    expected = gensim.get_mean_vector(["w1", "w2", RAW], weights, pre_normalize=normalize)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.dtype == np.float32


def test_the_odd_one_out_is_gensims(vectors, gensim):
    rng = np.random.default_rng(2)
    for _ in range(20):
        words = rng.choice(NAMES, 5, replace=False).tolist()
        assert vectors.doesnt_match(words) == gensim.doesnt_match(words)
