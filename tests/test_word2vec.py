"""word2vec from text to answers: it learns what is in the text, repeats itself, and survives odd texts."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from training import COMBINATIONS, CONTEXTS, OBJECTIVES, cluster, clusters, parts, word2vec

import firth
from firth import _core
from firth.contexts import CBOW, SkipGram
from firth.objectives import NCE, HierarchicalSoftmax, NegativeSampling, SampledSoftmax, Softmax
from firth.vocab import Vocabulary

combinations = pytest.mark.parametrize(("context", "objective"), COMBINATIONS, ids=str)


# What is learnt


@combinations
def test_every_combination_finds_the_clusters_of_a_text(context, objective):
    model = word2vec(context, objective).fit(clusters(), progress=False)
    losses = [row.loss for row in model.history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.95 * losses[0]  # much is learnt within the first epoch already
    right = [
        cluster(near.word) == cluster(word)
        for word in model.vocab.words
        for near in model.vectors.most_similar(word, topn=5)
    ]
    assert np.mean(right) > 0.95  # by chance 5 of 47


@combinations
def test_words_that_stand_in_each_others_place_are_near(context, objective):
    """Nouns and verbs of one subject stand beside each other, two nouns never do; yet nouns are near nouns."""
    random = np.random.default_rng(1)
    subjects, nouns, verbs = (
        random.integers(4, size=6_000),
        random.integers(5, size=6_000),
        random.integers(5, size=6_000),
    )
    text = [[f"n{s}-{n}", f"v{s}-{v}"] for s, n, v in zip(subjects, nouns, verbs, strict=True)]
    model = word2vec(context, objective, learning_rate=0.1).fit(text, progress=False)
    right = [
        cluster(near.word) == cluster(word)
        for word in model.vocab.words
        for near in model.vectors.most_similar(word, topn=4)
    ]
    assert np.mean(right) > 0.95  # by chance 4 of 39


CONTEXT_WORDS, TARGETS = 8, 40


@pytest.fixture(scope="module")
def pairs():
    """Sentences of two words, and how often the second (column) followed the first (row)."""
    random = np.random.default_rng(1)
    joint = random.gamma(1.0, size=(CONTEXT_WORDS, TARGETS)) / (np.arange(TARGETS) + 4)
    drawn = random.choice(joint.size, size=30_000, p=joint.ravel() / joint.sum())
    text = [[f"c{first}", f"t{second}"] for first, second in zip(*np.divmod(drawn, TARGETS), strict=True)]
    return text, np.bincount(drawn, minlength=joint.size).reshape(joint.shape)


@pytest.mark.parametrize("context", [SkipGram(1), CBOW(1), CBOW(1, combine="sum", gradient="exact")], ids=str)
@pytest.mark.parametrize(
    "objective", [NegativeSampling(5), HierarchicalSoftmax(), Softmax(), NCE(5), SampledSoftmax(3)], ids=str
)
def test_predict_comes_close_to_the_truth(pairs, context, objective):
    """Every objective learns P(word | context) of the text, which is then read by its own formula.

    The truth is spread over many words: negative sampling, which skips draws of the target, and sampled softmax,
    which removes them, are exact only where P(w|h) and K·q(w) are small against 1.
    """
    text, counts = pairs
    model = word2vec(context, objective, dim=16, epochs=8, learning_rate=0.05).fit(text, progress=False)
    distances = []
    for word in range(CONTEXT_WORDS):
        predicted = dict(model.predict([f"c{word}"], topn=len(model.vocab)))
        assert sum(predicted.values()) == pytest.approx(1)
        truth = {f"t{target}": n / counts[word].sum() for target, n in enumerate(counts[word])}
        distances.append(sum(abs(p - truth.get(each, 0)) for each, p in predicted.items()) / 2)
        blind = np.abs(counts[word] / counts[word].sum() - counts.sum(axis=0) / counts.sum()).sum() / 2
        assert distances[-1] < 0.08 < 0.4 * blind
    assert np.mean(distances) < 0.06


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize(
    "counts", [[5], [3, 2], [9, 9, 9], [2**40, 1000, 7, 7, 1], list(range(300, 0, -1))], ids=len
)
def test_probabilities_sum_to_one(objective, counts):
    random = np.random.default_rng(2)
    vocab = Vocabulary.from_counts({f"w{i}": n for i, n in enumerate(counts)})
    rows = objective.output_rows(vocab)
    bias = None if objective.start_bias(vocab) is None else random.normal(size=rows)
    for scale in (0.1, 3.0):
        hidden, output = random.normal(size=4) * scale, random.normal(size=(rows, 4)) * scale
        found = objective.probabilities(hidden, output, bias, vocab)
        assert found.shape == (len(vocab),)
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1, abs=1e-12)


def test_hierarchical_softmax_multiplies_the_turns_of_its_paths():
    vocab = Vocabulary.from_counts({"a": 8, "b": 4, "c": 2, "d": 1})
    tree, random = vocab.huffman(), np.random.default_rng(3)
    hidden, output = random.normal(size=5), random.normal(size=(3, 5))
    found = HierarchicalSoftmax().probabilities(hidden, output, None, vocab)
    for word, p in enumerate(found):
        nodes, bits = np.transpose(tree.path(word))
        turns = 1 / (1 + np.exp((2 * bits - 1) * (output[nodes] @ hidden)))
        assert p == pytest.approx(turns.prod())


def test_predict_combines_words_as_the_context_does():
    text = clusters()
    mean, total = (
        word2vec(CBOW(3, combine=combine), Softmax()).fit(text, progress=False) for combine in ("mean", "sum")
    )
    assert mean.predict(["c1-0", "c1-0"]) == mean.predict("c1-0")
    assert total.predict(["c1-0", "c1-0"]) != total.predict("c1-0")
    for model in (mean, total):
        likely = model.predict(["c3-1", "c3-2", "c3-3"], topn=6)
        assert {cluster(word) for word, _ in likely} == {"c3"}
        assert [p for _, p in likely] == sorted((p for _, p in likely), reverse=True)


# The same again


@combinations
def test_one_thread_and_one_seed_give_the_same_bytes(context, objective):
    text = clusters(300)
    model = word2vec(context, objective, subsample=1e-2).fit(text, progress=False)
    once = parts(model)
    assert parts(word2vec(context, objective, subsample=1e-2).fit(text, progress=False)) == once
    assert parts(model.fit(text, progress=False)) == once  # learnt from the start, not further
    assert parts(word2vec(context, objective, subsample=1e-2, seed=2).fit(text, progress=False)) != once


def test_sentences_and_their_file_give_the_same_bytes(tmp_path):
    text = [*clusters(400), [], ["c0-0"], *clusters(400, seed=1)]
    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in text))
    of_sentences = word2vec(subsample=1e-2).fit(text, progress=False)
    for _ in range(2):  # the second time from the cache
        of_file = word2vec(subsample=1e-2).fit(path, progress=False)
        assert parts(of_file) == parts(of_sentences)
        assert of_file.vocab.words[:] == of_sentences.vocab.words[:]
        assert [row.loss for row in of_file.history] == [row.loss for row in of_sentences.history]


@combinations
def test_the_loss_does_not_depend_on_threads(context, objective):
    """At a rate at which nothing is learnt, for then threads cannot differ by what they learn from each other."""
    text = clusters(4_000)
    one, two, three = (
        word2vec(context, objective, epochs=1, learning_rate=1e-9, subsample=1e-2, threads=threads)
        .fit(text, progress=False)
        .history[0]
        for threads in (1, 2, 3)
    )
    assert one.words == two.words == three.words == 4_000 * 8
    assert two.loss == pytest.approx(one.loss, rel=1e-6)
    assert three.loss == pytest.approx(one.loss, rel=1e-6)


def test_as_many_threads_read_as_learn(monkeypatch):
    read, threads = firth.Corpus.read, []
    monkeypatch.setattr(
        firth.Corpus, "read", lambda *source, **how: (threads.append(how["threads"]), read(*source, **how))[1]
    )
    word2vec(threads=3, epochs=1).fit(clusters(50), held_out=clusters(20), progress=False)
    assert threads == [3, 3]


def test_a_model_may_be_fitted_off_the_main_thread():
    model = word2vec(threads=2)
    worker = threading.Thread(target=model.fit, args=(clusters(),), kwargs={"progress": False})
    worker.start()
    worker.join()
    assert len(model.history) == 4
    assert {cluster(near.word) for near in model.vectors.most_similar("c2-3", topn=5)} == {"c2"}


@pytest.mark.parametrize("isa", ["avx2", "plain"])
@combinations
def test_every_instruction_set_learns_the_same(monkeypatch, isa, context, objective):
    text = clusters(300)
    best = word2vec(context, objective, epochs=2).fit(text, progress=False)
    monkeypatch.setenv("FIRTH_ISA", isa)
    if _core.instruction_set() is None:
        pytest.skip(f"this CPU has no {isa}")
    assert _core.instruction_set() == isa
    other = word2vec(context, objective, epochs=2).fit(text, progress=False)
    assert other.history[-1].loss == pytest.approx(best.history[-1].loss, rel=1e-3)
    np.testing.assert_allclose(other.vectors.matrix, best.vectors.matrix, atol=1e-3)


def test_instruction_sets_that_are_none(monkeypatch):
    monkeypatch.setenv("FIRTH_ISA", "nonsense")
    with pytest.raises(firth.SettingsError, match=r"FIRTH_ISA=nonsense .* choose avx512, avx2 or plain, or unset"):
        word2vec().fit(clusters(10), progress=False)


# History


def test_history_has_a_row_an_epoch():
    model = word2vec(epochs=3, learning_rate=0.05, min_learning_rate=0.01).fit(clusters(2_000), progress=False)
    assert [row.epoch for row in model.history] == [1, 2, 3]
    assert [row.words for row in model.history] == [16_000] * 3
    assert [row.learning_rate for row in model.history] == pytest.approx([0.05 - 0.04 / 3, 0.05 - 0.08 / 3, 0.01])
    assert all(row.seconds > 0 for row in model.history)


def test_a_loss_is_the_mean_over_predictions():
    """Before anything is learnt all scores are 0, and the loss of each prediction is known."""
    text = clusters(100)
    text += [["b", "a"]] * 2_000
    words = len({word for sentence in text for word in sentence})
    for context in CONTEXTS:

        def loss(objective, sentences, context=context):
            model = word2vec(context, objective, epochs=1, learning_rate=1e-9)
            return model.fit(sentences, progress=False).history[0].loss

        assert loss(Softmax(), text) == pytest.approx(np.log(words), rel=1e-6)
        # Of 7 draws half are the target and skipped; the other factors are all 1/2.
        assert loss(NegativeSampling(7), text[100:]) == pytest.approx((1 + 7 / 2) * np.log(2), rel=0.02)


# Where it starts


def test_starting_vectors_are_used():
    text = clusters(200)
    random = np.random.default_rng(4)
    given = firth.Vectors(["c0-5", "elsewhere", "c3-2"], random.normal(size=(3, 20)))
    still = {"epochs": 1, "learning_rate": 1e-9}
    model = word2vec(**still).fit(text, start=given, progress=False)
    plain = word2vec(**still).fit(text, progress=False)
    for word in model.vocab.words:
        expected = given[word] if word in given else plain.vectors[word]
        np.testing.assert_allclose(model.vectors[word], expected, atol=1e-5)
    assert "elsewhere" not in model.vectors


def test_training_goes_on_from_the_vectors_of_a_model():
    text = clusters(500)
    first = word2vec(objective=Softmax()).fit(text, progress=False)
    second = word2vec(objective=Softmax()).fit(text, start=first.vectors, progress=False)
    assert second.history[0].loss < first.history[0].loss


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (firth.Vectors(["c0-1"], np.ones((1, 19))), r"have 19 dimensions, the model dim=20"),
        (firth.Vectors(["C0-1"], np.ones((1, 20))), r"know none of the vocabulary's words"),
        (firth.Vectors(["x", "c0-1"], np.full((2, 20), np.nan)), r"starting vector of 'c0-1' holds NaN"),
    ],
)
def test_starting_vectors_that_do_not_fit(start, said):
    with pytest.raises(firth.SettingsError, match=said):
        word2vec().fit(clusters(50), start=start, progress=False)


# Vocabulary


def test_min_count_and_max_size_choose_the_words():
    text = [["a", "b", "a", "c"], ["a", "b", "d", "b"], ["e", "a"]]  # max_size=1 leaves a pair, of a with itself
    for settings, words in [
        ({}, "abcde"),
        ({"min_count": 2}, "ab"),
        ({"max_size": 3}, "abc"),
        ({"min_count": 2, "max_size": 1}, "a"),
    ]:
        model = word2vec(dim=4, **settings).fit(text, progress=False)
        assert model.vocab.words[:] == list(words)
        assert model.vectors.counts.tolist() == [sum(s.count(word) for s in text) for word in words]
        assert len(model.vectors) == len(words)


def test_a_vocabulary_may_be_that_of_another_text(tmp_path):
    Vocabulary.from_counts({"c1-5": 50, "elsewhere": 9, "c1-4": 9, "c2-5": 1}).save(tmp_path / "vocab.txt")
    vocab = Vocabulary.load(tmp_path / "vocab.txt")
    model = word2vec(min_count=10, max_size=1).fit(clusters(), vocab=vocab, progress=False)  # which play no part
    assert model.vocab.words[:] == ["c1-5", "c1-4", "elsewhere", "c2-5"]
    assert model.vectors.counts.tolist() == [50, 9, 9, 1]
    still = word2vec(learning_rate=1e-9).fit(clusters(), vocab=vocab, progress=False)
    np.testing.assert_array_equal(model.vectors["elsewhere"], still.vectors["elsewhere"])
    assert model.vectors.similarity("c1-5", "c1-4") > 0.5 > model.vectors.similarity("c1-5", "c2-5")


# Sizes at the edge


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_text_as_sorted_as_the_tree(deterministic):
    """The upper nodes are pulled one way for thousands of predictions, then the other."""
    words = np.char.add("w", np.arange(200_000).astype(str)).reshape(-1, 20).tolist()
    model = word2vec(
        SkipGram(5), HierarchicalSoftmax(), dim=16, epochs=1, threads=2, deterministic=deterministic
    ).fit(words, progress=False)
    assert model.history[0].loss < np.log(200_000)
    assert np.square(model.weights.output).sum(axis=1).max() < 1_000


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("dim", [1, 15, 16, 17, 33])
def test_dimensions_that_fill_no_whole_vectors(dim, objective):
    for context in CONTEXTS:
        model = word2vec(context, objective, dim=dim, learning_rate=0.01).fit(clusters(200), progress=False)
        assert model.vectors.matrix.shape == (48, dim)
        assert np.isfinite(model.vectors.matrix).all()
        for part in (model.weights.input, model.weights.output):
            assert not part[:, dim:].any()  # what fills up the rows stays zero
        assert model.history[-1].loss < model.history[0].loss


@combinations
def test_windows_wider_than_sentences(context, objective):
    wide = type(context)(**{**vars(context), "window": 100, "shrink": False})
    longest = type(context)(**{**vars(context), "window": 7, "shrink": False})
    found = [
        word2vec(each, objective, learning_rate=0.01).fit(clusters(200), progress=False)
        for each in (wide, longest)
    ]
    assert parts(found[0]) == parts(found[1])


@combinations
def test_a_vocabulary_of_one_word_and_of_two(context, objective):
    for sentence in (["a", "a", "a"], ["a", "b", "a"]):
        model = word2vec(context, objective, dim=4).fit([sentence] * 20, progress=False)
        assert len(model.vectors) == len(set(sentence))
        assert sum(p for _, p in model.predict("a")) == pytest.approx(1)
        assert np.isfinite(model.vectors.matrix).all()


@pytest.mark.parametrize(
    "text", [[["a"], ["b"], ["c"]], [["a", "x"], ["y", "a"]] * 5], ids=["single words", "one left"]
)
def test_texts_without_anything_to_predict(text):
    model = word2vec(min_count=1 if len(text) == 3 else 6)
    with pytest.raises(firth.TrainingError, match=r"nothing was learnt.*min_count.*subsample=0"):
        model.fit(text, progress=False)
    assert len(model.history) == 4


def test_a_vocabulary_that_the_text_has_no_word_of():
    with pytest.raises(firth.TrainingError, match="nothing was learnt"):
        word2vec().fit(clusters(20), vocab=Vocabulary.from_counts({"x": 3, "y": 2}), progress=False)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize(
    ("dim", "window", "negatives"),
    [(1, 1, 0), (1, 100, 100), (1024, 100, 7), (1024, 1, 100), (17, 3, 0), (300, 9, 15)],
)
@pytest.mark.parametrize("context", [SkipGram, CBOW])
def test_sizes_at_their_ends(context, dim, window, negatives, deterministic):
    model = word2vec(
        context(window), NegativeSampling(negatives), dim=dim, epochs=2, threads=2, deterministic=deterministic
    )
    model.fit(clusters(150), progress=False)
    assert np.isfinite(model.vectors.matrix).all() and model.vectors.matrix.shape == (48, dim)
    assert model.history[1].loss < model.history[0].loss
