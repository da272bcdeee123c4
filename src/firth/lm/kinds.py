"""What kinds of language models there are, and what they learn, for those who need not load them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from firth.files import CONFIG

NEURAL = {
    "nnlm": "the last few words, side by side, through a hidden layer (Bengio et al. 2003)",
    "elmo": "words by their characters, read by LSTMs in both directions (Peters et al. 2018)",
    "gpt": "a Transformer that reads left to right (Radford et al. 2018)",
    "gpt2": "the same with the norms before each block, and tokens of bytes (Radford et al. 2019)",
    "bert": "a Transformer that sees both sides of words that are masked (Devlin et al. 2019)",
}
TASK = "task"  # what the directory of a fine-tuned model holds
TASKS = ("classify", "pair", "similarity", "choice", "tag", "span")


def is_foreign(path: str | Path) -> bool:
    """Whether a directory has a config.json as Hugging Face's libraries write it."""
    with suppress(OSError, ValueError, RecursionError):
        config = json.loads((Path(path) / CONFIG).read_bytes())
        return isinstance(config, dict) and "model_type" in config and config.get("format") != "firth"
    return False
