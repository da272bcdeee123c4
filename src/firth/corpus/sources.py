"""What a source names, and its text as UTF-8, piece by piece."""

from __future__ import annotations

import codecs
import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from firth.errors import CorpusError, SettingsError
from firth.files import READING_ERRORS, decompressed, open_raw

_CHUNK = 1 << 20  # bytes read at a time
_ERRORS = ("strict", "replace", "ignore")


def files_of(source: Any) -> list[str] | None:
    """The files that a source names, in order, or None for one that is sentences; raises `CorpusError`."""
    if isinstance(source, str | os.PathLike):
        return _expanded(source)
    if not isinstance(source, Iterable):
        raise CorpusError(f"{_shown(source)} is neither a path nor sentences; give lists of tokens")
    iterator: Iterator[Any] = iter(source)
    if iterator is iter(source):
        raise CorpusError(
            f"{_shown(source)} can be read only once, and training reads its corpus again and again; "
            "give a list of it, or an object whose __iter__ starts anew"
        )
    first = next(iterator, None)
    if first is None:
        raise CorpusError("the source is empty; give it paths, or sentences as lists of tokens")
    if not isinstance(first, str | os.PathLike):
        return None
    try:
        return [name for each in source for name in _expanded(each)]
    except CorpusError as error:
        raise CorpusError(
            f"{error} (strings in a list are paths; sentences are lists of tokens: "
            "[line.split() for line in lines])"
        ) from None


def _expanded(source: Any) -> list[str]:
    if not isinstance(source, str | os.PathLike):
        raise CorpusError(f"{_shown(source)} stands among paths and is none")
    name = os.fspath(source)
    if name == "-":
        return [name]
    if os.path.isdir(name):
        found = sorted(str(path) for path in Path(name).rglob("*") if _visible(path, Path(name)))
        if not found:
            raise CorpusError(f"{_shown(name)}: this folder holds no files; check the path")
        return found
    if os.path.exists(name):
        return [name]
    if glob.has_magic(name):
        found = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
        if not found:
            raise CorpusError(f"{_shown(name)}: no file matches (from {os.getcwd()}); check the pattern")
        return found
    raise CorpusError(
        f"{_shown(name)}: no such file or folder (from {os.getcwd()}); "
        "check the path, or give text in memory as lists of tokens"
    )


def _visible(path: Path, folder: Path) -> bool:
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _shown(value: Any) -> str:
    """A value in an error: names as they are, the rest by its repr, in one line of bounded length."""
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_encoding(encoding: str, errors: str) -> None:
    """Raise `SettingsError` unless text can be decoded so."""
    if errors not in _ERRORS:
        raise SettingsError(f"errors={errors!r} is not one of {', '.join(_ERRORS)}")
    try:
        b" ".decode(encoding)
        codecs.getincrementaldecoder(encoding)
    except LookupError:
        raise SettingsError(
            f"encoding={encoding!r} is not known to Python; utf-8, latin-1 and gb18030 are"
        ) from None
    except UnicodeDecodeError:
        pass  # of several bytes a character


class Reader:
    """The texts of some files as UTF-8, whatever they are encoded in and compressed by."""

    def __init__(
        self,
        files: list[str],
        encoding: str,
        errors: str,
        progress: Callable[[int, int | None], None] | None,
    ):
        self._files, self._encoding, self._errors, self._progress = files, encoding, errors, progress
        self._states = [None if file == "-" else os.stat(file) for file in files]
        self.regular = all(state is not None and stat.S_ISREG(state.st_mode) for state in self._states)
        self.name = label(files[0]) + (f" and {len(files) - 1} more" if len(files) > 1 else "")

    def state(self) -> list[tuple[str, int, int]]:
        """Absolute path, size and time of change (ns) of each file, as they were before reading began."""
        return [
            (os.path.abspath(file), state.st_size, state.st_mtime_ns)
            for file, state in zip(self._files, self._states, strict=True)
            if state is not None
        ]

    def texts(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """The name of each file, and its text in pieces, which are to be read before the next file's."""
        total = sum(state.st_size for state in self._states if state is not None) if self.regular else None
        done = 0
        for file, state in zip(self._files, self._states, strict=True):
            chunks = self._chunks(file, done, total)
            yield label(file), chunks if self._is_utf8() else self._transcoded(chunks, label(file))
            done += state.st_size if state is not None else 0

    def _is_utf8(self) -> bool:
        return self._errors == "strict" and codecs.lookup(self._encoding).name in ("utf-8", "utf-8-sig")

    def _chunks(self, name: str, done: int, total: int | None) -> Iterator[bytes]:
        read = 0
        with open_raw(name) as raw:
            file = decompressed(raw)
            while chunk := _piece(file, name):
                yield chunk
                read += len(chunk)
                if self._progress:
                    self._progress(done + (raw.tell() if total is not None else read), total)

    def _transcoded(self, chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self._encoding)(self._errors)
        read = 0
        try:
            for chunk in chunks:
                read += len(chunk)
                yield decoder.decode(chunk).encode()
            yield decoder.decode(b"", final=True).encode()
        except UnicodeDecodeError as error:
            offset = read - len(error.object) + error.start
            raise CorpusError(
                f"{name}: byte 0x{error.object[error.start]:02x} at offset {offset:,} is not "
                f'{self._encoding}; pass another encoding or errors="replace"'
            ) from None


def _piece(file: BinaryIO, name: str) -> bytes:
    try:
        return file.read(_CHUNK)
    except READING_ERRORS as error:
        raise CorpusError(
            f"{label(name)}: cannot be read to its end: {error}; it is damaged or cut short, fetch it anew"
        ) from error


def label(file: str) -> str:
    """The name of a file in errors."""
    return "standard input" if file == "-" else file
