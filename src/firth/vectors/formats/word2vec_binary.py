"""word2vec's binary format: the header of the text format, then each word, a space, and its float32 bytes.

word2vec.c puts a newline behind each vector, gensim and the maker of GoogleNews put none: both are read, the
first is written, which all tools read. A word ends at its first space.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firth.errors import FormatError
from firth.files import atomic_write, open_binary
from firth.vectors.formats.rows import RowCollector, read_header
from firth.vectors.store import Vectors
from firth.words import encode

_BLOCK = 1 << 24  # bytes read at once
_ROWS = 1024  # written at once


def read(path: Path, limit: int | None) -> Vectors:
    """Read the file, or its first `limit` rows."""
    with open_binary(path) as file:
        promised, dim = read_header(file, path)
        rows = RowCollector(path, dim, promised=promised, limit=limit)
        data = b""
        while rows.room != 0 and (piece := file.read(_BLOCK)):
            data += piece
            words, starts, end = _scan(data, 4 * dim, rows.room)
            if words:
                windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), 4 * dim)
                rows.add(words, windows[starts].view("<f4"))
            data = data[end:]
    rest = data.lstrip(b"\n")
    if rest and rows.room != 0 and rows.read >= promised:
        rows.warn(f"{len(rest):,} bytes behind its last row are no row; they were left out")
    return rows.vectors()


def write(vectors: Vectors, path: Path) -> None:
    """Write the file; raises `FormatError` for a word with a space or a newline."""
    matrix = vectors.matrix
    with atomic_write(path) as file:
        file.write(b"%d %d\n" % (len(vectors), vectors.dim))
        for begin in range(0, len(vectors), _ROWS):
            pieces = []
            block = matrix[begin : begin + _ROWS].astype("<f4")
            for word, row in zip(vectors.words[begin : begin + _ROWS], block, strict=True):
                if " " in word or "\n" in word:
                    raise FormatError(
                        f"{path}: the word {word!r} would not be read back, for here a word ends at its "
                        "first space; save as .firth, which keeps any word"
                    )
                pieces += [encode(word), b" ", row.tobytes(), b"\n"]
            file.write(b"".join(pieces))


def _scan(data: bytes, size: int, most: int | None) -> tuple[list[bytes], list[int], int]:
    """The words of the whole rows in `data`, where their numbers start, and where the last row ends."""
    words: list[bytes] = []
    starts: list[int] = []
    end = 0
    while most is None or len(words) < most:
        begin = end + data.startswith(b"\n", end)
        space = data.find(b" ", begin)
        if space < 0 or space + 1 + size > len(data):
            break
        words.append(data[begin:space])
        starts.append(space + 1)
        end = space + 1 + size
    return words, starts, end
