"""The command line as it is used: what is printed where, statuses, pipes."""

import json
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from commands import ENVIRONMENT, good, run, start, train_animals_and_tools

import firth
from firth.cli import COMMANDS, main


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return train_animals_and_tools(tmp_path_factory.mktemp("model"))


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
