"""firth lm with networks, as it is used: from text to a model, killed on the way, and what it answers."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import good, run
from networks import one_thread  # noqa: F401 - a fixture

import firth
from firth import files
from firth.cli.lm import command as group
from firth.lm import NEURAL
from firth.lm.neural import learn

LINES = ["the cat sat on the mat", "the dog sat on the cat", "", "a dog and a cat sat on the mat", "语料 库"] * 8
SMALL = {
    "nnlm": ["--dims", 8, "--layer", 12, "--order", 3, "--batch", 24],
    "elmo": ["--dims", 4, "--cells", 4, "--context", 8, "--batch", 4],
    "gpt": ["--dims", 8, "--layers", 1, "--heads", 2, "--context", 16, "--batch", 4],
    "gpt2": ["--dims", 8, "--layers", 1, "--heads", 2, "--context", 16, "--batch", 4],
    "bert": ["--dims", 8, "--layers", 1, "--heads", 2, "--context", 16, "--batch", 4],
}
FEW = ["--vocabulary", 300, "--device", "cpu", "--quiet", "--no-cache"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("neural")
    (path / "text.txt").write_text("\n".join(LINES) + "\n")
    (path / "valid.txt").write_text("the cat sat on the dog\na mat and a dog\n")
    return path


@pytest.fixture(scope="module")
def models(folder):
    """A model of each kind, by its name, and what its training told."""
    found = {}
    for kind, sizes in SMALL.items():
        out = folder / kind
        told = good(
            "lm", "train", folder / "text.txt", "-o", out, "--model", kind, *sizes, *FEW,
            "--held-out", folder / "valid.txt", "--epochs", 2, "--log", folder / f"{kind}.log", "--json",
        )  # fmt: skip
        found[kind] = out, json.loads(told)
    return found


kinds = pytest.mark.parametrize("kind", list(SMALL))


@kinds
def test_training_tells_its_history_and_keeps_it(models, folder, kind):
    out, told = models[kind]
    assert told["saved"] == str(out) and [row["epoch"] for row in told["history"]] == [1, 2]
    assert {"loss", "perplexity", "held_out_loss", "held_out_perplexity", "tokens"} <= told["history"][0].keys()
    model = firth.load(out)
    assert model.history == told["history"] and model.kind == kind and model.learnt.unfinished is None
    events = [json.loads(line) for line in (folder / f"{kind}.log").read_text().splitlines()]
    epochs = [event for event in events if "held_out_loss" in event]
    assert [event["epoch"] for event in epochs] == [1, 2] and epochs[1]["loss"] == told["history"][1]["loss"]
    assert "held_out_loss" in good("info", out)


@kinds
def test_perplexity(models, folder, kind):
    out, _ = models[kind]
    if kind == "bert":
        assert "both sides" in run("lm", "perplexity", out, folder / "valid.txt").stderr
        return
    found = json.loads(good("lm", "perplexity", out, folder / "valid.txt", "--json", "--stride", 1))
    assert found["lines"] == 2 and found["bytes"] == (folder / "valid.txt").stat().st_size
    assert found == firth.load(out).perplexity(folder / "valid.txt", stride=1).as_dict()
    assert "bits a byte" in good("lm", "perplexity", out, folder / "valid.txt")
    if kind in ("nnlm", "elmo"):
        assert found["tokens"] == 13


@kinds
def test_scores_sum_to_those_of_the_line(models, tmp_path, kind):
    out, _ = models[kind]
    line = tmp_path / "line.txt"
    line.write_text("the cat sat\n")
    if kind == "bert":
        assert "both sides" in run("lm", "score", out, line).stderr
        return
    told = json.loads(good("lm", "score", out, line, "--json"))
    assert told["log10"] == pytest.approx(sum(word["log10"] for word in told["words"]))
    assert good("lm", "score", out, line, "--words").count("\n") == 1 + len(told["words"])


@kinds
def test_embedded_lines(models, folder, kind):
    out, _ = models[kind]
    model, lines = firth.load(out), ["the cat", "a dog sat on"]
    source, target = folder / "lines.txt", folder / f"{kind}.npy"
    source.write_text("\n".join(lines) + "\n")
    good("lm", "embed", out, source, "-o", target, "--layer", 0)
    np.testing.assert_array_equal(np.load(target), model.embed(lines, layer=0, pool="mean"))
    good("lm", "embed", out, source, "-o", target.with_suffix(".npz"), "--pool", "none")
    found = np.load(target.with_suffix(".npz"))
    each = np.split(found["vectors"], found["offsets"][1:-1])
    for one, other in zip(each, model.embed(lines), strict=True):
        np.testing.assert_array_equal(one, other)
    assert list(found["tokens"]) == [id for ids in lines for id in model.tokens.pieces(model.tokens.encode(ids))]


@kinds
def test_the_vectors_are_found_by_all_commands(models, kind):
    out, _ = models[kind]
    known = firth.Vectors.load(out)
    assert np.array_equal(known.matrix, firth.load(out).vectors.matrix)
    assert good("similar", out, known.words[5]).count("\n") == min(10, len(known) - 1)


def test_subwords_are_trained_and_told_in_bytes(folder, models):
    found = {
        kind: json.loads(good("lm", "perplexity", models[kind][0], folder / "valid.txt", "--json"))
        for kind in ("gpt", "gpt2")
    }
    assert found["gpt"]["bytes"] == found["gpt2"]["bytes"]
    assert found["gpt2"]["unknown"] == 0
    for each in found.values():
        assert each["bits_per_byte"] == pytest.approx(-each["log10"] / np.log10(2) / each["bytes"])


# Stopping and going on

RUN = """
import os, signal, sys, torch
torch.set_num_threads(1)
from firth.lm.neural import saved
from firth.cli import main
write, left = saved._write, [int(sys.argv[1])]
def killed(file, tensors):
    left[0] -= 1
    if not left[0]:
        file.write(b"begun" if sys.argv[2] == "SIGKILL" else b"")
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
    write(file, tensors)
