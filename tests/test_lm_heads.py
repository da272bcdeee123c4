"""Heads and inputs of tasks: as the papers have them, and the same numbers as `transformers`."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import transformers
from checkpoints import Size, save, theirs, trained
from networks import network as small

from firth.errors import SettingsError
from firth.lm.neural import hf, tokens
from firth.lm.neural.answers import Names, predictions
from firth.lm.neural.elmo import Config as ElmoConfig
from firth.lm.neural.elmo import ELMo
from firth.lm.neural.examples import Answer, Example
from firth.lm.neural.heads import Mixed, with_head
from firth.lm.neural.inputs import NONE, Encoded, Examples, Input, Layout, batch_of, encode, word_pieces

torch.set_num_threads(1)

SIZE = Size(24, 2, 3, 32)
TEXTS = ["the quick brown fox", "dogs jump", "over the lazy dog it is", "we'll see"]
CAUSAL = Layout(397, 398, 399, 32, turned=True, last=True)
BERT = Layout(2, 3, 3, 32)
APART = Layout(1, 1, 1, None, apart=True)


def close(ours, other):
    torch.testing.assert_close(ours, other, atol=1e-5, rtol=1e-4)


def head_of(kind, network, task, outputs, **settings):
    made = with_head(
        kind, network, task, outputs, **{"dropout": 0.1, "auxiliary": 0.0, "frozen": False, **settings}
    )
    with torch.no_grad():
        made.head.weight.normal_(std=0.5)
        made.head.bias.normal_()
    return made.eval()


def example(*texts, target=None):
    return Example(texts, target, "here")


# --- the same numbers as transformers, whose classes have heads of the same kind


class Loaded:
    """A model of transformers with a head, ours with its weights, and the tokens of both."""

    def __init__(self, kind, theirs_for, folder, **settings):
        self.kind, self.pieces = kind, trained(kind)
        pretrained = save(folder, theirs(kind, SIZE, vocabulary=len(self.pieces)), self.pieces)
        self.network = hf.read(pretrained)[1]
        known = getattr(transformers, theirs_for).from_pretrained(pretrained, **settings)
        self.theirs = known.eval()
        self.layout = BERT if kind == "bert" else Layout(7, 8, 9, 32, turned=True, last=True)

    def compare(self, task, linear, examples, expected):
        """Our scores of examples beside what `expected` makes of the same batch."""
        batch = batch_of([encode(each, task, self.pieces, self.layout) for each in examples], self.pieces.pad)
        with torch.no_grad():
            linear.weight.normal_()
            made = head_of(self.kind, self.network, task, linear.out_features)
            made.head.weight.copy_(linear.weight)
            made.head.bias.zero_()
            if linear.bias is not None:
                made.head.bias.copy_(linear.bias.normal_())
            close(made(batch), expected(batch))

    def run(self, batch, shape=None, **more):
        given = {"input_ids": batch["ids"], **more}
        if self.kind == "bert":  # the others see nothing of the padding behind a text
            given |= {"attention_mask": batch["mask"].long(), "token_type_ids": batch["segments"]}
        return self.theirs(**{k: v.view(*(shape or v.shape[:1]), *v.shape[1:]) for k, v in given.items()})


def test_bert_classifies_as_theirs(tmp_path):
    both = Loaded("bert", "BertForSequenceClassification", tmp_path, num_labels=3)
    linear = both.theirs.classifier
    both.compare("classify", linear, [example(each) for each in TEXTS], lambda batch: both.run(batch).logits)
    pairs = [example(one, other) for one, other in pairwise(TEXTS)]
    both.compare("pair", linear, pairs, lambda batch: both.run(batch).logits)


def test_bert_chooses_as_theirs(tmp_path):
    both = Loaded("bert", "BertForMultipleChoice", tmp_path)
    examples = [example(TEXTS[0], *TEXTS[1:]), example(TEXTS[1], *TEXTS[::2], "fox")]
    both.compare("choice", both.theirs.classifier, examples, lambda batch: both.run(batch, (2, 3)).logits)


def test_bert_tags_as_theirs(tmp_path):
    both = Loaded("bert", "BertForTokenClassification", tmp_path, num_labels=4)

    def expected(batch):
        logits = both.run(batch).logits
        return torch.stack([row[places] for row, places in zip(logits, batch["places"], strict=True)])

    both.compare("tag", both.theirs.classifier, [example(*each.split()) for each in TEXTS], expected)


def test_bert_finds_answers_as_theirs(tmp_path):
    both = Loaded("bert", "BertForQuestionAnswering", tmp_path)

    def expected(batch):
        found = both.run(batch)
        logits = torch.stack([found.start_logits, found.end_logits], -1)
        rows = [row[places] for row, places in zip(logits, batch["places"], strict=True)]
        return torch.stack(rows).masked_fill(~batch["words"][..., None], -torch.inf)

    examples = [example("who ?", each) for each in TEXTS]
    both.compare("span", both.theirs.qa_outputs, examples, expected)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("gpt", "OpenAIGPTForSequenceClassification"), ("gpt2", "GPT2ForSequenceClassification")],
)
def test_gpt_classifies_by_its_last_token_as_theirs(kind, name, tmp_path):
    both = Loaded(kind, name, tmp_path, num_labels=3, pad_token_id=0)

    def expected(batch):
        return both.run({**batch, "ids": batch["ids"].masked_fill(~batch["mask"], 0)}).logits

    both.compare("classify", both.theirs.score, [example(each) for each in TEXTS], expected)


@pytest.mark.parametrize(
    ("kind", "name"), [("gpt", "OpenAIGPTDoubleHeadsModel"), ("gpt2", "GPT2DoubleHeadsModel")]
)
def test_gpt_chooses_as_theirs_and_keeps_the_same_language_loss(kind, name, tmp_path):
    both = Loaded(kind, name, tmp_path)
    head = both.theirs.multiple_choice_head.summary
    examples = [example(TEXTS[0], *TEXTS[1:3]), example(TEXTS[1], *TEXTS[::2])]

    def run(batch):
        last = batch["mask"].sum(1) - 1
        labels = batch["ids"].masked_fill(~batch["mask"], -100)
        return both.run(batch, (2, 2), mc_token_ids=last, labels=labels)

    both.compare("choice", head, examples, lambda batch: run(batch).mc_logits)
    encoded = [encode(each, "choice", both.pieces, both.layout) for each in examples]
    batch = Examples(encoded, [[0], [1]], both.pieces.pad).make(np.arange(2), None)
    made = head_of(kind, both.network, "choice", 1, auxiliary=0.5)
    with torch.no_grad():
        found, expected = made.loss(batch), run(batch).loss
        close(torch.tensor(found.extras["language_loss"]), expected)
        own = torch.nn.functional.cross_entropy(made(batch), torch.tensor([0, 1]))
        close(found.nll, own)
        close(found.total, own + 0.5 * expected)


# --- inputs as the papers draw them


@pytest.fixture(scope="module")
def pieces():
    return {kind: trained(kind) for kind in ("gpt", "gpt2", "bert")}


def rows(encoded):
    return [[row.ids for row in inputs] for inputs in encoded.candidates]


def test_gpts_four_transformations(pieces):
    own = pieces["gpt2"]
    a, b, c = (own.encode(text) for text in TEXTS[:3])
    start, delimiter, extract = 397, 398, 399
    one = [start, *a, extract]
    two = [start, *a, delimiter, *b, extract]
    turned = [start, *b, delimiter, *a, extract]
    other = [start, *a, delimiter, *c, extract]
    for task, texts, expected in (
        ("classify", TEXTS[:1], [[one]]),
        ("pair", TEXTS[:2], [[two]]),
        ("similarity", TEXTS[:2], [[two, turned]]),
        ("choice", TEXTS[:3], [[two], [other]]),
    ):
        assert rows(encode(example(*texts), task, own, CAUSAL)) == expected


def test_berts_inputs_have_segments(pieces):
    own = pieces["bert"]
    a, b = (own.encode(text) for text in TEXTS[:2])
    ((row,),) = encode(example(*TEXTS[:2]), "similarity", own, BERT).candidates
    assert row.ids == [2, *a, 3, *b, 3]
    assert row.segments == [0] * (len(a) + 2) + [1] * (len(b) + 1)


def test_elmo_reads_two_texts_by_themselves(pieces):
    own = pieces["bert"]
    a, b, c = (own.encode(text) for text in TEXTS[:3])
    assert rows(encode(example(*TEXTS[:2]), "pair", own, APART)) == [[[1, *a, 1], [1, *b, 1]]]
    found = rows(encode(example(*TEXTS[:3]), "choice", own, APART))
    assert found == [[[1, *a, 1], [1, *b, 1]], [[1, *a, 1], [1, *c, 1]]]


@pytest.mark.parametrize("kind", ["gpt", "gpt2", "bert"])
def test_a_word_is_its_first_piece_or_where_one_reads_ahead_its_last(kind, pieces):
    own, words = pieces[kind], ["unquestionably", "quick", "jumpings", "—", "白天", "x"]
    found = word_pieces(words, own)
    assert [id for word in found for id in word] == own.encode(" ".join(words))
    assert max(map(len, found)) > 1
    for layout in (BERT, CAUSAL):
        ((row,),) = encode(example(*words), "tag", own, layout).candidates
        at = 0 if layout is BERT else -1
        assert [row.ids[place] for place in row.places] == [word[at] for word in found]


def test_a_word_without_pieces_has_a_place_too(pieces):
    ((row,),) = encode(example("the", "\u200b\u0007", "dog"), "tag", pieces["bert"], BERT).candidates
    assert len(row.places) == 3 and row.ids[row.places[1]] == pieces["bert"].unknown


def test_long_texts_lose_their_ends_the_longer_first(pieces):
    own = pieces["bert"]
    long, short = " ".join(["the quick fox"] * 20), "dogs jump"
    encoded = encode(example(long, short), "pair", own, BERT)
    ((row,),) = encoded.candidates
    assert encoded.cut and len(row.ids) == 32
    b = own.encode(short)
    assert row.ids[-len(b) - 2 :] == [3, *b, 3]
    assert not encode(example(short, short), "pair", own, BERT).cut


def test_long_sentences_are_tagged_in_stretches(pieces):
    words = ("the quick unquestionable fox jumps " * 12).split()
    encoded = encode(example(*words), "tag", pieces["bert"], BERT)
    assert len(encoded.candidates) > 1
    assert sum(len(inputs[0].places) for inputs in encoded.candidates) == len(words)
    assert max(len(inputs[0].ids) for inputs in encoded.candidates) <= 32
    names = Names.of("tag", [example(*words, target=tuple(words))])
    target = names.target("tag", encode(example(*words, target=tuple(words)), "tag", pieces["bert"], BERT))
    assert [names.labels[at] for row in target for at in row] == words


def test_windows_cover_a_long_context_and_one_of_them_holds_the_answer(pieces):
    own = pieces["bert"]
    context = " ".join(f"dog{number}" for number in range(40)) + " , the fox."
    answer = context.index("dog37")
    source = Example(("who ?", context), (Answer("dog37", answer),), "here")
    encoded = encode(source, "span", own, BERT)
    total = len(own.encode(context))
    covered = {begin + at for begin, (row,) in zip(encoded.windows, encoded.candidates, strict=True)
               for at in range(len(row.places) - 1)}  # fmt: skip
    assert covered == set(range(total)) and len(encoded.spots) == total
    assert max(len(row.ids) for (row,) in encoded.candidates) <= 32
    targets = Names().target("span", encoded)
    assert any(ends != [0, 0] for ends in targets)
    for (first, last), begin in zip(targets, encoded.windows, strict=True):
        if first:
            spots = encoded.spots[begin + first - 1 : begin + last]
            assert context[spots[0][0] : spots[-1][1]] == "dog37"
    with pytest.raises(SettingsError, match="no room for answers"):
        encode(source, "span", own, Layout(2, 3, 3, 9))


# --- predictions


def spans(scores, candidates=1):
    """A prediction from scores of starts and ends for the words of "a bc d"."""
    row = Input([0] * 5, [0] * 5, list(range(4)))
    encoded = Encoded(example("?", "a bc d"), [[row]] * candidates, windows=[0] * candidates,
                      spots=[(0, 1), (2, 4), (5, 6)])  # fmt: skip
    (found,) = predictions("span", Names(), [encoded], torch.tensor(scores).view(candidates, 4, 2))
    return found


def test_answers_end_where_they_begin_or_later_and_may_be_none():
    found = spans([[0.0, 0.0], [0.0, 9.0], [2.0, 0.0], [0.0, 1.0]])
    assert (found.value, found.start) == ("a", 0)  # 0 + 9 beats 2 + 1; the start 2 with the end 9 runs backwards
    found = spans([[0.0, 0.0], [0.0, 1.0], [5.0, 0.0], [0.0, 5.0]])
    assert (found.value, found.start) == ("bc d", 2)
    found = spans([[6.0, 6.0], [0.0, 1.0], [5.0, 0.0], [0.0, 5.0]])
    assert (found.value, found.start) == ("", None)
    everything = [a + b for i, a in enumerate([0, 5, 0]) for j, b in enumerate([1, 0, 5]) if j >= i] + [12]
    assert found.probabilities == pytest.approx(np.exp(12) / np.exp(everything).sum())
    two = spans([[6.0, 6.0], [0, 0], [0, 0], [0, 0], [-6.0, -6.0], [0.0, 1.0], [5.0, 0.0], [0.0, 5.0]], 2)
    assert two.value == "bc d"  # the second window holds an answer that none of the first does not outweigh


def test_tags_come_with_their_probabilities_and_padding_says_nothing():
    encoded = [encode(example(*text.split()), "tag", trained("bert"), BERT) for text in ("the dog", "fox")]
    scores = torch.zeros(2, 2, 3)
    scores[0, 1, 2] = scores[1, 0, 1] = scores[1, 1, 0] = 5
    first, second = predictions("tag", Names(("A", "B", "C")), encoded, scores)
    assert first.value == ("A", "C") and second.value == ("B",)
    assert first.probabilities == pytest.approx((1 / 3, np.exp(5) / (np.exp(5) + 2)))


# --- heads


def test_similarity_of_gpt_adds_both_orders_and_does_not_depend_on_them(pieces):
    own = pieces["gpt2"]
    made = head_of("gpt2", small("gpt2", vocabulary=400, context=32), "similarity", 1)
    there, back = (encode(example(*texts), "similarity", own, CAUSAL) for texts in (TEXTS[:2], TEXTS[1::-1]))
    with torch.no_grad():
        batch = batch_of([there], own.pad)
        close(made(batch), made(batch_of([back], own.pad)))
        top = made.network.hidden(batch["ids"], mask=batch["mask"])[-1]
        ends = top[[0, 1], batch["mask"].sum(1) - 1].sum(0)
        close(made(batch), ends[None] @ made.head.weight.T[:, 0] + made.head.bias)


def test_elmo_mixes_its_layers_and_compares_means():
    mixed = Mixed(3)
    with torch.no_grad():
        mixed.mix.weights.copy_(torch.tensor([0.0, 1.0, 2.0]))
        mixed.mix.scale.fill_(1.5)
    layers = [torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    tokens = mixed.tokens(layers)
    shares = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    close(tokens, 1.5 * sum(float(share) * layer for share, layer in zip(shares, layers, strict=True)))
    mask = torch.tensor([[True, True, True, False], [True, True, True, True]])
    u, v = tokens[0, :3].mean(0), tokens[1].mean(0)
    close(mixed.texts(None, tokens[None], mask[None])[0], torch.cat([u, v, (u - v).abs(), u * v]))
    close(mixed.texts(None, tokens[:1, None], mask[:1, None])[0], u)
    (words,) = mixed.words(tokens[None], mask[None], torch.tensor([[2, 0]]))
    close(words, torch.stack([torch.cat([h, u, h * u]) for h in (tokens[1, 2], tokens[1, 0])]))


@pytest.fixture
def elmo():
    own = tokens.SpelledTokens(["the", "dog", "fox", "over"], np.ones(6, np.int64))
    torch.manual_seed(2)
    return own, ELMo(ElmoConfig(vocabulary=len(own), dims=6, cells=6, filters=((1, 4), (2, 4))), own)


def test_a_frozen_network_neither_learns_nor_drops(elmo):
    own, network = elmo
    made = head_of("elmo", network, "classify", 2, frozen=True, dropout=0.0)
    made.train()
    encoded = [encode(example(each, target="a"), "classify", own, APART) for each in TEXTS]
    batch = Examples(encoded, [[0], [1], [0], [1]], own.pad).make(np.arange(4), None)
    one, other = made.loss(batch), made.loss(batch)
    assert one.total == other.total
    one.total.backward()
    learnt = {name for name, each in made.named_parameters() if each.grad is not None}
    assert learnt == {"head.weight", "head.bias", "summary.mix.weights", "summary.mix.scale"}
    assert all(each.grad.abs().sum() > 0 for each in made.parameters() if each.grad is not None)


@pytest.mark.parametrize("kind", ["gpt", "gpt2", "bert", "elmo"])
@pytest.mark.parametrize("task", ["classify", "pair", "similarity", "choice", "tag", "span"])
def test_scores_do_not_depend_on_what_else_is_in_the_batch(kind, task, pieces, elmo):
    if kind == "elmo":
        (own, network), layout = elmo, APART
    else:
        own, network = pieces[kind], small(kind, vocabulary=400, context=32)
        layout = BERT if kind == "bert" else CAUSAL
    width = {"classify": 1, "choice": 3}.get(task, 2)
    texts = [tuple(TEXTS[(first + at) % 4] for at in range(width)) for first in range(4)]
    if task == "tag":
        texts = [tuple(each.split()) for each in TEXTS]
    encoded = [encode(example(*each), task, own, layout) for each in texts]
    made = head_of(kind, network, task, 1 if task in ("similarity", "choice") else 2)
    with torch.no_grad():
        together = made(batch_of(encoded, own.pad))
        for row, each in zip(together, encoded, strict=True):
            alone = made(batch_of([each], own.pad))[0]
            close(row[: len(alone)] if alone.dim() else row, alone)


def test_words_beyond_the_text_are_not_learnt(pieces):
    own, network = pieces["bert"], small("bert", vocabulary=400, context=32)
    made = head_of("bert", network, "tag", 3, dropout=0.0)
    encoded = [encode(example(*each.split()), "tag", own, BERT) for each in TEXTS[:2]]
    batch = Examples(encoded, [[[0, 1, 2, 0]], [[2, 1]]], own.pad).make(np.arange(2), None)
    assert batch["targets"].tolist() == [[0, 1, 2, 0], [2, 1, NONE, NONE]]
    with torch.no_grad():
        log = made(batch).log_softmax(-1)
        expected = -torch.stack(
            [log[0, 0, 0], log[0, 1, 1], log[0, 2, 2], log[0, 3, 0], log[1, 0, 2], log[1, 1, 1]]
        )
        close(made.loss(batch).total, expected.mean())
