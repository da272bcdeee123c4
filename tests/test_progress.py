"""What is seen of training while it goes on, and what an interruption leaves."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from corpora import run
from training import CONTEXTS, OBJECTIVES, clusters, word2vec

import firth

TESTS = Path(__file__).parent
TRAIN = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from training import clusters, word2vec
"""


def test_plain_lines_where_there_is_no_terminal(capsys):
    text = clusters(300)
    model = word2vec(CONTEXTS[1], max_size=40, epochs=3).fit(text, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "\r" not in err
    lines = err.splitlines()
    assert lines[0].startswith("2,400 words in 300 lines; vocabulary 40 of 48, ")
    assert lines[1].startswith("word2vec: dim 20, context cbow(window=3, ")
    for setting in (
        "combine=mean",
        "objective negative-sampling(negatives=5",
        "subsample 0",
        "max_size 40",
        "seed 1",
    ):
        assert setting in lines[1]
    assert [line.split(":")[0] for line in lines[2:]] == [
        "epoch 1/3, 33 % of all",
        "epoch 2/3, 67 % of all",
        "epoch 3/3, 100 % of all",
    ]
    for line, row in zip(lines[2:], model.history, strict=True):
        assert f"loss {row.loss:.4f}, rate {row.learning_rate:.4f}, " in line
        assert re.search(r"\d+\.\d\d M words/s, \d+ s left$", line)


def test_every_short_epoch_has_its_line(capsys):
    """Epochs that are over before anyone looks are told all the same, and once."""
    for _ in range(20):
        word2vec(epochs=5, threads=3).fit([["a", "b"]], progress=True)
        lines = capsys.readouterr().err.splitlines()
        assert [line.split(",")[0] for line in lines[2:]] == [f"epoch {n}/5" for n in range(1, 6)]


def test_silence(capfd):
    word2vec().fit(clusters(50), progress=False)
    assert capfd.readouterr() == ("", "")


def test_starting_vectors_are_announced(capsys):
    start = word2vec().fit(clusters(50), progress=False).vectors.restrict(7)
    word2vec().fit(clusters(50), start=start)
    assert "7 words start from the vectors they had" in capsys.readouterr().err.splitlines()


def test_a_bar_on_a_terminal():
    code = TRAIN + "word2vec(epochs=2).fit(clusters(300))"
    primary, secondary = pty.openpty()
    termios.tcsetwinsize(secondary, (24, 150))
    environment = {**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", code], stderr=secondary, env=environment) as child:
        os.close(secondary)
        shown = b""
        try:
            while piece := os.read(primary, 1 << 16):
                shown += piece
        except OSError:  # the other end is closed
            pass
    os.close(primary)
    text = shown.decode()
    assert child.returncode == 0
    assert "2,400 words in 300 lines" in text
    assert "word2vec: dim 20" in text
    last = [line for line in re.split(r"[\r\n]+", text) if line.startswith("epoch ")][-1]
    assert re.match(r"epoch 2/2: 100%\|█+\| 4.80k/4.80k \[", last)
    assert re.search(r"words/s, loss \d\.\d{4}, rate 0\.\d{4}\]$", last)


STATUS = {
    "epoch": int,
    "epochs": int,
    "words": int,
    "total_words": int,
    "loss": float,
    "learning_rate": float,
    "seconds": float,
    "words_per_second": float,
    "seconds_left": float,
}


def test_the_log_is_json_lines(tmp_path, capfd):
    path = tmp_path / "run.jsonl"
    path.write_text("an older run")
    model = word2vec(epochs=3).fit(clusters(300), progress=False, log=path)
    assert capfd.readouterr() == ("", "")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["event"] for row in rows] == ["message"] * 2 + ["training"] * 3
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert (rows[0]["words"], rows[0]["lines"], rows[0]["vocabulary"]) == (2400, 300, 48)
    assert rows[1]["settings"] == model.settings
    for row, told in zip(model.history, rows[2:], strict=True):
        assert {name: type(told[name]) for name in STATUS} == STATUS
        assert told["loss"] == row.loss
        assert (told["epoch"], told["epochs"]) == (row.epoch, 3)
        assert (told["words"], told["total_words"]) == (row.epoch * 2400, 3 * 2400)
        assert told["learning_rate"] == row.learning_rate
    assert rows[-1]["seconds_left"] == 0


def test_what_is_no_number_is_null_in_the_log(tmp_path):
    with pytest.raises(firth.TrainingError):
        word2vec(epochs=1).fit([["a"], ["b"]], progress=False, log=tmp_path / "run.jsonl")

    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    *_, row = (json.loads(line, parse_constant=refuse) for line in (tmp_path / "run.jsonl").open())
    assert row["loss"] is None


def test_a_log_that_cannot_be_written(tmp_path):
    with pytest.raises(firth.FirthError, match=r"run\.jsonl: cannot be written: .*; choose another place"):
        word2vec().fit(clusters(50), progress=False, log=tmp_path / "missing" / "run.jsonl")


INTERRUPTED = (
    TRAIN
    + """
import json, os, signal, threading, time
import numpy as np
import firth

objective, threads, path = getattr(firth, sys.argv[1])(), int(sys.argv[2]), sys.argv[3]
ids = np.random.default_rng(0).integers(0, 40_000, size=(20_000, 20))
model = word2vec(objective=objective, dim=100, epochs=1_000, threads=threads)

def learning():
    try:
        return model.weights.output.any()
    except firth.FirthError:
        return False

def interrupt():
    global began
    tick = threading.Event()
    while not learning():
        tick.wait(0.01)
    began = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    model.fit([[f"w{i}" for i in row] for row in ids.tolist()], progress=False)
except KeyboardInterrupt:
    took = time.monotonic() - began
    alive = threading.active_count()
    model.save(path)
    print(json.dumps({"took": took, "threads": alive, "history": [vars(row) for row in model.history]}))
"""
)


@pytest.mark.parametrize(("objective", "threads"), [("Softmax", 2), ("NegativeSampling", 1)])
def test_ctrl_c_stops_at_once_and_keeps_what_was_learnt(tmp_path, objective, threads):
    """Also where one prediction looks at 40,000 rows and an epoch would take an hour."""
    done = run(INTERRUPTED, objective, str(threads), str(tmp_path / "model.firth"), text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["took"] < 3  # on a busy machine; alone it is a tenth of a second
    assert told["threads"] <= 2  # the main thread and the one that interrupted it: nobody learns any more
    assert [row["epoch"] for row in told["history"]] == list(range(1, len(told["history"]) + 1))
    last = told["history"][-1]
    assert last["words"] < 400_000
    assert last["loss"] > 0 or last["words"] == 0  # where the last epoch had hardly begun
    model = firth.load(tmp_path / "model.firth")
    assert len(model.history) == len(told["history"])
    assert abs(model.weights.output).max() > 0
    assert len(model.vectors.most_similar("w1", topn=3)) == 3


def test_nothing_heavy_is_loaded_before_it_is_needed():
    heavy = ["scipy", "torch", "sklearn", "matplotlib", "click", "tqdm", "gensim", "pandas"]
    code = f"import sys, firth; print([name for name in {heavy} if name in sys.modules])"
    fitted = TRAIN + f"word2vec().fit(clusters(50), progress=False); {code}"
    for each in (code, fitted):
        done = run(each, text=True)
        assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_matrices_larger_than_memory_are_said():
    with pytest.raises(firth.TrainingError, match=r"rows of 100,000 numbers need [\d,.]+ GB.*lower dim"):
        firth.weights.aligned(10**9, 100_000)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_a_second_fit_forgets_the_first(objective):
    model = word2vec(objective=objective).fit(clusters(50), progress=False)
    model.vectors["c1-5"]
    model.fit([["x", "y"]] * 9, progress=False)
    assert sorted(model.vectors) == ["x", "y"]
    assert len(model.history) == 4
