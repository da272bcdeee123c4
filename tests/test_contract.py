"""What every model promises: one suite that all of them pass. A new model joins by a line in MODELS."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from training import COMBINATIONS, cluster, clusters, word2vec

import firth

# Each makes a model of 20 dimensions that repeats itself; keyword arguments change its settings.
MODELS = {
    **{f"{context} {objective}": partial(word2vec, context, objective) for context, objective in COMBINATIONS},
}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def make(request):
    return request.param


@pytest.fixture(scope="module")
def text():
    return clusters(400)


def fit(model, text, **options):
    return model.fit(text, progress=False, **options)


def test_fit_gives_the_model_and_its_vectors(make, text):
    model = make()
    assert fit(model, text) is model
    words = {word for sentence in text for word in sentence}
    assert set(model.vectors) == words
    assert isinstance(model.vectors, firth.Vectors)
    assert model.vectors.matrix.shape == (len(words), 20)
    assert model.vectors.matrix.dtype == np.float32
    assert np.isfinite(model.vectors.matrix).all()
    assert model.vectors.counts.tolist() == sorted(model.vectors.counts, reverse=True)


def test_vectors_tell_what_keeps_company(make, text):
    vectors = fit(make(), text).vectors
    near = [cluster(each.word) == cluster(word) for word in vectors for each in vectors.most_similar(word, topn=1)]
    assert np.mean(near) > 0.9  # by chance 5 of 47


def test_history_has_a_row_an_epoch_and_the_loss_falls(make, text):
    model = fit(make(epochs=3), text)
    assert [row.epoch for row in model.history] == [1, 2, 3]
    assert all(math.isfinite(row.loss) and row.seconds > 0 for row in model.history)
    assert model.history[-1].loss < model.history[0].loss


def test_the_same_seed_gives_the_same_bytes(make, text):
    first, again, other = (fit(make(seed=seed), text).vectors.matrix.tobytes() for seed in (1, 1, 2))
    assert first == again != other


def test_saved_and_loaded_it_answers_the_same(make, text, tmp_path):
    model = fit(make(), text)
    for _ in range(2):  # the second save replaces the first
        model.save(tmp_path / "model.firth")
    loaded = firth.load(tmp_path / "model.firth")
    assert type(loaded) is type(model)
    assert loaded.settings == model.settings
    assert loaded.history == model.history
    assert list(loaded.vectors) == list(model.vectors)
    assert loaded.vectors.matrix.tobytes() == np.ascontiguousarray(model.vectors.matrix).tobytes()
    assert loaded.vectors.counts.tolist() == model.vectors.counts.tolist()
    for ask in (
        lambda vectors: vectors.most_similar("c1-5"),
        lambda vectors: vectors.analogy("c1-5", "c1-4", "c2-5"),
        lambda vectors: vectors.similarity("c1-5", "c2-5"),
    ):
        np.testing.assert_equal(ask(loaded.vectors), ask(model.vectors))


def test_a_loaded_model_may_be_saved_and_fitted_again(make, text, tmp_path):
    model = fit(make(), text)
    model.save(tmp_path / "first.firth")
    loaded = firth.load(tmp_path / "first.firth")
    loaded.save(tmp_path / "first.firth")  # over the files that it is mapped from
    again = firth.load(tmp_path / "first.firth")
    assert again.vectors.matrix.tobytes() == loaded.vectors.matrix.tobytes()
    assert fit(again, text).vectors.matrix.tobytes() == model.vectors.matrix.tobytes()


def test_its_directory_opens_as_vectors(make, text, tmp_path):
    model = fit(make(), text)
    model.save(tmp_path / "model.firth")
    vectors = firth.Vectors.load(tmp_path / "model.firth")
    assert vectors.most_similar("c1-5") == model.vectors.most_similar("c1-5")


def test_a_damaged_directory_is_said(make, text, tmp_path):
    fit(make(), text).save(tmp_path / "model.firth")
    files = sorted(path for path in (tmp_path / "model.firth").iterdir() if path.name != "config.json")
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(firth.FormatError, match=path.name):
            firth.load(tmp_path / "model.firth")
        path.unlink()
        with pytest.raises(firth.FormatError, match=f"{path.name}: is missing"):
            firth.load(tmp_path / "model.firth")
        path.write_bytes(whole)
    (tmp_path / "model.firth" / "config.json").write_text('{"format": "firth", "version": 1')
    with pytest.raises(firth.FormatError, match=r"has no config\.json that Firth wrote"):
        firth.load(tmp_path / "model.firth")


def test_before_fit_there_is_nothing(make, tmp_path):
    model = make()
    assert model.history == []
    for ask in (lambda: model.vectors, lambda: model.save(tmp_path / "model.firth")):
        with pytest.raises(firth.FirthError, match="learnt nothing yet; call fit first"):
            ask()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("empty", [[], [[]], [[], []]], ids=str)
def test_an_empty_text_is_said(make, empty):
    with pytest.raises(firth.CorpusError, match="give"):
        fit(make(), empty)


def test_a_text_of_too_rare_words_is_said(make, text):
    with pytest.raises(firth.VocabularyError, match=r"min_count=100000, .*lower min_count"):
        fit(make(min_count=100_000), text)


def test_a_text_that_can_be_read_only_once_is_said(make, text):
    with pytest.raises(firth.CorpusError, match="only once"):
        fit(make(), iter(text))


def test_a_failed_fit_leaves_the_last_one(make, text):
    model = fit(make(), text)
    before = model.vectors.matrix.tobytes()
    with pytest.raises(firth.CorpusError):
        fit(model, [])
    assert model.vectors.matrix.tobytes() == before
    assert len(model.history) == 4


def test_an_unknown_word_is_told_with_its_nearest_spelling(make, text):
    vectors = fit(make(epochs=1), text).vectors
    for ask in (vectors.__getitem__, vectors.most_similar):
        with pytest.raises(firth.UnknownWordError, match=r"'C1-5' is not among the 48 words; did you mean 'c1-5'"):
            ask("C1-5")


def test_vectors_that_cannot_be_compared_are_said(make, text):
    vectors = fit(make(epochs=1), text).vectors
    with pytest.raises(firth.SettingsError, match="nan"):
        vectors.most_similar(np.full(20, np.nan))
    with pytest.raises(firth.SettingsError, match=r"shape \(19,\)"):
        vectors.most_similar(np.ones(19))


@pytest.mark.parametrize("dim", [0, -1, 2.5, 10**6])
def test_wrong_dimensions_are_said(make, dim):
    with pytest.raises(firth.SettingsError, match=f"dim={dim} must be"):
        make(dim=dim)


def test_divergence_is_said_and_leaves_nothing_to_save(make, text, tmp_path):
    model = make(learning_rate=100)
    with pytest.raises(firth.TrainingError, match=r"learning_rate=100 is too high .* lower it"):
        fit(model, text)
    assert not math.isfinite(model.history[-1].loss)
    with pytest.raises(firth.FirthError, match="learnt nothing"):
        model.save(tmp_path / "model.firth")
