"""Training that is stopped, killed or out of disk goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from training import COMBINATIONS, clusters, parts, word2vec

import firth
from firth import crew, files
from firth.models.word2vec import Word2Vec

PATHS = f"{Path(firth.__file__).parents[1]}:{Path(__file__).parent}"


@pytest.fixture
def text(tmp_path) -> Path:
    """A file of a few dozen blocks."""
    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in clusters(10_000)))
    return path


def saved_parts(path: Path) -> list[bytes]:
    """What a saved directory holds, but for times."""
    config, data = files.read_directory(path)
    rows = [{**row, "seconds": 0} for row in config["history"]]
    settings = [json.dumps(each).encode() for each in (config["settings"], rows, config.get("training"))]
    return settings + [data[name].read_bytes() for name in sorted(data)]


class Broken(Exception):
    """Ends a training from within."""


def break_after_save(monkeypatch, *, within_epoch: bool = False) -> None:
    """End a training, as if it were killed, after its next checkpoint (or the next within an epoch)."""
    save = Word2Vec.save

    def save_and_break(model, path):
        save(model, path)
        if model.unfinished and (model.unfinished.position.next_block or not within_epoch):
            raise Broken

    monkeypatch.setattr(Word2Vec, "save", save_and_break)


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Whoever watches looks up a thousand times a second, so that there are rests within short epochs too."""
    monkeypatch.setattr(crew, "POLL_SECONDS", 0.001)


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

    @pytest.fixture
    def cut(self, tmp_path, text, monkeypatch):
        with monkeypatch.context() as patch, pytest.raises(Broken):
            break_after_save(patch)
            word2vec(epochs=2).fit(text, checkpoint=tmp_path / "cut.firth", progress=False)
        return tmp_path / "cut.firth"

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


# Disks that fill


@pytest.mark.parametrize("fails", ["epoch", "end"])
def test_a_full_disk_leaves_the_checkpoint_before_whole(tmp_path, text, monkeypatch, fails):
    """A checkpoint that cannot be written is warned of, and training goes on; the end's is an error."""
    path = tmp_path / "model.firth"
    real, calls = files.os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if (len(calls) == 5) if fails == "epoch" else (len(calls) > 6):  # three files a save
            raise OSError(28, "No space left on device")
        real(handle)

    firth.Corpus.read(text)  # into the cache
    monkeypatch.setattr(files.os, "fsync", fsync)
    model = word2vec(epochs=3)
    if fails == "epoch":
        with pytest.warns(firth.FirthWarning, match="No space left.*free some space.*; training goes on") as seen:
            model.fit(text, checkpoint=path, progress=False)
        assert len(seen) == 1
        assert firth.load(path).unfinished is None
    else:
        with pytest.raises(firth.FirthError, match="No space left on device; free some space or choose another"):
            model.fit(text, checkpoint=path, progress=False)
        monkeypatch.undo()
        assert firth.load(path).unfinished.position.epoch == 2
        assert len(model.history) == 3  # nothing of what was learnt is lost
        assert parts(firth.load(path).resume(progress=False)) == parts(model)
    assert not list(path.glob(".*"))


FILL = """
import sys, firth
from training import word2vec
model = word2vec(epochs=3, dim=400).fit(sys.argv[1], checkpoint=sys.argv[2], progress=False)
"""


def train_until_limited(text: Path, path: Path, limit: int | None) -> subprocess.CompletedProcess:
    def set_limit():
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-c", FILL, str(text), str(path)],
        env={**os.environ, "PYTHONPATH": PATHS},
        preexec_fn=set_limit,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_limit_of_file_sizes_is_an_error_with_its_remedy(tmp_path, text):
    path = tmp_path / "model.firth"
    word2vec(epochs=1, dim=4).fit(text, checkpoint=path, progress=False)
    before = saved_parts(path)
    done = train_until_limited(text, path, 30_000)
    assert done.returncode == 1
    assert "File too large; raise the limit (ulimit -f)" in done.stderr
    assert "training goes on" in done.stderr
    assert saved_parts(path) == before


def test_a_disk_that_is_really_full(tmp_path, text):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        path = disk / "model.firth"
        word2vec(epochs=1, dim=4).fit(text, checkpoint=path, progress=False)
        before = saved_parts(path)
        done = train_until_limited(text, path, None)
        assert done.returncode == 1
        assert "No space left on device; free some space" in done.stderr
        assert saved_parts(path) == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# Processes that are killed

KILLED = """
import os, signal, sys, firth
from firth import crew, files
from training import word2vec

crew.POLL_SECONDS = 0.001
text, path, call, step = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
real = getattr(os, call)
def kill(*arguments):
    global step
    step -= 1
    if not step:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
setattr(files.os, call, kill)
checkpoint = firth.Checkpoint(path, every=1e-9)
if os.path.exists(path) and firth.load(path).unfinished:
    firth.load(path).resume(progress=False)
else:
    word2vec(epochs=2).fit(text, checkpoint=checkpoint, progress=False)
"""


def killed(*arguments: object) -> int:
    return subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PATHS},
        check=False,
    ).returncode


