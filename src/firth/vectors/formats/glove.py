"""GloVe's text format: a word and its vector a line, without a header."""

from __future__ import annotations

from collections import Counter
from itertools import chain, takewhile
from pathlib import Path

from firth.errors import FormatError
from firth.files import COMPRESSED, open_binary
from firth.vectors.formats.lines import BLOCK, is_number, read_lines, write_lines
from firth.vectors.formats.rows import RowCollector
from firth.vectors.store import Vectors
from firth.words import encode

_SAMPLE = 100  # lines that tell the number of components


def read(path: Path, limit: int | None) -> Vectors:
    """Read the file, or its first `limit` rows."""
    with open_binary(path) as file:
        first = file.readlines(BLOCK)
        dim = _components(first[:_SAMPLE], path)
        blocks = chain([first], iter(lambda: file.readlines(BLOCK), []))
        return read_lines(blocks, RowCollector(path, dim, promised=None, limit=limit), number=1)


def write(vectors: Vectors, path: Path) -> None:
    """Write the file; words may hold spaces, unless lines or their number of numbers become ambiguous."""
    sample = [encode(word) + b" 0.5" * vectors.dim for word in vectors.words[:_SAMPLE]]
    if sample and _components(sample, path) != vectors.dim:
        raise FormatError(
            f"{path}: words like {vectors.words[0]!r}, which end in a number, would be misread without a "
            "header; save as .firth, which keeps any word"
        )
    if sample and sample[0].startswith(COMPRESSED):
        raise FormatError(
            f"{path}: a file that begins with the word {vectors.words[0]!r} would be taken for a compressed one; "
            "save as .firth, which keeps any word"
        )
    write_lines(vectors, path, header=b"")


def _components(lines: list[bytes], path: Path) -> int:
    """The most frequent number of numbers at the end of these lines, for words too can end in a number."""
    lengths: Counter[int] = Counter()
    for line in lines:
        fields = line.split()
        numbers = sum(1 for _ in takewhile(is_number, reversed(fields)))
        lengths[numbers - (numbers == len(fields) and not line[:1].isspace())] += 1
    dim = min(lengths, key=lambda length: (-lengths[length], length), default=0)
    if dim < 1:
        raise FormatError(f"{path}: its lines are not words with numbers behind them; check the format")
    return dim
