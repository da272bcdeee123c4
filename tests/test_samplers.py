"""What the loop draws and which pairs it learns, against the distributions and windows it promises.

The loop is made to write down what it learns. Output row t is the t-th unit vector, input rows are zero, and the
rate is so small that no score ever leaves 0: each prediction of t from c then adds rate/2 to component t of input
row c, and each negative k takes rate/2 from component k. The input matrix counts pairs.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import firth
from firth._core import DoubleTask, NoiseTable, block_tokens
from firth.contexts import CBOW, SkipGram
from firth.vocab import Vocabulary
from firth.weights import aligned
from firth.words import PackedWords

BLOCK_TOKENS = block_tokens(0, in_rounds=False)

RATE = 1e-12
ALWAYS = 2**32 - 1
CHANCE = 1e-4  # of a right sampler to fail; seeds are fixed, so that one which passes always does


def vocabulary(counts) -> Vocabulary:
    return Vocabulary(PackedWords.pack(map(str, range(len(counts)))), np.array(counts, dtype=np.int64))


class Loop:
    """The loop over `sentences` of ids below `words`; greater ids are out of the vocabulary.

    With `kinds` it does not tell words apart, but what is left when their ids are divided by `kinds`.
    """

    def __init__(self, sentences, words, context, *, keep=None, noise=None, negatives=1, kinds=None):
        self.kinds = kinds = kinds or words
        silent = np.eye(words + 1)[words]  # draws only a word that scores nothing
        table = NoiseTable(silent if noise is None else np.append(noise, 0.0), negatives)
        self.input, output = aligned(words, kinds, np.float64), aligned(words + 1, kinds, np.float64)
        output[:words, :kinds] = np.eye(kinds)[np.arange(words) % kinds]
        self.ids = np.fromiter(itertools.chain.from_iterable(sentences), dtype=np.uint32)
        self.task = DoubleTask(
            self.ids,
            np.cumsum([0, *map(len, sentences)]).astype(np.uint64),
            np.full(words, ALWAYS, dtype=np.uint32) if keep is None else np.array(keep, dtype=np.uint32),
            self.input,
            output,
            None,
            context=context.name,
            window=context.window,
            shrink=context.shrink,
            mean=False,
            exact=True,
            objective="negative-sampling",
            noise=table,
            tree=None,
        )

    def run(self, *, seed=1, epoch=0, threads=1, rate=(RATE, RATE), from_turn=0):
        """Tokens and predictions of each thread, and the loss of all."""
        counters = aligned(threads, 8, np.uint64)
        next_block, stop = np.full(1, from_turn, dtype=np.uint64), np.zeros(1, dtype=np.int32)
        ready = threading.Barrier(threads)

        def work(row):
            ready.wait()
            self.task.run(
                seed=seed,
                epoch=epoch,
                rate_from=rate[0],
                rate_to=rate[1],
                next_block=next_block,
                counters=row,
                stop=stop,
            )

        workers = [threading.Thread(target=work, args=(row,)) for row in counters]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return counters[:, 0], counters[:, 1], float(counters.view(np.float64)[:, 2].sum())

    def predictions(self, **options) -> int:
        tokens, predictions, _ = self.run(**options)
        assert tokens.sum() == len(self.ids)
        return int(predictions.sum())

    def pairs(self, **options):
        """How often each word (column) was predicted from each (row), less the negatives; int64."""
        self.input[:] = 0
        self.run(**options)
        counted = self.input[:, : self.kinds] / (RATE / 2)
        found = np.rint(counted).astype(np.int64)
        np.testing.assert_allclose(counted, found, atol=0.01)
        return found


def windows(sentences, words, window):
    """The pairs of fixed windows, counted in numpy."""
    found = np.zeros((words, words), dtype=np.int64)
    for sentence in sentences:
        ids = np.array([i for i in sentence if i < words], dtype=np.intp)
        for distance in range(1, min(window, len(ids) - 1) + 1):
            np.add.at(found, (ids[:-distance], ids[distance:]), 1)
            np.add.at(found, (ids[distance:], ids[:-distance]), 1)
    return found


def assert_drawn_from(observed, q):
    """Chi-square, with rare values put together; those of probability 0 must not come at all."""
    observed, expected = np.asarray(observed), np.asarray(q) * np.sum(observed)
    assert observed[expected == 0].sum() == 0
    got, wanted = [0.0], [0.0]
    for each in np.argsort(expected):
        if wanted[-1] >= 10:
            got.append(0.0)
            wanted.append(0.0)
        got[-1] += observed[each]
        wanted[-1] += expected[each]
    if len(got) > 1:
        assert stats.chisquare(got, wanted).pvalue > CHANCE


ZIPF = [10_000 // rank + 1 for rank in range(1, 1001)]


@pytest.mark.parametrize("exponent", [0.0, 0.75, 1.0, -0.5])
@pytest.mark.parametrize("counts", [ZIPF, [5, 5, 5], [3, 2], [10**12, 7, 1, 1], [9]], ids=len)
def test_noise_is_drawn_from_its_distribution(counts, exponent):
    q = vocabulary(counts).noise(exponent)
    drawn = NoiseTable(q, 5).draw(200_000, seed=7)
    assert_drawn_from(np.bincount(drawn, minlength=len(q)), q)


@settings(derandomize=True)  # a right sampler fails one test in 10,000
@given(
    st.lists(st.floats(0, 1) | st.sampled_from([0.0, 1e-12, 1e-3]), min_size=1, max_size=40), st.integers(0, 99)
)
def test_noise_of_any_distribution(weights, seed):
    q = np.array([*weights, 0.5])
    q /= q.sum()
    assert_drawn_from(np.bincount(NoiseTable(q, 1).draw(5_000, seed=seed), minlength=len(q)), q)


def test_draws_follow_their_seed():
    table = NoiseTable(vocabulary(ZIPF).noise(0.75), 5)
    drawn = [tuple(table.draw(100, seed=seed)) for seed in (0, 1, 2, 2**63, 1)]
    assert drawn[1] == drawn[4]
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("context", [SkipGram(3, shrink=False), CBOW(3, shrink=False)], ids=str)
def test_the_loop_draws_its_negatives_from_the_noise(context):
    counts = [900, 500, 100, 40, 40, 8, 1]
    q = vocabulary(counts).noise(0.75)
    target, word = 0, 3
    loop = Loop([[word, target]] * 20_000, len(counts), context, noise=q, negatives=5)
    # `word` is predicted from `target` and the other way round: only the latter's negatives move row `word`.
    drawn = -loop.pairs()[word]
    assert drawn[target] == -20_000  # predicted each time, and never its own negative
    drawn[target] = 0
    draws = 5 * 20_000 * (1 - q[target])
    assert abs(drawn.sum() - draws) < 5 * np.sqrt(draws)
    others = np.where(np.arange(len(q)) == target, 0, q)
    assert_drawn_from(drawn, others / others.sum())


def test_the_pool_of_a_large_vocabulary_holds_draws_from_the_noise():
    """A negative comes several times while it is in the pool, so shares spread like those of fewer draws."""
    words, kinds, target, word, repeats = 20_000, 7, 0, 1, 4
    q = np.ones(words)
    q[2::kinds], q[3::kinds], q[4] = 2, 0, words / 4
    q /= q.sum()
    loop = Loop([[word, target]] * 20_000, words, SkipGram(1), noise=q, negatives=5, kinds=kinds)
    drawn = -loop.pairs()[word]
    drawn[target] += 20_000
    assert abs(drawn.sum() - 100_000) < 50  # all but those equal to the target
    shares = np.array([q[kind::kinds].sum() for kind in range(kinds)])
    assert drawn[3] == shares[3] == 0
    assert np.all(abs(drawn / drawn.sum() - shares) <= 4 * np.sqrt(repeats * shares * (1 - shares) / drawn.sum()))


texts = st.lists(st.lists(st.integers(0, 8), max_size=12), min_size=1, max_size=12)


@given(texts, st.integers(1, 14), st.sampled_from([SkipGram, CBOW]))
def test_fixed_windows_hold_exactly_their_pairs(sentences, window, kind):
    """Ids 6, 7 and 8 are out of the vocabulary: they leave the sentence before windows are cut."""
    loop = Loop(sentences, 6, kind(window, shrink=False))
    expected = windows(sentences, 6, window)
    assert loop.pairs().tolist() == expected.tolist()
    inside = [[i for i in sentence if i < 6] for sentence in sentences]
    positions = sum(len(sentence) for sentence in inside if len(sentence) > 1)
    assert loop.predictions() == (expected.sum() if kind is SkipGram else positions)


@pytest.mark.parametrize("window", [1, 5, 100])
def test_windows_reach_over_the_cuts_of_blocks_and_stretches(window):
    words = 30
    line = np.random.default_rng(3).integers(0, words + 3, 50_000).tolist()  # a tenth is out of the vocabulary
    assert len(line) > 4 * BLOCK_TOKENS
    assert (
        Loop([line], words, SkipGram(window, shrink=False)).pairs().tolist()
        == windows([line], words, window).tolist()
    )


def test_sentences_of_any_length_are_cut_anywhere():
    random = np.random.default_rng(4)
    lengths = [0, 0, 1, 2, 0, 9_990, 3, 5, 0, 1, 1, 20_011, 0, 12, 987, 0]
    sentences = [random.integers(0, 25, length).tolist() for length in lengths]
    loop = Loop(sentences, 25, SkipGram(6, shrink=False))
    assert loop.pairs().tolist() == windows(sentences, 25, 6).tolist()


@pytest.mark.parametrize("kind", [SkipGram, CBOW])
@pytest.mark.parametrize("window", [1, 2, 5, 8])
def test_shrinking_windows_are_uniform_from_1_to_the_window(kind, window):
    size, times = 2 * window + 1, 3_000
    found = Loop([list(range(size))] * times, size, kind(window, shrink=True)).pairs()
    reached = found[window + 1 :, window]  # from the centre, how often the window had at least 1, 2, ... words
    assert reached.tolist() == found[window - 1 :: -1, window].tolist()  # and the same to the left
    assert reached[0] == times
    widths = -np.diff([*reached, 0])
    assert_drawn_from(widths, np.full(window, 1 / window))


def test_subsampling_keeps_each_word_with_its_probability():
    kept = np.array([0.0, 0.02, 0.3, 0.5, 0.97, 1.0])
    times, anchor = 20_000, len(kept)
    thresholds = [*np.minimum(np.floor(kept * 2.0**32), ALWAYS), ALWAYS]
    sentences = [[word, anchor] for word in range(anchor) for _ in range(times)]
    np.random.default_rng(5).shuffle(sentences)
    found = Loop(sentences, anchor + 1, SkipGram(1), keep=thresholds).pairs()
    assert found[:, anchor].tolist() == found[anchor].tolist()
    for word, probability in enumerate(kept):
        survived = int(found[word, anchor])
        assert stats.binomtest(survived, times, probability).pvalue > CHANCE
    assert found[0, anchor] == 0
    assert found[5, anchor] == times


def test_subsampled_words_leave_the_sentence_before_windows_are_cut():
    """Of a x b, with x all but never kept, a and b are neighbours."""
    found = Loop([[0, 1, 2]] * 1_000, 3, SkipGram(1, shrink=False), keep=[ALWAYS, 0, ALWAYS]).pairs()
    assert found.tolist() == [[0, 0, 1_000], [0, 0, 0], [1_000, 0, 0]]


def test_occurrences_survive_independently():
    """Of pairs of which each word is kept half of the time, a quarter is left: blocks, places, epochs differ."""
    times = 20_000
    loop = Loop([[0, 1]] * times, 2, SkipGram(1), keep=[2**31, 2**31])
    survived = [int(loop.pairs(epoch=epoch, seed=seed)[0, 1]) for seed in (1, 2) for epoch in range(4)]
    assert len(set(survived)) > 4
    for each in survived:
        assert stats.binomtest(each, times, 0.25).pvalue > CHANCE


def test_settings_of_the_model_reach_the_sampler():
    """The share of predictions of each word, read from the loss: Huffman codes of 1 and 2 bits, at ln 2 each."""
    subsample, often, rarely = 1e-3, 30_000, 2_000
    corpus = [["the", "the"]] * often + [["of", "a"]] * rarely
    model = firth.Word2Vec(
        dim=4,
        objective=firth.HierarchicalSoftmax(),
        subsample=subsample,
        min_count=1,
        learning_rate=1e-9,
        epochs=1,
        threads=1,
    )
    model.fit(corpus, progress=False)
    keep = dict(zip(model.vocab.words, model.vocab.keep_probabilities(subsample), strict=True))
    bits = model.history[0].loss / np.log(2)  # (n + 2 m) / (n + m) with n, m predictions of short and long codes
    expected = often * keep["the"] ** 2, rarely * keep["of"] * keep["a"]
    assert min(expected) > 30
    share = expected[0] / sum(expected)
    assert abs((2 - bits) - share) < 5 * np.sqrt(share * (1 - share) / (sum(expected)))


def test_every_block_epoch_and_seed_has_its_own_draws():
    """Two blocks of the same words, and the same block again: windows and negatives must differ."""
    line = [i % 7 for i in range(BLOCK_TOKENS)]
    noise = np.full(7, 1 / 7)
    loop = Loop([line, line], 7, SkipGram(5), noise=noise)

    def draws(**options):
        return tuple(loop.pairs(**options).ravel())

    second = draws(from_turn=1)
    first = tuple(np.subtract(draws(), second))
    seen = [first, second, draws(epoch=1), draws(epoch=2), draws(seed=2), draws(seed=2, epoch=1)]
    assert len(set(seen)) == len(seen)
    assert draws() == tuple(np.add(first, second))  # and the same once more is the same


@pytest.mark.parametrize("kind", [SkipGram, CBOW])
def test_threads_share_out_what_one_thread_would_draw(kind):
    """Every token once, and the same windows, survivors and negatives, whichever thread learns them."""
    random = np.random.default_rng(6)
    sentences = [random.integers(0, 12, length).tolist() for length in random.integers(0, 400, 1_500)]
    loop = Loop(
        sentences,
        10,
        kind(4),
        keep=[2**31] * 5 + [ALWAYS] * 5,
        noise=np.full(10, 0.1),
        negatives=3,
    )
    loop.input[:, :10] = random.normal(size=(10, 10))  # so that every draw has its own loss
    tokens, predictions, loss = loop.run(rate=(0, 0))
    for threads in (2, 3):
        split_tokens, split_predictions, split_loss = loop.run(rate=(0, 0), threads=threads)
        assert split_tokens.sum() == tokens.sum() == len(loop.ids)
        assert split_predictions.sum() == predictions.sum()
        assert split_loss == pytest.approx(loss, rel=1e-9)
    assert loop.run(rate=(0, 0), seed=2)[2] != pytest.approx(loss, rel=1e-5)


def test_the_order_of_blocks_passes_each_once():
    """For any number of blocks: of words that stand in one block each, every one is passed."""
    for blocks in (1, 2, 3, 4, 6, 7, 12, 30):
        loop = Loop([[block % 40] * BLOCK_TOKENS for block in range(blocks)], 40, SkipGram(1))
        counted = Counter(np.diag(loop.pairs(seed=blocks)).tolist())
        assert counted == {2 * (BLOCK_TOKENS - 1): blocks, 0: 40 - blocks}


@pytest.mark.parametrize("blocks", [0.3, 1.0, 1.2, 2.7, 7.1])
def test_the_learning_rate_falls_linearly_over_the_epoch(blocks):
    """Each sentence has a word of its own, so that what it learnt tells the rate at its place."""
    words = int(blocks * BLOCK_TOKENS / 100)
    loop = Loop([[word] * 100 for word in range(words)], words, CBOW(1, shrink=False))
    counts = np.diag(loop.pairs())
    for seed in range(6):  # and so in any order of the blocks
        loop.input[:] = 0
        loop.run(rate=(RATE, RATE / 4), seed=seed)
        rates = np.sort(2 * np.diag(loop.input) / counts / RATE)
        np.testing.assert_allclose(rates, np.linspace(0.25, 1, words), atol=1 / words)
        assert rates[0] >= 0.25
        assert rates[-1] <= 1 + 1e-9
