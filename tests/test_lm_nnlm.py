"""The neural probabilistic language model, by its definition; and what any network's object promises, on it."""

import math

import numpy as np
import pytest
import torch
from networks import one_thread  # noqa: F401 - a fixture

import firth
from firth import Corpus, FirthError, FormatError, SettingsError, TrainingError, lm
from firth.lm.neural import nnlm
from firth.lm.neural.model import Neural
from firth.lm.neural.scoring import log_probabilities
from firth.lm.neural.stream import Stream
from firth.lm.neural.tokens import WordTokens

WORDS, END, ORDER = 12, 1, 4
TEXT = [line.split() for line in ("the cat sat on the mat", "a dog sat on the cat", "", "the dog ran")] * 30
OTHER = [line.split() for line in ("the cat ran on the mat", "", "an emu sat on the dog on the mat")]
SMALL = {"dims": 8, "layer": 16, "order": 3}
FAST = {"epochs": 4, "batch": 16, "learning_rate": 0.02, "progress": False}


def network(*, dtype=torch.float32, **settings):
    torch.manual_seed(1)
    made = nnlm.NNLM(nnlm.Config(WORDS, **{"order": ORDER, "dims": 3, "layer": 5, "dropout": 0.0, **settings}))
    with torch.no_grad():
        for each in made.parameters():
            each += 0.5 * torch.randn_like(each)
    return made.to(dtype).eval()


def by_definition(made, before):
    """softmax(b + Wx + U·tanh(d + Hx)), x the vectors of the words before, oldest first."""
    x = np.concatenate([made.vectors.weight.detach().numpy()[id] for id in before])
    a = np.tanh(made.inner.bias.detach().numpy() + made.inner.weight.detach().numpy() @ x)
    seen = np.concatenate([a, x]) if made.config.direct else a
    y = made.output.bias.detach().numpy() + made.output.weight.detach().numpy() @ seen
    return np.exp(y - y.max()) / np.exp(y - y.max()).sum()


def ids(length, seed=0):
    return np.random.default_rng(seed).integers(2, WORDS, length)


# The network


@pytest.mark.parametrize("direct", [False, True])
def test_probabilities_are_those_of_the_paper_and_sum_to_one(direct):
    made, text = network(direct=direct), ids(9)
    with torch.no_grad():
        found = torch.softmax(made.logits(made.hidden(torch.from_numpy(text)[None])[-1][0]), -1).numpy()
    padded = [END] * (ORDER - 2) + text.tolist()
    for at in range(len(text)):
        np.testing.assert_allclose(found[at], by_definition(made, padded[at : at + ORDER - 1]), rtol=1e-4)
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("direct", [False, True])
def test_gradients_are_those_of_finite_differences(direct):
    made = network(direct=direct, dtype=torch.float64)
    batch = {"ids": torch.from_numpy(np.random.default_rng(1).integers(0, WORDS, (7, ORDER)))}
    names = [name for name, _ in made.named_parameters()]

    def loss(*values):
        with torch.no_grad():
            for each, value in zip(made.parameters(), values, strict=True):
                each.copy_(value)
        return made.loss(batch).total

    values = [each.detach().clone() for each in made.parameters()]
    made.loss(batch).total.backward()
    for number, name in enumerate(names):
        gradient = dict(made.named_parameters())[name].grad
        for at in np.ndindex(*values[number].shape):
            moved = [value.clone() for value in values]
            moved[number][at] += 1e-5
            above = loss(*moved).item()
            moved[number][at] -= 2e-5
            assert (above - loss(*moved).item()) / 2e-5 == pytest.approx(gradient[at].item(), abs=1e-8), name


