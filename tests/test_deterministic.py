"""The same seed, text and settings give the same bytes, whatever the number of threads."""

import os
import subprocess
import sys

import numpy as np
import pytest
from training import CONTEXTS, OBJECTIVES, cluster, clusters, parts, word2vec

import firth
from firth.train import Status


def losses(model):
    return [(row.epoch, row.loss, row.words, row.learning_rate) for row in model.history]


@pytest.fixture(scope="module")
def text():
    return clusters(3_000)


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_any_number_of_threads_learns_the_same_bytes(context, objective, text):
    def learnt(threads):
        return word2vec(context, objective, epochs=2, threads=threads, deterministic=True).fit(
            text, progress=False
        )

    one = learnt(1)
    for threads in (1, 2, 5):
        other = learnt(threads)
        assert parts(other) == parts(one)
        assert losses(other) == losses(one)


def test_it_learns_what_racing_threads_do(text):
    model = word2vec(threads=2, deterministic=True).fit(text, progress=False)
    for query in ("c0-5", "c3-4", "c7-5"):
        assert {cluster(near.word) for near in model.vectors.most_similar(query, topn=5)} == {cluster(query)}
    racing = word2vec(threads=2).fit(text, progress=False)
    assert model.history[-1].loss == pytest.approx(racing.history[-1].loss, rel=0.1)


@pytest.mark.parametrize("rate", [0.5, 0.002])
@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_blocks_learnt_side_by_side_do_not_overshoot(objective, rate, text):
    """Few words, all of which every block moves: the sum of all moves would throw them ever farther."""
    model = word2vec(objective=objective, threads=2, learning_rate=rate, deterministic=True)
    model.fit(text, progress=False)
    assert model.history[-1].loss < model.history[0].loss
    assert np.isfinite(model.vectors.matrix).all()


class Leave:
    """Ends the process's part of a training in the middle of an epoch, as Ctrl-C would."""

    def on_step(self, model, status: Status):
        if status.words > 100_000:
            raise KeyboardInterrupt


def test_a_training_that_was_broken_off_comes_to_the_same_bytes(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(" ".join(line) for line in clusters(100_000)))

    def fresh(threads):
        return word2vec(dim=50, epochs=2, threads=threads, deterministic=True)

    whole = fresh(2).fit(text, progress=False)
    path = tmp_path / "model.firth"
    with pytest.raises(KeyboardInterrupt):
        fresh(2).fit(text, progress=False, checkpoint=path, callbacks=[Leave()])
    broken = firth.load(path)
    assert broken.unfinished is not None and 0 < broken.unfinished.position.words < 2 * 800_000
    resumed = broken.resume(threads=1, progress=False)
    assert [each[:, :50].tobytes() for each in (resumed.weights.input, resumed.weights.output)] == [
        each[:, :50].tobytes() for each in (whole.weights.input, whole.weights.output)
    ]
    assert losses(resumed) == losses(whole)


HASHED = """
import hashlib
from training import clusters, word2vec
model = word2vec(threads=2, deterministic=True).fit(clusters(500), progress=False)
print(hashlib.sha256(model.vectors.matrix.tobytes() + " ".join(model.vectors).encode()).hexdigest())
"""


def test_nothing_depends_on_the_hash_seed_of_the_process():
    def printed(seed):
        paths = os.pathsep.join(sys.path)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        return subprocess.run(
            [sys.executable, "-c", HASHED], env=environment, capture_output=True, check=True
        ).stdout

    assert printed("1") == printed("2")


def test_the_command_line_has_it(tmp_path):
    from click.testing import CliRunner

    from firth.cli import main

    text = tmp_path / "text.txt"
    text.write_text("\n".join(" ".join(line) for line in clusters(2_000)))
    saved = []
    for threads in ("1", "2"):
        out = tmp_path / f"{threads}.bin"
        flags = ["--deterministic", "--threads", threads, "--min-count", "1", "--dim", "20"]
        result = CliRunner().invoke(main, ["train", str(text), "-o", str(out), *flags])
        assert result.exit_code == 0, result.output
        saved.append(out.read_bytes())
    assert saved[0] == saved[1]
