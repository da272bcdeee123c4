"""GPT, GPT-2 and BERT: what sees what, how they start, gradients and losses."""

import math

import numpy as np
import pytest
import torch
from networks import KINDS, WORDS, causal_kinds, close, kinds, network, one_thread, stream, tokens  # noqa: F401
from torch.func import functional_call
from torch.nn import functional

import firth
from firth.lm.neural import gpt2, softmax
from firth.lm.neural.dropout import dropout
from firth.lm.neural.softmax import cross_entropy
from firth.lm.neural.transformer import Block, Cache, View, attend

# What there is


@pytest.mark.parametrize(
    ("kind", "size", "parameters"),
    [
        ("gpt", "base", 116_534_784),
        ("gpt2", "small", 124_439_808),
        ("gpt2", "medium", 354_823_168),
        ("gpt2", "large", 774_030_080),
        ("gpt2", "xl", 1_557_611_200),
        ("bert", "base", 110_106_428),
        ("bert", "large", 336_226_108),
    ],
)
def test_published_sizes_have_the_published_number_of_parameters(kind, size, parameters):
    module = KINDS[kind]
    with torch.device("meta"):
        made = module.Bert(module.Config(**module.SIZES[size])) if kind == "bert" else None
        made = made or module.create(module.Config(**module.SIZES[size]), None)
    assert sum(weights.numel() for weights in made.parameters()) == parameters


@kinds
def test_every_size_can_be_made(kind):
    module = KINDS[kind]
    for size in module.SIZES.values():
        config = module.Config(**{**size, "vocabulary": 7})
        assert (config.dims, config.vocabulary, config.dropout) == (size["dims"], 7, 0.1)


@kinds
@pytest.mark.parametrize(
    "wrong", [{"dims": 10, "heads": 3}, {"layers": 0}, {"context": 1.5}, {"dropout": 1}, {"dropout": "much"}]
)
def test_shapes_that_cannot_be(kind, wrong):
    with pytest.raises(firth.errors.SettingsError, match=str(next(iter(wrong)))):
        KINDS[kind].Config(**wrong)


@kinds
def test_weights_start_as_the_papers_say(kind):
    made = network(kind, noise=0, dims=128, vocabulary=500, layers=4, heads=4)
    for name, weights in made.named_parameters():
        if weights.dim() == 1:
            expected = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            assert (weights == expected).all(), name
            continue
        last = kind == "gpt2" and name.endswith(("attention.out.weight", "feed.down.weight"))
        spread = 0.02 / math.sqrt(2 * 4) if last else 0.02
        error = spread / math.sqrt(weights.numel())
        assert abs(float(weights.mean().detach())) < 5 * error, name
        assert abs(float(weights.std().detach()) - spread) < 5 * error, name


@kinds
def test_the_softmax_shares_the_embeddings(kind):
    made = network(kind)
    assert [name for name, weights in made.named_parameters() if weights.shape == (WORDS, 16)] == [
        "embed.tokens.weight"
    ]
    top = made.hidden(tokens(1, 3))[-1].detach()
    made.logits(top).sum().backward()
    assert made.embed.tokens.weight.grad.abs().min() > 0
    before = made.logits(top)
    with torch.no_grad():
        made.embeddings.mul_(2)
    scores = made.masked(top) @ made.embeddings.T + made.masked.bias if kind == "bert" else 2 * before
    close(made.logits(top), scores)


# What sees what


@kinds
def test_states_are_one_more_than_layers(kind):
    made, ids = network(kind, layers=3), tokens(2, 5)
    states = made.hidden(ids)
    assert [state.shape for state in states] == [(2, 5, 16)] * 4
    assert made.logits(states[-1]).shape == (2, 5, WORDS)
    if kind == "gpt2":
        close(states[-1].mean(-1), made.norm.bias.mean() + (states[-1] - made.norm.bias).mean(-1))


@causal_kinds
def test_later_tokens_change_no_earlier_state(kind):
    made, ids = network(kind), tokens(2, 9)
    other = ids.clone()
    other[:, 5:] = tokens(2, 4, seed=9)
    for one, two in zip(made.hidden(ids), made.hidden(other), strict=True):
        close(one[:, :5], two[:, :5])
        assert not torch.isclose(one[:, 5:], two[:, 5:]).all()


def test_bert_sees_both_sides():
    made, ids = network("bert"), tokens(1, 9)
    other = ids.clone()
    other[:, 8] = ids[:, 8] % (WORDS - 6) + 5
    assert not torch.isclose(made.hidden(ids)[-1], made.hidden(other)[-1]).all(-1).any()


