"""Recognising the format of a vector file from its first bytes."""

from __future__ import annotations

import re
from pathlib import Path

from firth.errors import FormatError
from firth.vectors.formats.lines import is_number, split
from firth.vectors.formats.rows import HEADER

HEAD = 1 << 18  # bytes that recognition looks at: the header and some rows

_PICKLE = (
    "is a Python pickle (gensim's save writes such), which Firth does not open, for it could run any code; "
    'in gensim, write model.wv.save_word2vec_format("vectors.bin", binary=True)'
)
_FOREIGN = {
    b"\x93NUMPY": "is a NumPy array without words; make firth.Vectors(words, numpy.load(path)) of it",
    b"PK\x03\x04": "is a zip archive; unpack it and give the file of vectors in it",
    b"\x89HDF": "is an HDF5 file; export its vectors as word2vec text",
    b"GGUF": "is a GGUF model, not vectors of words",
    b"\xba\x16\x4f\x2f": "is a fastText model; give the .vec file that fastText wrote beside it",
    b"ustar": "is a tar archive; unpack it and give the file of vectors in it",
}
_HTML = re.compile(rb"\s*<(!doctype|html|head|\?xml)", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # bytes that stand in binary numbers, hardly ever in text


def refuse_foreign(head: bytes, path: Path) -> None:
    """Raise `FormatError` for the files that are given by mistake, with what to do instead."""
    if not head.strip():
        raise FormatError(f"{path}: is empty; write or download it again")
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise FormatError(f"{path}: {_PICKLE}")
    if head[8:10] == b'{"':
        raise FormatError(f"{path}: is a safetensors file; give the directory that Firth wrote it in")
    if _HTML.match(head):
        raise FormatError(f"{path}: is a web page, perhaps an error of the download; download it again")
    for magic, cause in _FOREIGN.items():
        if head.startswith(magic) or (magic == b"ustar" and head[257:262] == magic):
            raise FormatError(f"{path}: {cause}")


def recognise(head: bytes, path: Path) -> str:
    """The format, "text", "binary" or "glove", of a file that begins with `head`."""
    line, _, rest = head.partition(b"\n")
    header = HEADER.fullmatch(line)
    if header:
        return "text" if _is_text(rest, int(header[2])) else "binary"
    fields = line.split()
    if len(fields) > 1 and is_number(fields[-1]):
        return "glove"
    raise FormatError(
        f"{path}: is no file of vectors that Firth knows; it begins with {head[:24]!r}, where word2vec's two "
        "formats have the numbers of words and components, and GloVe's a word and its numbers"
    )


def _is_text(rows: bytes, dim: int) -> bool:
    """Whether rows behind a header are text; a row of the wrong length is still text, damaged."""
    line, _, _ = rows.partition(b"\n")
    if not rows or split(line, dim) is not None:
        return True
    fields = line.split()
    return len(fields) > 1 and is_number(fields[-1]) and not _CONTROL.search(rows)
