"""What tests of the command line share: calling it, here or as a process of its own, and a text to learn."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

import firth
from firth.cli import main

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


def write_animals_and_tools(path: Path) -> Path:
    """Sentences of two kinds."""
    random.seed(1)
    kinds = [["cat", "dog", "cow", "eats", "sleeps"], ["saw", "axe", "drill", "cuts", "rusts"]]
    path.write_text("".join(" ".join(random.choices(random.choice(kinds), k=8)) + "\n" for _ in range(300)))
    return path


def train_animals_and_tools(folder: Path) -> Path:
    """A model that has learnt them."""
    text, path = write_animals_and_tools(folder / "text.txt"), folder / "model.firth"
    good("train", text, "-o", path, *SMALL, "--epochs", "20", "--no-cache")
    return path
