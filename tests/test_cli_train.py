"""firth train: what it makes, its flags, and what it checks before it begins."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from commands import ENVIRONMENT, SMALL, good, run, start, train_animals_and_tools, write_animals_and_tools

import firth
from firth.contexts import CONTEXTS
from firth.objectives import OBJECTIVES


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write_animals_and_tools(tmp_path_factory.mktemp("text") / "text.txt")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return train_animals_and_tools(tmp_path_factory.mktemp("model"))


class TestTrain:
    def test_gives_what_the_library_gives(self, text, tmp_path):
        out = good("train", text, "-o", tmp_path / "v.bin", *SMALL, "--seed", "3")
        expected = firth.Word2Vec(dim=8, epochs=2, threads=1, min_count=1, subsample=0, seed=3).fit(
            text, progress=False
        )
        saved = firth.load(tmp_path / "v.bin")
        assert list(saved) == list(expected.vectors)
        assert saved.matrix.tobytes() == expected.vectors.matrix.tobytes()
        assert out.startswith(f"saved {tmp_path / 'v.bin'}: 10 words × 8; loss ") and out.count("\n") == 1

    def test_firth_extension_keeps_the_model(self, model, text):
        loaded = firth.load(model)
        assert isinstance(loaded, firth.Word2Vec) and len(loaded.history) == 20
        assert loaded.predict("cat")

    @pytest.mark.parametrize(("context", "objective"), list(product(CONTEXTS, OBJECTIVES)))
    def test_any_context_with_any_objective(self, text, tmp_path, context, objective):
        flags = ["--context", context, "--objective", objective, "--json"]
        result = json.loads(good("train", text, "-o", tmp_path / "m.firth", *SMALL, *flags))
        assert result["settings"]["context"]["name"] == context
        assert result["settings"]["objective"]["name"] == objective
        assert result["history"][1]["loss"] < result["history"][0]["loss"]

    def test_flags_reach_the_model(self, text, tmp_path):
        parts = "--context cbow --window 3 --no-shrink --combine sum --gradient exact --negatives 2 --exponent 0.5"
        rest = "--learning-rate 0.1 --min-learning-rate 0.01 --subsample 0.01 --max-size 9"
        result = json.loads(
            good("train", text, "-o", tmp_path / "m.bin", *SMALL, "--json", *f"{parts} {rest}".split())
        )
        settings = result["settings"]
        assert settings["context"] == {
            "name": "cbow", "window": 3, "shrink": False, "combine": "sum", "gradient": "exact",
        }  # fmt: skip
        assert settings["objective"] == {"name": "negative-sampling", "negatives": 2, "exponent": 0.5}
        assert [settings[name] for name in ("learning_rate", "min_learning_rate", "subsample", "max_size")] == [
            0.1, 0.01, 0.01, 9,
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("flags", "told"),
        [
            ("--objective softmax --negatives 3", "--negatives goes with --objective negative-sampling, nce or"),
            ("--combine sum", "--combine goes with --context cbow, not with skipgram"),
            ("--gradient exact --context skipgram", "--gradient goes with --context cbow, not with skipgram"),
        ],
    )
    def test_a_flag_of_another_part_is_refused(self, text, tmp_path, flags, told):
        result = run("train", text, "-o", tmp_path / "v.bin", *flags.split())
        assert result.exit_code == 2 and told in result.stderr and result.stderr.count("\n") == 1

    def test_a_new_objective_appears_by_itself(self, tmp_path):
        code = """
from dataclasses import dataclass, field
from typing import ClassVar, Literal
from firth.objectives import OBJECTIVES
@dataclass(frozen=True)
class Hinge:
    margin: float = field(default=1.5, metadata={"help": "how far apart"})
    norm: Literal["l1", "l2"] = field(default="l2", metadata={"help": "which norm"})
    name: ClassVar[str] = "hinge"
