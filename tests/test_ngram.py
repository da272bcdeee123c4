"""n-gram models: by definition, beside KenLM, and whatever the memory and the threads."""

import math
import random
from itertools import pairwise

import kenlm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ngrams import LMPLZ_ARPA, LMPLZ_TEXT, Reference, texts

import firth
from firth import lm
from firth.lm.ngram.workspace import Workspace

BACKING_OFF = [
    lm.ModifiedKneserNey((0.5, 1, 1.5)),
    lm.KneserNey(0.7),
    lm.Katz(),
    lm.Katz(2),
    lm.JelinekMercer((0.9, 0.5)),
]
ALL = [*BACKING_OFF, lm.AddK(0.5), lm.MaximumLikelihood(), lm.JelinekMercer()]
smoothings = st.sampled_from(ALL)
prunings = st.sampled_from([(0,), (0, 1), (0, 0, 1), (0, 1, 2)])


def fit(text, **settings):
    return lm.NGram(**{"threads": 2, "smoothing": lm.ModifiedKneserNey((0.5, 1, 1.5)), **settings}).fit(
        text, progress=False
    )


def zipf(words, lines, seed=1):
    """Lines of words of which few are frequent."""
    draw = random.Random(seed)
    return [[f"w{int(words * draw.random() ** 3)}" for _ in range(draw.randrange(20))] for _ in range(lines)]


@given(texts, st.sampled_from([each for each in ALL if each != lm.JelinekMercer()]), st.integers(1, 5), prunings)
def test_probabilities_are_those_of_the_definition(text, smoothing, order, prune):
    prune = prune[:order] if smoothing.combine != "alone" else (0,)
    model, reference = (
        fit(text, order=order, smoothing=smoothing, prune=prune),
        Reference(text, order, smoothing, prune),
    )
    for history in [(), ("a",), ("b", "a"), ("a", "zzz"), *map(tuple, text[:4])]:
        for full in (history, ("<s>", *history)):
            expected = [reference.p(word, full) for word in sorted(reference.words)]
            if None in expected:
                with pytest.raises(firth.FirthError, match="maximum likelihood is undefined"):
                    model.probabilities(history, bos=full != history)
                continue
            found = model.probabilities(history, bos=full != history)
            ids = [model.words.index(word) for word in sorted(reference.words)]
            np.testing.assert_allclose(found[ids], expected, rtol=2e-4, atol=1e-7)


@given(
    texts,
    smoothings,
    st.integers(1, 6),
    prunings,
    st.sampled_from(["unseen", "word"]),
    st.sampled_from([None, 1, 3]),
    st.lists(st.sampled_from("abcdefz"), max_size=7),
    st.booleans(),
)
def test_probabilities_sum_to_one_after_any_history(text, smoothing, order, prune, unknown, most, history, bos):
    model = fit(text, order=order, smoothing=smoothing, prune=prune[:order], unknown=unknown, max_size=most)
    try:
        found = model.probabilities(history, bos=bos)
    except firth.FirthError:
        assert smoothing == lm.MaximumLikelihood()
        return
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert (found >= 0).all()
    assert found[model.words.index("<s>")] == 0


def same_as_kenlm(model, path, sentences):
    model.save(path)
    known = kenlm.Model(str(path))
    assert known.order == model.order
    for sentence in sentences:
        for bos, eos in ((True, True), (False, True), (True, False)):
            expected = list(known.full_scores(" ".join(sentence), bos=bos, eos=eos))
            found = model.full_scores(sentence, bos=bos, eos=eos)
            np.testing.assert_allclose([each.log10 for each in found], [each[0] for each in expected], atol=1e-5)
            assert [(each.length, each.unknown) for each in found] == [each[1:] for each in expected]
        assert model.score(sentence) == pytest.approx(
            known.score(" ".join(sentence)), rel=1e-5
        )  # which sums floats


