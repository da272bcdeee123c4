"""The demonstration: vectors from a text that every Python has, its own standard library.

The library's docstrings, messages and comments are half a million words about files, threads, text and time:
little for word2vec, but of one mind, so that passing over them many times gives sensible neighbours.
"""

from __future__ import annotations

import ast
import re
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from firth.contexts import SkipGram
from firth.files import atomic_write
from firth.models.word2vec import Word2Vec

_NOT_LIBRARY = {"test", "tests", "idle_test", "site-packages", "dist-packages"}
_PARAGRAPHS = re.compile(r"\n\s*\n")

FIRST: Final = 3_000  # neighbours are asked for among the most frequent words, which have been seen enough
QUERIES = ("tuple", "decode", "thread", "month", "directory")
ANALOGIES = (("read", "reading", "write"), ("list", "lists", "tuple"), ("key", "keys", "value"))
MAP = """
    int float integer complex decimal fraction digits random mean median minimum maximum
    string list tuple dictionary sequence mapping iterable iterator
    bytes unicode ascii encode decode encoding charset zip tar gzip archive compress compression
    file directory path filename open read write close buffer stream
    socket server client connection http request response url port host mail smtp message mailbox
    hour day week month year date time seconds thread process lock queue task coroutine pipe
    error exception raise traceback valueerror typeerror log logger debug warning test doctest
    class method function argument parameter module package import bytecode opcode stack frame
    html xml tag element parser window widget button canvas menu mouse font
    windows unix linux posix platform
"""


def write_text(path: Path) -> int:
    """Write the library's texts, a paragraph a line; returns how many there are."""
    lines = dict.fromkeys(paragraphs(Path(sysconfig.get_path("stdlib"))))
    with atomic_write(path) as file:
        file.writelines(line.encode("utf-8", "replace") + b"\n" for line in lines)
    return len(lines)


def paragraphs(folder: Path) -> Iterator[str]:
    """The paragraphs of all strings of three words and more, and of all comments, in the .py files below a folder.

    Strings are docstrings, messages and help texts. A file that this Python cannot parse is passed over: the
    library has such on purpose, for its tests.
    """
    for path in sorted(folder.rglob("*.py")):
        if _NOT_LIBRARY.isdisjoint(path.relative_to(folder).parts):
            try:
                with tokenize.open(path) as file:
                    source = file.read()
                texts = [*_strings(source), *_comments(source)]
            except (SyntaxError, UnicodeDecodeError):
                continue
            for text in texts:
                for paragraph in _PARAGRAPHS.split(text):
                    if line := " ".join(paragraph.split()):
                        yield line


def _strings(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(" ") > 1:
            yield node.value


def _comments(source: str) -> Iterator[str]:
    """Comments, those on consecutive lines of their own as one."""
    block: list[str] = []
    next_row = 0
    for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            alone = not token.line[:column].strip()
            if not (alone and row == next_row):
                yield "\n".join(block)
                block = []
            block.append(token.string.lstrip("#! "))
            next_row = row + 1 if alone else 0
    yield "\n".join(block)


def model() -> Word2Vec:
    """The model for so small a text: many passes, and frequent words passed over less often than usual."""
    return Word2Vec(dim=100, context=SkipGram(window=5, shrink=True), epochs=30, subsample=1e-3)
