"""Who watches training and may end it: callbacks, the loss of a text held out, early stopping."""

from __future__ import annotations

import math

import numpy as np
import pytest
from training import COMBINATIONS, clusters, parts, word2vec

import firth
from firth import crew
from firth.train import EpochRow, Text
from firth.weights import Weights


def loss_of(model, sentences, threads=1):
    text = Text.of(firth.Corpus.read(sentences), model.vocab)
    return model.replace(threads=threads).loop(model.weights, model.vocab).mean_loss(text)


@pytest.mark.parametrize(("context", "objective"), COMBINATIONS, ids=str)
def test_a_text_held_out_changes_nothing_and_is_told(context, objective):
    text, other = clusters(300), clusters(100, seed=5)
    plain = word2vec(context, objective).fit(text, progress=False)
    model = word2vec(context, objective).fit(text, held_out=other, progress=False)
    assert parts(model) == parts(plain)  # evaluation changes no byte, nor what random numbers learning draws
    losses = [row.held_out_loss for row in model.history]
    assert losses == sorted(losses, reverse=True)
    assert [row.loss for row in model.history] == [row.loss for row in plain.history]
    assert [row.held_out_loss for row in plain.history] == [None] * 4
    before = parts(model)
    assert loss_of(model, other) == losses[-1]  # the same every time
    assert loss_of(model, other, threads=3) == pytest.approx(losses[-1], rel=1e-6)
    assert parts(model) == before


@pytest.mark.parametrize(
    ("objective", "made"), [(firth.NegativeSampling(), "noise"), (firth.HierarchicalSoftmax(), "huffman")]
)
def test_noise_and_tree_are_made_once_for_both_texts_and_all_epochs(monkeypatch, objective, made):
    calls, make = [], getattr(firth.Vocabulary, made)
    monkeypatch.setattr(firth.Vocabulary, made, lambda *given: (calls.append(given), make(*given))[1])
    word2vec(objective=objective).fit(clusters(100), held_out=clusters(20), progress=False)
    assert len(calls) == 1


def test_the_loss_held_out_is_the_objectives_own():
    """Before anything is learnt every word is equally probable."""
    model = word2vec(objective=firth.Softmax()).fit(clusters(50), progress=False)
    model._weights = Weights.start(model.vocab, 20, model.objective, 1)
    assert loss_of(model, clusters(50, seed=7)) == pytest.approx(np.log(len(model.vocab)), rel=1e-6)


def test_a_text_held_out_that_tells_nothing():
    with pytest.raises(
        firth.SettingsError, match=r"held-out text has no two words of the vocabulary.*give another"
    ):
        word2vec().fit(clusters(50), held_out=[["x", "y"], ["c1-1"]], progress=False)


def test_history_with_a_loss_held_out_is_saved(tmp_path):
    model = word2vec(epochs=2).fit(clusters(50), held_out=clusters(20), progress=False)
    model.save(tmp_path / "model.firth")
    assert firth.load(tmp_path / "model.firth").history == model.history
    row = model.history[0].as_dict()
    del row["held_out_loss"]  # as models before had it
    assert EpochRow.from_dict(row).held_out_loss is None


# Callbacks


class Both:
    def __init__(self):
        self.rows, self.steps = [], []

    def on_epoch(self, model, row):
        assert model.history[-1] == row
        assert len(model.vectors.most_similar("c1-5", topn=2)) == 2
        self.rows.append(row)

    def on_step(self, model, status):
        self.steps.append(status)


def test_callbacks_are_told_of_epochs_and_steps():
    both, rows = Both(), []
    model = word2vec().fit(clusters(), callbacks=[both, lambda model, row: rows.append(row)], progress=False)
    assert both.rows == rows == model.history
    assert {status.epoch for status in both.steps} == {1, 2, 3, 4}  # each at its end, at least
    assert both.steps[-1].words == both.steps[-1].total_words


def test_callbacks_see_the_vectors_of_now():
    seen = []
    model = word2vec().fit(
        clusters(),
        callbacks=[lambda model, row: seen.append(model.vectors.similarity("c1-5", "c1-4"))],
        progress=False,
    )
    assert len(set(seen)) == 4
    assert seen[-1] == model.vectors.similarity("c1-5", "c1-4")


def test_a_true_answer_after_an_epoch_ends_the_training():
    model = word2vec().fit(clusters(), callbacks=[lambda model, row: row.epoch == 2], progress=False)
    assert [row.epoch for row in model.history] == [1, 2]
    whole = word2vec().fit(clusters(), progress=False)
    assert model.history[1].learning_rate == whole.history[1].learning_rate  # that of all epochs