@pytest.mark.parametrize("order", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("smoothing", BACKING_OFF, ids=str)
def test_kenlm_gives_the_same_scores(order, smoothing, tmp_path):
    text = zipf(60, 400)
    held_out = [*zipf(90, 30, seed=2), [], ["new"], ["w1"] * 9]
    for prune, most, unknown in (((0,), None, "unseen"), ((0, 1), 40, "word"), ((0, 0, 2)[:order], 40, "unseen")):
        model = fit(text, order=order, smoothing=smoothing, prune=prune, max_size=most, unknown=unknown)
        same_as_kenlm(model, tmp_path / "model.arpa", held_out)


@pytest.mark.parametrize("order", [2, 5])
def test_kenlm_gives_the_same_scores_of_real_text(order, data, tmp_path):
    lines = [line.split() for line in (data / "text" / "wiki-en-1m.txt").read_text("utf-8").splitlines()[:4000]]
    same_as_kenlm(fit(lines[:3500], order=order), tmp_path / "model.arpa", lines[3500:])


def test_lmplz_has_the_same_numbers(tmp_path):
    (tmp_path / "lmplz.arpa").write_text(LMPLZ_ARPA)
    theirs = firth.load(tmp_path / "lmplz.arpa")
    text = [line.split() for line in LMPLZ_TEXT.splitlines()]
    ours = fit(text, order=3, prune=(0, 0, 1), smoothing=lm.ModifiedKneserNey((0.5, 1, 1.5)))
    assert theirs.sizes == ours.sizes == [13, 29, 5]
    for history in [(), ("the",), ("on", "the"), ("cat", "was"), ("unheard",)]:
        expected = dict(zip(theirs.words, theirs.probabilities(history, bos=False), strict=True))
        found = dict(zip(ours.words, ours.probabilities(history, bos=False), strict=True))
        assert found == pytest.approx(expected, rel=1e-5)


def arrays(model):
    tables = model.fitted.tables
    return [each.tobytes() for each in (*tables.left, *tables.begin, *tables.prob, *tables.backoff)]


@pytest.mark.parametrize("smoothing", ALL, ids=str)
def test_memory_and_threads_change_no_byte(smoothing):
    text = zipf(3_000, 2_500)  # several pieces, where memory is short
    settings = {"order": 4, "smoothing": smoothing, "prune": (0, 0, 1), "max_size": 2_000}
    expected = arrays(fit(text, **settings, threads=1))
    for memory, threads in ((1e-6, 1), (1e-6, 3), (1e-3, 2), (1, 5)):
        assert arrays(fit(text, **settings, threads=threads, memory=memory)) == expected


@given(texts)
def test_weights_are_the_likeliest(text):
    model = fit(text, order=2, smoothing=lm.JelinekMercer())
    lines = [("<s>", *sentence, "</s>") for sentence in text]
    words = [word for line in lines for word in line[1:]]
    pairs = [pair for line in lines for pair in pairwise(line)]
    single = [(words.count(word) - 1) / max(len(words) - 1, 1) for word in words]
    before = [first for first, _ in pairs]
    double = [(pairs.count(pair) - 1) / max(before.count(pair[0]) - 1, 1) for pair in pairs]
    uniform = 1 / (len(model.words) - 1)

    def likelihood(frequencies, weight, shorter):
        return sum(
            math.log(weight * f + (1 - weight) * s) for f, s in zip(frequencies, shorter, strict=True)
        ) / len(words)

    one, two = (1 - each["share"] for each in model.fitted.about["discounts"])
    shorter = [uniform] * len(words)
    for frequencies, weight in ((single, one), (double, two)):
        best = max(likelihood(frequencies, each / 50, shorter) for each in range(1, 50))
        assert likelihood(frequencies, weight, shorter) > best - 0.01
        shorter = [weight * f + (1 - weight) * s for f, s in zip(frequencies, shorter, strict=True)]


@pytest.mark.parametrize("smoothing", [lm.ModifiedKneserNey((0.5, 1, 1.5)), lm.AddK(0.1)], ids=str)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_words_scored_one_by_one(order, smoothing):
    model = fit(zipf(20, 100), order=order, smoothing=smoothing)
    sentence = ["w1", "w2", "new", "w1", "w1", "w3", "w2", "w1"]
    for state, bos in ((model.start, True), (model.null, False)):
        found = []
        for word in [*sentence, "</s>"]:
            score, state = model.score_word(state, word)
            found.append(score)
            assert len(state.history) < max(order, 2)
        assert found == model.full_scores(sentence, bos=bos)
    assert model.score(" ".join(sentence)) == pytest.approx(
        math.fsum(each.log10 for each in model.full_scores(sentence))
    )


def test_perplexity_with_and_without_unknown_words():
    model = fit(zipf(30, 300), order=3, max_size=15)
    text = zipf(40, 50, seed=5)
    scores = [each for sentence in text for each in model.full_scores(sentence)]
    found = model.perplexity(text)
    known = [each.log10 for each in scores if not each.unknown]
    assert 0 < found.unknown == len(scores) - len(known)
    assert (found.tokens, found.lines) == (len(scores), 50)
    assert found.perplexity == pytest.approx(10 ** -np.mean([each.log10 for each in scores]), rel=1e-5)
    assert found.known == pytest.approx(10 ** -np.mean(known), rel=1e-5)
    assert found.log10 == pytest.approx(sum(each.log10 for each in scores), rel=1e-5)


def test_words_beyond_the_vocabulary():
    text = [["a", "b", "x"], ["a", "b", "y"], ["a", "<unk>"], ["b", "b", "z", "a"]] * 3
    vocab = firth.Vocabulary.from_counts({"a": 9, "b": 12, "unheard": 1, "<unk>": 2})
    for unknown in ("unseen", "word"):
        model = lm.NGram(order=2, unknown=unknown, smoothing=lm.KneserNey(0.5)).fit(
            text, vocab=vocab, progress=False
        )
        assert list(model.words) == ["<unk>", "<s>", "</s>", "b", "a", "unheard"]
        assert [each.unknown for each in model.full_scores("a x <unk> unheard <s>")] == [0, 1, 1, 0, 1, 0]
        after = model.probabilities("b")
        assert (after[0] > after[4]) == (unknown == "word")
        lengths = [each.length for each in model.full_scores(["b", "q", "a"])]
        assert lengths == ([2, 2, 2, 2] if unknown == "word" else [2, 1, 1, 2])
    closed = fit(
        [[w if w in "ab" else "<unk>" for w in line] for line in text],
        order=2,
        unknown="word",
        smoothing=lm.KneserNey(0.5),
    )
    model = fit(text, order=2, unknown="word", max_size=2, smoothing=lm.KneserNey(0.5))
    assert arrays(model) == arrays(closed)


def test_generation():
    model = fit([["a", "b", "c", "d"]] * 9 + [["x", "y"]], order=3, smoothing=lm.AddK(1e-9))
    assert model.generate("a") == ["b", "c", "d"]
    assert model.generate("a", length=2) == ["b", "c"]
    assert model.generate(sampling=lm.Sampling(temperature=0)) == ["a", "b", "c", "d"]
    drawn = [tuple(model.generate(seed=seed)) for seed in range(300)]
    assert drawn == [tuple(model.generate(seed=seed)) for seed in range(300)]
    assert set(drawn) == {("a", "b", "c", "d"), ("x", "y")}
    assert 10 < drawn.count(("x", "y")) < 60  # 30 are expected
    for kept in (lm.Sampling(top_k=1), lm.Sampling(top_p=0.5)):
        assert {tuple(model.generate(seed=seed, sampling=kept)) for seed in range(20)} == {("a", "b", "c", "d")}


@pytest.mark.parametrize("smoothing", ALL, ids=str)
@pytest.mark.parametrize("order", [1, 3])
def test_saved_and_loaded_it_answers_the_same(order, smoothing, tmp_path):
    model = fit(zipf(50, 200), order=order, smoothing=smoothing, max_size=30)
    for _ in range(2):  # the second save replaces the first
        model.save(tmp_path / "model")
    loaded = firth.load(tmp_path / "model")
    assert isinstance(loaded, lm.NGram)
    assert loaded.settings == model.settings
    assert list(loaded.words) == list(model.words)
    assert arrays(loaded) == arrays(model)
    assert loaded.full_scores("w1 w2", bos=False) == model.full_scores("w1 w2", bos=False)
    loaded.save(tmp_path / "model")  # over the files that it is mapped from
    assert arrays(lm.load(tmp_path / "model")) == arrays(model)


def test_a_damaged_directory_is_said(tmp_path):
    fit(zipf(50, 200), order=3).save(tmp_path / "model")
    (path,) = (tmp_path / "model").glob("*.safetensors")
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[:-1000])
    with pytest.raises(firth.FormatError, match="safetensors"):
        firth.load(tmp_path / "model")
    at = whole.index(b'"begin.1"')
    start = int(whole[at:].split(b'"data_offsets":[')[1].split(b",")[0]) + 8 + int.from_bytes(whole[:8], "little")
    whole[start + 40 : start + 44] = b"\xff\xff\xff\x7f"
    path.write_bytes(whole)
    with pytest.raises(firth.FormatError, match="is no whole n-gram model"):
        firth.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"order": 0}, "order=0 must be"),
        ({"prune": (1, 0)}, "must be 1 to 5 counts that never fall"),
        ({"prune": (0,) * 6}, "must be 1 to 5 counts"),
        ({"unknown": "maybe"}, "'unseen' or 'word'"),
        ({"memory": 0}, "memory=0 must be above 0"),
        ({"smoothing": "katz"}, r"smoothing='katz' is none; give one like"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_said(settings, said):
    with pytest.raises(firth.SettingsError, match=said):
        lm.NGram(**settings)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: lm.AddK(0), "k=0 must be above 0"),
        (lambda: lm.JelinekMercer((1.0,)), "must be numbers between 0 and 1"),
        (lambda: lm.Katz(0), "cutoff=0 must be"),
        (lambda: lm.KneserNey(1.5), "d=1.5 must be between 0 and 1"),
        (lambda: lm.ModifiedKneserNey((0.5, 3, 1)), "must be numbers up to 1, 2 and 3"),
        (lambda: lm.Sampling(temperature=-1), "temperature=-1 must be 0 or above"),
        (lambda: lm.Sampling(top_p=0), "top_p=0 must be above 0"),
    ],
)
def test_smoothings_that_cannot_work_are_said(make, said):
    with pytest.raises(firth.SettingsError, match=said):
        make()


