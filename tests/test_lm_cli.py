"""firth lm, as it is used."""

import json
import os
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path

import commands
import pytest

import firth
from firth.cli.lm import command as group

TEXT = "the cat sat on the mat\nthe dog sat on the cat\n\na dog and a cat sat\non the mat the dog sat\n" * 3
SMALL = ["--model", "ngram", "--order", "3", "--fallback", "0.5,1,1.5", "--quiet"]

run, good = partial(commands.run, "lm"), partial(commands.good, "lm")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def model(text):
    good("train", text, "-o", text.parent / "run", *SMALL, "--no-cache")
    return text.parent / "run"


def test_train_makes_a_directory_or_an_arpa_file(text, model, tmp_path):
    result = json.loads(good("train", text, "-o", tmp_path / "m.arpa", *SMALL, "--json", "--prune", "0,0,3"))
    assert result["settings"]["prune"] == [0, 0, 3]
    assert result["ngrams"] == firth.load(tmp_path / "m.arpa").sizes
    whole = firth.load(model)
    assert whole.settings["smoothing"] == {"name": "modified-kneser-ney", "fallback": (0.5, 1.0, 1.5)}
    assert whole.sizes[2] > result["ngrams"][2] > 0


@pytest.mark.parametrize(
    ("options", "smoothing"),
    [
        (["--smoothing", "katz", "--cutoff", "3"], firth.lm.Katz(3)),
        (["--smoothing", "add-k", "--k", "0.5"], firth.lm.AddK(0.5)),
        (["--smoothing", "jelinek-mercer", "--weights", "0.9,0.5"], firth.lm.JelinekMercer((0.9, 0.5))),
        (["--smoothing", "kneser-ney", "--d", "0.7"], firth.lm.KneserNey(0.7)),
    ],
)
def test_every_smoothing_has_its_flags(text, options, smoothing, tmp_path):
    good("train", text, "-o", tmp_path / "run", "--model=ngram", "--order", "2", *options, "--quiet")
    assert firth.load(tmp_path / "run").smoothing == smoothing


def test_perplexity(text, model):
    found = json.loads(good("perplexity", model, text, "--json", "--no-cache"))
    lines = [line.split() for line in TEXT.splitlines()]
    assert found == firth.load(model).perplexity(lines).as_dict()
    assert good("perplexity", model, text).startswith(f"perplexity {found['perplexity']:,.2f}, ")


def test_score(model, tmp_path):
    lines = ["the cat sat", "", "a new dog"]
    known = firth.load(model)
    out = subprocess.run(
        [sys.executable, "-m", "firth", "lm", "score", str(model)],
        input="\n".join(lines),
        env={**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert out.splitlines() == [f"{known.score(line):.4f}\t{line}" for line in lines]
    (tmp_path / "line.txt").write_text("a new dog\n")
    row = json.loads(good("score", model, tmp_path / "line.txt", "--json"))
    assert [(each["word"], each["unknown"]) for each in row["words"]] == [
        ("a", False), ("new", True), ("dog", False), ("</s>", False),
    ]  # fmt: skip
    shown = good("score", model, tmp_path / "line.txt", "--words").splitlines()
    assert len(shown) == 5
    assert shown[2].endswith("1  new  (unknown)")


def test_generate(model):
    out = good("generate", model, "the cat", "--samples", "3", "--seed", "5", "--length", "6").splitlines()
    assert out == [
        " ".join(["the", "cat", *firth.load(model).generate("the cat", length=6, seed=seed)]) for seed in (5, 6, 7)
    ]
    assert json.loads(good("generate", model, "--json", "--temperature", "0"))["seed"] == 1


def test_info(model):
    result = commands.run("info", model, "--json")
    assert json.loads(result.stdout)["ngrams"] == firth.load(model).sizes
    assert "modified-kneser-ney" in commands.good("info", model)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["train", "TEXT", "-o", "OUT"], 2, "firth lm train: --model is missing; choose one of ngram"),
        (["train", "TEXT", "-o", "OUT", "--model", "gpt9"], 2, "--model gpt9 is unknown; choose one of ngram"),
        (["train", "TEXT", "-o", "OUT", *SMALL, "--prune", "a"], 2, "'a' must be whole numbers with commas"),
        (["train", "TEXT", "-o", "OUT", *SMALL, "--prune", "1,0"], 1, "counts that never fall"),
        (["train", "TEXT", "-o", "OUT", *SMALL, "--smoothing", "katz"], 2, "--fallback goes with --smoothing mod"),
        (["train", "TEXT", "-o", "OUT.arpa", "--model=ngram", "--smoothing", "add-k"], 1, "which add-k does not"),
        (["train", "TEXT", "-o", "OUT", "--model", "ngram", "-q"], 1, "pass fallback="),
        (
            ["train", "TEXT", "-o", "OUT", *SMALL, "--vocab", "V", "--max-size", "3"],
            2,
            "plays no part with --vocab",
        ),
        (["perplexity", "TEXT", "TEXT"], 1, "TEXT"),
        (["generate", "MODEL", "--top-p", "2"], 1, "top_p=2.0 must be above 0"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_be_is_said_in_a_line(arguments, status, said, text, model, tmp_path):
    names = {
        "TEXT": str(text),
        "OUT": str(tmp_path / "out"),
        "MODEL": str(model),
        "OUT.arpa": str(tmp_path / "o.arpa"),
    }
    result = run(*[names.get(each, each) for each in arguments])
    assert result.exit_code == status
    assert names.get(said, said) in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "o.arpa").exists()


def test_help_shows_the_models():
    assert "--model ngram  counts" in good("train", "--help")


@pytest.mark.parametrize("name", ["train --model ngram", "perplexity", "score", "generate"])
def test_help_has_examples_that_are_good_usage(name):
    assert f"\n  {name.split()[0]} " in good("--help")
    out = good(*name.split(), "--help")
    assert f"Usage: firth lm {name} " in out
    lines = [
        line.rpartition("| ")[2].strip() for line in out.partition("Example:")[2].splitlines() if line.strip()
    ]
    assert lines
    for line in lines:
        _, _, command, *arguments = shlex.split(line)
        group.get_command(None, command).make_context(command, arguments)
