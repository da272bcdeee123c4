"""The text of files as UTF-8, in pieces that any number of threads may take."""

from __future__ import annotations

import bisect
import codecs
import math
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from firth.errors import CorpusError
from firth.files import READING_ERRORS, decompressed, open_raw

CHUNK = 1 << 20  # bytes read at a time


class Piece(NamedTuple):
    """Some text of a file in UTF-8, which ends in white space, and where it stands."""

    text: bytes
    key: tuple[float, float]  # which file, which piece of it: pieces sort as the text goes
    name: str  # of the file
    line: int  # of the first byte, from 1
    column: int

    def decoded(self) -> str:
        """The text; raises `CorpusError` for a byte that is not UTF-8."""
        try:
            return self.text.decode()
        except UnicodeDecodeError as error:
            raise self.invalid(*_after(self.text[: error.start], 1, 1), self.text[error.start]) from None

    def invalid(self, line: int, column: int, byte: int) -> CorpusError:
        """The error to raise for a byte, its place counted from 1 within the piece."""
        column += self.column - 1 if line == 1 else 0
        return CorpusError(
            f"{self.name}:{self.line + line - 1}: byte 0x{byte:02x} at column {column} is not UTF-8; "
            'pass encoding="latin-1" or errors="replace"'
        )


class Reader:
    """The texts of some files as UTF-8, whatever they are encoded in and compressed by."""

    def __init__(self, files: list[str], encoding: str, errors: str):
        self._files, self._encoding, self._errors = files, encoding, errors
        self._states = [None if file == "-" else os.stat(file) for file in files]
        self._read = [0] * len(files)
        self.name = label(files[0]) + (f" and {len(files) - 1} more" if len(files) > 1 else "")
        regular = [state for state in self._states if state is not None and stat.S_ISREG(state.st_mode)]
        self.size = sum(state.st_size for state in regular) if len(regular) == len(files) else None

    @property
    def done(self) -> int:
        """The bytes read so far: as they lie on disk, or decompressed where `size`, their total, is None."""
        return sum(self._read)

    def state(self) -> list[tuple[str, int, int]]:
        """Absolute path, size and time of change (ns) of each file, as they were before reading began."""
        return [
            (os.path.abspath(file), state.st_size, state.st_mtime_ns)
            for file, state in zip(self._files, self._states, strict=True)
            if state is not None
        ]

    def pieces(self, ends: bytes) -> Pieces:
        """All text, in pieces that end with one of `ends`."""
        return Pieces(self._pieces(number, ends) for number in range(len(self._files)))

    def _pieces(self, number: int, ends: bytes) -> Iterator[Piece]:
        name = label(self._files[number])
        chunks = self._chunks(number)
        line = column = 1
        for count, text in enumerate(_cut(chunks if self._is_utf8() else self._transcoded(chunks, name), ends)):
            yield Piece(text, (number, count), name, line, column)
            line, column = _after(text, line, column)

    def _is_utf8(self) -> bool:
        return self._errors == "strict" and codecs.lookup(self._encoding).name in ("utf-8", "utf-8-sig")

    def _chunks(self, number: int) -> Iterator[bytes]:
        name = self._files[number]
        with open_raw(name) as raw:
            file = decompressed(raw)
            while chunk := _chunk(file, name):
                self._read[number] = self._read[number] + len(chunk) if self.size is None else raw.tell()
                yield chunk

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


def _chunk(file: BinaryIO, name: str) -> bytes:
    try:
        return file.read(CHUNK)
    except READING_ERRORS as error:
        raise CorpusError(
            f"{label(name)}: cannot be read to its end: {error}; it is damaged or cut short, fetch it anew"
        ) from error


def label(file: str) -> str:
    """The name of a file in errors."""
    return "standard input" if file == "-" else file


def _cut(chunks: Iterable[bytes], ends: bytes) -> Iterator[bytes]:
    """The same bytes in pieces, each of which ends with one of `ends`; a last line gets its newline.

    A byte order mark at the beginning is left out.
    """
    mark, piece = codecs.BOM_UTF8, b"\n"
    waiting: list[bytes | memoryview] = []
    for chunk in chunks:
        cut = max(chunk.rfind(end) for end in ends) + 1
        if cut:
            piece = b"".join([*waiting, memoryview(chunk)[:cut]]).removeprefix(mark)
            yield piece
            mark, waiting = b"", []
        waiting.append(memoryview(chunk)[cut:])
    last = b"".join(waiting).removeprefix(mark)
    if last or not piece.endswith(b"\n"):
        yield last + b"\n"


def _after(text: bytes, line: int, column: int) -> tuple[int, int]:
    newlines = int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))  # bytes.count is slow
    return line + newlines, len(text) - text.rfind(b"\n") if newlines else column + len(text)


class _Stream(NamedTuple):
    number: int
    pieces: Iterator[Piece]


class Pieces:
    """Pieces of several files: those of one file come one after another, but several files are read at once."""

    def __init__(self, files: Iterable[Iterator[Piece]]):
        self._unopened = (_Stream(number, pieces) for number, pieces in enumerate(files))
        self._change = threading.Condition()  # guards all below
        self._waiting: list[_Stream] = []  # opened, and read by nobody at the moment
        self._reading = 0
        self._end = math.inf  # the number of the first file that no longer matters
        self._failures: list[tuple[tuple[float, float], BaseException]] = []

    def take(self) -> Piece | None:
        """The next piece, None where no more is to be had. Whatever goes wrong is kept for `check`."""
        while stream := self._acquire():
            piece = None
            try:
                piece = next(stream.pieces, None)
            except BaseException as error:
                self.fail((stream.number, math.inf), error)
            finally:
                self._release(stream, finished=piece is None)
            if piece is not None:
                return piece
        return None

    def fail(self, key: tuple[float, float], error: BaseException) -> None:
        """Remember what went wrong at a piece; only what comes before it is read on."""
        with self._change:
            self._failures.append((key, error))
            self._end = min(self._end, key[0])

    def stop(self) -> None:
        """Give no more pieces."""
        with self._change:
            self._end = -1

    def check(self) -> None:
        """Raise what went wrong first, as the text goes, whichever thread met it and when."""
        if self._failures:
            raise min(self._failures, key=lambda failure: failure[0])[1]

    def _acquire(self) -> _Stream | None:
        with self._change:
            while True:
                stream = self._waiting.pop(0) if self._waiting else next(self._unopened, None)
                if stream is None and not self._reading:
                    return None
                if stream is None:
                    self._change.wait()
                elif stream.number < self._end:
                    self._reading += 1
                    return stream

    def _release(self, stream: _Stream, finished: bool) -> None:
        with self._change:
            self._reading -= 1
            if not finished:
                bisect.insort(self._waiting, stream, key=lambda waiting: waiting.number)
            self._change.notify_all()