@pytest.mark.parametrize("smoothing", [lm.ModifiedKneserNey(), lm.KneserNey()], ids=str)
def test_discounts_that_cannot_be_estimated_are_said(smoothing):
    with pytest.raises(firth.TrainingError, match=r"of 1-grams cannot be estimated, .*; give more, .* or pass"):
        fit([["a", "b"]], order=2, smoothing=smoothing)


def test_sentence_marks_in_the_text_are_said():
    for mark in ("<s>", "</s>"):
        with pytest.raises(firth.CorpusError, match=f"the text holds the word '{mark}'.* take it out"):
            fit([["a", mark]], order=2)


def test_before_fit_there_is_nothing(tmp_path):
    model = lm.NGram()
    for ask in (lambda: model.score("a"), lambda: model.save(tmp_path / "model")):
        with pytest.raises(firth.FirthError, match="learnt nothing yet; call fit first"):
            ask()


def test_an_interrupted_fit_leaves_the_last_one(monkeypatch):
    model = fit(zipf(50, 200), order=3)
    before, real, calls = arrays(model), Workspace.run, []

    def interrupted(self, tasks):
        calls.append(len(tasks))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, tasks)

    monkeypatch.setattr(Workspace, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(zipf(50, 100), progress=False)
    monkeypatch.undo()
    assert arrays(model) == before
