"""The formats of vector files: which there are, and how one is told from another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firth.errors import FormatError, SettingsError
from firth.files import DAMAGED_ERRORS, open_binary
from firth.vectors.formats import firth, glove, word2vec_binary, word2vec_text
from firth.vectors.formats.recognition import HEAD, recognise, refuse_foreign
from firth.vectors.store import Vectors


@dataclass(frozen=True)
class Format:
    """A reader and a writer, and the extensions that ask for the writer."""

    extensions: tuple[str, ...]
    read: Callable[[Path, int | None], Vectors]
    write: Callable[[Vectors, Path], None]


FORMATS = {
    "firth": Format((".firth",), firth.read, firth.write),
    "text": Format((".txt", ".vec"), word2vec_text.read, word2vec_text.write),
    "binary": Format((".bin",), word2vec_binary.read, word2vec_binary.write),
    "glove": Format((".glove",), glove.read, glove.write),
}


def read(path: str | Path, *, limit: int | None = None, format: str | None = None) -> Vectors:
    """Read vectors of any format, only the first `limit` if that is given; see `Vectors.load`."""
    if limit is not None and limit < 1:
        raise SettingsError(f"limit={limit} must be at least 1")
    _check(format)
    path = Path(path)
    try:
        return FORMATS[of_content(path, format)].read(path, limit)
    except DAMAGED_ERRORS as error:
        raise FormatError(
            f"{path}: its compression is damaged or cut short ({error}); download or write it again"
        ) from None


def write(vectors: Vectors, path: str | Path, *, format: str | None = None) -> None:
    """Write vectors in the format that is given or that the extension tells; see `Vectors.save`."""
    _check(format)
    path = Path(path)
    FORMATS[format or of_extension(path)].write(vectors, path)


def _check(format: str | None) -> None:
    if format is not None and format not in FORMATS:
        raise SettingsError(f"format={format!r} is unknown; choose one of {', '.join(FORMATS)}")


def of_content(path: Path, given: str | None = None) -> str:
    """The format that a file or directory turns out to have, unless one is `given`; raises `FormatError`."""
    if path.is_dir():
        return given or "firth"
    with open_binary(path) as file:
        head = file.read(HEAD)
    refuse_foreign(head, path)
    return given or recognise(head, path)


def of_extension(path: Path) -> str:
    """The format that the name of a file to be written asks for; raises `SettingsError` where it tells none."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    for name, format in FORMATS.items():
        if plain.suffix in format.extensions and (plain is path or name != "firth"):
            return name
    known = " ".join(extension for format in FORMATS.values() for extension in format.extensions)
    raise SettingsError(
        f"{path}: the extension tells no format; use one of {known} (.gz after a file's), or format="
    )
