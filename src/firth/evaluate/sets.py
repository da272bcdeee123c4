"""Reading the files of evaluation sets: lines with their place, for errors that name it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from firth.errors import FirthError
from firth.files import open_binary


class EvaluationError(FirthError):
    """An evaluation set cannot be read, or the vectors can answer nothing of it."""


def lines(path: str | Path) -> Iterator[tuple[str, str]]:
    """Each line that is not blank, as (`path:number`, text without the space around it).

    Compressed files are read as they are. Raises `EvaluationError` for bytes that are not UTF-8: a set in
    another encoding would otherwise look like a set of unknown words.
    """
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            place = f"{path}:{number}"
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise EvaluationError(
                    f"{place}: byte 0x{raw[error.start]:02x} at column {error.start + 1} is not UTF-8; "
                    "convert the file, say with iconv -f GB18030 -t UTF-8"
                ) from None
            if text:
                yield place, text
