"""Reading through compression, and writing so that an interruption leaves whole files."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import os
import re
import secrets
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from zlib_ng import gzip_ng, zlib_ng

from firth.errors import FirthError, FormatError, MissingExtraError

VERSION = 1  # of saved directories; a Firth that reads 1 refuses 2
CONFIG = "config.json"
_LEFTOVER = re.compile(r"\.?([\w-]+-[0-9a-f]{8}\.\w+|config\.json)(\.\w+\.part)?")  # data, whole or begun
_LEFTOVER_SECONDS = 3600  # a data file of this age that no config.json names is no save still under way

DAMAGED_ERRORS = (EOFError, gzip_ng.BadGzipFile, zlib_ng.error, lzma.LZMAError)  # of a file's compression
READING_ERRORS = (OSError, *DAMAGED_ERRORS)  # what a damaged file can raise

_MAGIC = {b"\x1f\x8b\x08": "gz", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zst"} | {
    b"BZh%d" % level + block: "bz2"
    for level in range(1, 10)
    for block in (b"1A", b"\x17r")  # "BZh" may be a word
}


COMPRESSED = tuple(_MAGIC)  # how compressed files begin


class FileError(FirthError, OSError):
    """A file cannot be opened, read or written."""


def open_binary(path: str | Path) -> BinaryIO:
    """Open a file for reading, decompressed if it is compressed; "-" is standard input.

    Raises `FileError` for what cannot be opened and `MissingExtraError` for .zst without the extra; a damaged
    file raises one of `READING_ERRORS` when it is read.
    """
    raw = open_raw(path)
    file = decompressed(raw)
    if file is not raw:
        weakref.finalize(file, raw.close)  # decompressors leave the file below them open
    return file


def open_raw(path: str | Path) -> io.BufferedReader:
    """Open a file for reading as it stands; "-" is standard input."""
    if str(path) == "-":
        return cast(io.BufferedReader, sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise FileError(f"{path}: no such file; check the path (from {Path.cwd()})") from None
    except IsADirectoryError:
        raise FileError(f"{path}: is a folder where a file is needed") from None
    except PermissionError:
        raise FileError(f"{path}: may not be read by this user; check its permissions") from None


def decompressed(raw: io.BufferedReader) -> BinaryIO:
    """What an open file holds, decompressed if its first bytes say so; `raw` stays the caller's to close."""
    start = raw.peek(6)
    match next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None):
        case "gz":
            return cast(BinaryIO, gzip_ng.GzipNGFile(fileobj=raw))
        case "bz2":
            return cast(BinaryIO, bz2.BZ2File(raw))
        case "xz":
            return cast(BinaryIO, lzma.LZMAFile(raw))
        case "zst":
            return io.BufferedReader(_ZstdReader(raw), 1 << 20)
    return raw


class _ZstdReader(io.RawIOBase):
    """Zstandard frames one after another; the library's own reader takes a truncated file for a whole."""

    def __init__(self, raw: BinaryIO):
        try:
            import zstandard
        except ImportError:
            raise MissingExtraError(f"{raw.name}: reading .zst", "zst") from None
        self._pieces = _zstd_pieces(raw, zstandard)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _zstd_pieces(raw: BinaryIO, zstandard: Any) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)  # as zstd --long=31 writes
    frame = None
    while piece := raw.read(1 << 16):
        while piece:
            frame = frame or decompressor.decompressobj()
            try:
                yield frame.decompress(piece)
            except zstandard.ZstdError as error:
                raise OSError(str(error)) from None
            piece, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame:
        raise EOFError("Compressed file ended before the end-of-stream marker was reached")


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
                with gzip_ng.GzipNGFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as zipped:
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


def check_writable(path: str | Path, *, directory: bool = False) -> None:
    """Raise `FileError` where this file, or `directory` of Firth's, could not be written.

    For those who would otherwise find it out after hours of work.
    """
    target = Path(path)
    replaces = directory and target.exists()
    if replaces:
        _claim(target)
    elif target.is_dir():
        raise FileError(f"{target}: is a folder where a file is to be written; choose another name")
    try:
        tempfile.TemporaryFile(dir=target if replaces else target.parent).close()
    except OSError as error:
        raise writing_failed(target, error) from error


