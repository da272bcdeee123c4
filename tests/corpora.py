"""Texts, ways to read them, and what plain Python makes of them."""

import bz2
import gzip
import lzma
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import zstandard
from hypothesis import strategies as st

import firth
from firth.corpus import Corpus
from firth.words import encode

SPACES = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]

texts = st.lists(
    st.one_of(
        st.text(max_size=5),
        st.sampled_from(SPACES),
        st.sampled_from(["a", "b", "the", "é", "中文", "😀", "\n", "\n\n", "\ufeff", "\x00"]),
    ),
    max_size=40,
).map("".join)


COMPRESS = {
    "txt": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
    "two.gz": lambda raw: gzip.compress(raw[:9]) + gzip.compress(raw[9:]),
    "two.zst": lambda raw: zstandard.compress(raw[:9]) + zstandard.compress(raw[9:]),
}
TEXT = "".join(f"sentence {i} of a text {i * i} é\n" for i in range(3_000))


def sentences(corpus: Corpus) -> list[list[str]]:
    words = corpus.vocab.words[:]
    bounds = corpus.offsets.tolist()
    ids = corpus.ids.tolist()
    return [[words[i] for i in ids[a:b]] for a, b in pairwise(bounds)]


def check(corpus: Corpus, expected: list[list[str]]) -> None:
    """The corpus is these sentences, and its vocabulary is in order."""
    assert sentences(corpus) == expected
    counts = Counter(word for sentence in expected for word in sentence)
    ranked = sorted(counts, key=lambda word: (-counts[word], encode(word)))
    assert corpus.vocab.words[:] == ranked
    assert corpus.vocab.counts.tolist() == [counts[word] for word in ranked]
    assert all(corpus.vocab.words.position(word) == rank for rank, word in enumerate(ranked))
    assert (corpus.ids.dtype, corpus.offsets.dtype, corpus.vocab.counts.dtype) == (
        np.uint32,
        np.uint64,
        np.int64,
    )


def split(text: str) -> list[list[str]]:
    """What Python makes of a text: lines end at newlines only, a last one need not."""
    lines = text.removeprefix("\ufeff").split("\n")
    return [line.split() for line in (lines if lines[-1] else lines[:-1])]


def cut(raw: bytes, at: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(raw) + 1) for place in at), len(raw)]
    return [raw[a:b] for a, b in pairwise(bounds)]


def run(code: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    """Another Python, whose hashes are its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(firth.__file__).parents[1]),
        "PYTHONHASHSEED": "random",
    }
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, check=False, **options
    )


READ = "import sys; from firth.corpus import Corpus; c = Corpus.read(sys.argv[1]); print(c, c.ids.sum())"
