"""Fine-tuning: small artificial rules that every kind of network learns, kept, predicted and read."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy import stats

import firth
from firth.cli import main
from firth.cli.lm.predict import lines_of
from firth.errors import CorpusError, FirthWarning, FormatError, SettingsError
from firth.evaluate import metrics
from firth.lm.neural import bert, elmo, gpt, gpt2, tokens
from firth.lm.neural import finetune as module
from firth.lm.neural.answers import Prediction
from firth.lm.neural.examples import Example
from firth.lm.neural.finetune import Task, finetune
from firth.lm.neural.saved import Learnt, save

torch.set_num_threads(1)

MODULES = {"gpt": gpt, "gpt2": gpt2, "bert": bert, "elmo": elmo}
PIECES = {"gpt": "bpe", "gpt2": "bytes", "bert": "wordpiece"}
FILLERS = [f"w{number}" for number in range(12)]
MARKS = ["good", "bad", "red", "blue"]


def network(kind, **settings):
    """A small network that knows nothing yet, and its tokens."""
    torch.manual_seed(0)
    if kind == "elmo":
        own = tokens.SpelledTokens(FILLERS + MARKS[:2], np.ones(16, np.int64))
        sizes = {"dims": 16, "cells": 16, "filters": ((1, 8), (2, 8)), "dropout": 0.0}
    else:
        text = [" ".join(FILLERS + MARKS)] * 3
        own = tokens.train(PIECES[kind], lambda: iter(text), 300 if kind == "gpt2" else 100)
        sizes = {"dims": 32, "layers": 1, "heads": 2, "context": 48, "dropout": 0.0}
    module = MODULES[kind]
    return module.create(module.Config(vocabulary=len(own), **{**sizes, **settings}), own), own


def rows(task, number, seed):
    """Examples of a rule; where it depends on two texts, neither tells it alone."""
    rng = np.random.default_rng(seed)
    return [_ROWS[task](rng) for _ in range(number)]


def fill(rng, number, *more):
    return " ".join(rng.permutation([*rng.choice(FILLERS, number), *more]))


def _classify(rng):
    mark = str(rng.choice(["good", "bad"]))
    return mark.upper(), fill(rng, 4, mark)


def _pair(rng):
    both = bool(rng.integers(2))
    marks = [("good",), ("good",)] if both else list(rng.permutation([("good",), ("bad",)]))
    return ("both" if both else "one"), *(fill(rng, 2, *each) for each in marks)


def _similarity(rng):
    one, other = rng.integers(0, 4, 2)
    score = 10 + 2 * (one + other)
    return str(score), *(fill(rng, 4 - count, *["good"] * count) for count in (one, other))


def _choice(rng):
    right = int(rng.integers(3))
    choices = [fill(rng, 1, "red" if at == right else "blue") for at in range(3)]
    return str(right), fill(rng, 2), *choices


def _tag(rng):
    tags = {"good": "B-Q", "bad": "B-Q", "red": "I-Q"}
    return [(str(word), tags.get(word, "O")) for word in rng.choice([*FILLERS[:5], *MARKS], 7)]


def _span(rng):
    asked = str(rng.choice(["red", "blue"]))
    context = fill(rng, 6, "red", "blue").replace("red", "red,")
    return {"question": f"where is {asked} ?", "context": context, "answers": [asked]}


_ROWS = {each.__name__[1:]: each for each in (_classify, _pair, _similarity, _choice, _tag, _span)}


def taught(kind, task, number=256, seed=1, **settings):
    sizes = {}
    own = {"epochs": 6, "batch": 16, "learning_rate": 5e-2 if kind == "elmo" else 5e-3, "dropout": 0.0}
    if task == "span":  # which takes the word asked for to be sought in another text
        own, number, sizes = {**own, "epochs": 8, "learning_rate": 3e-3}, 400, {"layers": 2}
    known = {"validation": rows(task, 60, seed + 1), "progress": False, **own, **settings}
    return finetune(kind, *network(kind, **sizes), rows(task, number, seed), task=task, **known)


CASES = [
    *(("bert", task) for task in _ROWS),
    *(("gpt", task) for task in ("classify", "similarity", "choice")),
    *(("gpt2", task) for task in ("classify", "tag")),
    *(("elmo", task) for task in ("pair", "tag")),
]


@pytest.mark.parametrize(("kind", "task"), CASES)
def test_each_kind_learns_each_task(kind, task, tmp_path):
    made, test = taught(kind, task), rows(task, 100, 9)
    score, *_ = made.evaluate(test).values()
    assert score > 0.9
    if task not in ("similarity", "span"):
        gold = [tag for row in test for _, tag in row] if task == "tag" else [row[0] for row in test]
        assert max(map(gold.count, set(gold))) / len(gold) < 0.75  # the commonest alone
    made.save(tmp_path / "task")
    again = Task.load(tmp_path / "task")
    assert again.predict(test) == made.predict(test)
    assert (again.labels, again.history, again.settings) == (made.labels, made.history, made.settings)


# --- the best checkpoint


def test_the_best_epoch_is_kept(monkeypatch):
    """By a made-up curve: 0.2, 0.9, 0.5, 0.9, of which the first of the best is kept."""
    kept, curve = [], iter([0.2, 0.9, 0.5, 0.9])

    def made_up(self, examples, found):
        kept.append({name: each.clone() for name, each in self.network.state_dict().items()})
        return {"accuracy": next(curve)}

    monkeypatch.setattr(Task, "measured", made_up)
    made = taught("bert", "classify", number=64, epochs=4)
    assert [row["accuracy"] for row in made.history] == [0.2, 0.9, 0.5, 0.9]
    assert [row["error"] for row in made.history] == pytest.approx([0.8, 0.1, 0.5, 0.1])
    now = made.network.state_dict()
    same = [all(torch.equal(now[name], each[name]) for name in now) for each in kept]
    assert same == [False, True, False, False]


def test_without_validation_the_last_epoch_is_kept():
    made = taught("bert", "classify", number=64, epochs=2, validation=None)
    assert len(made.history) == 2 and "error" not in made.history[-1]


def test_the_validation_part_is_drawn_by_the_seed_and_not_learnt(monkeypatch):
    seen = []
    learn = module.learn

    def noting(network, batches, *more, **settings):
        seen.append([each.example.texts[0] for each in batches.encoded])
        return learn(network, batches, *more, **settings)

    monkeypatch.setattr(module, "learn", noting)
    data = [("a" if number % 2 else "b", f"w1 text{number}") for number in range(40)]
    settings = {"task": "classify", "epochs": 1, "validation": 0.25, "progress": False}
    for seed in (1, 1, 2):
        finetune("bert", *network("bert"), data, seed=seed, **settings)
    assert [len(each) for each in seen] == [30, 30, 30]
    assert seen[0] == seen[1] != seen[2]


def test_the_pretrained_network_stays_and_the_same_seed_learns_the_same():
    pretrained, own = network("gpt2")
    before = {name: each.clone() for name, each in pretrained.state_dict().items()}
    settings = {"task": "classify", "epochs": 2, "batch": 16, "learning_rate": 1e-2, "progress": False}
    data = rows("classify", 64, 1)
    one, other = (finetune("gpt2", pretrained, own, data, **settings) for _ in range(2))
    assert all(torch.equal(each, pretrained.state_dict()[name]) for name, each in before.items())
    for name, each in one.network.state_dict().items():
        assert torch.equal(each, other.network.state_dict()[name])
    learnt = one.network.network.state_dict()
    assert learnt["embed.tokens.weight"].shape[0] == len(before["embed.tokens.weight"]) + 3
    assert not torch.equal(learnt["blocks.0.feed.up.weight"], before["blocks.0.feed.up.weight"])


def test_elmos_layers_stay_and_their_shares_are_learnt():
    made = taught("elmo", "classify", number=64, epochs=2)
    pretrained, _ = network("elmo")
    for name, each in made.network.network.named_parameters():
        assert torch.equal(each, pretrained.get_parameter(name))
    assert made.network.summary.mix.weights.abs().sum() > 0
    thawed = taught("elmo", "classify", number=64, epochs=2, frozen=False)
    assert not torch.equal(thawed.network.network.spelling.project.weight, pretrained.spelling.project.weight)


# --- predictions and metrics


def test_predictions_have_probabilities_and_names():
    made = taught("bert", "classify", number=128, epochs=3)
    assert made.labels == ("BAD", "GOOD")
    first, second = made.predict(["w1 good w2", ("GOOD", "w3 w4 bad")][:1]) + made.predict([("BAD", "w3 bad")])
    assert first.probabilities.keys() == {"BAD", "GOOD"}
    assert sum(first.probabilities.values()) == pytest.approx(1)
    assert first.value == max(first.probabilities, key=first.probabilities.get)
    assert second.as_dict().keys() == {"value", "probabilities"}


def test_a_label_that_was_not_learnt_is_wrong():
    made = taught("bert", "classify", number=128)
    test = rows("classify", 40, 9)
    whole = made.evaluate(test)["accuracy"]
    assert made.evaluate([*test, *(("OTHER", text) for _, text in test)])["accuracy"] == whole / 2


def test_cut_texts_are_told():
    data = [*rows("classify", 30, 1), ("GOOD", "good " * 100)]
    with pytest.warns(FirthWarning, match="1 of 31 examples are longer than the 48 tokens"):
        finetune("bert", *network("bert"), data, task="classify", epochs=1, progress=False)


@pytest.mark.parametrize("seed", range(5))
def test_correlations_are_scipys(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 6, (2, 20)).tolist()
    assert metrics.pearson(one, other) == pytest.approx(stats.pearsonr(one, other).statistic)
    assert metrics.spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
    assert metrics.spearman(one, [3] * 20) == 0


def test_entities_are_counted_as_conlleval_does():
    tags = ["I-A", "I-A", "B-A", "O", "I-B", "I-A", "B-B", "I-B", "B-B", "O"]
    assert metrics.entities(tags) == {
        (0, 2, "A"), (2, 3, "A"), (4, 5, "B"), (5, 6, "A"), (6, 8, "B"), (8, 9, "B"),
    }  # fmt: skip
    assert metrics.entity_f1([["B-A", "I-A", "O"]], [["B-A", "O", "O"]]) == 0
    assert metrics.entity_f1([["B-A", "I-A", "O", "B-B"]], [["B-A", "I-A", "O", "O"]]) == pytest.approx(2 / 3)


def test_answers_are_compared_as_squad_does():
    assert metrics.exact_match(["The Eiffel Tower!"], "eiffel tower") == 1
    assert metrics.exact_match([], "") == 1 and metrics.exact_match([], "tower") == 0
    assert metrics.overlap_f1(["in the tower", "a red tower"], "red tower tower") == pytest.approx(4 / 5)
    assert metrics.overlap_f1(["tower"], "") == 0


# --- what cannot be


def write(folder, text, name="f.tsv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"task": "sort"}, "task='sort' is unknown; choose one of classify, pair"),
        ({"validation": 1.5}, r"validation=1.5 leaves \d+ of 30"),
        ({"validation": 0.001}, r"validation=0.001 leaves 0 of 30"),
        ({"auxiliary": 0.5}, "auxiliary=0.5 must be .* 0 for bert"),
        ({"dropout": 1}, "dropout=1 must be at least 0 and below 1"),
        ({"epochs": 0}, "epochs=0 must be a whole number"),
    ],
)
def test_settings_that_cannot_work(settings, said):
    with pytest.raises(SettingsError, match=said):
        finetune("bert", *network("bert"), rows("classify", 30, 1), **{"task": "classify", **settings})


def test_what_cannot_be_learnt_is_said():
    with pytest.raises(SettingsError, match="all examples are labelled 'a'"):
        finetune("bert", *network("bert"), [("a", "one")] * 20, task="classify")
    with pytest.raises(CorpusError, match="example 1: has no target to learn"):
        finetune("bert", *network("bert"), ["one", "two"] * 20, task="classify")
    with pytest.raises(SettingsError, match="nnlm has no tasks; fine-tune one of elmo, gpt, gpt2, bert"):
        finetune("nnlm", *network("bert"), rows("classify", 30, 1), task="classify")


def test_directories_that_are_no_task(tmp_path):
    made = taught("bert", "classify", number=64, epochs=1)
    made.save(tmp_path / "task")
    config = tmp_path / "task" / "config.json"
    whole = json.loads(config.read_text())
    for change, said in (
        ({"kind": "word2vec"}, "holds 'word2vec', no task"),
        ({"names": {"labels": ["a"]}}, "its parts do not belong together"),
        ({"model": "gpt"}, "its parts do not belong together"),
        ({"settings": {}}, "its parts do not belong together"),
    ):
        config.write_text(json.dumps({**whole, **change}))
        with pytest.raises(FormatError, match=said):
            Task.load(tmp_path / "task")


# --- the commands


def run(*arguments):
    return CliRunner().invoke(main, ["lm", *map(str, arguments)])


def test_the_commands(tmp_path):
    pretrained, own = network("gpt")
    save(tmp_path / "run", Learnt("gpt", pretrained, own))
    data = write(tmp_path, "".join("\t".join(row) + "\n" for row in rows("classify", 200, 1)), "train.tsv")
    arguments = ["finetune", tmp_path / "run", data, "--task", "classify", "-o", tmp_path / "clf"]
    settings = ["--epochs", "4", "--learning-rate", "0.005", "--batch", "16", "--dropout", "0"]
    made = run(*arguments, *settings, "--validation", "0.2", "--json", "-q")
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert told["labels"] == ["BAD", "GOOD"] and len(told["history"]) == 4
    assert told["settings"]["auxiliary"] == 0.5 and told["settings"]["batch"] == 16
    test = rows("classify", 50, 9)
    labelled = write(tmp_path, "".join("\t".join(row) + "\n" for row in test), "test.tsv")
    bare = write(tmp_path, "".join(f"{text}\n" for _, text in test), "bare.tsv")
    known = Task.load(tmp_path / "clf")
    found = known.predict(test)
    shares = [each.probabilities[each.value] for each in found]
    expected = [
        f"{each.value}\t{share:.4f}\t{text}" for each, share, (_, text) in zip(found, shares, test, strict=True)
    ]
    with_labels, without = run("predict", tmp_path / "clf", labelled), run("predict", tmp_path / "clf", bare)
    assert with_labels.stdout.splitlines() == without.stdout.splitlines() == expected
    figures = known.evaluate(test)
    assert with_labels.stderr == f"accuracy {figures['accuracy']:.4f}, macro_f1 {figures['macro_f1']:.4f}\n"
    assert without.stderr == ""
    out = tmp_path / "out.jsonl"
    assert run("predict", tmp_path / "clf", bare, "--json", "-o", out).exit_code == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == [each.as_dict() for each in found]
    assert "classify by gpt\n" in CliRunner().invoke(main, ["info", str(tmp_path / "clf")]).stdout
    assert firth.load(tmp_path / "clf").predict(test) == found


def test_predicted_tags_scores_and_answers_as_lines():
    def lines(task, found, *texts):
        return list(lines_of(task, Example(texts, None, ""), found))

    assert lines("tag", Prediction(("B", "O"), (0.5, 1.0)), "EU", "is") == ["EU\tB", "is\tO", ""]
    assert lines("similarity", Prediction(2.5), "a", "b\tc") == ["2.5000\ta\tb c"]
    assert lines("choice", Prediction(1, (0.25, 0.75)), "c", "x", "y") == ["1\t0.7500\tc\tx\ty"]
    assert lines("span", Prediction("y", 0.5, 2), "q", "x y") == ["y\t0.5000\tq"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["finetune", "RUN", "DATA", "-o", "OUT"], 2, "Missing option '--task'"),
        (["finetune", "RUN", "DATA", "-o", "OUT", "--task", "sort"], 2, "'sort' is not one of 'classify'"),
        (["finetune", "DATA", "DATA", "-o", "OUT", "--task", "tag"], 1, "DATA"),
        (["predict", "RUN", "DATA"], 1, "holds 'gpt', no task"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_be_is_said_in_a_line(arguments, status, said, tmp_path):
    pretrained, own = network("gpt")
    save(tmp_path / "RUN", Learnt("gpt", pretrained, own))
    write(tmp_path, "a\tone\n", "DATA")
    result = run(*(tmp_path / each if each in ("RUN", "DATA", "OUT") else each for each in arguments))
    assert (result.exit_code, result.stderr.count("\n")) == (status, 1)
    assert said in result.stderr
