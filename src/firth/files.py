"""Reading through compression, and writing so that an interruption leaves whole files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from firth.errors import FirthError, MissingExtraError

_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"}


class FileError(FirthError, OSError):
    """A file cannot be opened, read or written."""


def compression(path: str | Path) -> str | None:
    """The compression that the first bytes of a file tell: "gz", "bz2", "xz", "zst" or None."""
    with Path(path).open("rb") as file:
        start = file.read(6)
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)


def open_binary(path: str | Path) -> BinaryIO:
    """Open a file for reading, decompressed if it is compressed; "-" is standard input.

    Raises `FileError` for what cannot be opened and `MissingExtraError` for .zst without the extra.
    """
    if str(path) == "-":
        return sys.stdin.buffer
    try:
        kind = compression(path)
        if kind == "gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        if kind == "bz2":
            return cast(BinaryIO, bz2.open(path, "rb"))
        if kind == "xz":
            return cast(BinaryIO, lzma.open(path, "rb"))
        if kind == "zst":
            return _open_zst(path)
        return Path(path).open("rb")
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; check the path (from {Path.cwd()})") from None
    except IsADirectoryError:
        raise FileError(f"{path}: is a folder where a file is needed") from None
    except PermissionError:
        raise FileError(f"{path}: may not be read by this user; check its permissions") from None


def _open_zst(path: str | Path) -> BinaryIO:
    try:
        import zstandard
    except ImportError:
        raise MissingExtraError(f"{path}: reading .zst", "zst") from None
    raw = Path(path).open("rb")  # noqa: SIM115 - closed with the reader
    reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True, closefd=True)
    return cast(BinaryIO, io.BufferedReader(reader, 1 << 20))


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Write a file beside its target, renamed into place at the end: whole, or not there at all.

    A name that ends in .gz is compressed. What cannot be written raises `FileError`, and the old file stays.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise writing_failed(target, error) from error
    try:
        with open(handle, "wb") as raw:
            if target.suffix == ".gz":
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as zipped:
                    yield cast(IO[bytes], zipped)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, target)
    except OSError as error:
        raise writing_failed(target, error) from error
    finally:
        Path(name).unlink(missing_ok=True)


def writing_failed(target: Path, error: OSError) -> FirthError:
    """The error to raise for one that the system gave while `target` was written."""
    if isinstance(error, FirthError):
        return error
    remedies = {
        "No space left on device": "free some space or choose another place",
        "Permission denied": "choose another place",
    }
    cause = error.strerror or str(error)
    return FileError(
        f"{target}: cannot be written: {cause}; {remedies.get(cause, 'check that the folder exists')}"
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