saved._write = killed
main(sys.argv[3:])
"""


def process(*arguments):
    """Runs the command line in a process of its own, which gets a signal amid the writing of its n-th file."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])},
        capture_output=True,
        text=True,
    )


def contents(path):
    config, data = files.read_directory(path)
    rows = [{**row, "seconds": 0} for row in config["history"]]
    return rows, {name: each.read_bytes() for name, each in data.items()}


def begun(folder, out, kind="gpt2"):
    held = ["--held-out", folder / "valid.txt", "--epochs", 4]
    return ["lm", "train", folder / "text.txt", "-o", out, "--model", kind, *SMALL[kind], *FEW, *held]


def test_killed_while_it_saves_it_goes_on_to_the_same_bits(folder, tmp_path):
    good(*begun(folder, tmp_path / "whole"))
    # Weights, moments, weights, moments, and then amid the third weights.
    result = process(5, "SIGKILL", *begun(folder, tmp_path / "killed"))
    assert result.returncode == -signal.SIGKILL
    standing = firth.load(tmp_path / "killed").learnt.unfinished.standing
    assert len(standing.history) == 2
    assert "its training not ended" in good("info", tmp_path / "killed")
    good("lm", "train", "--resume", tmp_path / "killed", "--quiet", "--device", "cpu")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_ctrl_c_saves_and_says_how_to_go_on(folder, tmp_path):
    out = tmp_path / "stopped"
    result = process(1, "SIGINT", *begun(folder, out, "nnlm"))
    assert result.returncode == 130, result.stderr
    assert f"firth lm train --resume {out} goes on" in result.stderr and "Traceback" not in result.stderr
    step = firth.load(out).learnt.unfinished.standing.step
    assert f"interrupted after {step:,} steps" in result.stderr
    good(*begun(folder, tmp_path / "whole", "nnlm"))
    good("lm", "train", "--resume", out, "--quiet", "--device", "cpu")
    assert contents(out) == contents(tmp_path / "whole")


class Killed(BaseException):
    """As if there were no more time for anything."""


@kinds
@pytest.mark.parametrize("step", [1, 7])
def test_every_kind_goes_on_from_any_step_to_the_same_bits(folder, models, tmp_path, monkeypatch, kind, step):
    again = [*begun(folder, tmp_path / "part", kind)[:-1], 2, "--checkpoint-every", "0.000001"]
    steps = learn._Run._step

    def stop(self):
        if self.standing.step == step:
            raise Killed
        steps(self)

    monkeypatch.setattr(learn._Run, "_step", stop)
    with pytest.raises(Killed):
        run(*again)
    monkeypatch.undo()
    assert firth.load(tmp_path / "part").learnt.unfinished.standing.step == step
    good("lm", "train", "--resume", tmp_path / "part", "--quiet", "--device", "cpu")
    assert contents(tmp_path / "part") == contents(models[kind][0])


def test_another_text_is_refused(tmp_path, monkeypatch):
    text, out = tmp_path / "text.txt", tmp_path / "run"
    text.write_text("\n".join(LINES))
    ends = learn._Run._end_epoch

    def stop(self):
        if self.standing.history:
            raise Killed
        ends(self)

    monkeypatch.setattr(learn._Run, "_end_epoch", stop)
    model = firth.lm.Neural("nnlm", order=2, dims=4, layer=4)
    with pytest.raises(Killed):
        model.fit(text, checkpoint=out, progress=False, batch=64, epochs=3, device="cpu")
    monkeypatch.undo()
    text.write_text("\n".join(LINES[1:]))
    result = run("lm", "train", "--resume", out)
    assert result.exit_code == 1 and "no longer the text that training began with" in result.stderr
    moved = tmp_path / "moved.txt"
    moved.write_text("\n".join(LINES))
    assert good("lm", "train", moved, "--resume", out, "-q").startswith(f"saved {out}")
    result = run("lm", "train", "--resume", out)
    assert result.exit_code == 1 and "this training has ended" in result.stderr