def test_the_loss_is_that_of_what_hidden_foresees():
    made, text = network(), ids(40)
    stream = Stream(text.astype(np.uint16), np.array([0, 40]), END)
    batch = made.batches(stream).make(np.arange(40), np.random.default_rng(0))
    with torch.no_grad():
        loss = made.loss(batch)
        shown = torch.from_numpy(np.concatenate([[END], text[:-1]]))[None]
        log = torch.log_softmax(made.logits(made.hidden(shown)[-1][0]), -1)
    assert loss.nll.item() == pytest.approx(-log[torch.arange(40), torch.from_numpy(text)].mean().item(), rel=1e-5)
    assert loss.predicted == 40


def test_padding_on_the_left_changes_nothing():
    made, text = network(), torch.from_numpy(ids(6))[None]
    padded = torch.cat([torch.full((1, 4), 7), text], 1)
    mask = torch.arange(10)[None] >= 4
    with torch.no_grad():
        for whole, part in zip(made.hidden(padded, mask=mask), made.hidden(text), strict=True):
            torch.testing.assert_close(whole[:, 4:], part)


def test_dropout_is_for_training_only():
    made = network(dropout=0.5)
    batch = {"ids": torch.from_numpy(ids(ORDER))[None]}
    assert made.loss(batch).total == made.loss(batch).total
    made.train()
    assert len({made.loss(batch).total.item() for _ in range(5)}) > 1


def test_it_begins_with_each_words_share():
    tokens = WordTokens(["a", "b"], np.array([0, 9, 29, 59]))
    made = nnlm.create(nnlm.Config(4), tokens).eval()
    made.output.weight.data.zero_()
    with torch.no_grad():
        found = torch.softmax(made.logits(made.hidden(torch.tensor([[2, 3]]))[-1]), -1)
    np.testing.assert_allclose(found[0, 0], [0.01, 0.1, 0.3, 0.6][:4] / np.sum([0.01, 0.1, 0.3, 0.6]), rtol=0.02)


@pytest.mark.parametrize("setting", [{"order": 1}, {"dims": 0}, {"dropout": 1.0}, {"layer": "8"}])
def test_settings_that_cannot_work(setting):
    with pytest.raises(SettingsError, match=next(iter(setting))):
        nnlm.Config(10, **setting)


# The sliding window