def test_bert_tells_segments_apart_and_takes_the_first_for_none():
    made, ids = network("bert"), tokens(1, 6)
    second = torch.zeros_like(ids)
    close(made.hidden(ids)[-1], made.hidden(ids, segments=second)[-1])
    second[:, 3:] = 1
    assert not torch.isclose(made.hidden(ids)[0], made.hidden(ids, segments=second)[0])[:, 3:].all(-1).any()


@kinds
@pytest.mark.parametrize("side", ["left", "right", "middle"])
def test_padding_changes_no_state_and_has_none_that_is_no_number(kind, side):
    made, ids = network(kind), tokens(3, 9)
    mask = torch.ones(3, 9, dtype=torch.bool)
    for row, size in enumerate((9, 6, 1)):
        if side == "left":
            mask[row, : 9 - size] = False
        elif side == "right":
            mask[row, size:] = False
        else:
            mask[row, 1 : 1 + 9 - size] = False
    states = made.hidden(ids, mask=mask)
    assert all(state.isfinite().all() for state in states)
    for row in range(3):
        alone = made.hidden(ids[row, mask[row]][None])
        for padded, plain in zip(states, alone, strict=True):
            close(padded[row, mask[row]], plain[0])


@causal_kinds
@pytest.mark.parametrize("padded", [False, True])
def test_reading_with_a_cache_is_reading_at_once(kind, padded):
    made, ids = network(kind), tokens(3, 11)
    mask = torch.ones(3, 11, dtype=torch.bool)
    if padded:
        mask[0, :2] = mask[2, :4] = False
    whole, cache = made.hidden(ids, mask=mask), Cache(11)
    pieces = [
        made.hidden(ids[:, at:to], mask=mask[:, at:to], cache=cache)
        for at, to in ((0, 5), (5, 6), (6, 9), (9, 10))
    ]
    cache.keep(torch.tensor([2, 0]))
    last = made.hidden(ids[[2, 0], 10:], cache=cache)
    for layer, state in enumerate(whole):
        found = torch.cat([piece[layer] for piece in pieces], 1)
        close(found[mask[:, :10]], state[:, :10][mask[:, :10]])
        close(last[layer], state[[2, 0], 10:])
    assert cache.length == 11


@kinds
def test_texts_beyond_the_context_are_refused(kind):
    with pytest.raises(firth.errors.SettingsError, match="13 tokens are more than the context of 12"):
        network(kind).hidden(tokens(1, 13))


@kinds
def test_dropout_is_for_training_only(kind):
    made, ids = network(kind), tokens(1, 8)
    close(made.hidden(ids)[-1], made.hidden(ids)[-1], atol=0, rtol=0)
    made.train()
    assert not torch.isclose(made.hidden(ids)[0], made.hidden(ids)[0]).all()  # the embeddings'
    torch.manual_seed(5)
    once = made.hidden(ids)[-1]
    torch.manual_seed(5)
    close(made.hidden(ids)[-1], once, atol=0, rtol=0)


