"""The command line as it is used: what is printed where, statuses, Ctrl-C, pipes."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from importlib.metadata import entry_points
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import firth
from firth.cli import COMMANDS, main
from firth.contexts import CONTEXTS
from firth.objectives import OBJECTIVES

SMALL = ["--dim", "8", "--epochs", "2", "--threads", "1", "--min-count", "1", "--subsample", "0", "--quiet"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(firth.__file__).parents[1])}


def run(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], input=input)


def good(*arguments: str | Path, input: str | None = None) -> str:
    result = run(*arguments, input=input)
    assert result.exit_code == 0, result.output
    return result.stdout


def start(*arguments: str | Path, **options) -> subprocess.Popen:
    """A process of its own that Ctrl-C reaches, even where the tests run in the background."""
    return subprocess.Popen(
        [sys.executable, "-m", "firth", *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    """Sentences of two kinds, of animals and of tools."""
    random.seed(1)
    kinds = [["cat", "dog", "cow", "eats", "sleeps"], ["saw", "axe", "drill", "cuts", "rusts"]]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(" ".join(random.choices(random.choice(kinds), k=8)) + "\n" for _ in range(300)))
    return path


@pytest.fixture(scope="module")
def model(text) -> Path:
    path = text.with_name("model.firth")
    good("train", text, "-o", path, *SMALL, "--epochs", "20", "--no-cache")
    return path


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


class TestCtrlC:
    @pytest.mark.parametrize("name", ["v.bin", "m.firth"])
    def test_keeps_what_was_learnt(self, text, tmp_path, name):
        (tmp_path / "long.txt").write_text(text.read_text() * 300)
        flags = ["--min-count", "1", "--epochs", "1000", "--log", str(tmp_path / "log")]
        process = start("train", str(tmp_path / "long.txt"), "-o", str(tmp_path / name), *flags)
        wait_until(lambda: read(tmp_path / "log").count('"training"') > 1, process)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate()
        assert time.monotonic() - began < 1.0
        assert process.returncode == 130, shown
        last = shown.splitlines()[-1]
        assert last.startswith("firth: interrupted in epoch ") and last.endswith(f"saved in {tmp_path / name}")
        assert "Traceback" not in shown
        saved = firth.load(tmp_path / name)
        vectors = saved.vectors if isinstance(saved, firth.Word2Vec) else saved
        assert len(vectors) == 10 and np.isfinite(vectors.matrix).all()
        if isinstance(saved, firth.Word2Vec):
            assert sum(row.words for row in saved.history) > 0

    def test_before_anything_was_learnt(self, tmp_path):
        process = start("train", "-", "-o", str(tmp_path / "v.bin"), "--quiet", "--json", stdin=subprocess.PIPE)
        process.stdin.write("a text that does not end")
        process.stdin.flush()
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate()
        assert (process.returncode, shown) == (
            130,
            "firth: interrupted before anything was learnt; nothing was saved\n",
        )
        assert not (tmp_path / "v.bin").exists()

    def test_while_saving_saves_all_the_same(self, text, tmp_path, monkeypatch):
        interrupt_saving(monkeypatch, times=1)
        result = run("train", text, "-o", tmp_path / "v.bin", *SMALL, "--no-cache")
        assert result.exit_code == 130 and "what was learnt is saved" in result.stderr
        assert len(firth.load(tmp_path / "v.bin")) == 10

    def test_twice_leaves_the_old_file_whole(self, text, tmp_path, monkeypatch):
        (tmp_path / "v.bin").write_bytes(b"old")
        interrupt_saving(monkeypatch, times=2)
        result = run("train", text, "-o", tmp_path / "v.bin", *SMALL, "--no-cache")
        assert result.exit_code == 130
        assert result.stderr == f"firth: interrupted twice; {tmp_path / 'v.bin'} is as it was\n"
        assert [path.name for path in tmp_path.iterdir()] == ["v.bin"]
        assert (tmp_path / "v.bin").read_bytes() == b"old"

    def test_in_other_commands(self, tmp_path):
        process = start("vocab", "-", "-o", str(tmp_path / "v.tsv"), "--quiet", stdin=subprocess.PIPE)
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate()
        assert (process.returncode, shown.strip()) == (130, "firth: interrupted")


def interrupt_saving(monkeypatch, *, times: int) -> None:
    """Let Ctrl-C come just before a file is renamed into place."""
    usual, left = os.fsync, [times]

    def fsync(file: int) -> None:
        if left[0]:
            left[0] -= 1
            raise KeyboardInterrupt
        usual(file)

    monkeypatch.setattr("firth.files.os.fsync", fsync)


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def wait_until(holds, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestVocab:
    def test_counts(self, tmp_path):
        (tmp_path / "t.txt").write_text("a b a\nc a b\n")
        out = good("vocab", tmp_path / "t.txt", "-o", tmp_path / "v.tsv", "--min-count", "2", "--quiet")
        assert (tmp_path / "v.tsv").read_text() == "a\t3\nb\t2\n"
        assert out == f"saved {tmp_path / 'v.tsv'}: 2 of 3 words, 83.3 % of 6\n"

    def test_json(self, tmp_path):
        (tmp_path / "t.txt").write_text("a b a\nc a b\n")
        result = json.loads(
            good("vocab", tmp_path / "t.txt", "-o", tmp_path / "v.tsv", "--max-size", "1", "--json")
        )
        assert result == {
            "saved": str(tmp_path / "v.tsv"), "words": 1, "distinct": 3, "occurrences": 3, "total": 6,
        }  # fmt: skip


class TestSimilar:
    def test_shows_what_the_library_finds(self, model):
        found = firth.load(model).vectors.most_similar("cat", topn=3)
        assert good("similar", model, "cat", "--topn", "3") == "".join(
            f"{similarity:7.4f}  {word}\n" for word, similarity in found
        )
        assert {word for word, _ in found} <= {"dog", "cow", "eats", "sleeps"}

    def test_several_words_are_one_query(self, model):
        flags = ["--negative", "saw", "--negative", "axe", "--first", "7", "--json"]
        result = json.loads(good("similar", model, "cat", "dog", *flags))
        found = firth.load(model).vectors.most_similar(["cat", "dog"], ["saw", "axe"], first=7)
        assert result["query"] == ["cat", "dog"] and result["negative"] == ["saw", "axe"]
        assert [tuple(each.values()) for each in result["neighbours"]] == found

    @pytest.mark.parametrize("words", [[], ["-"]])
    def test_queries_from_standard_input(self, model, words):
        result = run("similar", model, *words, "--topn", "1", input="cat\n\nsaw axe\n")
        assert result.exit_code == 0
        assert [line.split()[-1] for line in result.stdout.splitlines()][::2] == ["cat", "axe"]
        assert result.stdout.count("\n") == 4

    def test_a_query_that_fails_stops_no_other(self, model):
        result = run("similar", model, "--json", "--topn", "1", input="unicorn\ncat\n")
        first, second = map(json.loads, result.stdout.splitlines())
        assert "'unicorn' is not among the 10 words" in first["error"]
        assert second["query"] == ["cat"] and len(second["neighbours"]) == 1
        assert result.exit_code == 1 and result.stderr == f"firth: {first['error']}\n"


class TestAnalogy:
    @pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
    def test_answers(self, model, method):
        found = firth.load(model).vectors.analogy("cat", "eats", "saw", topn=2, method=method)
        asked = ["analogy", model, "cat", "eats", "saw", "--topn", "2", "--method", method]
        result = json.loads(good(*asked, "--json"))
        assert [tuple(each.values()) for each in result["neighbours"]] == found
        assert [line.split()[1] for line in good(*asked).splitlines()] == [word for word, _ in found]


class TestEvaluate:
    @pytest.fixture
    def sets(self, tmp_path) -> list[str | Path]:
        (tmp_path / "analogies.txt").write_text(": does\ncat eats saw cuts\ncat eats unicorn flies\n")
        (tmp_path / "pairs.txt").write_text("cat dog 9\ncat saw 1\naxe saw 8\ndog axe 2\n")
        return ["--analogies", tmp_path / "analogies.txt", "--pairs", tmp_path / "pairs.txt"]

    def test_tables(self, model, sets):
        out = good("evaluate", model, *sets)
        assert "analogies.txt: 3cosadd, 10 candidate words" in out and "unicorn" in out and "Spearman" in out

    def test_json(self, model, sets):
        result = json.loads(good("evaluate", model, *sets, *sets[:2], "--method", "3cosmul", "--json"))
        assert [each["method"] for each in result["analogies"]] == ["3cosmul"] * 2
        assert result["analogies"][0]["total"]["answered"] == 1
        assert result["pairs"][0]["answered"] == 4 and result["pairs"][0]["spearman"] > 0.5

    def test_first(self, model, sets):
        flags = {"--first=0": 10, "--first=30000": 10, "--first=9": 9}
        Path(sets[1]).write_text(f": frequent\n{' '.join(firth.load(model).vectors.words[:4])}\n")
        for flag, candidates in flags.items():
            result = json.loads(good("evaluate", model, *sets, flag, "--json"))
            assert result["analogies"][0]["candidates"] == candidates


class TestConvertAndInfo:
    @pytest.mark.parametrize("name", ["v.firth", "v.bin", "v.txt", "v.vec.gz", "v.glove"])
    def test_there_and_back(self, model, tmp_path, name):
        original = firth.load(model).vectors
        out = good("convert", model, tmp_path / name)
        assert out == f"saved {tmp_path / name}: 10 words × 8\n"
        result = json.loads(good("convert", tmp_path / name, tmp_path / "back.bin", "--json"))
        assert result == {"saved": str(tmp_path / "back.bin"), "format": "binary", "words": 10, "dim": 8}
        assert firth.load(tmp_path / "back.bin").matrix.tobytes() == original.matrix.tobytes()

    def test_limit_and_format(self, model, tmp_path):
        good("convert", model, tmp_path / "odd.name", "--limit", "4", "--format", "text")
        assert (tmp_path / "odd.name").read_text().startswith("4 8\n")

    def test_info_of_a_model(self, model):
        result = json.loads(good("info", model, "--json"))
        loaded = firth.load(model)
        assert result["kind"] == "word2vec model" and result["format"] == "firth"
        assert (result["words"], result["dim"], result["occurrences"]) == (10, 8, 2400)
        assert result["settings"] == loaded.settings and len(result["history"]) == 20
        assert result["bytes"] == sum(file.stat().st_size for file in model.iterdir())
        shown = good("info", model)
        assert "negative-sampling (negatives 5, exponent 0.75)" in shown and "20  " in shown

    def test_info_of_vectors(self, model, tmp_path):
        good("convert", model, tmp_path / "v.txt")
        result = json.loads(good("info", tmp_path / "v.txt", "--json"))
        assert (result["kind"], result["format"], result["words"], result["occurrences"]) == (
            "vectors",
            "text",
            10,
            None,
        )
        assert "counts      not known" in good("info", tmp_path / "v.txt")


class TestErrors:
    @pytest.mark.parametrize(
        "arguments",
        [
            "",
            "unknown",
            "train",
            "train text.txt",
            "train text.txt -o v.bin --dim many",
            "train text.txt -o v.bin --context skip",
            "train text.txt -o v.bin --no-cache --cache here",
            "train text.txt -o v.bin --wndow 3",
            "similar",
            "analogy v.bin a b",
            "analogy v.bin a b c d",
            "analogy v.bin a b c --method best",
            "evaluate v.bin",
            "evaluate v.bin --first -1 --pairs x",
            "convert v.bin",
            "convert v.bin w.bin --format pickle",
            "info",
            "--verbose",
        ],
    )
    def test_bad_usage_is_one_line_and_status_2(self, arguments):
        result = run(*arguments.split())
        name = " ".join(["firth", *[word for word in arguments.split()[:1] if word in COMMANDS]])
        assert result.exit_code == 2 and result.stdout == ""
        assert result.stderr.count("\n") == 1, result.stderr
        assert result.stderr.startswith(f"{name}: ") and result.stderr.endswith(f"; see {name} --help\n")

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ("train none.txt -o v.bin", "none.txt: no such file"),
            ("train empty.txt -o v.bin", "empty.txt: not one word is in it"),
            ("train text.txt -o v.bin --min-count 99", "min_count=99"),
            ("train text.txt -o v.bin --window 0", "window=0"),
            ("train text.txt -o v.bin --epochs 0", "epochs=0"),
            ("train text.txt -o v.bin --vocab none.tsv", "none.tsv: no such file"),
            ("train text.txt -o v.bin --start text.txt", "is no file of vectors"),
            ("train text.txt -o v.bin --log no/run.jsonl", "no/run.jsonl: cannot be written"),
            ("train bytes.txt -o v.bin", "byte 0xe9 at column 2"),
            ("similar none.bin a", "none.bin: no such file"),
            ("similar text.txt a", "is no file of vectors"),
            ("info .", "has no config.json"),
            ("convert none.bin no/where.bin", "cannot be written"),
            ("vocab text.txt -o no/where.tsv", "cannot be written"),
        ],
    )
    def test_what_goes_wrong_is_one_line_and_status_1(self, tmp_path, monkeypatch, arguments, told):
        monkeypatch.chdir(tmp_path)
        Path("text.txt").write_text("some words here\n")
        Path("empty.txt").write_text("\n")
        Path("bytes.txt").write_bytes(b"a\xe9\n")
        result = run(*arguments.split())
        assert result.exit_code == 1 and told in result.stderr
        assert result.stderr.startswith("firth: ") and result.stderr.count("\n") == 1

    def test_an_unknown_word_is_offered_its_like(self, model):
        result = run("similar", model, "sleep")
        assert (result.exit_code, result.stdout) == (1, "") and "did you mean 'sleeps'?" in result.stderr

    def test_what_the_system_refuses(self, tmp_path):
        result = run("similar", tmp_path / ("x" * 300), "a")
        assert result.exit_code == 1 and "File name too long" in result.stderr and result.stderr.count("\n") == 1

    def test_a_warning_is_one_line(self, tmp_path):
        (tmp_path / "v.txt").write_text("3 2\na 1 2\nb 2 3\na 3 4\n")
        result = run("info", tmp_path / "v.txt")
        assert result.exit_code == 0 and "1 rows repeat a word" in result.stderr
        assert result.stderr.startswith("firth: warning: ") and result.stderr.count("\n") == 1


class TestTerminals:
    def test_words_that_are_no_text(self, tmp_path):
        words = [b"caf\xe9".decode("utf-8", "surrogateescape"), "中文", "plain"]
        firth.Vectors(words, np.eye(3, 4) + 0.5).save(tmp_path / "v.bin")
        for encoding, *query in (("ascii", b"plain"), ("utf-8", b"plain"), ("utf-8", b"caf\xe9")):
            process = subprocess.run(
                [sys.executable, "-m", "firth", "similar", str(tmp_path / "v.bin"), *query],
                env={**ENVIRONMENT, "PYTHONIOENCODING": encoding},
                capture_output=True,
                check=False,
            )
            assert process.returncode == 0 and process.stderr == b"", process
            assert len(process.stdout.splitlines()) == 2

    def test_json_of_such_words_is_json(self, tmp_path):
        word = b"caf\xe9".decode("utf-8", "surrogateescape")
        firth.Vectors([word, "plain"], np.eye(2) + 0.5).save(tmp_path / "v.bin")
        result = json.loads(good("similar", tmp_path / "v.bin", "plain", "--json"))
        assert result["neighbours"][0]["word"] == word

    def test_a_reader_that_leaves(self, tmp_path):
        firth.Vectors([f"word{i}" for i in range(20_000)], np.random.default_rng(1).normal(size=(20_000, 4))).save(
            tmp_path / "v.bin"
        )
        process = start("similar", str(tmp_path / "v.bin"), "word1", "--topn", "19000")
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait()


class TestTheHouse:
    @pytest.mark.parametrize("name", [name for name in COMMANDS if name != "lm"])  # a group: test_lm_cli.py
    def test_help_has_examples_that_are_good_usage(self, name):
        assert f"\n  {name} " in good("--help")
        out = good(name, "--help")
        assert out == good(name, "-h") and f"Usage: firth {name} " in out
        lines = [line.strip() for line in out.partition("Example:")[2].splitlines() if line.strip()]
        assert any(line.startswith(f"firth {name} ") for line in lines)
        for line in lines:
            _, command, *arguments = shlex.split(line.partition(" < ")[0])
            main.get_command(None, command).make_context(command, arguments)

    def test_imports_only_what_is_used(self):
        code = (
            "import sys, firth; loaded = [set(sys.modules)]\n"
            "from firth.cli import main\n"
            "try: main(['--help'])\n"
            "except SystemExit: loaded.append(set(sys.modules))\n"
            "heavy = {'scipy', 'sklearn', 'matplotlib', 'torch', 'tokenizers', 'tqdm', 'jieba'}\n"
            "assert not loaded[0] & (heavy | {'click'}) and not loaded[1] & heavy, loaded\n"
        )
        subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)

    def test_installed_script_and_version(self):
        scripts = entry_points(group="console_scripts", name="firth")
        if not scripts:
            pytest.skip("firth is not installed here, so it has neither")
        assert next(iter(scripts)).load() is main
        assert good("--version") == f"firth {firth.__version__}\n"
