"""Training that is stopped goes on as if nothing had been."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from stopping import Broken, break_after_save, firth_train, saved_parts, write_text
from training import COMBINATIONS, clusters, parts, word2vec

import firth
from firth import crew, train

pytestmark = pytest.mark.usefixtures("often")


@pytest.fixture
def text(tmp_path):
    return write_text(tmp_path / "text.txt")


@pytest.fixture
def cut(tmp_path, text, monkeypatch):
    """What is left of a training that was broken off after its first epoch."""
    with monkeypatch.context() as patch, pytest.raises(Broken):
        break_after_save(patch)
        word2vec(epochs=2).fit(text, checkpoint=tmp_path / "cut.firth", progress=False)
    return tmp_path / "cut.firth"


@pytest.mark.parametrize(("context", "objective"), COMBINATIONS, ids=str)
def test_what_goes_on_comes_to_the_same_bytes(tmp_path, text, monkeypatch, context, objective):
    small = {"subsample": 1e-2, "epochs": 3, "max_size": 40}
    whole = word2vec(context, objective, **small).fit(text, checkpoint=tmp_path / "whole.firth", progress=False)
    with monkeypatch.context() as patch, pytest.raises(Broken):
        break_after_save(patch, within_epoch=True)
        word2vec(context, objective, **small).fit(
            text, checkpoint=firth.Checkpoint(tmp_path / "cut.firth", every=1e-9), progress=False
        )
    begun = firth.load(tmp_path / "cut.firth")
    assert begun.unfinished and begun.unfinished.position.next_block > 0
    assert len(begun.vectors.most_similar("c1-5")) == 10  # it is a model
    resumed = begun.resume(progress=False)
    assert parts(resumed) == parts(whole)
    assert saved_parts(tmp_path / "cut.firth") == saved_parts(tmp_path / "whole.firth")
    assert resumed.unfinished is None
    assert [replace(row, seconds=0) for row in resumed.history] == [
        replace(row, seconds=0) for row in whole.history
    ]


def test_a_checkpoint_at_every_moment_goes_on_to_the_same_bytes(tmp_path, text, monkeypatch):
    """As many saves as come, and a break after each: within epochs and between them."""
    whole = word2vec(epochs=2).fit(text, progress=False)
    path = tmp_path / "model.firth"
    positions = []
    with monkeypatch.context() as patch, pytest.raises(Broken):
        break_after_save(patch)
        word2vec(epochs=2).fit(text, checkpoint=firth.Checkpoint(path, every=1e-9), progress=False)
    while (model := firth.load(path)).unfinished:
        positions.append((model.unfinished.position.epoch, model.unfinished.position.next_block))
        with monkeypatch.context() as patch, suppress(Broken):
            break_after_save(patch)
            model.resume(progress=False)
    assert positions == sorted(set(positions))
    assert (1, 0) in positions
    assert parts(firth.load(path))[1] == whole.weights.output[:, :20].tobytes()
    assert firth.load(path).vectors.matrix.tobytes() == whole.vectors.matrix.tobytes()


def test_several_threads_rest_and_go_on(tmp_path, text):
    """Every block is learnt once, however often the threads rest."""
    model = word2vec(threads=3, epochs=2).fit(
        text, checkpoint=firth.Checkpoint(tmp_path / "model.firth", every=1e-9), progress=False
    )
    assert [row.words for row in model.history] == [80_000] * 2
    one = word2vec(epochs=2, learning_rate=1e-9).fit(text, progress=False)
    three = word2vec(epochs=2, learning_rate=1e-9, threads=3).fit(
        text, checkpoint=firth.Checkpoint(tmp_path / "model.firth", every=1e-9), progress=False
    )
    assert [row.loss for row in three.history] == pytest.approx([row.loss for row in one.history], rel=1e-6)


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_rest_before_the_first_block_is_not_the_end_of_an_epoch(tmp_path, text, monkeypatch, deterministic):
    """However late the threads begin, callbacks are told of each epoch once, and nothing is lost."""
    told, late, work = [], set(), crew.Crew.work

    class Late(crew.Crew):
        def work(self, report, *, interrupted):
            if len(told) in late:
                return work(self, report, interrupted=interrupted)
            late.add(len(told))  # the first time in each epoch
            return report() and False

    monkeypatch.setattr(train, "Crew", Late)
    settings = {"epochs": 2, "deterministic": deterministic}
    model = word2vec(**settings).fit(
        text,
        checkpoint=firth.Checkpoint(tmp_path / "model.firth", every=1e-9),
        callbacks=[lambda model, row: told.append(row)],
        progress=False,
    )
    assert told == model.history
    assert late == {0, 1}
    assert parts(model) == parts(word2vec(**settings).fit(text, progress=False))


def test_norms_asked_for_while_it_learns_are_not_kept(tmp_path, text):
    path = tmp_path / "model.firth"
    model = word2vec().fit(
        text,
        checkpoint=path,
        callbacks=[lambda model, row: model.vectors.most_similar("c1-1") is None],
        progress=False,
    )
    fresh = firth.Vectors(model.vocab.words, model.weights.input[:, :20])
    assert firth.load(path).vectors.norms.tolist() == fresh.norms.tolist() == model.vectors.norms.tolist()


class TestRefusals:
    def test_nothing_to_resume(self, tmp_path, text):
        model = word2vec(epochs=1).fit(text, checkpoint=tmp_path / "model.firth", progress=False)
        for finished in (model, firth.load(tmp_path / "model.firth"), word2vec()):
            with pytest.raises(firth.TrainingError, match=r"nothing to resume.*finished; fit\(update=True\)"):
                finished.resume(progress=False)

    @pytest.mark.parametrize("change", ["longer", "other", "renamed"])
    def test_a_text_that_changed(self, text, cut, change):
        lines = text.read_text()
        text.write_text(
            {"longer": lines + "c1-1 c1-2\n", "other": lines.replace("c1-1 ", "c1-2 ", 1), "renamed": lines[1:]}[
                change
            ]
        )
        with pytest.raises(
            firth.TrainingError, match=r"text\.txt is no longer the text .* restore it, or train from"
        ):
            firth.load(cut).resume(progress=False)
        text.write_text(lines)  # a new time alone is no change
        firth.load(cut).resume(progress=False)

    def test_a_text_that_moved(self, text, cut):
        text.rename(text.with_name("moved.txt"))
        with pytest.raises(firth.CorpusError, match="no such file"):
            firth.load(cut).resume(progress=False)
        firth.load(cut).resume(text.with_name("moved.txt"), progress=False)
        assert firth.load(cut).unfinished is None

    def test_sentences_are_given_again(self, tmp_path, monkeypatch):
        sentences = clusters(500)
        whole = word2vec(epochs=2).fit(sentences, progress=False)
        with monkeypatch.context() as patch, pytest.raises(Broken):
            break_after_save(patch)
            word2vec(epochs=2).fit(sentences, checkpoint=tmp_path / "cut.firth", progress=False)
        with pytest.raises(firth.TrainingError, match=r"the text was sentences.*give the same again"):
            firth.load(tmp_path / "cut.firth").resume(progress=False)
        with pytest.raises(firth.TrainingError, match="the sentences is no longer the text"):
            firth.load(tmp_path / "cut.firth").resume(sentences[1:], progress=False)
        assert parts(firth.load(tmp_path / "cut.firth").resume(sentences, progress=False)) == parts(whole)

    def test_damaged_positions(self, cut):
        config = json.loads((cut / "config.json").read_text())
        del config["training"]["position"]["epoch"], config["training"]["text"]["digest"]
        (cut / "config.json").write_text(json.dumps(config))
        with pytest.raises(firth.FormatError, match="save it again"):
            firth.load(cut)

    @pytest.mark.parametrize("every", [0, -1, "often"])
    def test_times_that_are_none(self, every):
        with pytest.raises(firth.SettingsError, match="every="):
            firth.Checkpoint("model.firth", every=every)

    def test_a_place_that_cannot_be_written_is_told_before_reading(self, tmp_path):
        with pytest.raises(firth.FirthError, match="cannot be written"):
            word2vec().fit("no such text", checkpoint=tmp_path / "no" / "model.firth", progress=False)


# The command line


class TestCommandLine:
    @pytest.mark.parametrize(
        ("flags", "status", "told"),
        [
            (["--dim", "21"], 1, "was begun with dim=20, not 21; leave --dim out"),
            (["--window", "9"], 1, "leave --context out"),
            (["--held-out", "x"], 2, "--held-out plays no part with --resume"),
            (["--out", "x.firth"], 2, "--out plays no part"),
            (["--tokenizer", "words"], 2, "--tokenizer plays no part"),
            (["--epochs", "2", "--dim", "20", "--threads", "2"], 0, ""),
        ],
    )
    def test_settings_beside_resume(self, cut, flags, status, told):
        process = firth_train("--resume", cut, "-q", *flags)
        _, err = process.communicate()
        assert process.returncode == status, err
        assert told in err

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["-o", "v.bin", "--checkpoint-every", "5m"], "name it NAME.firth, not v.bin"),
            (["-o", "v.firth", "--checkpoint-every", "soon"], "'soon' is not a time like 30s, 5m or 2h"),
            (["-o", "v.firth", "--checkpoint-every", "0s"], "is not a time"),
            (["-", "-o", "v.firth", "--checkpoint-every", "5m"], "standard input"),
            (["-o", "v.firth", "--patience", "2"], "--patience needs --held-out"),
            (["-o", "v.firth", "--freeze"], "--freeze needs --start or --update"),
            (["-o", "v.firth", "--update", "m", "--start", "v"], "--start plays no part with --update"),
        ],
    )
    def test_flags_that_do_not_go_together(self, text, arguments, told):
        process = firth_train(text, *arguments)
        _, err = process.communicate()
        assert process.returncode == 2
        assert told in err

    def test_nothing_to_resume(self, tmp_path, text):
        word2vec(epochs=1).fit(text, progress=False).save(tmp_path / "model.firth")
        for path, told in (
            (tmp_path / "model.firth", "nothing to resume"),
            (tmp_path / "none.firth", "config.json"),
        ):
            process = firth_train("--resume", path)
            _, err = process.communicate()
            assert process.returncode == 1
            assert told in err