def test_a_true_answer_at_a_step_ends_the_training_within_the_epoch(monkeypatch):
    monkeypatch.setattr(crew, "POLL_SECONDS", 0.001)

    class Impatient:
        def on_step(self, model, status):
            return True

    model = word2vec(epochs=1_000, objective=firth.Softmax()).fit(
        clusters(), callbacks=[Impatient()], progress=False
    )
    assert len(model.history) == 1
    assert model.history[0].words <= 12_000
    assert len(model.vectors) == 48


@pytest.mark.parametrize("method", ["on_epoch", "on_step"])
def test_what_a_callback_raises_is_passed_on(method):
    class Failing:
        pass

    def fail(self, model, told):
        raise ZeroDivisionError

    setattr(Failing, method, fail)
    model = word2vec()
    with pytest.raises(ZeroDivisionError):
        model.fit(clusters(), callbacks=[Failing()], progress=False)
    assert len(model.history) == 1
    assert len(model.vectors) == 48  # what was learnt


def test_what_is_no_callback():
    with pytest.raises(firth.SettingsError, match="callback 3 has neither on_epoch nor on_step"):
        word2vec().fit(clusters(50), callbacks=[3], progress=False)


# Early stopping


def test_it_stops_when_the_loss_held_out_is_no_longer_falling(tmp_path):
    """Of two texts without anything in common but their words: what is learnt of one is wrong of the other."""
    text, other = clusters(300), [[f"c{i}-1", f"c{(i + 1) % 8}-1"] for i in range(8)] * 10
    model = word2vec(epochs=50).fit(
        text,
        held_out=other,
        callbacks=[firth.EarlyStopping(3, best=tmp_path / "best.firth")],
        progress=False,
    )
    losses = [row.held_out_loss for row in model.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3 < 50
    kept = firth.load(tmp_path / "best.firth")
    assert kept.history == model.history[: best + 1]
    kept._weights = kept.weights.learnable()
    assert loss_of(kept, other) == min(losses)


@pytest.mark.parametrize("lower", [False, True])
def test_it_stops_by_any_measure(lower):
    values = iter([1, 3, 2, math.nan, 2, 1, 0])
    stopping = firth.EarlyStopping(3, measure=lambda model: -next(values) if lower else next(values), lower=lower)
    model = word2vec(epochs=7).fit(clusters(50), callbacks=[stopping], progress=False)
    assert len(model.history) == 5  # the best was the second
    values = iter(range(7))
    model.fit(clusters(50), callbacks=[firth.EarlyStopping(1, measure=lambda _: next(values))], progress=False)
    assert len(model.history) == 7


def test_it_needs_something_to_watch():
    with pytest.raises(firth.SettingsError, match="pass held_out, or a measure"):
        word2vec().fit(clusters(50), callbacks=[firth.EarlyStopping(2)], progress=False)
    with pytest.raises(firth.SettingsError, match="patience=0"):
        firth.EarlyStopping(0)


def test_it_is_the_same_after_going_on(tmp_path, monkeypatch):
    text, other = tmp_path / "text.txt", tmp_path / "other.txt"
    text.write_text("".join(" ".join(sentence) + "\n" for sentence in clusters(300)))
    other.write_text("".join(f"c{i}-1 c{(i + 1) % 8}-1\n" for i in range(8)) * 10)
    settings = {"held_out": other, "callbacks": [firth.EarlyStopping(3)], "progress": False}
    whole = word2vec(epochs=50).fit(text, **settings)

    class Broken(Exception):
        pass

    def fall(model, row):
        if row.epoch == len(whole.history) - 1:
            raise Broken

    path = tmp_path / "model.firth"
    with pytest.raises(Broken):
        word2vec(epochs=50).fit(text, checkpoint=path, **{**settings, "callbacks": [firth.EarlyStopping(3), fall]})
    model = firth.load(path).resume(progress=False)
    assert parts(model) == parts(whole)
    assert [row.held_out_loss for row in model.history] == [row.held_out_loss for row in whole.history]
    assert firth.load(path).unfinished is None
    other.write_text("c1-1 c2-1\n")
    with pytest.raises(Broken):
        word2vec(epochs=50).fit(text, checkpoint=path, held_out=other, callbacks=[fall], progress=False)
    other.write_text("c1-1 c1-1\n")
    with pytest.raises(firth.TrainingError, match=r"other\.txt is no longer the text"):
        firth.load(path).resume(progress=False)