# What cannot be, and help


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["train", "TEXT", "--model", "nnlm"], 2, "Missing option '--out'"),
        (["train", "-o", "OUT", "--model", "nnlm"], 2, "Missing argument 'INPUT...'"),
        (["train", "TEXT", "-o", "OUT", "--model", "nnlm", "--size", "huge"], 2, "'huge' is not one of"),
        (["train", "TEXT", "-o", "OUT", "--model", "nnlm", "--order", "1"], 1, "order=1"),
        (["train", "TEXT", "-o", "OUT", "--model", "gpt2", "--vocabulary", "9"], 1, "vocabulary=9"),
        (["train", "TEXT", "-o", "OUT", "--model", "gpt2", "--tokenizer", "words"], 1, "'words' plays no part"),
        (["train", "TEXT", "-o", "OUT", "--model", "nnlm", "--patience", "2"], 1, "pass held_out"),
        (["train", "TEXT", "-o", "OUT", "--model", "nnlm", "--device", "tpu"], 1, "device='tpu'"),
        (
            ["train", "--resume", "MODEL", "--model", "nnlm", "--epochs", "3"],
            2,
            "--epochs plays no part with",
        ),
        (["train", "--resume", "TEXT"], 1, "check the path"),
        (["perplexity", "NGRAM", "TEXT", "--stride", "2"], 2, "for networks"),
        (["embed", "NGRAM", "TEXT", "-o", "x.npy"], 1, "has no vectors"),
        (["embed", "MODEL", "TEXT", "-o", "x.txt"], 2, "name OUT so"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_be_is_said_in_a_line(arguments, status, said, folder, models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ngram = tmp_path / "ngram"
    firth.lm.NGram(order=2, smoothing=firth.lm.KneserNey(0.5)).fit([["a", "b"]], progress=False).save(ngram)
    names = {"TEXT": folder / "text.txt", "OUT": tmp_path / "out", "MODEL": models["nnlm"][0], "NGRAM": ngram}
    result = run("lm", *[names.get(each, each) for each in arguments])
    assert result.exit_code == status
    assert said in result.stderr and result.stderr.count("\n") == 1


def test_a_full_disk_leaves_the_checkpoint_before_whole(tmp_path, monkeypatch):
    text, real, calls = [line.split() for line in LINES], files.os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if len(calls) == 6:  # of five files a save
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(files.os, "fsync", fsync)
    model = firth.lm.Neural("nnlm", order=2, dims=4, layer=4)
    with pytest.warns(firth.FirthWarning, match="No space left.*; training goes on without this checkpoint"):
        model.fit(text, checkpoint=tmp_path / "run", progress=False, epochs=3, device="cpu")
    assert firth.load(tmp_path / "run").history == model.history


def test_a_disk_that_is_full_at_the_end_costs_nothing_that_was_learnt(tmp_path, monkeypatch):
    text, real, calls = [line.split() for line in LINES], files.os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if len(calls) > 5:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(files.os, "fsync", fsync)
    model = firth.lm.Neural("nnlm", order=2, dims=4, layer=4)
    with pytest.raises(firth.FirthError, match="No space left"):
        model.fit(text, checkpoint=tmp_path / "run", progress=False, epochs=1, device="cpu")
    monkeypatch.undo()
    model.save(tmp_path / "elsewhere")
    assert firth.load(tmp_path / "run").resume(text, progress=False, device="cpu").history == model.history


@pytest.mark.parametrize("kind", list(NEURAL))
def test_help_of_each_kind(kind):
    assert f"--model {kind}" in good("lm", "train", "--help")
    out = good("lm", "train", "--model", kind, "--help")
    for option in ("--size", "--epochs", "--learning-rate", "--held-out", "--resume", "--dims", "--vocabulary"):
        assert option in out
    for line in out.partition("Example:")[2].splitlines():
        if line.strip():
            _, _, command, *arguments = shlex.split(line)
            group.get_command(None, command).make_context(command, arguments) if "--model" in arguments else None


@pytest.mark.parametrize("name", ["perplexity", "embed"])
def test_help_has_examples_that_are_good_usage(name):
    for line in good("lm", name, "--help").partition("Example:")[2].splitlines():
        if line.strip():
            _, _, command, *arguments = shlex.split(line)
            group.get_command(None, command).make_context(command, arguments)


def test_torch_is_loaded_when_it_is_asked_for_and_missed_by_its_name(folder):
    code = (
        "import sys, firth, firth.lm\n"
        "from firth.cli import main\n"
        "assert 'torch' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        "main(['lm', 'train', 'x', '-o', 'y', '--model', 'gpt2'])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr == (
        "firth: a neural language model needs an optional dependency; pip install 'firth[lm]'\n"
    )
