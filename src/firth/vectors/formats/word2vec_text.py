"""word2vec's text format: a line with the numbers of words and components, then a line for each word."""

from __future__ import annotations

from pathlib import Path

from firth.files import open_binary
from firth.vectors.formats.lines import BLOCK, read_lines, write_lines
from firth.vectors.formats.rows import RowCollector, read_header
from firth.vectors.store import Vectors


def read(path: Path, limit: int | None) -> Vectors:
    """Read the file, or its first `limit` rows."""
    with open_binary(path) as file:
        promised, dim = read_header(file, path)
        blocks = iter(lambda: file.readlines(BLOCK), [])
        return read_lines(blocks, RowCollector(path, dim, promised=promised, limit=limit), number=2)


def write(vectors: Vectors, path: Path) -> None:
    """Write the file; words may hold spaces, unless that makes a line ambiguous."""
    write_lines(vectors, path, header=b"%d %d\n" % (len(vectors), vectors.dim))
