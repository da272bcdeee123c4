"""More text for a model that has learnt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training import COMBINATIONS, OBJECTIVES, cluster, clusters, parts, word2vec

import firth
from firth.extend import carry_tree, extended, same_splits
from firth.objectives import HierarchicalSoftmax
from firth.vocab import Vocabulary

STILL = {"epochs": 1, "learning_rate": 1e-9}


def more(sentences: int = 300) -> list[list[str]]:
    """A text of half the old clusters, and of two new ones."""
    return [
        [word.replace("c0-", "n0-").replace("c1-", "n1-") for word in sentence]
        for sentence in clusters(sentences, seed=3)
        if sentence[0][:2] in ("c0", "c1", "c2", "c3")
    ]


counts = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(1, 1000), min_size=1)


@given(counts, counts, st.integers(1, 50), st.none() | st.integers(1, 30))
def test_a_vocabulary_extended(old, new, min_count, max_size):
    found = extended(
        Vocabulary.from_counts(old), Vocabulary.from_counts(new), min_count=min_count, max_size=max_size
    )
    got = dict(zip(found.words, found.counts.tolist(), strict=True))
    assert got.keys() >= old.keys()
    for word, count in got.items():
        assert count == old.get(word, 0) + new.get(word, 0)
        assert word in old or new[word] >= min_count
    fresh = [word for word in new if word not in old and new[word] >= min_count]
    room = len(fresh) if max_size is None else max(0, max_size - len(old))
    assert len(got) == len(old) + min(room, len(fresh))
    left = [new[word] for word in fresh if word not in got]
    assert max(left, default=0) <= min((new[word] for word in got.keys() - old.keys()), default=10**9)
    assert found.counts.tolist() == sorted(found.counts.tolist(), reverse=True)


@pytest.mark.parametrize(("context", "objective"), COMBINATIONS, ids=str)
def test_more_text_is_learnt_from_where_the_first_left_off(context, objective):
    text = clusters(400)
    model = word2vec(context, objective).fit(text, progress=False)
    before = {word: model.vectors[word].copy() for word in model.vectors}
    still = model.replace(**STILL).fit(more(), update=True, progress=False)
    assert {word[:1] for word in still.vocab.words} == {"c", "n"}
    for word, vector in before.items():
        np.testing.assert_allclose(still.vectors[word], vector, atol=1e-6)
    assert np.abs(still.vectors["n0-5"]).max() > 1e-3
    total = {
        word: sum(s.count(word) for s in text) + sum(s.count(word) for s in more()) for word in still.vocab.words
    }
    assert dict(zip(still.vocab.words, still.vocab.counts.tolist(), strict=True)) == total

    model.fit(more(1_500), update=True, progress=False)
    right = [
        cluster(near.word) == cluster(word)
        for word in model.vocab.words
        for near in model.vectors.most_similar(word, topn=4)
    ]
    assert np.mean(right) > 0.9
    assert sum(p for _, p in model.predict("n1-5", topn=len(model.vocab))) == pytest.approx(1)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_the_same_text_again_goes_on_as_well_as_it_was(objective):
    """Nothing is lost: output rows and the tree's inner vectors go on too, and so does what the model predicts."""
    text = clusters(600)
    model = word2vec(objective=objective).fit(text, progress=False)
    loss, fresh = model.history[-1].loss, model.history[0].loss
    again = model.replace(**STILL).fit(text, update=True, progress=False)
    assert again.history[0].loss < loss + 0.02 * (fresh - loss)


def test_what_a_saved_model_learns_more(tmp_path):
    model = word2vec(objective=HierarchicalSoftmax()).fit(clusters(300), progress=False)
    model.save(tmp_path / "model.firth")
    loaded = firth.load(tmp_path / "model.firth").fit(more(), update=True, progress=False)
    assert parts(loaded) == parts(model.fit(more(), update=True, progress=False))


# The tree


def path(vocab: Vocabulary, word: str) -> list[int]:
    """The inner nodes from the root to a word."""
    return [node for node, _ in vocab.huffman().path(vocab.words.position(word))]


