"""Arrays in a safetensors file: written as a stream, read as a memory map.

The container is 8 bytes of header length (little-endian), a JSON header that gives each array's dtype, shape
and place, then the arrays one after another without holes. It is simple enough to own, which gives what the
library for it does not: writing without a second copy in memory, and opening without reading.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from firth.errors import FormatError

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BOOL": "|b1",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1",
}  # fmt: skip
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_HEADER_LIMIT = 100_000_000  # bytes, the limit of the safetensors library
_ALIGNMENT = 64  # bytes, of the first array; the widest come first, so that each is aligned to its own item
_PIECE = 1 << 23  # bytes written at once


def write_tensors(
    file: IO[bytes], tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays of any shape; rows that are not contiguous in memory are copied piece by piece.

    `metadata` is kept in the header, where other libraries look for it.
    """
    ordered = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    begin = 0
    for name, array in ordered.items():
        end = begin + array.nbytes
        dtype = _NAMES[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    file.write(len(text).to_bytes(8, "little") + text)
    for array in ordered.values():
        rows = np.atleast_1d(array)
        step = max(1, _PIECE * len(rows) // max(1, rows.nbytes))
        for first in range(0, len(rows), step):
            piece = np.ascontiguousarray(rows[first : first + step], dtype=array.dtype.newbyteorder("<"))
            file.write(piece.reshape(-1).view(np.uint8).data)


def open_tensors(path: str | Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file by name, read-only and mapped: a page is read when it is first touched.

    Raises `FormatError` for a file that is cut short or whose header is not a true account of it.
    """
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _HEADER_LIMIT):
            raise FormatError(
                f"{path}: is no safetensors file: {size:,} bytes cannot hold a header of {length:,}; "
                "it was cut short, or is something else: copy or save it again"
            )
        try:
            header = json.loads(file.read(length))
            places = _places(header, 8 + length, size)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise FormatError(
                f"{path}: its safetensors header is damaged ({error}); copy or save the file again"
            ) from None
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return {
        name: np.frombuffer(mapped, dtype=dtype, count=math.prod(shape), offset=begin).reshape(shape)
        for name, (dtype, shape, begin) in places.items()
    }


def _places(header: dict[str, Any], start: int, size: int) -> dict[str, tuple[str, list[int], int]]:
    """Dtype, shape and first byte of each array; raises `ValueError` unless they fill the file exactly."""
    places, expected = {}, start
    entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
    for name, entry in sorted(entries, key=lambda item: item[1]["data_offsets"]):
        dtype, shape, (begin, end) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        if any(type(number) is not int or not 0 <= number < 2**62 for number in (begin, end, *shape)):
            raise ValueError(f"{name!r} has a size or place that is no sensible number")
        if end - begin != math.prod(shape) * np.dtype(dtype).itemsize:
            raise ValueError(f"{name!r} of shape {shape} does not fit its {end - begin:,} bytes")
        if start + begin != expected:
            raise ValueError(f"{name!r} overlaps the array before it, or leaves a hole")
        places[name] = (dtype, shape, start + begin)
        expected = start + end
    if expected != size:
        raise ValueError(f"its arrays need {expected:,} bytes, but the file has {size:,}")
    return places
