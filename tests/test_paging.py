"""Text that is mapped from a file is learnt as text in memory is, and read ahead as long as it is learnt."""

import mmap
import threading

import numpy as np
import pytest
from training import clusters, word2vec

from firth import paging
from firth._core import block_tokens, read_ahead
from firth.corpus import Corpus
from firth.train import Text
from firth.weights import Weights

BLOCK_TOKENS = block_tokens(0, in_rounds=False)


class Alone:
    """Nobody attends."""

    def report(self, status):
        return False

    def epoch_ended(self, row):
        return row

    def rest(self, position, *, ended=None, leaving=False):
        return False


def learnt(ids, corpus: Corpus, deterministic: bool) -> bytes:
    model = word2vec(epochs=2, deterministic=deterministic)
    weights = Weights.start(corpus.vocab, model.dim, model.objective, 1)
    model.loop(weights, corpus.vocab).train(
        Text(ids, corpus.offsets), schedule=model.schedule, history=[], attendant=Alone()
    )
    return weights.input.tobytes() + weights.output.tobytes()


@pytest.mark.parametrize("deterministic", [False, True])
def test_mapped_text_and_text_in_memory_teach_the_same(monkeypatch, deterministic):
    corpus = Corpus.read(clusters(3_000))
    calls = []
    monkeypatch.setattr(
        paging, "read_ahead", lambda *text, **rest: (calls.append(rest), read_ahead(*text, **rest))
    )
    mapped = learnt(corpus.ids, corpus, deterministic)
    assert [call["epoch"] for call in calls] == [0, 1]
    assert learnt(np.array(corpus.ids), corpus, deterministic) == mapped
    assert len(calls) == 2  # memory is never advised about: it would be lost
    writable = np.frombuffer(mmap.mmap(-1, corpus.ids.nbytes), dtype=np.uint32)
    writable[:] = corpus.ids
    assert learnt(writable, corpus, deterministic) == mapped
    assert len(calls) == 2


@pytest.mark.parametrize("how", ["learnt", "stopped"])
def test_reading_ahead_ends_and_spoils_nothing(how):
    corpus = Corpus.read([[str(i % 99) for i in range(3 * BLOCK_TOKENS + 7)]] * 300)
    before = corpus.ids.tobytes()
    next_block, stop = np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.int32)
    settings = {"seed": 1, "epoch": 0, "in_rounds": False, "next_block": next_block, "stop": stop}
    thread = threading.Thread(target=read_ahead, args=(corpus.ids, corpus.offsets), kwargs=settings)
    thread.start()
    for turn in range(0, 900, 100):
        assert thread.is_alive()
        next_block[0] = turn
    if how == "learnt":
        next_block[0] = -(-len(corpus.ids) // BLOCK_TOKENS)
    else:
        stop[0] = 1
    thread.join()
    assert corpus.ids.tobytes() == before
