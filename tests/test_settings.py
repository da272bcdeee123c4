"""Settings that cannot work are refused where they are given, in one line with their value and a remedy."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training import clusters, word2vec

import firth
from firth.contexts import CBOW, SkipGram
from firth.objectives import NCE, NegativeSampling, SampledSoftmax

not_numbers = st.one_of(st.none(), st.text(max_size=5), st.just([1]), st.just(1j))
not_whole = st.one_of(not_numbers, st.floats(), st.fractions())


def outside(low, high):
    """Whole numbers below `low` or above `high`, and what is no whole number at all."""
    bounds = [st.integers(max_value=low - 1), not_whole]
    return st.one_of(*bounds, st.integers(min_value=high + 1)) if high else st.one_of(*bounds)


WHOLE = {
    "dim": (word2vec, 1, 100_000),
    "epochs": (word2vec, 1, None),
    "min_count": (word2vec, 1, None),
    "max_size": (word2vec, 1, None),
    "threads": (word2vec, 1, 1024),
    "seed": (word2vec, 0, 2**64 - 1),
    "window": (SkipGram, 1, 1000),
    "negatives": (NegativeSampling, 0, 1000),
}
OPTIONAL = ("max_size", "threads")


def refused(make, name, value):
    with pytest.raises(firth.SettingsError) as raised:
        make(**{name: value})
    message = str(raised.value)
    assert message.startswith(f"{name}=")
    assert re.search(r"must be|give one", message)
    assert "\n" not in message
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
def test_whole_numbers(name, data):
    make, low, high = WHOLE[name]
    value = data.draw(outside(low, high))
    if not (value is None and name in OPTIONAL):
        refused(make, name, value)


@given(not_numbers | st.floats(max_value=0) | st.floats(min_value=100.001) | st.just(float("nan")))
def test_learning_rates(value):
    if value is not None:
        refused(word2vec, "learning_rate", value)


@given(not_numbers | st.floats(max_value=-1e-300) | st.sampled_from([float("nan"), float("inf")]))
def test_last_learning_rates(value):
    refused(word2vec, "min_learning_rate", value)


@given(not_numbers | st.floats(max_value=-1e-300) | st.floats(min_value=1) | st.just(float("nan")))
def test_subsampling(value):
    if value is not None:
        refused(word2vec, "subsample", value)


@pytest.mark.parametrize("objective", [NegativeSampling, NCE, SampledSoftmax])
@given(value=not_numbers | st.floats(max_value=-10.001) | st.floats(min_value=10.001) | st.just(float("nan")))
def test_exponents(objective, value):
    refused(objective, "exponent", value)


@given(st.text(max_size=8) | st.none())
def test_names(value):
    if value not in ("mean", "sum"):
        refused(CBOW, "combine", value)
    if value not in ("exact", "word2vec"):
        refused(CBOW, "gradient", value)


@pytest.mark.parametrize("value", ["skipgram", SkipGram, None, NegativeSampling()])
def test_a_context_is_none(value):
    refused(word2vec, "context", value)


@pytest.mark.parametrize("value", ["nce", NCE, None, SkipGram()])
def test_an_objective_is_none(value):
    refused(word2vec, "objective", value)


def test_a_rate_below_the_last_one_stays_where_it_is():
    model = word2vec(learning_rate=1e-5, min_learning_rate=1e-4)
    assert model.settings["min_learning_rate"] == 1e-5


def test_numbers_of_numpy_are_numbers(tmp_path):
    """As in a loop over np.arange: fitted, saved and logged like Python's own."""
    settings = {
        "dim": np.int64(8),
        "epochs": np.int32(2),
        "learning_rate": np.float32(0.05),
        "min_learning_rate": np.float32(0.001),
        "subsample": np.float32(0.01),
        "min_count": np.uint8(1),
        "max_size": np.int16(40),
        "threads": np.int64(1),
        "seed": np.uint64(2**63),
        "context": SkipGram(np.int64(3)),
        "objective": NegativeSampling(np.int64(4), exponent=np.float32(0.5)),
    }
    model = firth.Word2Vec(**settings)
    model.fit(clusters(100), log=tmp_path / "log.jsonl", progress=False).save(tmp_path / "model.firth")
    assert json.loads(json.dumps(model.settings)) == model.settings
    loaded = firth.load(tmp_path / "model.firth")
    assert loaded.settings == model.settings
    assert model.settings["seed"] == 2**63


@pytest.mark.parametrize("topn", [0, -1, 1.5, "all"])
def test_how_many_words_to_predict(topn):
    model = word2vec(dim=4, epochs=1).fit(clusters(50), progress=False)
    refused(lambda topn: model.predict("c1-5", topn=topn), "topn", topn)


def test_predicting_from_nothing():
    model = word2vec(dim=4, epochs=1).fit(clusters(50), progress=False)
    with pytest.raises(firth.SettingsError, match="at least one context word"):
        model.predict([])
