"""Models on disk: they come back whole, or what is wrong with them is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gensim.models import KeyedVectors
from training import COMBINATIONS, clusters, parts, word2vec

import firth


@pytest.mark.parametrize(("context", "objective"), COMBINATIONS, ids=str)
def test_a_saved_model_comes_back_whole(tmp_path, context, objective):
    model = word2vec(context, objective, max_size=40, seed=2**63).fit(clusters(200), progress=False)
    model.save(tmp_path / "model.firth")
    loaded = firth.load(tmp_path / "model.firth")
    assert isinstance(loaded, firth.Word2Vec)
    assert loaded.settings == model.settings
    assert (loaded.context, loaded.objective) == (context, objective)
    assert loaded.history == model.history
    assert loaded.vocab.words[:] == model.vocab.words[:]
    assert loaded.vocab.counts.tolist() == model.vocab.counts.tolist()
    np.testing.assert_array_equal(loaded.vectors.matrix, model.vectors.matrix)
    np.testing.assert_array_equal(loaded.weights.output, model.weights.output[:, :20])
    for words in ("c1-5", ["c2-5", "c2-4", "c5-5"]):
        (names, numbers), (same, close) = (zip(*each.predict(words), strict=True) for each in (model, loaded))
        assert names == same
        np.testing.assert_allclose(close, numbers, rtol=1e-5)
    assert parts(loaded.fit(clusters(200), progress=False)) == parts(model)


def test_gensim_reads_the_vectors_of_a_model_to_the_last_bit(tmp_path):
    model = word2vec(dim=17).fit(clusters(300), progress=False)
    model.vectors.save(tmp_path / "vectors.bin")
    read = KeyedVectors.load_word2vec_format(tmp_path / "vectors.bin", binary=True)
    assert read.index_to_key == model.vocab.words[:]
    assert read.vectors.tobytes() == np.ascontiguousarray(model.vectors.matrix).tobytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config.pop("settings"), "its settings are not those of a word2vec model"),
        (lambda config: config.pop("history"), "its settings are not those of a word2vec model"),
        (lambda config: config["history"].append({"epoch": 9}), "its settings are not those of a word2vec model"),
        (lambda config: config["settings"].update(speed=3), "its settings are not those of a word2vec model"),
        (lambda config: config["settings"].update(epochs=0), "epochs=0 must be"),
        (lambda config: config["settings"]["context"].update(name="glove"), "'glove'"),
        (lambda config: config["settings"]["objective"].update(name="softmax"), "settings are not those"),
        (lambda config: config["settings"].update(dim=19), "do not belong together"),
        (
            lambda config: config["settings"].update(objective={"name": "hierarchical-softmax"}),
            "do not belong together",
        ),
        (lambda config: config["settings"]["objective"].update(name="nce"), "do not belong together"),
        (lambda config: config["files"].pop("output.safetensors"), "output.safetensors"),
    ],
)
def test_settings_that_are_not_those_of_the_model(tmp_path, change, said):
    word2vec(epochs=1).fit(clusters(50), progress=False).save(tmp_path / "model.firth")
    path = tmp_path / "model.firth" / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(firth.FormatError, match=rf"model\.firth: .*{said}.*; save it again"):
        firth.load(tmp_path / "model.firth")
