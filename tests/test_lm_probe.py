"""The layers of language models in the same comparisons as static vectors."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import firth
from firth.cli import main
from firth.errors import SettingsError
from firth.evaluate import classify, polysemy
from firth.evaluate.labelled import Labelled
from firth.lm.neural.probe import AtLayer

torch.set_num_threads(1)

# A word of two senses stands among words of one sense or of the other.
MONEY = [f"m{number}" for number in range(8)]
WATER = [f"w{number}" for number in range(8)]


def sentence(rng, words):
    return " ".join([*rng.choice(words, 3), "bank", *rng.choice(words, 3)])


@pytest.fixture(scope="module")
def model():
    """GPT-2, which has read that what stands around bank tells what follows."""
    rng = np.random.default_rng(1)
    lines = [sentence(rng, (MONEY, WATER)[number % 2]).split() for number in range(600)]
    made = firth.lm.Neural("gpt2", tokens="words", dims=32, layers=2, heads=2, context=16, dropout=0.0)
    return made.fit(lines, epochs=4, batch=16, learning_rate=5e-3, progress=False, cache=False)


@pytest.fixture
def senses(tmp_path):
    rng = np.random.default_rng(2)
    path = tmp_path / "senses.tsv"
    rows = [("money", MONEY), ("water", WATER)] * 8
    path.write_text("".join(f"bank\t{sense}\t{sentence(rng, words)}\n" for sense, words in rows))
    return path


def test_contexts_tell_senses_apart_and_static_vectors_do_not(model, senses):
    assert polysemy(model.vectors, senses).accuracy == 0.5
    assert polysemy(AtLayer(model), senses).accuracy > 0.9
    assert polysemy(model, senses).accuracy == polysemy(AtLayer(model, "top"), senses).accuracy


def test_a_layer_is_classified_as_static_vectors_are(model):
    rng = np.random.default_rng(3)
    parts = []
    for size in (60, 40):
        labels = rng.choice(["money", "water"], size).tolist()
        texts = [sentence(rng, {"money": MONEY, "water": WATER}[label]) for label in labels]
        parts.append(Labelled("made up", texts, labels))
    layers = [AtLayer(model, 0), AtLayer(model, 2, "last"), AtLayer(model, "mix", "max")]
    for each in (model.vectors, *layers):
        assert classify(each, *parts, seeds=[1]).accuracy > 0.95


def test_long_texts_are_embedded_in_stretches_that_count_by_their_tokens(model):
    short, long = "m1 m2 bank", " ".join(["m1 m2 bank w3 w4"] * 5)
    found = AtLayer(model, 1).embed([short, long])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], model.embed([short], layer=1, pool="mean")[0], rtol=1e-5)
    words = long.split()
    parts = [words[:12], words[12:]]  # 25 words in a context of 16
    each = model.embed([" ".join(part) for part in parts], layer=1, pool="mean")
    np.testing.assert_allclose(found[1], (12 * each[0] + 13 * each[1]) / 25, rtol=1e-4)


def test_the_command_asks_one_layer_or_all(model, senses, tmp_path):
    model.save(tmp_path / "run")

    def run(*more):
        return CliRunner().invoke(main, ["evaluate", str(tmp_path / "run"), *map(str, more)])

    texts = tmp_path / "texts.tsv"
    texts.write_text("".join(f"{line.split(chr(9))[1]}\t{line.split(chr(9))[2]}\n" for line in senses.open()))
    shown = run("--classify", texts, texts, "--layer", "all", "--seeds", "1", "--json")
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)["classify"]
    assert [each["layer"] for each in told] == [0, 1, 2]
    assert told[2]["accuracy"] == classify(AtLayer(model, 2), texts, texts, seeds=[1]).accuracy
    plain = run("--classify", texts, texts, "--polysemy", "--pool", "last", "--seeds", "1").stdout
    assert plain.startswith("layer top\ntexts.tsv: 2 classes")
    assert run("--classify", texts, texts, "--layer", "7").exit_code == 1
    model.vectors.save(tmp_path / "v.bin")
    static = CliRunner().invoke(main, ["evaluate", str(tmp_path / "v.bin"), "--polysemy", "--layer", "1"])
    assert static.exit_code == 2 and "--layer and --pool go with a neural language model" in static.stderr


def test_what_is_no_layer_is_said(model):
    with pytest.raises(SettingsError, match="layer"):
        AtLayer(model, 9).embed(["m1"])