def test_killed_while_a_checkpoint_is_written(tmp_path, text):
    """At the writing of data, before and after config.json is renamed, and while old data is removed."""
    whole = word2vec(epochs=2).fit(text, checkpoint=tmp_path / "whole.firth", progress=False)
    path = tmp_path / "model.firth"
    for call, step in [("fsync", 4), ("replace", 2), ("replace", 3), ("fsync", 3), ("unlink", 1), ("replace", 5)]:
        killed(text, path, call, step)
        firth.load(path)  # whole at any moment
    assert killed(text, path, "fsync", 10**9) == 0
    assert parts(firth.load(path)) == parts(firth.load(tmp_path / "whole.firth"))
    assert firth.load(path).vectors.matrix.tobytes() == whole.vectors.matrix.tobytes()


def firth_train(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "firth", "train", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": PATHS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def die_at_random(path: Path, text: Path, moments: random.Random, times: int, *settings: object) -> None:
    """Begin, and go on, and be killed after a random time with a checkpoint, again and again; then finish."""
    begun = False
    for _ in range(times):
        process = firth_train("--resume", path, "-q") if begun else firth_train(text, "-o", path, "-q", *settings)
        config = path / "config.json"
        seen = config.stat().st_mtime_ns if config.exists() else 0
        while process.poll() is None and not (config.exists() and config.stat().st_mtime_ns > seen):
            time.sleep(0.005)
        time.sleep(moments.random() * 0.3)
        process.kill()
        _, err = process.communicate()
        if process.returncode == 0:
            return
        assert process.returncode == -signal.SIGKILL, err
        begun = firth.load(path).unfinished is not None
    process = firth_train("--resume", path, "-q")
    _, err = process.communicate()
    assert process.returncode == 0, err


SETTINGS = ("--checkpoint-every", "0.02s", "--dim", "200", "--threads", "1", "--min-count", "1", "--subsample=0")


def test_killed_at_any_moment_it_comes_to_the_same_bytes(tmp_path, text):
    firth_train(text, "-o", tmp_path / "whole.firth", "-q", *SETTINGS, "--epochs", 6).communicate()
    die_at_random(tmp_path / "model.firth", text, random.Random(1), 3, *SETTINGS, "--epochs", 6)
    assert saved_parts(tmp_path / "model.firth") == saved_parts(tmp_path / "whole.firth")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_killed_often_it_comes_to_the_same_bytes(tmp_path, text, seed):
    firth_train(text, "-o", tmp_path / "whole.firth", "-q", *SETTINGS, "--epochs", 30).communicate()
    die_at_random(tmp_path / "model.firth", text, random.Random(seed), 12, *SETTINGS, "--epochs", 30)
    assert saved_parts(tmp_path / "model.firth") == saved_parts(tmp_path / "whole.firth")


# Ctrl-C


def test_ctrl_c_leaves_what_can_go_on(tmp_path, text):
    firth_train(text, "-o", tmp_path / "whole.firth", "-q", *SETTINGS, "--epochs", 30).communicate()
    path = tmp_path / "model.firth"
    process = firth_train(text, "-o", path, "-q", *SETTINGS, "--epochs", 30)
    while process.poll() is None and not (path / "config.json").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert f"saved in {path}; firth train --resume {path} goes on" in err
    process = firth_train("--resume", path)
    _, err = process.communicate()
    assert process.returncode == 0
    assert "goes on in epoch" in err.splitlines()[0]
    assert saved_parts(path) == saved_parts(tmp_path / "whole.firth")


def test_after_ctrl_c_the_same_model_goes_on(tmp_path, text):
    whole = word2vec().fit(text, progress=False)

    class Interrupt:
        def on_step(self, model, status):
            if status.words > 100_000:
                raise KeyboardInterrupt

    model = word2vec()
    path = tmp_path / "model.firth"
    with pytest.raises(KeyboardInterrupt):
        model.fit(text, checkpoint=firth.Checkpoint(path, every=1e-9), callbacks=[Interrupt()], progress=False)
    assert firth.load(path).unfinished.position == model.unfinished.position
    assert model.unfinished.position.words + 80_000 * model.unfinished.position.epoch >= 100_000
    assert parts(model.resume(callbacks=[], progress=False)) == parts(whole)


def test_a_second_ctrl_c_keeps_the_checkpoint_before(tmp_path, text):
    """While the threads end their block, of a softmax so large that this takes a while."""
    interrupting = threading.Event()

    class Interrupt:
        def on_step(self, model, status):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            interrupting.set()
            raise KeyboardInterrupt

    path = tmp_path / "model.firth"
    words = [[f"w{i}" for i in range(j, j + 10)] for j in range(0, 20_000, 10)]
    model = word2vec(objective=firth.Softmax(), dim=100)
    with pytest.raises(KeyboardInterrupt):
        model.fit(words, checkpoint=path, callbacks=[Interrupt()], progress=False)
    assert interrupting.is_set()
    assert model.unfinished is None
    assert not (path / "config.json").exists()


# The command line


class TestCommandLine:
    @pytest.fixture
    def cut(self, tmp_path, text, monkeypatch):
        with monkeypatch.context() as patch, pytest.raises(Broken):
            break_after_save(patch)
            word2vec(epochs=2).fit(text, checkpoint=tmp_path / "cut.firth", progress=False)
        return tmp_path / "cut.firth"

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
