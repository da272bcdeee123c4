"""Reading the files of evaluation sets: lines with their place, for errors that name it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from firth.corpus.sources import check_encoding
from firth.errors import FirthError
from firth.files import open_binary


class EvaluationError(FirthError):
    """An evaluation set cannot be read, or the vectors can answer nothing of it."""


def lines(path: str | Path, *, encoding: str = "utf-8", blank: bool = False) -> Iterator[tuple[str, str]]:
    """Each line that is not blank (or is, if wanted), as (`path:number`, text without the space around it).

    Compressed files are read as they are. Raises `EvaluationError` for bytes that are not of the encoding: a set
    in another one would otherwise look like a set of unknown words.
    """
    check_encoding(encoding, "strict")
    marked = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding  # a mark at the beginning
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            place = f"{path}:{number}"
            try:
                text = raw.decode(marked if number == 1 else encoding).strip()
            except UnicodeDecodeError as error:
                raise EvaluationError(
                    f"{place}: byte 0x{raw[error.start]:02x} at column {error.start + 1} is not "
                    f"{encoding.upper()}; convert the file, say with iconv -f GB18030 -t UTF-8"
                ) from None
            if text or blank:
                yield place, text
