"""ELMo's network: what each direction sees, what spelling gives, what is learnt."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from firth.cli import main
from firth.errors import SettingsError
from firth.lm import Sampling
from firth.lm.neural import elmo
from firth.lm.neural.model import Neural
from firth.lm.neural.tokens import END, UNKNOWN, SpelledTokens

TEXT = "the a cat cats dog dogs sat sits on under mat bank of river 银行 河 在 日本語"
WORDS = TEXT.split()
V = len(WORDS) + 2  # <unk> and </s>
NARROW = {
    "dims": 12,
    "cells": 20,
    "filters": ((1, 4), (2, 6), (3, 8)),
    "character_dims": 5,
    "characters": 20,
    "dropout": 0.0,
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(seed=0, **changes):
    torch.manual_seed(seed)
    tokens = SpelledTokens(WORDS, np.arange(V)[::-1])
    return elmo.create(elmo.Config(**{"vocabulary": V, **NARROW, **changes}), tokens).eval()


def some_ids(*shape, seed=0):
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


def test_a_word_is_spelled_by_its_bytes_between_two_marks():
    rows = elmo.spell(["ab", "é", "abcdefgh"], 6)
    assert rows.dtype == torch.int16
    assert rows.tolist() == [
        [elmo.BEGIN, 98, 99, elmo.END, 0, 0],
        [elmo.BEGIN, 0xC3 + 1, 0xA9 + 1, elmo.END, 0, 0],
        [elmo.BEGIN, 98, 99, 100, 101, elmo.END],
    ]
    assert elmo.spell_mark(elmo.LINE, 5).tolist() == [[elmo.BEGIN, elmo.LINE, elmo.END, 0, 0]]
    assert elmo.spell([], 6).shape == (0, 6)


def test_no_two_symbols_are_one():
    symbols = elmo.spell([bytes(range(256)).decode("latin-1"), "\udc80\udcff"], 600).unique().tolist()
    assert max(symbols) == elmo.END < elmo.LINE < elmo.OTHER < elmo.SYMBOLS


@pytest.mark.parametrize("cells", [12, 20])  # without a projection, with one
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_there_is_a_layer_more_than_lstms_and_the_first_is_doubled(cells, layers):
    model = network(cells=cells, layers=layers)
    hidden = model.hidden(some_ids(3, 7))
    assert [tuple(layer.shape) for layer in hidden] == [(3, 7, 24)] * (layers + 1)
    torch.testing.assert_close(hidden[0][..., :12], hidden[0][..., 12:])
    assert model.logits(hidden[-1]).shape == (3, 7, V)


@pytest.mark.parametrize("cells", [12, 20])
def test_each_direction_sees_its_side_alone(cells):
    model, ids, at = network(cells=cells), some_ids(2, 9), 4
    changed = ids.clone()
    changed[:, at] = (ids[:, at] + 1) % V
    for before, after in zip(model.hidden(ids)[1:], model.hidden(changed)[1:], strict=True):
        moved = (before != after).reshape(2, 9, 2, 12).any(3)
        assert moved[..., 0].tolist() == [[place >= at for place in range(9)]] * 2
        assert moved[..., 1].tolist() == [[place <= at for place in range(9)]] * 2


@pytest.mark.parametrize("left", [0, 3])
@pytest.mark.parametrize("right", [0, 2])
def test_padding_on_either_side_changes_nothing(left, right):
    model, ids = network(), some_ids(2, 5)
    padded = torch.nn.functional.pad(ids, (left, right), value=3)
    mask = torch.zeros_like(padded, dtype=torch.bool)
    mask[:, left : left + 5] = True
    mask[1, left + 4] = False  # and a shorter text beside
    hidden, bare, shorter = model.hidden(padded, mask=mask), model.hidden(ids), model.hidden(ids[1:, :4])
    for layer, whole, short in zip(hidden, bare, shorter, strict=True):
        torch.testing.assert_close(layer[0, left : left + 5], whole[0])
        torch.testing.assert_close(layer[1, left : left + 4], short[0])


def test_the_longest_word_of_a_batch_changes_no_other():
    model = network(filters=((1, 4), (7, 8)))
    both = model.spelling(elmo.spell(["cat", "incomprehensible"], 20))
    torch.testing.assert_close(both[:1], model.spelling(elmo.spell(["cat"], 20)))
    torch.testing.assert_close(both[:1], model.spelling(elmo.spell(["cat"], 50)))


def test_spelling_distinct_words_once_is_spelling_each_token():
    model, ids = network(), some_ids(4, 6)
    each = model.embeddings[ids]
    torch.testing.assert_close(model.hidden(ids)[0], torch.cat([each, each], 2))
    torch.testing.assert_close(model.embeddings[3 + 2], model.spelling(elmo.spell([WORDS[3]], 50))[0])


def test_only_the_layers_above_the_first_know_the_context():
    model, bank = network(), WORDS.index("bank") + 2
    one, other = torch.tensor([[0, 2, bank, 5]]), torch.tensor([[3, 1, bank, 9]])
    first, *above = [
        (a[0, 2] - b[0, 2]).abs().max() for a, b in zip(model.hidden(one), model.hidden(other), strict=True)
    ]
    assert first == 0
    assert all(difference > 1e-3 for difference in above)


def test_unseen_words_are_spelled_and_resemble_those_spelled_alike():
    model = network(filters=((1, 16), (2, 32), (3, 32)), dims=32, cells=32, character_dims=16)
    words = ["walking", "walked", "walker", "zygote", "电影院", "电影"]
    ids = torch.tensor([model.tokens.encode(" ".join(words))])
    assert ids.tolist() == [list(range(V, V + 6))]
    vectors = model.hidden(ids)[0][0]
    torch.testing.assert_close(vectors[:, :32], model.spelling(elmo.spell(words, 50)))
    alike = torch.nn.functional.cosine_similarity(vectors[:, None], vectors[None], dim=2)
    assert alike[0, 1] > alike[0, 3] and alike[1, 2] > alike[1, 3] and alike[4, 5] > alike[4, 3]
    assert model.embeddings.shape == (V, 32)


def test_words_that_turn_up_later_are_read_and_predicted_as_unknown():
    model = network()
    text = "the walrus sat on the walrus </s> <unk>"
    ids = model.tokens.encode(text)
    assert ids == [2, V, 8, 10, 2, V, V + 1, UNKNOWN]  # whatever it looks like, </s> within a text is a word
    assert model.tokens.encode("walrus") == [V] and len(model.tokens) == V and model.tokens.read == V + 2
    assert model.tokens.decode(ids) == text
    known = [UNKNOWN if id >= V else id for id in ids]
    top = model.hidden(torch.tensor([ids]))[-1]
    ahead = model.logits(top)[0, :-1].log_softmax(1)[range(7), known[1:]]
    assert model.loss({"ids": torch.tensor([ids])}).extras["forward"] == pytest.approx(
        -ahead.mean().item(), rel=1e-5
    )
    saved = SpelledTokens(model.tokens.words, model.tokens.counts)
    again = elmo.create(model.config, saved).eval()
    again.load_state_dict(model.state_dict())  # which holds nothing of them
    torch.testing.assert_close(again.hidden(torch.tensor([saved.encode(text)]))[-1], top)


def test_the_second_lstm_adds_its_input():
    model, ids = network(), some_ids(2, 5)
    silenced = model.forwards.lstms[1]
    with torch.no_grad():
        for weight in silenced.parameters():
            weight.zero_()  # σ(0)·tanh(0) = 0: it says nothing
    _, first, second = model.hidden(ids)
    torch.testing.assert_close(first[..., :12], second[..., :12])
    assert not torch.allclose(first[..., 12:], second[..., 12:])


def test_gradients_of_the_character_network():
    model = network(filters=((1, 3), (2, 4)), highways=2, dims=3, cells=3).double()
    spelled = elmo.spell(["cat", "河", "a"], 8)
    with torch.no_grad():
        for highway in model.spelling.highways:
            highway.gate.bias.zero_()  # neither way of a highway is closed
    parameters = {name: weight.detach() for name, weight in model.spelling.named_parameters()}

    def vectors(*values):
        return torch.func.functional_call(model.spelling, dict(zip(parameters, values, strict=True)), spelled)

    assert torch.autograd.gradcheck(vectors, tuple(weight.requires_grad_() for weight in parameters.values()))


def test_the_mix_is_a_scaled_mean_that_softmax_weighs():
    layers = [torch.randn(2, 3, 4) for _ in range(3)]
    mix = elmo.Mix(3)
    torch.testing.assert_close(mix(layers), sum(layers) / 3)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.0, math.log(2.0), math.log(5.0)]))
        mix.scale.fill_(0.5)
    torch.testing.assert_close(mix(layers), 0.5 * (layers[0] + 2 * layers[1] + 5 * layers[2]) / 8)
    mix(layers).sum().backward()
    assert mix.weights.grad is not None and mix.scale.grad is not None


def test_the_loss_is_the_mean_of_both_directions():
    model, ids = network(), some_ids(2, 6)
    loss = model.loss({"ids": ids})
    top = model.hidden(ids)[-1]
    ahead = model.softmax(top[:, :-1, :12]).log_softmax(2).gather(2, ids[:, 1:, None])
    back = model.softmax(top[:, 1:, 12:]).log_softmax(2).gather(2, ids[:, :-1, None])
    assert loss.extras["forward"] == pytest.approx(-ahead.mean().item(), rel=1e-5)
    assert loss.extras["backward"] == pytest.approx(-back.mean().item(), rel=1e-5)
    assert loss.total.item() == pytest.approx(-(ahead.mean() + back.mean()).item() / 2, rel=1e-5)
    assert loss.predicted == 20


def test_both_directions_learn():
    model = network()
    ids = torch.tensor([[END, *model.tokens.encode("the cat sat on the mat under the bank of the river"), END]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    first = model.loss({"ids": ids})
    for _ in range(60):
        optimizer.zero_grad()
        model.loss({"ids": ids}).total.backward()
        optimizer.step()
    last = model.loss({"ids": ids})
    for direction in ("forward", "backward"):
        assert first.extras[direction] > 0.9 * math.log(V)
        assert last.extras[direction] < 0.3 * first.extras[direction]


def test_short_rows_count_for_what_they_hold():
    model, ids = network(), some_ids(2, 6)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    both, long, short = map(model.loss, ({"ids": ids, "mask": mask}, {"ids": ids[:1]}, {"ids": ids[1:, :4]}))
    assert both.predicted == 16 and both.read == 8
    assert both.total.item() == pytest.approx((5 * long.total.item() + 3 * short.total.item()) / 8, rel=1e-5)


def test_a_sampled_softmax_comes_to_the_full_one_with_many_draws():
    hidden, weight, bias = torch.randn(5, 4), torch.randn(30, 4), torch.randn(30)
    targets = torch.tensor([0, 3, 3, 29, 11])
    full = torch.nn.functional.cross_entropy(hidden @ weight.T + bias, targets)
    torch.testing.assert_close(elmo.sampled_cross_entropy(hidden, weight, bias, targets, 100_000), full)


def test_words_are_drawn_as_often_as_the_sampled_softmax_believes():
    # A word counts 1 / P(drawn), so that on average the sum over the words drawn is the sum over all words.
    torch.manual_seed(0)
    hidden, weight, bias, target = torch.zeros(1, 1), torch.zeros(50, 1), torch.randn(50), torch.tensor([4])
    chance = elmo._log_chance(target, 50, 20).exp()
    sums = [
        # exp(nll) = 1 + Σ_drawn exp(s_w) / P(w) · P(target) / exp(s_target)
        (elmo.sampled_cross_entropy(hidden, weight, bias, target, 20).exp() - 1) / chance * bias[4].exp()
        for _ in range(2000)
    ]
    others = bias.exp().sum() - bias[4].exp()
    assert torch.stack(sums).mean().item() == pytest.approx(others.item(), rel=0.03)


LINES = [
    line.split()
    for line in (
        "the cat sat on the mat",
        "the dog sat under the tree",
        "银行 在 河 边",
        "a cat ran to the river bank",
    )
]


def trained(**learning):
    model = Neural("elmo", vocabulary=12, context=12, **{**NARROW, "dropout": 0.1})
    return model.fit(
        LINES * 25, **{"epochs": 12, "batch": 4, "learning_rate": 1e-2, "progress": False, **learning}
    )


@pytest.fixture(scope="module")
def learnt():
    return trained(held_out=LINES)


def test_both_directions_learn_from_a_text_and_are_told_apart(learnt):
    for name in ("forward", "backward", "held_out_forward", "held_out_backward"):
        assert learnt.history[-1][name] < 0.7 * learnt.history[0][name]
    ahead, back = learnt.perplexity(LINES), learnt.perplexity(LINES, backward=True)
    assert ahead.tokens == back.tokens == sum(map(len, LINES)) + len(LINES)
    assert ahead.unknown == back.unknown > 0
    assert max(ahead.perplexity, back.perplexity) < 6 and ahead.perplexity != back.perplexity


def test_the_backward_scores_are_those_of_the_words_before():
    model = trained(epochs=1)
    lines = LINES[:2]
    ids = [END, *(id for line in lines for id in [*model.tokens.encode(" ".join(line)), END])]
    longer = dataclasses.replace(model.network.config, context=100)
    model.network.config = longer  # one window holds it all
    top = model.network.hidden(torch.tensor([ids]))[-1]
    log = model.network.logits(top, backward=True)[0, 1:].log_softmax(1)
    known = [id if id < len(model.tokens) else UNKNOWN for id in ids[:-1]]
    mean = log[range(len(known)), known].mean().item()
    assert model.perplexity(lines, backward=True).perplexity == pytest.approx(math.exp(-mean), rel=1e-4)
    with pytest.raises(SettingsError, match="backward"):
        Neural("nnlm", vocabulary=12, dims=4, layer=4).fit(LINES, epochs=1, progress=False).perplexity(
            LINES, backward=True
        )


def test_the_command_line_tells_each_direction(tmp_path):
    model, text = trained(epochs=1), tmp_path / "text.txt"
    model.save(tmp_path / "elmo")
    text.write_text("".join(" ".join(line) + "\n" for line in LINES))
    for options, found in (([], model.perplexity(text)), (["--backward"], model.perplexity(text, backward=True))):
        told = CliRunner().invoke(
            main, ["lm", "perplexity", str(tmp_path / "elmo"), str(text), "--json", *options]
        )
        assert json.loads(told.stdout)["perplexity"] == pytest.approx(found.perplexity, rel=1e-5)


def test_a_saved_model_is_the_same_and_embeds_every_layer(tmp_path):
    model = trained(epochs=1)
    model.save(tmp_path / "elmo")
    again = Neural.load(tmp_path / "elmo")
    assert again.network.config == model.network.config
    texts = ["the walrus sat", "河 边"]
    for layer in ("top", "all", "mix", 0, 1):
        for one, other in zip(
            model.embed(texts, layer=layer), again.embed(texts[::-1], layer=layer)[::-1], strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    every, mean, top = (model.embed(texts, layer=layer)[0] for layer in ("all", "mix", "top"))
    assert every.shape == (3, 3, 24) and every.dtype == np.float32
    np.testing.assert_allclose(every.mean(0), mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(every[2], top)
    rows = torch.tensor([[END, *model.tokens.encode(texts[0]), END]])  # the ends of lines on either side are seen
    np.testing.assert_allclose(every[1], model.network.hidden(rows)[1][0, 1:-1].detach(), rtol=1e-5, atol=1e-6)
    assert model.embed(texts, layer="all", pool="mean").shape == (2, 3, 24)


def test_learning_goes_on_with_words_never_seen_before(tmp_path):
    trained(epochs=1).save(tmp_path / "elmo")
    model = Neural.load(tmp_path / "elmo")
    text = [["the", "walrus", "ate", "an", "oyster"]] * 20
    before = model.perplexity(text).perplexity
    vocabulary = len(model.tokens)
    model.fit(text, update=True, epochs=8, batch=4, learning_rate=1e-2, progress=False)
    assert model.perplexity(text).perplexity < 0.5 * before
    assert len(model.tokens) == vocabulary and len(model.vectors) == vocabulary - 2


def test_texts_go_on_word_by_word(learnt):
    ids = [END, *learnt.tokens.encode("the cat")]
    for _ in range(3):
        scores = learnt.network.logits(learnt.network.hidden(torch.tensor([ids[1:]]))[-1])[0, -1]
        scores[UNKNOWN] = -math.inf
        ids.append(int(scores.argmax()))
    greedy = learnt.generate("the cat", length=3, sampling=Sampling(temperature=0))
    assert greedy.split() == learnt.tokens.decode(ids).split()


@pytest.mark.parametrize(
    "setting",
    [{"cells": 11}, {"layers": 0}, {"dropout": 1.0}, {"filters": ()}, {"filters": (3,)}, {"characters": 2}],
)
def test_settings_that_cannot_work_are_refused(setting):
    with pytest.raises(SettingsError, match=next(iter(setting))):
        elmo.Config(**{"vocabulary": 9, **NARROW, **setting})


def test_the_sizes_are_the_published_ones_and_json_gives_the_config_back():
    for size in elmo.SIZES.values():
        config = elmo.Config(vocabulary=100, **size)
        assert elmo.Config(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
    original = elmo.Config(vocabulary=100, **elmo.SIZES["original"])
    assert (original.dims, original.cells, original.highways) == (512, 4096, 2)
    assert sum(number for _, number in original.filters) == 2048
