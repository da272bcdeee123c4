"""What is larger than memory: run by `make test-long`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from training import word2vec

import firth
from firth.objectives import HierarchicalSoftmax, NegativeSampling

pytestmark = pytest.mark.long

MB = 1 << 20


@contextmanager
def limited(size: int) -> Iterator[Path]:
    """A group of processes that has so much memory, files in the system's cache included; its list of members."""
    groups = Path("/sys/fs/cgroup/memory")
    lines = Path("/proc/self/cgroup").read_text().splitlines() if groups.is_dir() else []
    own = next((line.split(":", 2)[2] for line in lines if line.split(":", 2)[1] == "memory"), None)
    if own is None:
        pytest.skip("needs control groups of version 1 with memory")
    folder = groups / own.lstrip("/") / f"firth-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(size))
    except OSError as error:
        pytest.skip(f"needs a control group of its own: {error}")
    try:
        yield folder / "cgroup.procs"
    finally:
        for _ in range(100):  # a group is busy for a while after its last member has gone
            try:
                folder.rmdir()
                break
            except OSError:
                time.sleep(0.1)


TRAIN = """
import sys, firth
model = firth.Word2Vec(dim=8, context=firth.SkipGram(1), objective=firth.NegativeSampling(1), epochs=1,
                       min_count=1, subsample=0, threads=1)
model.fit(sys.argv[1], cache=sys.argv[2], progress=False)
model.vectors.save(sys.argv[3])
"""


def test_a_corpus_larger_than_memory(tmp_path):
    text = tmp_path / "text.txt"
    random = np.random.default_rng(1)
    with text.open("wb") as file:
        for _ in range(60):  # of a million words each
            words = np.minimum(random.zipf(1.3, 1_000_000), 5_000)
            lines = np.where(random.random(len(words)) < 0.05, "\n", " ")
            file.write("".join(np.char.add(words.astype(str), lines).tolist()).encode())

    def train(name: str, **options) -> bytes:
        out = tmp_path / name
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, str(text), str(tmp_path / f"{name}-cache"), str(out)],
            check=False,
            **options,
        )
        assert done.returncode == 0
        return out.read_bytes()

    with limited(140 * MB) as members:
        small = train("small.bin", preexec_fn=lambda: members.write_text(str(os.getpid())))
        assert int((members.parent / "memory.failcnt").read_text()) > 0  # the limit was felt
    assert sum(path.stat().st_size for path in (tmp_path / "small.bin-cache").rglob("ids")) > 200 * MB
    assert small == train("large.bin")


COUNT = """
import sys
from firth.corpus import Corpus
vocab = Corpus.read(sys.argv[1], cache=False, threads=2).vocab
print(len(vocab), len(vocab.prune(max_size=1000)))
"""


def test_more_distinct_words_than_memory_holds(tmp_path):
    text = tmp_path / "text.txt"
    with text.open("wb") as file:  # every word of 12 million occurs twice, far apart
        for _ in range(2):
            for begin in range(0, 12_000_000, 100_000):
                file.write(
                    b" ".join(b"%x" % (i * 2654435761 % (1 << 32)) for i in range(begin, begin + 100_000)) + b"\n"
                )
    with limited(220 * MB) as members:
        done = subprocess.run(
            [sys.executable, "-c", COUNT, str(text)],
            preexec_fn=lambda: members.write_text(str(os.getpid())),
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [b"12000000", b"1000"]


def test_ten_million_unknown_words_in_one_line(tmp_path):
    text = tmp_path / "text.txt"
    text.write_bytes(b"".join(b"word%d " % i for i in range(10_000_000)) + b"\n" + b"a b " * 3_000)
    model = word2vec(epochs=1, min_count=2)  # of the first line, not one word is learnt
    model.fit(text, cache=False, progress=False)
    assert model.history[0].words == 10_006_000
    assert len(model.vocab) == 2


def test_one_sentence_of_ten_million_words_and_as_many_sentences_of_one(tmp_path):
    text = tmp_path / "text.txt"
    words = np.random.default_rng(0).integers(0, 5_000, size=10_000_000)
    text.write_bytes(b" ".join(b"%d" % word for word in words.tolist()) + b"\n")
    model = word2vec(epochs=1, threads=2).fit(text, cache=False, progress=False)
    assert model.history[0].words == 10_000_000 and model.history[0].loss > 0
    with text.open("ab") as file:
        file.write(b"alone\n" * 10_000_000)
    model.fit(text, cache=False, progress=False)
    assert model.history[0].words == 20_000_000
    assert int(model.vocab.counts[model.vocab.words.position("alone")]) == 10_000_000


@pytest.mark.parametrize("objective", [NegativeSampling(5), HierarchicalSoftmax()], ids=str)
def test_a_vocabulary_of_five_million_words(tmp_path, objective):
    text = tmp_path / "text.txt"
    with text.open("wb") as file:
        for begin in range(0, 5_000_000, 20):
            # Scattered over the tree: a text that is as sorted as its words would pull the root one way for ages.
            file.write(b" ".join(b"w%d" % (i * 3_999_971 % 5_000_000) for i in range(begin, begin + 20)) + b"\n")
    model = word2vec(objective=objective, dim=16, epochs=1, threads=2).fit(text, cache=False, progress=False)
    assert len(model.vocab) == 5_000_000
    model.save(tmp_path / "model.firth")
    vectors = firth.load(tmp_path / "model.firth").vectors
    assert len(vectors.most_similar("w4999999", topn=3)) == 3
    more = tmp_path / "more.txt"
    more.write_bytes(b"w1 w2 w3 new words\n" * 100)
    model.replace(learning_rate=0.01).fit(more, update=True, cache=False, progress=False)
