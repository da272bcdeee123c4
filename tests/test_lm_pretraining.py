"""What GPT, GPT-2 and BERT learn from: chunks, pairs of spans, masked words; and that they learn."""

import math

import numpy as np
import pytest
import torch
from networks import END, MARKS, WORDS, kinds, network, one_thread, stream  # noqa: F401 - a fixture

import firth
from firth.lm.neural import bert
from firth.lm.neural.causal import Chunks
from firth.lm.neural.masking import Spans, choose


def test_chunks_predict_each_token_but_the_first_once():
    text = stream([[5, 6, 7], [], [8, 9, 10, 11, 12]])
    chunks = Chunks(text, 4)
    batch = chunks.make(np.arange(len(chunks)), np.random.default_rng(0))
    assert torch.cat(
        [ids[1:][mask[1:]] for ids, mask in zip(batch["ids"], batch["mask"], strict=True)]
    ).tolist() == (text.ids[1:].tolist())
    assert batch["ids"][1, 0] == batch["ids"][0, -1]
    assert "mask" not in chunks.make(np.array([1]), np.random.default_rng(0))
    assert len(Chunks(stream([[]]), 4)) == 0


def lines(seed=0, most=9, many=400):
    random = np.random.default_rng(seed)
    return [random.integers(END + 1, WORDS, random.integers(0, most)).tolist() for _ in range(many)]


def restored(batch):
    """The ids before masking."""
    ids = batch["ids"].clone()
    ids.view(-1)[batch["chosen"]] = batch["words"]
    return ids


def test_pairs_are_adjacent_spans_half_of_the_time():
    text = stream(lines())
    words = [int(id) for id in text.ids if id != END]
    spans = Spans(text, 24, WORDS, MARKS)
    assert len(spans) == -(-len(words) // 21)
    starts = set(np.cumsum([0, *map(len, lines())]).tolist())
    apart, short = [], 0
    for step in range(20):
        which = np.random.default_rng([1, step]).permutation(len(spans) - 1)[:32]
        batch = spans.make(which, np.random.default_rng([2, step]))
        real = batch.get("mask", torch.ones_like(batch["ids"], dtype=torch.bool))
        for row, ids in enumerate(restored(batch)):
            found, segments = ids[real[row]].tolist(), batch["segments"][row]
            first, second = (part for part in _split(found, MARKS.sep) if part)
            assert first[0] == MARKS.cls
            assert segments.tolist() == [0] * (len(first) + 1) + [1] * (len(second) + 1) + [0] * (
                len(ids) - len(found)
            )
            at = 21 * int(which[row])
            first = first[1:]
            assert words[at : at + len(first)] == first
            assert at + len(first) in starts or not starts & set(range(at + 1, at + len(first) + len(second)))
            follows = words[at + len(first) : at + len(first) + len(second)] == second
            assert follows != bool(batch["apart"][row]) or len(second) < 4  # few words recur
            short += len(found) < 24
        apart += batch["apart"].tolist()
    assert 0.42 < np.mean(apart) < 0.58
    assert 0.05 < short / len(apart) < 0.15


def _split(ids, at):
    parts = [[]]
    for id in ids:
        parts.append([]) if id == at else parts[-1].append(id)
    return parts


def test_of_the_words_15_per_cent_are_masked_in_three_ways():
    spans = Spans(stream(lines(most=30)), 64, WORDS, MARKS)
    ordinary = masked = marked = same = 0
    others = []
    for step in range(12):
        batch = spans.make(np.arange(len(spans)), np.random.default_rng(step))
        before, shown = restored(batch), batch["ids"].flatten()[batch["chosen"]]
        assert (batch["words"] > END).all()  # no special token is ever masked
        untouched = torch.ones(before.numel(), dtype=torch.bool)
        untouched[batch["chosen"]] = False
        assert not (batch["ids"].flatten()[untouched] == MARKS.mask).any()
        ordinary, masked = ordinary + int((before > END).sum()), masked + len(shown)
        marked, same = marked + int((shown == MARKS.mask).sum()), same + int((shown == batch["words"]).sum())
        others += shown[(shown != MARKS.mask) & (shown != batch["words"])].tolist()
    assert masked / ordinary == pytest.approx(0.15, abs=0.003)
    assert marked / masked == pytest.approx(0.8, abs=0.02)
    chance = 1 / (WORDS - END - 1)  # that another word is the same one
    assert same / masked == pytest.approx(0.1 + 0.1 * chance, abs=0.015)
    assert len(others) / masked == pytest.approx(0.1 * (1 - chance), abs=0.015)
    assert set(others) == set(range(END + 1, WORDS))


def test_at_least_one_word_is_masked_wherever_there_is_one():
    special = np.ones((3, 6), np.bool_)
    special[0, 2] = special[1, 1:4] = False
    assert len(choose(special, np.random.default_rng(0))) == 2


@kinds
def test_batches_are_a_function_of_their_arguments(kind):
    pieces = network(kind).batches(stream(lines()))
    make = [pieces.make(np.array([3, 1]), np.random.default_rng([7, step])) for step in (0, 0, 1)]
    assert make[0].keys() == make[1].keys()
    assert all(torch.equal(make[0][name], make[1][name]) for name in make[0])
    if kind == "bert":
        assert not torch.equal(make[0]["chosen"], make[2]["chosen"])  # another mask each time


@pytest.mark.parametrize("text", [[[5]], [[5, 6]], [[], [7], []], [[5] * 12, [6]]])
def test_the_shortest_texts_become_batches(text):
    made = network("bert")
    pieces = made.batches(stream(text))
    batch = pieces.make(np.arange(len(pieces)), np.random.default_rng(1))
    assert made.loss(batch).total.isfinite()


def test_spans_need_room():
    with pytest.raises(firth.errors.SettingsError, match="context=4"):
        Spans(stream([[5]]), 4, WORDS, MARKS)


@kinds
def test_the_loss_falls(kind):
    made = network(kind, noise=0, dims=32, layers=1, dropout=0.0).train()
    pieces, steps = made.batches(stream([[word] * 11 for word in range(END + 1, WORDS)])), 200
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3)
    losses = []
    for step in range(steps):
        random = np.random.default_rng([1, step])
        loss = made.loss(pieces.make(random.integers(len(pieces), size=32), random))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        losses.append((float(loss.nll), loss.extras))
    last = losses[-20:]
    assert abs(losses[0][0] - math.log(WORDS)) < 0.5
    assert np.mean([nll for nll, _ in last]) < 1
    if kind == "bert":
        assert np.mean([extras["masked-word accuracy"] for _, extras in last]) > 0.75


def test_marks_come_from_the_tokens():
    class Tokens:
        pad, cls, sep, mask = 9, 8, 7, 6

    made = bert.create(bert.Config(vocabulary=20, dims=8, layers=1, heads=1, context=12), Tokens)
    batch = made.batches(stream([[10, 11, 12, 13]])).make(np.array([0]), np.random.default_rng(0))
    assert restored(batch)[0, 0] == 8