def writing_failed(target: Path, error: OSError) -> FirthError:
    """The error to raise for one that the system gave while `target` was written."""
    if isinstance(error, FirthError):
        return error
    more_room = "free some space or choose another place"
    remedies = {
        "No space left on device": more_room,
        "Disk quota exceeded": more_room,
        "File too large": "raise the limit (ulimit -f) or choose another place",
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


class Directory(NamedTuple):
    """A saved directory: its settings, and its data files under the names they were written as."""

    config: dict[str, Any]
    files: dict[str, Path]


def write_directory(
    path: str | Path, config: Mapping[str, Any], files: Mapping[str, Callable[[IO[bytes]], object]]
) -> None:
    """Write a directory of `config.json` and data files, replacing one that stands there as a whole.

    `files` gives for each name ("vectors.safetensors") the function that writes it. The data goes into new
    files beside the old ("vectors-1f2e3d4c.safetensors"), then config.json, which names them, is renamed into
    place, and only then the old data is removed: killed at any moment, the directory is whole, old or new.
    Raises `FileError` for what cannot be written, or where other things stand in the directory.
    """
    target = Path(path)
    stored = {name: f"{Path(name).stem}-{secrets.token_hex(4)}{Path(name).suffix}" for name in files}
    replaced = _claim(target)
    try:
        for name, write in files.items():
            with atomic_write(target / stored[name]) as file:
                write(file)
        settings = {"format": "firth", "version": VERSION, **config, "files": stored}
        with atomic_write(target / CONFIG) as file:
            file.write(json.dumps(settings, indent=2, ensure_ascii=False).encode() + b"\n")
    except BaseException:
        if stored != _read_config(target).get("files"):  # an interrupt may come just after the renaming
            _remove(target / name for name in stored.values())
        raise
    _remove(replaced)


def read_directory(path: str | Path) -> Directory:
    """What `write_directory` wrote; raises `FormatError` for any other directory, or one not whole."""
    folder = Path(path)
    config = _read_config(folder)
    if not config:
        raise FormatError(f"{path}: has no {CONFIG} that Firth wrote; check the path")
    if config["version"] != VERSION:
        raise FormatError(
            f"{path}: is of version {config['version']}, this Firth reads {VERSION}; "
            "install the Firth that wrote it"
        )
    files = {name: folder / stored for name, stored in config["files"].items()}
    for stored in files.values():
        if not stored.is_file():
            raise FormatError(f"{stored}: is missing, though {CONFIG} names it; copy or save the directory again")
    return Directory(config, files)


def _read_config(folder: Path) -> dict[str, Any]:
    """The config.json that Firth wrote, or nothing."""
    with suppress(OSError, ValueError, RecursionError):
        config = json.loads((folder / CONFIG).read_bytes())
        if isinstance(config, dict) and config.get("format") == "firth":
            files, version = config.get("files"), config.get("version")
            if isinstance(files, dict) and isinstance(version, int) and all(map(_is_plain, files.values())):
                return config
    return {}


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and not set(name) & set("/\\\0")


def _claim(target: Path) -> list[Path]:
    """Make the directory, or check that it is Firth's; returns the data files that a new save replaces."""
    try:
        target.mkdir(exist_ok=True)
        entries = {entry.name: entry for entry in target.iterdir()}
    except FileExistsError:
        raise FileError(f"{target}: is a file where a directory is to be written; remove it first") from None
    except OSError as error:
        raise writing_failed(target, error) from error
    config = _read_config(target)
    leftovers = {name for name in entries if _LEFTOVER.fullmatch(name) and name != CONFIG}
    if not config and entries.keys() != leftovers:
        raise FileError(f"{target}: holds files that Firth did not write; choose another name")
    named = set(config.get("files", {}).values())
    return [entries[name] for name in leftovers if name in named or _age(entries[name]) > _LEFTOVER_SECONDS]


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:  # another process has just removed it
        return 0.0


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):  # gone already, or held open where the system forbids to remove such files
            path.unlink()