def test_inner_nodes_that_part_the_same_words_keep_their_vectors():
    before = Vocabulary.from_counts({"a": 16, "b": 8, "c": 4, "d": 2, "e": 1})
    kept = same_splits(before, before)
    assert sorted(kept.before) == [0, 1, 2, 3]
    assert kept.after.tolist() == kept.before.tolist()
    assert kept.signs.tolist() == [1] * 4
    # f comes in at the bottom: d|e becomes d|ef, c|de becomes c|def and so on. Nothing is known of e|f.
    after = Vocabulary.from_counts({"a": 32, "b": 16, "c": 8, "d": 4, "e": 2, "f": 1})
    kept = same_splits(before, after)
    found = dict(zip(kept.before.tolist(), kept.after.tolist(), strict=True))
    assert found == dict(zip(path(before, "e"), path(after, "e")[:-1], strict=True))
    # d is now more frequent than c: the two nodes below are of other words.
    kept = same_splits(before, Vocabulary.from_counts({"a": 16, "b": 8, "d": 4, "c": 2, "e": 1}))
    assert len(kept.before) == 2


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=30), st.lists(st.integers(1, 1000), max_size=10), st.data()
)
def test_nodes_ask_what_they_asked(old, new, data):
    """By brute force: the words on either side of each node."""

    def sides(vocab, among):
        tree = vocab.huffman()
        found = [[set(), set()] for _ in range(len(vocab) - 1)]
        for i, word in enumerate(vocab.words):
            for node, bit in tree.path(i) if word in among else []:
                found[node][bit].add(word)
        return found

    before = Vocabulary.from_counts({f"o{i}": n for i, n in enumerate(old)})
    added = [n + data.draw(st.integers(0, 3)) for n in old]
    after = Vocabulary.from_counts(
        {f"o{i}": n for i, n in enumerate(added)} | {f"n{i}": n for i, n in enumerate(new)}
    )
    kept = same_splits(before, after)
    was, now = sides(before, set(before.words)), sides(after, set(before.words))
    same = {(i, j) for i, a in enumerate(was) for j, b in enumerate(now) if all(b) and a in (b, b[::-1])}
    assert set(zip(kept.before.tolist(), kept.after.tolist(), strict=True)) == same
    for i, j, sign in zip(kept.before, kept.after, kept.signs, strict=True):
        assert was[i] == (now[j] if sign > 0 else now[j][::-1])


def test_a_tree_that_changed_predicts_what_the_old_one_did():
    """A few new words move almost every node; starting at zero, the tree would have to be learnt anew."""
    text = clusters(600)
    model = word2vec(objective=HierarchicalSoftmax(), learning_rate=0.02).fit(text, progress=False)
    few = [[f"n{i}", "c1-1", f"n{i}", "c2-2", "c3-3"] for i in range(12)]
    still = model.replace(**STILL).fit(few, update=True, held_out=text, progress=False)
    fresh = word2vec(objective=HierarchicalSoftmax(), **STILL).fit([*text, *few], held_out=text, progress=False)
    kept = same_splits(model.vocab, still.vocab)
    assert len(kept.before) < 40  # of 47
    learnt = model.history[-1].loss
    assert still.history[0].held_out_loss < learnt + 0.5 * (fresh.history[0].held_out_loss - learnt)


def test_sides_that_are_all_new_start_at_zero():
    before = Vocabulary.from_counts({"a": 16, "b": 8, "c": 4})
    after = Vocabulary.from_counts({"a": 16, "b": 8, "c": 4, "d": 2, "e": 1})
    new = np.zeros((4, 3))
    carry_tree(np.ones((2, 3)), before, new, after)
    assert not new[path(after, "d")[-1]].any()  # it parts d and e
    assert not new[path(after, "d")[-2]].any()  # c is known, d and e are not
    assert new[path(after, "c")[:-1]].any(axis=1).all()


# Words that stay


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("context", "objective"), COMBINATIONS, ids=str)
def test_frozen_words_stay_to_the_bit(context, objective, threads):
    model = word2vec(context, objective).fit(clusters(200), progress=False)
    before = {word: model.vectors[word].tobytes() for word in model.vectors}
    model.threads = threads
    model.fit(more(), update=True, frozen="old", progress=False)
    assert {word: model.vectors[word].tobytes() for word in before} == before
    fresh = [word for word in model.vectors if word not in before]
    right = [cluster(near.word) == "n0" for near in model.vectors.most_similar("n0-5", topn=4, among=fresh)]
    assert np.mean(right) > 0.7  # the others learn