OBJECTIVES["hinge"] = Hinge
from firth.cli import main
main()
"""
        shown, refused = (
            subprocess.run(
                [sys.executable, "-c", code, *arguments],
                env=ENVIRONMENT,
                text=True,
                capture_output=True,
                check=False,
            )
            for arguments in (["train", "--help"], ["train", "x", "-o", "x.bin", "--margin", "2"])
        )
        for part in ("or hinge", "--margin X", "how far apart (with hinge)", "1.5]", "--norm [l1|l2]"):
            assert part in " ".join(shown.stdout.split()), shown
        assert "--margin goes with --objective hinge" in refused.stderr

    def test_progress_goes_to_the_log_and_to_standard_error(self, text, tmp_path):
        result = run("train", text, "-o", tmp_path / "v.bin", *SMALL[:-1], "--log", tmp_path / "run.jsonl")
        shown = result.stderr.splitlines()
        assert "vocabulary 10 of 10" in shown[0] and "objective negative-sampling(negatives=5" in shown[1]
        assert [line.split(",")[0] for line in shown[2:]] == ["epoch 1/2", "epoch 2/2"]
        log = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
        assert [row["event"] for row in log] == ["message", "message", "training", "training"]
        assert log[1]["settings"]["dim"] == 8 and log[3]["words"] == 2 * 300 * 8

    def test_quiet_says_nothing_besides(self, text, tmp_path):
        assert run("train", text, "-o", tmp_path / "v.bin", *SMALL).stderr == ""

    def test_vocabulary_saved_and_used_again(self, text, tmp_path):
        saved, again = tmp_path / "saved.tsv", tmp_path / "again.tsv"
        good("train", text, "-o", tmp_path / "a.bin", *SMALL, "--max-size", "4", "--save-vocab", saved)
        small = ["--dim", "8", "--quiet", "--subsample", "0", "--vocab", saved, "--save-vocab", again]
        good("train", text, "-o", tmp_path / "b.bin", *small)
        assert saved.read_bytes() == again.read_bytes() and saved.read_text().count("\n") == 4
        assert list(firth.load(tmp_path / "b.bin")) == list(firth.load(tmp_path / "a.bin"))
        result = run("train", text, "-o", tmp_path / "c.bin", *small, "--min-count", "2")
        assert result.exit_code == 2 and "--min-count plays no part with --vocab" in result.stderr

    def test_starting_vectors(self, text, model, tmp_path):
        rate = ["--learning-rate", "1e-9", "--min-learning-rate", "0"]
        good("train", text, "-o", tmp_path / "v.bin", *SMALL, "--start", model, *rate)
        after, before = firth.load(tmp_path / "v.bin"), firth.load(model).vectors
        np.testing.assert_allclose(after["cat"], before["cat"], atol=1e-6)

    def test_several_inputs_and_standard_input(self, text, tmp_path):
        result = json.loads(good("train", text, text, "-o", tmp_path / "a.bin", *SMALL, "--json"))
        assert result["history"][0]["words"] == 2 * 300 * 8
        with text.open("rb") as lines:
            process = start("train", "-", "-o", str(tmp_path / "b.bin"), *SMALL, stdin=lines)
            assert process.wait() == 0, process.stderr.read()
        assert list(firth.load(tmp_path / "b.bin")) == list(firth.load(tmp_path / "a.bin"))

    def test_cache_where_it_is_wanted(self, text, tmp_path, cache):
        good("train", text, "-o", tmp_path / "v.bin", *SMALL, "--no-cache")
        assert not any(cache.iterdir())
        good("train", text, "-o", tmp_path / "v.bin", *SMALL, "--cache", tmp_path / "here")
        assert any((tmp_path / "here").iterdir()) and not any(cache.iterdir())

    def test_tokenizer_and_encoding(self, tmp_path):
        (tmp_path / "t.txt").write_bytes("Café, CAFÉ! thé\n".encode("latin-1") * 5)
        words = ["--tokenizer", "words", "--encoding", "latin-1"]
        good("train", tmp_path / "t.txt", "-o", tmp_path / "v.txt", *SMALL, *words)
        assert list(firth.load(tmp_path / "v.txt")) == ["café", "thé"]


class TestTheOutputIsCheckedBeforeTraining:
    def refused(self, text: Path, out: Path | str, *flags: str | Path) -> str:
        result = run("train", text, "-o", out, *flags)
        assert result.exit_code == 1 and result.stderr.count("\n") == 1, result.output
        return result.stderr

    def test_unknown_extension(self, text, tmp_path):
        assert "use one of .firth .txt .vec .bin .glove" in self.refused(text, tmp_path / "v.foo")

    def test_missing_folder(self, text, tmp_path):
        assert "cannot be written: No such file" in self.refused(text, tmp_path / "none" / "v.bin")
        assert "cannot be written" in self.refused(text, tmp_path / "none" / "m.firth")
        assert "cannot be written" in self.refused(
            text, tmp_path / "v.bin", "--save-vocab", tmp_path / "none" / "vocab.tsv"
        )

    def test_something_else_stands_there(self, text, tmp_path):
        (tmp_path / "v.bin").mkdir()
        assert "is a folder" in self.refused(text, tmp_path / "v.bin")
        (tmp_path / "m.firth").mkdir()
        (tmp_path / "m.firth" / "diary.txt").write_text("dear")
        assert "holds files that Firth did not write" in self.refused(text, tmp_path / "m.firth")
        assert (tmp_path / "m.firth" / "diary.txt").read_text() == "dear"

    def test_nothing_is_left_behind(self, text, tmp_path):
        run("train", tmp_path / "none.txt", "-o", tmp_path / "v.bin")
        assert not any(tmp_path.iterdir())