def test_dropout_keeps_a_share_and_the_mean():
    torch.manual_seed(6)
    x = torch.ones(300, 333, requires_grad=True)
    found = dropout(x, 0.3)
    assert float((found == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(found.detach().mean()) == pytest.approx(1, abs=0.01)
    close(torch.autograd.grad(found.sum(), x)[0], found)
    zeros = (found == 0).float()
    assert abs(float((zeros[:, 1:] * zeros[:, :-1]).mean()) - 0.09) < 0.01  # neighbours fall independently
    assert not torch.equal(dropout(x, 0.3), found)
    torch.manual_seed(6)
    assert torch.equal(dropout(x, 0.3), found)


@pytest.mark.parametrize("view", ["all", "causal", "some"])
def test_attention_with_dropout_is_attention(view):
    torch.manual_seed(7)
    given = [torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    allowed = torch.rand(2, 1, 5, 5) < 0.5
    allowed |= torch.eye(5, dtype=torch.bool)
    seen = View(0, allowed if view == "some" else None, view == "causal")
    plain, same = attend(*given, seen, 0.0), attend(*given, seen, 1e-9)  # too little to fall on any
    close(same, plain)
    for one, two in zip(*(torch.autograd.grad(each.sum(), given) for each in (same, plain)), strict=True):
        close(one, two)
    whole = torch.stack([attend(*given, seen, 0.3) for _ in range(2000)])
    close(whole.mean(0), plain, atol=0.1, rtol=0)
    assert float(whole.detach().std(0)[:, :, 1:].min()) > 0


# Gradients and losses


@pytest.mark.parametrize(("pre", "gelu"), [(True, "tanh"), (False, "tanh"), (False, "none")])
@pytest.mark.parametrize("causal", [True, False])
def test_gradients_of_a_block_are_those_of_finite_differences(pre, gelu, causal):
    torch.manual_seed(2)
    config = gpt2.Config(vocabulary=5, dims=4, layers=1, heads=2, context=3, dropout=0)
    block = Block(config, pre=pre, gelu=gelu, epsilon=1e-5).double()
    names, weights = zip(*block.named_parameters(), strict=True)
    weights = [(each + 0.3 * torch.randn_like(each)).detach().requires_grad_() for each in weights]
    x = torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True)

    def run(x, *weights):
        return functional_call(block, dict(zip(names, weights, strict=True)), (x, View(0, None, causal)))

    assert torch.autograd.gradcheck(run, (x, *weights))


@pytest.mark.parametrize("biased", [False, True])
def test_cross_entropy_in_chunks(biased, monkeypatch):
    monkeypatch.setattr(softmax, "_SCORES", {"cpu": 30})
    monkeypatch.setattr(softmax, "_ROWS", 2)
    torch.manual_seed(3)
    hidden, weight, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((8, 4), (10, 4), (10,))
    )
    targets = torch.tensor([0, 9, 3, 3, 5, 1, 2, 7])
    given = (hidden, weight, targets, bias if biased else None)
    scores = functional.linear(hidden, weight, given[3])
    mean, hits = cross_entropy(*given)
    close(mean, functional.cross_entropy(scores, targets))
    assert hits == (scores.argmax(1) == targets).sum()
    assert torch.autograd.gradcheck(lambda *each: 3 * cross_entropy(each[0], each[1], targets, *each[2:])[0],
                                    (hidden, weight, bias) if biased else (hidden, weight))  # fmt: skip
    with torch.no_grad():
        close(cross_entropy(*given)[0], mean)


def test_cross_entropy_in_half_precision_learns_in_full():
    torch.manual_seed(4)
    hidden, weight = torch.randn(300, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    targets = torch.randint(50, (300,))
    exact = torch.autograd.grad(cross_entropy(hidden, weight, targets)[0], (hidden, weight))
    with torch.autocast("cpu", torch.bfloat16):
        mean, _ = cross_entropy(hidden, weight, targets)
    assert mean.dtype == torch.float32
    for found, full in zip(torch.autograd.grad(mean, (hidden, weight)), exact, strict=True):
        assert found.dtype == torch.float32
        assert (found - full).norm() < 0.02 * full.norm()


def test_cross_entropy_of_the_very_unlikely_is_finite():
    scores = torch.tensor([[0.0, -500.0]])
    mean, _ = cross_entropy(torch.eye(1), scores.T.contiguous(), torch.tensor([1]))
    assert float(mean) == 500


@causal_kinds
def test_the_loss_is_that_of_each_next_token_that_is_real(kind):
    made, ids = network(kind), tokens(2, 9)
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[1, 6:] = False
    losses = []
    for row, size in ((0, 9), (1, 6)):
        scores = made.logits(made.hidden(ids[row, : size - 1][None])[-1])[0]
        losses.append(functional.cross_entropy(scores, ids[row, 1:size], reduction="none"))
    loss = made.loss({"ids": ids, "mask": mask})
    close(loss.total, torch.cat(losses).mean())
    assert loss.predicted == 8 + 5
    ids[1, 6:] = 5
    close(made.loss({"ids": ids, "mask": mask}).nll, loss.nll)
    close(made.loss({"ids": ids[:1]}).nll, losses[0].mean().detach())


def test_the_loss_of_bert_is_that_of_masked_words_and_of_adjacent_spans():
    made = network("bert")
    batch = made.batches(stream(tokens(30, 7).tolist())).make(np.arange(6), np.random.default_rng(5))
    top = made.hidden(batch["ids"], mask=batch.get("mask"), segments=batch["segments"])[-1]
    scores = made.logits(top).flatten(0, 1)[batch["chosen"]]
    words = functional.cross_entropy(scores, batch["words"])
    spans = functional.cross_entropy(made.adjacent(torch.tanh(made.pooler(top[:, 0]))), batch["apart"])
    loss = made.loss(batch)
    close(loss.nll, words.detach())
    close(loss.total, words + spans)
    assert loss.extras["masked-word accuracy"] == pytest.approx(
        float((scores.argmax(-1) == batch["words"]).float().mean())
    )
    assert loss.predicted == len(batch["words"])