def test_chosen_words_stay_and_the_rest_moves():
    model = word2vec().fit(clusters(200), progress=False)
    before = {word: model.vectors[word].copy() for word in model.vectors}
    model.fit(more(), update=True, frozen=["c2-5", "c3-5"], progress=False)
    for word in ("c2-5", "c3-5"):
        assert model.vectors[word].tobytes() == before[word].tobytes()
    for word in ("c2-4", "c3-4"):
        assert np.abs(model.vectors[word] - before[word]).max() > 1e-3
    model.fit(more(), update=True, progress=False)  # frozen for one fit
    assert np.abs(model.vectors["c2-5"] - before["c2-5"]).max() > 1e-3


def test_starting_vectors_stay():
    start = firth.Vectors(["c0-5", "c1-5", "elsewhere"], np.random.default_rng(1).normal(size=(3, 20)) * 0.1)
    model = word2vec().fit(clusters(200), start=start, frozen="old", progress=False)
    for word in ("c0-5", "c1-5"):
        assert model.vectors[word].tobytes() == start[word].tobytes()


def test_frozen_words_stay_when_training_goes_on(tmp_path):
    class Broken(Exception):
        pass

    def fall(model, row):
        if row.epoch == 3:
            raise Broken

    model = word2vec().fit(clusters(200), progress=False)
    before = {word: model.vectors[word].tobytes() for word in model.vectors}
    with pytest.raises(Broken):
        model.fit(
            more(), update=True, frozen="old", checkpoint=tmp_path / "m.firth", callbacks=[fall], progress=False
        )
    resumed = firth.load(tmp_path / "m.firth").resume(more(), progress=False)
    assert {word: resumed.vectors[word].tobytes() for word in before} == before


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"frozen": "c1-1"}, firth.SettingsError, r"frozen='c1-1' must be \"old\" or words, as \['c1-1'\]"),
        ({"frozen": ["nowhere"]}, firth.UnknownWordError, "'nowhere' is not among"),
        ({"frozen": "old"}, firth.SettingsError, "no word has a vector yet; pass update=True or start"),
        ({"update": True}, firth.FirthError, "learnt nothing yet"),
    ],
)
def test_what_cannot_be_frozen(settings, error, said):
    with pytest.raises(error, match=said):
        word2vec().fit(clusters(50), progress=False, **settings)


def test_update_excludes_another_start():
    model = word2vec().fit(clusters(50), progress=False)
    for settings in ({"vocab": model.vocab}, {"start": model.vectors}):
        with pytest.raises(firth.SettingsError, match="give no vocab or start"):
            model.fit(more(), update=True, progress=False, **settings)


def test_other_settings_for_what_is_learnt_more():
    model = word2vec().fit(clusters(50), progress=False)
    assert model.replace(epochs=9, learning_rate=0.01).settings == model.settings | {
        "epochs": 9,
        "learning_rate": 0.01,
    }
    assert model.replace(objective=firth.NegativeSampling(9)).objective.negatives == 9
    for settings in ({"dim": 21}, {"objective": firth.Softmax()}):
        with pytest.raises(firth.SettingsError, match="does not fit weights that were learnt with"):
            model.replace(**settings)


def test_the_command_line(tmp_path):
    (tmp_path / "a.txt").write_text("".join(" ".join(s) + "\n" for s in clusters(100)))
    (tmp_path / "b.txt").write_text("".join(" ".join(s) + "\n" for s in more(400)))

    def train(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "firth", "train", *arguments, "-q", "--json"],
            env={**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    train("a.txt", "-o", "a.firth", "--dim", "12", "--min-count", "1", "--subsample", "0")
    both = train("b.txt", "--update", "a.firth", "--freeze", "-o", "b.firth", "--epochs", "2")
    assert (both["dim"], both["settings"]["epochs"], both["settings"]["min_count"]) == (12, 2, 1)
    old, new = firth.load(tmp_path / "a.firth").vectors, firth.load(tmp_path / "b.firth").vectors
    assert len(new) > len(old)
    assert all(new[word].tobytes() == old[word].tobytes() for word in old)
    assert "dim=13 does not fit" in train("b.txt", "--update", "a.firth", "-o", "c.firth", "--dim", "13")
