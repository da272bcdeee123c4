"""Texts whose structure is known, and models that learn them in a blink."""

from __future__ import annotations

import itertools

import numpy as np

import firth
from firth.contexts import CBOW, Context, SkipGram
from firth.objectives import NCE, HierarchicalSoftmax, NegativeSampling, Objective, SampledSoftmax, Softmax

CONTEXTS = [SkipGram(3, shrink=True), CBOW(3), CBOW(3, gradient="exact"), CBOW(3, combine="sum")]
OBJECTIVES = [NegativeSampling(5), HierarchicalSoftmax(), Softmax(), NCE(5), SampledSoftmax(5)]
COMBINATIONS = list(itertools.product(CONTEXTS, OBJECTIVES))

CLUSTERS, MEMBERS = 8, 6


def cluster(word: str) -> str:
    """The cluster of one of the words of `clusters`."""
    return word.split("-")[0]


def clusters(sentences: int = 1_500, *, seed: int = 0) -> list[list[str]]:
    """Sentences of words of one cluster each, some words being more frequent than others."""
    random = np.random.default_rng(seed)
    often = np.arange(1, MEMBERS + 1) / np.arange(1, MEMBERS + 1).sum()
    members = random.choice(MEMBERS, size=(sentences, 8), p=often)
    return [
        [f"c{subject}-{member}" for member in row]
        for subject, row in zip(random.integers(CLUSTERS, size=sentences), members.tolist(), strict=True)
    ]


def word2vec(context: Context = CONTEXTS[0], objective: Objective = OBJECTIVES[0], **settings) -> firth.Word2Vec:
    """A model small enough to be fitted often, which keeps all words and gives the same bytes twice."""
    defaults = {"dim": 20, "epochs": 4, "learning_rate": 0.05, "subsample": 0, "min_count": 1, "threads": 1}
    return firth.Word2Vec(context=context, objective=objective, **{**defaults, **settings})


def parts(model: firth.Word2Vec) -> list[bytes]:
    """Everything that a model has learnt."""
    weights = model.weights
    return [part.tobytes() for part in (weights.input, weights.output, weights.bias) if part is not None]
