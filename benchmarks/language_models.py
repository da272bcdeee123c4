"""How well do language models foresee a text, all trained on the same one?

    python benchmarks/language_models.py wiki-en-1m.txt -o runs/words/               # words: perplexity
    python benchmarks/language_models.py wiki-en-cased-6m.txt.xz -o runs/pieces/ --pieces   # bits a byte

The last twentieth of the lines is held out. With words, all models have the same vocabulary, the 10,000 most
frequent of the rest, every other word being one unknown word; ends of lines are foreseen, too. With --pieces each
has tokens of its own. A model is what one command of `firth lm train` makes; it stays in the folder. A script that
was stopped goes on from there when it is run again. Of BERT, which foresees nothing, the share of masked tokens
that it finds is told.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from common import Row, hardware, markdown, number, software

from firth import lm
from firth.corpus import Reading
from firth.files import atomic_write, open_binary
from firth.lm.neural.losses import mean_losses
from firth.lm.neural.stream import Stream

NGRAM = "ngram"
SMALL_BERT = ["--size", "tiny", "--context", "64", "--dropout", "0"]
WORDS: dict[str, list[str]] = {
    NGRAM: ["--order", "5", "--max-size", "10000", "--unknown", "word"],
    "nnlm": ["--epochs", "6"],
    "elmo": ["--epochs", "5"],
    "gpt": ["--tokens", "words", "--epochs", "8"],
    "gpt2": ["--tokens", "words", "--epochs", "8"],
    "bert": [*SMALL_BERT, "--batch", "8", "--learning-rate", "0.0005", "--epochs", "30"],
}
PIECES: dict[str, list[str]] = {
    "gpt2": ["--size", "mini", "--epochs", "3"],
    NGRAM: ["--order", "5"],
    "nnlm": ["--tokens", "bytes", "--epochs", "2"],
    "gpt": ["--size", "mini", "--epochs", "1"],
    "bert": [*SMALL_BERT, "--epochs", "8"],
}


def split(text: Path, folder: Path) -> tuple[Path, Path]:
    """The text's lines but the last twentieth, and these."""
    parts = folder / "train.txt", folder / "held-out.txt"
    if not all(part.exists() for part in parts):
        folder.mkdir(parents=True, exist_ok=True)
        with open_binary(text) as file:
            lines = file.readlines()
        at = len(lines) - len(lines) // 20
        for part, some in zip(parts, (lines[:at], lines[at:]), strict=True):
            with atomic_write(part) as out:
                out.writelines(some)
    return parts


def trained(kind: str, settings: Sequence[str], text: Path, out: Path) -> lm.NGram | lm.Neural:
    """The model that the command makes, from where it stands."""
    command = [sys.executable, "-m", "firth", "lm", "train"]
    new = [*command, str(text), "-o", str(out), "--model", kind, *settings]
    if kind != NGRAM:
        new += ["--precision", "bfloat16", "--checkpoint-every", "2m"]
    if not (out.exists() and lm.is_model(out)):
        print(" ".join(new[1:]), file=sys.stderr, flush=True)
        subprocess.run(new, check=True)
    model = lm.load(out)
    if isinstance(model, lm.Neural) and model.learnt.unfinished:
        subprocess.run([*command, "--resume", str(out)], check=True)
        model = lm.load(out)
    return model


def in_pieces(text: Path, model: Path) -> Path:
    """The text with the numbers of the model's tokens for words."""
    path = text.with_suffix(".ids.txt")
    if not path.exists():
        network = lm.load(model)
        assert isinstance(network, lm.Neural)
        lines = network.tokens.encode_all(text.read_text().splitlines())
        with atomic_write(path) as file:
            file.writelines(b"%s\n" % " ".join(map(str, line)).encode() for line in lines)
    return path


def measured(kind: str, model: lm.NGram | lm.Neural, held_out: Path, size: int) -> Iterator[Row]:
    """What each direction of the model makes of the text, which has `size` bytes as it was written."""
    about: Row = {"model": kind}
    if isinstance(model, lm.Neural):
        last = model.history[-1]
        about |= {"parameters": sum(each.numel() for each in model.network.parameters())}
        about |= {"epochs": last["epoch"], "minutes": last["seconds"] / 60, "settings": model.settings}
        if kind == "bert":
            batches = model.network.batches(Stream.read(Reading(str(held_out)), model.tokens))
            found = mean_losses(model.network, batches, batch=32, device=torch.device("cpu"), precision="float32")
            yield about | {"masked_word_accuracy": found["masked_word_accuracy"]}
            return
    found = model.perplexity(str(held_out))
    yield about | found.as_dict() | {"bytes": size, "bits_per_byte": -found.log10 * math.log2(10) / size}
    if kind == "elmo":
        assert isinstance(model, lm.Neural)
        yield about | {"model": "elmo, backward"} | model.perplexity(str(held_out), backward=True).as_dict()


def table(rows: Sequence[Row], pieces: bool) -> str:
    """A model a line; of words perplexities, of pieces bits a byte."""
    key, form = ("bits_per_byte", ".3f") if pieces else ("perplexity", ".1f")
    header = ["model", "parameters", "epochs", "minutes", key.replace("_", " "), "masked tokens found %"]
    lines = []
    for row in rows:
        accuracy = row.get("masked_word_accuracy")
        lines.append(
            [
                row["model"],
                number(row.get("parameters"), ",d"),
                number(row.get("epochs"), "d"),
                number(row.get("minutes"), ".1f"),
                number(row.get(key), form),
                number(None if accuracy is None else 100 * accuracy, ".1f"),
            ]
        )
    return markdown(header, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a line is a paragraph")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the parts and the models")
    parser.add_argument("--pieces", action="store_true", help="tokens of each model's own, not words")
    parser.add_argument("--models", nargs="+", help="only these")
    parser.add_argument("--only-measure", action="store_true", help="leave out what is not trained to its end")
    parser.add_argument(
        "--json", type=Path, help="(default: out/bench/language_models_words.json or …_pieces.json)"
    )
    options = parser.parse_args()
    settings = PIECES if options.pieces else WORDS
    text, held_out = split(options.text, options.out)
    rows: list[Row] = []
    for kind in options.models or settings:
        out = options.out / kind
        if not (options.only_measure and not finished(out)):
            parts = text, held_out
            if options.pieces and kind == NGRAM:
                parts = in_pieces(text, options.out / "gpt2"), in_pieces(held_out, options.out / "gpt2")
            model = trained(kind, settings[kind], parts[0], out)
            rows += measured(kind, model, parts[1], held_out.stat().st_size)
            print(rows[-1], file=sys.stderr, flush=True)
    record = {
        "question": (__doc__ or "").split("\n")[0],
        "hardware": hardware(),
        "software": {**software(), "torch": torch.__version__},
        "text": options.text.name,
        "commands": {kind: settings[kind] for kind in options.models or settings},
        "runs": rows,
        "table": table(rows, options.pieces),
    }
    name = f"language_models_{'pieces' if options.pieces else 'words'}.json"
    path = options.json or Path("out/bench") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(record["table"])


def finished(out: Path) -> bool:
    if not (out.exists() and lm.is_model(out)):
        return False
    model = lm.load(out)
    return not (isinstance(model, lm.Neural) and model.learnt.unfinished)


if __name__ == "__main__":
    main()
