"""Lines of a word and its numbers, which word2vec's text format and GloVe's share.

The numbers are split off from the right, for words may hold spaces. That leaves one doubt: the 66 of
"route 66 0.1 0.2" could belong to either side. A whole number is taken for part of the word, unless the line
has nothing but whole numbers; a number with a point or an exponent is one too many, and the line is refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firth.errors import FormatError
from firth.files import atomic_write
from firth.vectors.formats.rows import RowCollector
from firth.vectors.store import Vectors
from firth.words import encode

BLOCK = 1 << 22  # bytes of lines to read at once

_WHOLE = re.compile(rb"[-+]?\d+")
_SPACE = re.compile(rb"\s")
_ROWS = 1024  # written at once

Numbers = Sequence[float] | NDArray[np.float32]


def read_lines(blocks: Iterable[list[bytes]], rows: RowCollector, *, number: int) -> Vectors:
    """The vectors of lines, of which the first has this number in the file; empty lines are passed over.

    Raises `FormatError` with the number of a line that is not a word and as many numbers as expected.
    """
    with warnings.catch_warnings():  # NumPy before 2.3 only warned where it could not read to the end
        warnings.simplefilter("error", DeprecationWarning)
        for lines in blocks:
            words: list[bytes] = []
            block: list[Numbers] = []
            for place, line in enumerate(lines[: rows.room], start=number):
                parsed = _parse(line, rows.dim)
                if parsed is not None:
                    words.append(parsed[0])
                    block.append(parsed[1])
                elif not line.isspace():
                    raise FormatError(_damage(rows, place, line))
            rows.add(words, np.array(block, dtype=np.float32).reshape(-1, rows.dim))
            number += len(lines)
            if rows.room == 0:
                break
    return rows.vectors()


def write_lines(vectors: Vectors, path: Path, *, header: bytes) -> None:
    """Write a line for each row, with the 9 digits that tell every float32 from its neighbours.

    Raises `FormatError` for a word that would not be read back.
    """
    template = b" %b\n" % b" ".join([b"%.9g"] * vectors.dim)
    with atomic_write(path) as file:
        file.write(header)
        for begin in range(0, len(vectors), _ROWS):
            words = vectors.words[begin : begin + _ROWS]
            lines = []
            for word, numbers in zip(words, vectors.matrix[begin : begin + _ROWS].tolist(), strict=True):
                encoded = encode(word)
                line = encoded + template % tuple(numbers)
                if _SPACE.search(encoded) and not _survives(encoded, line, vectors.dim):
                    raise FormatError(
                        f"{path}: the word {word!r} would not be read back from a line of text; "
                        "save as .firth, which keeps any word"
                    )
                lines.append(line)
            file.write(b"".join(lines))


def split(line: bytes, dim: int) -> tuple[bytes, list[float]] | None:
    """Word and numbers of a line, the numbers split off from the right; None where it is not such a line."""
    fields = line.rsplit(None, dim)
    if len(fields) == dim and line[:1].isspace():
        fields.insert(0, b"")  # the word is empty
    word, numbers = fields[:1], fields[1:]
    if len(numbers) != dim or not all(map(is_number, numbers)):
        return None
    inner = word[0].split()
    if len(inner) + word[0][:1].isspace() > 1 and is_number(inner[-1]):
        whole = [_WHOLE.fullmatch(field) is not None for field in (inner[-1], *numbers)]
        if not whole[0] or all(whole):
            return None
    return word[0], list(map(float, numbers))


def is_number(field: bytes) -> bool:
    """Whether a field reads as a number."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _parse(line: bytes, dim: int) -> tuple[bytes, Numbers] | None:
    """What `split` gives, nearly twice as fast where the word holds no space."""
    word, _, rest = line.partition(b" ")
    try:
        numbers = np.fromstring(rest, dtype=np.float32, sep=" ")
    except (ValueError, DeprecationWarning):
        return split(line, dim)
    return (word, numbers) if len(numbers) == dim and not rest.isspace() else split(line, dim)


def _survives(word: bytes, line: bytes, dim: int) -> bool:
    parsed = _parse(line, dim)
    return b"\n" not in word and parsed is not None and parsed[0] == word


def _damage(rows: RowCollector, number: int, line: bytes) -> str:
    return (
        f"{rows.path}:{number}: is not a word and {rows.dim} numbers: it begins with {line[:40]!r} and has "
        f"{len(line.split())} fields; the file is damaged or cut short: write or download it again"
    )
