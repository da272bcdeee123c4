"""What tests of formats share: vectors that are hard to write, and files made byte by byte."""

import struct

import numpy as np

from firth.vectors import Vectors
from firth.words import decode

NAMES = ["v.firth", "v.txt", "v.vec", "v.bin", "v.glove", "v.txt.gz", "v.bin.gz", "v.glove.gz"]
FILES = NAMES[1:]
WORDS = ["</s>", "the", "größe", "北京", "0.5", "7", "e", "nan", decode(b"caf\xe9"), "don't", "-", "#"]


def some(words=WORDS, dim=5, seed=3):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(len(words), dim)) * 10.0 ** rng.integers(-30, 30, size=(len(words), 1))
    return Vectors(words, matrix, counts=range(len(words), 0, -1))


def assert_same(found, expected, rows=None):
    assert list(found) == list(expected)[:rows]
    assert found.matrix.dtype == np.float32
    assert found.matrix.tobytes() == expected.matrix[:rows].tobytes()


def load_text(tmp_path, content, name="v", **options):
    (tmp_path / name).write_bytes(content)
    return Vectors.load(tmp_path / name, **options)


def binary(rows, *, newline=b"\n", header=None):
    dim = len(rows[0][1])
    header = header or b"%d %d\n" % (len(rows), dim)
    return header + b"".join(word + b" " + struct.pack(f"<{dim}f", *numbers) + newline for word, numbers in rows)
