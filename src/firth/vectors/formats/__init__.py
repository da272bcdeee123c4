"""The formats of vector files: which there are, and how one is told from another."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firth.errors import FormatError, SettingsError
from firth.files import open_binary
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
        if not path.is_dir():
            with open_binary(path) as file:
                head = file.read(HEAD)
            refuse_foreign(head, path)
            format = format or recognise(head, path)
        return FORMATS[format or "firth"].read(path, limit)
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise FormatError(
            f"{path}: its compression is damaged or cut short ({error}); download or write it again"
        ) from None


def write(vectors: Vectors, path: str | Path, *, format: str | None = None) -> None:
    """Write vectors in the format that is given or that the extension tells; see `Vectors.save`."""
    _check(format)
    path = Path(path)
    FORMATS[format or _by_extension(path)].write(vectors, path)


def _check(format: str | None) -> None:
    if format is not None and format not in FORMATS:
        raise SettingsError(f"format={format!r} is unknown; choose one of {', '.join(FORMATS)}")


def _by_extension(path: Path) -> str:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    for name, format in FORMATS.items():
        if plain.suffix in format.extensions and (plain is path or name != "firth"):
            return name
    known = " ".join(extension for format in FORMATS.values() for extension in format.extensions)
    raise SettingsError(
        f"{path}: the extension tells no format; use one of {known} (.gz after a file's), or format="
    )