@pytest.mark.parametrize("length", [1, 5, 6, 7, 11, 12, 13, 40])
@pytest.mark.parametrize("stride", [None, 1, 3, 6])
def test_every_token_is_scored_once_whatever_the_stride(length, stride, monkeypatch):
    monkeypatch.setattr(nnlm.Config, "context", 6)  # wide enough for all that it looks at to stay in view
    made, text = network(order=2), ids(length)
    tokens = WordTokens([str(n) for n in range(WORDS - 2)], np.ones(WORDS, np.int64))
    stream = Stream(text.astype(np.uint16), np.array([0, length]), END)
    found = log_probabilities(made, tokens, stream, stride=stride)
    before = [END, *text[:-1].tolist()]
    expected = [math.log(by_definition(made, [b])[t]) for b, t in zip(before, text, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_smaller_stride_shows_each_token_more(monkeypatch):
    monkeypatch.setattr(nnlm.Config, "context", 3)
    made, text = network(order=4), ids(60)
    tokens = WordTokens([str(n) for n in range(WORDS - 2)], np.ones(WORDS, np.int64))
    stream = Stream(text.astype(np.uint16), np.array([0, 60]), END)
    padded = [END] * 3 + text.tolist()
    exact = [math.log(by_definition(made, padded[at : at + 3])[t]) for at, t in enumerate(text)]
    near, far = (log_probabilities(made, tokens, stream, stride=stride) for stride in (1, 3))
    np.testing.assert_allclose(near, exact, rtol=1e-3, atol=1e-3)
    assert np.abs(far - exact).max() > 0.01


@pytest.mark.parametrize("stride", [0, 7])
def test_strides_that_skip_tokens_are_refused(stride, monkeypatch):
    monkeypatch.setattr(nnlm.Config, "context", 6)
    tokens = WordTokens([str(n) for n in range(WORDS - 2)], np.ones(WORDS, np.int64))
    with pytest.raises(SettingsError, match=f"stride={stride} must be a whole number from 1 to 6"):
        log_probabilities(network(), tokens, Stream(np.array([3]), np.array([0, 1]), END), stride=stride)


# The object


@pytest.fixture(scope="module")
def model():
    return Neural("nnlm", **SMALL).fit(TEXT, **FAST)


def test_it_learns(model):
    losses = [row["loss"] for row in model.history]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 1.2
    assert model.perplexity(TEXT).perplexity < 4


def test_perplexity_counts_the_events_that_an_ngram_model_counts(model):
    counted = lm.NGram(order=2, smoothing=lm.KneserNey(0.5)).fit(TEXT, progress=False)
    for text in (TEXT, OTHER):
        ours, theirs = model.perplexity(text), counted.perplexity(text)
        for name in ("tokens", "unknown", "lines", "bytes"):
            assert getattr(ours, name) == getattr(theirs, name), name
        corpus = Corpus.read(text)
        scores = model.token_scores(corpus)
        assert np.array_equal(scores.unknown, counted.token_scores(corpus).unknown)
        assert ours.log10 == pytest.approx(scores.log10.sum(), rel=1e-5)
        assert ours.bits_per_byte == pytest.approx(-ours.log10 * math.log2(10) / ours.bytes)


def test_scores_of_a_line_are_those_of_a_text_of_it(model):
    scores = model.full_scores("the emu sat")
    assert [(each.word, each.unknown) for each in scores] == [
        ("the", False), ("<unk>", True), ("sat", False), ("</s>", False)
    ]  # fmt: skip
    found = model.token_scores(Corpus.read([["the", "emu", "sat"]]))
    np.testing.assert_allclose([each.log10 for each in scores], found.log10, rtol=1e-5)


def test_its_vectors_are_vectors_like_any_others(model, tmp_path):
    vectors = model.vectors
    assert vectors.dim == 8 and "<unk>" not in vectors and len(vectors) == 8
    assert vectors.counts.tolist() == sorted(vectors.counts, reverse=True)
    assert np.array_equal(vectors["cat"], model.network.embeddings[model.tokens.id("cat")].detach().numpy())
    model.save(tmp_path / "model")
    assert np.array_equal(firth.Vectors.load(tmp_path / "model").matrix, vectors.matrix)
    assert len(vectors.most_similar("cat")) > 0


def test_embedded_texts(model):
    texts = ["the cat", "sat on the mat", "emu"]
    tops = model.embed(texts)
    assert [each.shape for each in tops] == [(2, 16), (4, 16), (1, 16)]
    assert [each.shape for each in model.embed(texts, layer=0)] == [(2, 8), (4, 8), (1, 8)]
    np.testing.assert_allclose(model.embed(texts, pool="mean"), [each.mean(0) for each in tops], rtol=1e-5)
    np.testing.assert_allclose(model.embed(texts, pool="max", batch=1), [each.max(0) for each in tops], rtol=1e-5)
    np.testing.assert_allclose(model.embed(texts, pool="last", batch=2), [each[-1] for each in tops], rtol=1e-5)
    words = model.embed_words([text.split() for text in texts])
    for one, other in zip(words, tops, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(
    ("texts", "how", "said"),
    [
        ("the cat", {}, "list of strings"),
        (["the", " "], {}, "text 1"),
        (["the"], {"layer": 2}, "0 to 1"),
        (["the"], {"layer": "first"}, "'first'"),
        (["the"], {"layer": "all"}, "8, 16"),
        (["the"], {"pool": "cls"}, "words have none"),
        (["the"], {"pool": "sum"}, "'sum'"),
    ],
)
def test_what_cannot_be_embedded(model, texts, how, said):
    with pytest.raises(SettingsError, match=said):
        model.embed(texts, **how)


def test_generated_texts(model):
    first = model.generate("the cat", seed=1)
    assert first.startswith("the cat ") and "<unk>" not in first
    assert model.generate("the cat", seed=1) == first
    assert model.generate(["the cat", "the cat"], seed=1)[0] == first
    greedy = model.generate("a dog", length=3, sampling=lm.Sampling(temperature=0))
    assert greedy == "a dog sat on the"


def test_saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "model")
    again = firth.load(tmp_path / "model")
    assert isinstance(again, lm.Neural) and lm.is_model(tmp_path / "model")
    assert again.perplexity(OTHER) == model.perplexity(OTHER)
    assert again.history == model.history and again.kind == "nnlm"
    assert again.network.config == model.network.config


def test_damaged_directories_are_refused(model, tmp_path):
    model.save(tmp_path / "model")
    weights = next((tmp_path / "model").glob("model-*.safetensors"))
    data = weights.read_bytes()
    weights.write_bytes(data[:-8])
    with pytest.raises(FormatError, match="safetensors"):
        lm.load(tmp_path / "model")
    weights.write_bytes(data)
    config = tmp_path / "model" / "config.json"
    config.write_text(config.read_text().replace('"layer": 16', '"layer": 17'))
    with pytest.raises(FormatError, match="no whole nnlm model"):
        lm.load(tmp_path / "model")


def test_more_text_later(model):
    more = [["the", "cat", "barked"]] * 40
    before = {name: each.clone() for name, each in model.network.state_dict().items()}
    learnt = lm.Neural("nnlm", **SMALL).fit(TEXT, **FAST)
    worse = learnt.perplexity(more).perplexity
    learnt.fit(more, update=True, **FAST)
    assert learnt.perplexity(more).perplexity < worse / 2
    assert len(learnt.tokens) == len(model.tokens)  # barked is still unknown
    assert all(torch.equal(each, before[name]) for name, each in model.network.state_dict().items())


def test_the_same_seed_gives_the_same_weights(model):
    again = Neural("nnlm", **SMALL).fit(TEXT, **FAST)
    other = Neural("nnlm", **SMALL).fit(TEXT, **FAST, seed=2)
    assert torch.equal(again.network.embeddings, model.network.embeddings)
    assert not torch.equal(other.network.embeddings, model.network.embeddings)


def test_what_is_held_out_is_told_and_the_best_weights_kept():
    settings = {**FAST, "learning_rate": 0.1, "epochs": 8}
    found = Neural("nnlm", **SMALL).fit(TEXT, held_out=OTHER, **settings)
    told = [row["held_out_perplexity"] for row in found.history]
    assert min(told) < told[-1]  # it overfits
    assert found.perplexity(OTHER).perplexity == pytest.approx(min(told), rel=1e-4)


def test_errors_leave_the_model_as_it_was(model):
    before = model.learnt
    for source, settings, error in (
        (TEXT, {"learning_rate": 1e30, "clip": 0}, TrainingError),
        ([[]], {}, FirthError),
        (TEXT, {"patience": 2}, SettingsError),
        (TEXT, {"epoch": 2}, SettingsError),
    ):
        with pytest.raises(error):
            model.fit(source, **{**FAST, **settings})
        assert model.learnt is before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gpt9", {}), "'gpt9' is no neural language model"),
        (("nnlm", {"size": "huge"}), "size='huge' is none of nnlm's"),
        (("nnlm", {"tokens": "spelled"}), "do not go with nnlm"),
        (("nnlm", {"heads": 2}), "nnlm has no setting 'heads'"),
        (("nnlm", {"vocabulary": 0}), "vocabulary=0"),
    ],
)
def test_models_that_cannot_be(arguments, said):
    kind, settings = arguments
    with pytest.raises(SettingsError, match=said):
        Neural(kind, **settings)


def test_nothing_is_known_before_fit():
    with pytest.raises(FirthError, match="call fit first"):
        Neural("nnlm").perplexity(TEXT)
