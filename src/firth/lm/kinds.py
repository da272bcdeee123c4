"""What kinds of language models there are, for those who need not load them."""

from __future__ import annotations

from pathlib import Path

NEURAL = {
    name: about
    for name, about in {
        "nnlm": "the last few words, side by side, through a hidden layer (Bengio et al. 2003)",
        "elmo": "words by their characters, read by LSTMs in both directions (Peters et al. 2018)",
        "gpt": "a Transformer that reads left to right (Radford et al. 2018)",
        "gpt2": "the same with the norms before each block, and tokens of bytes (Radford et al. 2019)",
        "bert": "a Transformer that sees both sides of words that are masked (Devlin et al. 2019)",
    }.items()
    if Path(__file__).with_name("neural").joinpath(f"{name}.py").exists()
}
