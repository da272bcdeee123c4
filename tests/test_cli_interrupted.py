"""Ctrl-C in commands: what was learnt is kept, what stood there stays whole."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, run, start, write_animals_and_tools

import firth


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write_animals_and_tools(tmp_path_factory.mktemp("text") / "text.txt")


class TestCtrlC:
    @pytest.mark.parametrize("name", ["v.bin", "m.firth"])
    def test_keeps_what_was_learnt(self, text, tmp_path, name):
        (tmp_path / "long.txt").write_text(text.read_text() * 300)
        flags = ["--min-count", "1", "--epochs", "1000", "--log", str(tmp_path / "log")]
        process = start("train", str(tmp_path / "long.txt"), "-o", str(tmp_path / name), *flags)
        wait_until(lambda: read(tmp_path / "log").count('"training"') > 1, process)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate()
        assert time.monotonic() - began < 1.0
        assert process.returncode == 130, shown
        last = shown.splitlines()[-1]
        assert last.startswith("firth: interrupted in epoch ") and last.endswith(f"saved in {tmp_path / name}")
        assert "Traceback" not in shown
        saved = firth.load(tmp_path / name)
        vectors = saved.vectors if isinstance(saved, firth.Word2Vec) else saved
        assert len(vectors) == 10 and np.isfinite(vectors.matrix).all()
        if isinstance(saved, firth.Word2Vec):
            assert sum(row.words for row in saved.history) > 0

    def test_before_anything_was_learnt(self, tmp_path):
        process = start("train", "-", "-o", str(tmp_path / "v.bin"), "--quiet", "--json", stdin=subprocess.PIPE)
        process.stdin.write("a text that does not end")
        process.stdin.flush()
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate()
        assert (process.returncode, shown) == (
            130,
            "firth: interrupted before anything was learnt; nothing was saved\n",
        )
        assert not (tmp_path / "v.bin").exists()

    def test_while_saving_saves_all_the_same(self, text, tmp_path, monkeypatch):
        interrupt_saving(monkeypatch, times=1)
        result = run("train", text, "-o", tmp_path / "v.bin", *SMALL, "--no-cache")
        assert result.exit_code == 130 and "what was learnt is saved" in result.stderr
        assert len(firth.load(tmp_path / "v.bin")) == 10

    def test_twice_leaves_the_old_file_whole(self, text, tmp_path, monkeypatch):
        (tmp_path / "v.bin").write_bytes(b"old")
        interrupt_saving(monkeypatch, times=2)
        result = run("train", text, "-o", tmp_path / "v.bin", *SMALL, "--no-cache")
        assert result.exit_code == 130
        assert result.stderr == f"firth: interrupted twice; {tmp_path / 'v.bin'} is as it was\n"
        assert [path.name for path in tmp_path.iterdir()] == ["v.bin"]
        assert (tmp_path / "v.bin").read_bytes() == b"old"

    def test_in_other_commands(self, tmp_path):
        process = start("vocab", "-", "-o", str(tmp_path / "v.tsv"), "--quiet", stdin=subprocess.PIPE)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate()
        assert (process.returncode, shown.strip()) == (130, "firth: interrupted")


def interrupt_saving(monkeypatch, *, times: int) -> None:
    """Let Ctrl-C come just before a file is renamed into place."""
    usual, left = os.fsync, [times]

    def fsync(file: int) -> None:
        if left[0]:
            left[0] -= 1
            raise KeyboardInterrupt
        usual(file)

    monkeypatch.setattr("firth.files.os.fsync", fsync)


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def wait_until(holds, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
