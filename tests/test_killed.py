"""Training that is killed, interrupted or out of disk leaves what can go on."""

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
from pathlib import Path

import pytest
from stopping import PATHS, firth_train, saved_parts, write_text
from training import parts, word2vec

import firth
from firth import files

pytestmark = pytest.mark.usefixtures("often")


@pytest.fixture
def text(tmp_path):
    return write_text(tmp_path / "text.txt")


# Both come to the same bytes however often they stop; several threads in rounds even if their number changes.
EXACT = {"one-thread": {"threads": 1}, "deterministic": {"threads": 2, "deterministic": True}}
exact = pytest.mark.parametrize("how", EXACT.values(), ids=EXACT)


# Disks that fill


@exact
@pytest.mark.parametrize("fails", ["epoch", "end"])
def test_a_full_disk_leaves_the_checkpoint_before_whole(tmp_path, text, monkeypatch, how, fails):
    """A checkpoint that cannot be written is warned of, and training goes on; the end's is an error."""
    whole = word2vec(epochs=3, **how).fit(text, progress=False)
    path = tmp_path / "model.firth"
    real, calls = files.os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if (len(calls) == 5) if fails == "epoch" else (len(calls) > 6):  # three files a save
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(files.os, "fsync", fsync)
    model = word2vec(epochs=3, **how)
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
        assert parts(firth.load(path).resume(threads=how["threads"], progress=False)) == parts(model)
    assert parts(model) == parts(whole)
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
import json, os, signal, sys, firth
from firth import crew, files
from training import word2vec

crew.POLL_SECONDS = 0.001
text, path, settings, call, step = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4], int(sys.argv[5])
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
    firth.load(path).resume(threads=settings["threads"], progress=False)
else:
    word2vec(**settings).fit(text, checkpoint=checkpoint, progress=False)
"""


def killed(text: Path, path: Path, settings: dict[str, object], call: str, step: int) -> int:
    return subprocess.run(
        [sys.executable, "-c", KILLED, text, path, json.dumps(settings), call, str(step)],
        env={**os.environ, "PYTHONPATH": PATHS},
        check=False,
    ).returncode


@exact
def test_killed_while_a_checkpoint_is_written(tmp_path, text, how):
    """At the writing of data, before and after config.json is renamed, and while old data is removed."""
    settings = {**how, "epochs": 2}
    whole = word2vec(**settings).fit(text, checkpoint=tmp_path / "whole.firth", progress=False)
    path, most = tmp_path / "model.firth", 1 if how["threads"] == 1 else 3
    for call, step in [("fsync", 4), ("replace", 2), ("replace", 3), ("fsync", 3), ("unlink", 1), ("replace", 5)]:
        killed(text, path, {**settings, "threads": 1 + step % most}, call, step)
        firth.load(path)  # whole at any moment
    assert killed(text, path, settings, "fsync", 10**9) == 0
    assert parts(firth.load(path)) == parts(firth.load(tmp_path / "whole.firth"))
    assert firth.load(path).vectors.matrix.tobytes() == whole.vectors.matrix.tobytes()


def train_and_die(
    path: Path, text: Path, chance: random.Random, times: int, how: str, settings: list[object]
) -> None:
    """Begin, and go on, and be killed at a random time after a checkpoint, again and again; then finish."""
    arguments, config = [text, "-o", path, *settings], path / "config.json"
    for killed in range(times + 1):
        threads = 1 if how == "one-thread" else chance.randint(1, 3)
        seen = config.stat().st_mtime_ns if config.exists() else 0
        process = firth_train(*arguments, "-q", "--threads", threads)
        if killed < times:
            while process.poll() is None and not (config.exists() and config.stat().st_mtime_ns > seen):
                time.sleep(0.001)
            time.sleep(chance.random() * 0.1)
            process.kill()
        _, err = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), err
        if firth.load(path).unfinished is None:
            return
        arguments = ["--resume", path]
    raise AssertionError("it did not come to its end")


SETTINGS = ("--checkpoint-every", "0.02s", "--dim", "200", "--min-count", "1", "--subsample=0")


def check_killed(folder: Path, text: Path, how: str, *, epochs: int, times: int, seed: int) -> None:
    """What was killed so often has the bytes of what was not."""
    settings = [*SETTINGS, "--epochs", epochs, *(["--deterministic"] if how == "deterministic" else [])]
    whole, path = folder / "whole.firth", folder / "model.firth"
    firth_train(text, "-o", whole, "-q", *settings, "--threads", EXACT[how]["threads"]).communicate()
    train_and_die(path, text, random.Random(seed), times, how, settings)
    assert (
        saved_parts(path)[1:] == saved_parts(whole)[1:]
    )  # but for the settings, where the number of threads stands


@pytest.mark.parametrize("how", EXACT)
def test_killed_at_any_moment_it_comes_to_the_same_bytes(tmp_path, text, how):
    check_killed(tmp_path, text, how, epochs=6, times=3, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("how", EXACT)
@pytest.mark.parametrize("seed", range(10))
def test_killed_often_it_comes_to_the_same_bytes(tmp_path, text, how, seed):
    check_killed(tmp_path, text, how, epochs=30, times=12, seed=seed)


# Ctrl-C


def test_ctrl_c_leaves_what_can_go_on(tmp_path, text):
    settings = ("-q", *SETTINGS, "--epochs", 30, "--threads", 1)
    firth_train(text, "-o", tmp_path / "whole.firth", *settings).communicate()
    path = tmp_path / "model.firth"
    process = firth_train(text, "-o", path, *settings)
    while process.poll() is None and not (path / "config.json").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    at_block, while_saving = (
        f"saved in {path}; firth train --resume {path} goes on",
        "is as its last checkpoint left it",
    )
    assert at_block in err or while_saving in err
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
