"""What the loop does to its weights is minus the gradient of the loss it reports, for every context × objective.

In double precision. The draws of a run depend on its seed alone, so the loss of the same predictions can be had
at other weights: that gives finite differences. The loss itself is held against the closed forms in numpy.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from firth import _core
from firth.contexts import CBOW, SkipGram
from firth.objectives import (
    NCE,
    HierarchicalSoftmax,
    NegativeSampling,
    SampledSoftmax,
    Softmax,
)
from firth.vocab import Vocabulary
from firth.weights import aligned
from firth.words import PackedWords

DIM, WORDS = 5, 9
SENTENCES = [[7, 3, 3, 8, 0], [5], [2, 6, 4, 7, 1, 8]]  # an id is never its position; one word stands twice
VOCAB = Vocabulary(PackedWords.pack("abcdefghi"), np.array([40, 30, 22, 20, 9, 8, 8, 3, 2], dtype=np.int64))
CONTEXTS = [
    SkipGram(2, shrink=False),
    SkipGram(4),
    CBOW(2, shrink=False, gradient="exact"),
    CBOW(3, gradient="exact"),
    CBOW(2, shrink=False, combine="sum"),
]
OBJECTIVES = [
    NegativeSampling(3),
    NegativeSampling(8),
    HierarchicalSoftmax(),
    Softmax(),
    NCE(4),
    SampledSoftmax(7),
]
RATE = 1e-9


@pytest.fixture(autouse=True)
def both_kinds_of_path(monkeypatch):
    """In the Huffman tree some are written down, the others walked."""
    monkeypatch.setattr("firth.objectives.WRITTEN", 4)


class Weights:
    """Random weights, and the loop run over sentences from them."""

    def __init__(self, context, objective, *, seed=0, noise=None, sentences=SENTENCES):
        random = np.random.default_rng(seed)
        rows = objective.output_rows(VOCAB)
        self.input, self.output = aligned(WORDS, DIM, np.float64), aligned(rows, DIM, np.float64)
        self.input[:, :DIM] = random.normal(size=(WORDS, DIM))
        self.output[:, :DIM] = random.normal(size=(rows, DIM))
        self.bias = None if objective.start_bias(VOCAB) is None else random.normal(size=rows)
        self.context, self.objective, self.sentences = context, objective, sentences
        self.noise = noise or objective.noise(VOCAB)

    @property
    def parameters(self):
        parts = [self.input[:, :DIM], self.output[:, :DIM]]
        return parts if self.bias is None else [*parts, self.bias]

    def run(self, rate=0.0):
        """The loss, summed over predictions, and how many they were."""
        ids = np.array(list(itertools.chain(*self.sentences)), dtype=np.uint32)
        offsets = np.cumsum([0, *map(len, self.sentences)]).astype(np.uint64)
        task = _core.DoubleTask(
            ids,
            offsets,
            np.full(WORDS, 2**32 - 1, dtype=np.uint32),
            self.input,
            self.output,
            self.bias,
            context=self.context.name,
            window=self.context.window,
            shrink=self.context.shrink,
            mean=getattr(self.context, "combine", "mean") == "mean",
            exact=getattr(self.context, "gradient", "exact") == "exact",
            objective=self.objective.name,
            noise=self.noise,
            tree=self.objective.tree(VOCAB),
        )
        counters = np.zeros(8, dtype=np.uint64)
        task.run(
            seed=3,
            epoch=0,
            rate_from=rate,
            rate_to=rate,
            next_block=np.zeros(1, dtype=np.uint64),
            counters=counters,
            stop=np.zeros(1, dtype=np.int32),
        )
        assert counters[0] == len(ids)
        return counters.view(np.float64)[2], int(counters[1])

    def steps(self):
        """How far each parameter moves, over the learning rate: minus the gradient, if all is right."""
        before = [part.copy() for part in self.parameters]
        self.run(RATE)
        moved = [(part - old) / RATE for part, old in zip(self.parameters, before, strict=True)]
        for part, old in zip(self.parameters, before, strict=True):
            part[:] = old
        return moved


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    weights = np.exp(x - x.max())
    return weights / weights.sum()


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("context", CONTEXTS, ids=str)
def test_steps_are_minus_the_gradient_of_the_loss(context, objective):
    weights = Weights(context, objective)
    for part, step in zip(weights.parameters, weights.steps(), strict=True):
        for index in np.ndindex(*part.shape):
            kept, h = part[index], 1e-5
            part[index] = kept + h
            above, _ = weights.run()
            part[index] = kept - h
            below, _ = weights.run()
            part[index] = kept
            assert step[index] == pytest.approx(-(above - below) / (2 * h), abs=1e-5, rel=1e-4)


def predictions(context):
    """(input ids of a hidden row, target) of each prediction, for windows that are fixed."""
    for sentence in SENTENCES:
        for at, target in enumerate(sentence):
            around = sentence[max(0, at - context.window) : at] + sentence[at + 1 : at + 1 + context.window]
            if isinstance(context, SkipGram):
                yield from (([word], target) for word in around)
            elif around:
                yield around, target


def closed_form(weights, hidden, target, drawn, expected):
    """Loss, ∂/∂h and ∂/∂u of one prediction, from the equations; `drawn` are the noise words."""
    output, bias = weights.output[:, :DIM], weights.bias
    d_output = np.zeros_like(output)
    if isinstance(weights.objective, HierarchicalSoftmax):
        nodes, bits = np.transpose(VOCAB.huffman().path(target))
        t = 1 - bits
        p = sigmoid(output[nodes] @ hidden)
        loss = -np.log(np.where(t == 1, p, 1 - p)).sum()
        d_output[nodes] = np.outer(p - t, hidden)
        return loss, (p - t) @ output[nodes], d_output
    if isinstance(weights.objective, Softmax):
        y = softmax(output @ hidden)
        error = y - np.eye(WORDS)[target]
        return -np.log(y[target]), output.T @ error, np.outer(error, hidden)
    kept = [w for w in drawn if w != target or isinstance(weights.objective, NCE)]
    rows = [target, *kept]
    t = np.eye(len(rows))[0]
    scores = output[rows] @ hidden
    if bias is not None:
        scores = scores + bias[rows] - np.log(expected[rows])
    if isinstance(weights.objective, SampledSoftmax):
        p = softmax(scores)
        loss = -np.log(p[0])
    else:
        p = sigmoid(scores)
        loss = -np.log(p[0]) - np.log(1 - p[1:]).sum()
    np.add.at(d_output, rows, np.outer(p - t, hidden))  # a negative drawn m times counts m times
    return loss, (p - t) @ output[rows], d_output


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("context", [SkipGram(2, shrink=False), *CONTEXTS[2::2]], ids=str)
def test_loss_and_steps_are_the_closed_forms(context, objective):
    drawn = 3  # noise that is all but certain to draw one word, which is also a target and a context word
    q = np.full(WORDS, 1e-14)
    q[drawn] = 1 - q.sum()
    sampled = objective.noise(VOCAB) is not None
    count = objective.negatives if sampled else 0
    weights = Weights(context, objective, noise=_core.NoiseTable(q, count) if sampled else None)
    if weights.bias is not None:
        weights.bias += np.log(q * count)  # so that corrected scores are neither certain nor impossible

    total, seen = 0.0, 0
    d_input, d_output = np.zeros((WORDS, DIM)), np.zeros_like(weights.output[:, :DIM])
    for words, target in predictions(context):
        summed = isinstance(context, CBOW) and context.combine == "sum"
        scale = 1.0 if summed else 1 / len(words)
        hidden = weights.input[words, :DIM].sum(axis=0) * scale
        loss, d_hidden, d_rows = closed_form(weights, hidden, target, [drawn] * count, q * count)
        total, seen = total + loss, seen + 1
        np.add.at(d_input, words, d_hidden * scale)
        d_output += d_rows

    reported, predicted = weights.run()
    assert predicted == seen
    assert reported == pytest.approx(total, rel=1e-6)
    steps = weights.steps()
    np.testing.assert_allclose(steps[0], -d_input, atol=2e-5)
    np.testing.assert_allclose(steps[1], -d_output, atol=2e-5)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_word2vec_gradient_is_the_exact_one_without_the_mean(objective):
    """A sentence of three: its ends are context where C = 2, its middle where C = 1."""
    start, middle, end = sentence = [7, 3, 5]
    exact = Weights(CBOW(1, shrink=False, gradient="exact"), objective, sentences=[sentence]).steps()
    word2vec = Weights(CBOW(1, shrink=False, gradient="word2vec"), objective, sentences=[sentence]).steps()
    np.testing.assert_allclose(exact[1], word2vec[1], atol=1e-6)  # output rows move alike
    np.testing.assert_allclose(2 * exact[0][[start, end]], word2vec[0][[start, end]], atol=1e-6)
    np.testing.assert_allclose(exact[0][middle], word2vec[0][middle], atol=1e-6)
    assert np.abs(exact[0][[start, middle, end]]).min() > 1e-4


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("context", CONTEXTS, ids=str)
def test_every_combination_lowers_its_loss(context, objective):
    weights = Weights(context, objective)
    first, count = weights.run()
    for _ in range(100):
        weights.run(0.02)
    assert weights.run()[0] / count < 0.7 * first / count
