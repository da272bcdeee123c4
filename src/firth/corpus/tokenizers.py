"""From text to words: split at white space, Unicode words, Chinese, or by any function."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from firth._core import Ingest, InvalidByte
from firth.corpus.storage import Encoded
from firth.errors import CorpusError, MissingExtraError, SettingsError


@dataclass(frozen=True)
class Tokenizer:
    """A way to make words of a text.

    `encode(ingest, chunks, name)` feeds the UTF-8 `chunks` of the text called `name` and yields what becomes
    of them. Tokenizers of equal `identity` make the same words of a text; None is equal to nothing.
    """

    identity: str | None
    encode: Callable[[Ingest, Iterable[bytes], str], Iterator[Encoded]]

    @classmethod
    def named(cls, name: str) -> Tokenizer:
        """ "whitespace", "words" or "zh"; raises `SettingsError` for any other and `MissingExtraError`."""
        known = {"whitespace": whitespace, "words": words, "zh": zh}
        if name not in known:
            raise SettingsError(f"tokenizer={name!r} is not one of {', '.join(known)}, nor a function")
        return known[name]()

    @classmethod
    def of(cls, function: Callable[[str], Sequence[str]]) -> Tokenizer:
        """One that calls `function` for each line, without its newline; its tokens may hold anything."""
        return cls(None, functools.partial(_by_lines, function))


def whitespace() -> Tokenizer:
    """Words are what stands between white space, exactly as `str.split()` sees it."""
    return Tokenizer("whitespace", _by_whitespace)


def words() -> Tokenizer:
    """Unicode words, lower-cased: letters, digits and underscores with their marks, apostrophes inside.

    ’ is taken for '. Whatever else there is (punctuation, symbols) is dropped.
    """
    return Tokenizer(f"words, Unicode {unicodedata.unidata_version}", _by_words)


def zh() -> Tokenizer:
    """Chinese words as jieba finds them; tokens without a letter, a digit or an ideograph are dropped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba still asks for pkg_resources
        try:
            import jieba
        except ImportError:
            raise MissingExtraError("the zh tokenizer", "zh") from None
    jieba.setLogLevel("WARNING")
    segmenter = jieba.Tokenizer()  # its own, which no user dictionary elsewhere in the process changes

    def tokens(line: str) -> list[str]:
        return [token for token in segmenter.cut(line) if any(map(str.isalnum, token))]

    return Tokenizer(f"zh, jieba {jieba.__version__}", functools.partial(_by_lines, tokens))


def _by_whitespace(ingest: Ingest, chunks: Iterable[bytes], name: str) -> Iterator[Encoded]:
    try:
        for chunk in chunks:
            yield ingest.feed(chunk)
        yield ingest.end_text()
    except InvalidByte as invalid:
        raise _not_utf8(name, *invalid.args) from None


def _by_words(ingest: Ingest, chunks: Iterable[bytes], name: str) -> Iterator[Encoded]:
    find = _word_pattern().findall
    for text in _decoded(_pieces(chunks, b" \n"), name):
        found = " ".join(find(text.lower().replace("’", "'")))
        # Where an unfinished line has no word at all, a space says that there is a line.
        yield ingest.feed((found if text.endswith("\n") else found + " ").encode())
    yield ingest.end_text()


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    marks = "".join(
        character
        for character in map(chr, range(0x300, sys.maxunicode + 1))
        if unicodedata.category(character) in ("Mn", "Mc") or character in "\u200c\u200d"
    )
    # The look ahead spares ASCII text a slow search among all marks.
    return re.compile(rf"\n|\w+(?:(?![\0-\x7f])[{marks}]+\w*|'\w+)*")


def _by_lines(
    tokens: Callable[[str], Sequence[str]], ingest: Ingest, chunks: Iterable[bytes], name: str
) -> Iterator[Encoded]:
    number = 1
    for text in _decoded(_pieces(chunks, b"\n"), name):
        lines = text.removesuffix("\n").split("\n")
        yield add(ingest, [tokens(line.removesuffix("\r")) for line in lines], f"{name}:", number)
        number += len(lines)


def _pieces(chunks: Iterable[bytes], ends: bytes) -> Iterator[bytes]:
    """The same bytes in pieces, each of which (but the last) ends with one of `ends`."""
    waiting: list[bytes] = []
    for chunk in chunks:
        cut = max(chunk.rfind(end) for end in ends) + 1
        if cut:
            yield b"".join([*waiting, chunk[:cut]])
            waiting = []
        waiting.append(chunk[cut:])
    if last := b"".join(waiting):
        yield last


def _decoded(pieces: Iterable[bytes], name: str) -> Iterator[str]:
    line, column = 1, 1  # of the piece's first byte
    for piece in pieces:
        try:
            text = piece.decode()
        except UnicodeDecodeError as error:
            place = _after(piece[: error.start], line, column)
            raise _not_utf8(name, *place, piece[error.start]) from None
        text = text.removeprefix("\ufeff") if (line, column) == (1, 1) else text
        if text:
            yield text
        line, column = _after(piece, line, column)


def _after(text: bytes, line: int, column: int) -> tuple[int, int]:
    newlines = text.count(b"\n")
    return line + newlines, len(text) - text.rfind(b"\n") if newlines else column + len(text)


def _not_utf8(name: str, line: int, column: int, byte: int) -> CorpusError:
    return CorpusError(
        f"{name}:{line}: byte 0x{byte:02x} at column {column} is not UTF-8; "
        'pass encoding="latin-1" or errors="replace"'
    )


def add(ingest: Ingest, sentences: list[Sequence[str]], place: str, number: int) -> Encoded:
    """Encode sentences of tokens; an error names `place` and the sentence's number, counted from `number`."""
    try:
        return ingest.add(sentences)
    except (TypeError, ValueError) as error:
        faults = ((at, _fault(sentence)) for at, sentence in enumerate(sentences, start=number))
        at, fault = next(((at, fault) for at, fault in faults if fault), (number, str(error)))
        raise CorpusError(f"{place}{at}: {fault}") from error


def _fault(sentence: object) -> str | None:
    if isinstance(sentence, str):
        return f"{sentence[:40]!r} is a string, not a list of tokens; give its .split()"
    if not isinstance(sentence, Iterable):
        return f"{sentence!r} is not a list of tokens"
    for token in sentence:
        if not isinstance(token, str):
            return f"token {token!r} is not a string; give strings, as str({token!r})"
        if not token:
            return "a token is empty; leave such tokens out, as str.split() does without an argument"
        try:
            token.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return f"token {token!r} holds a lone surrogate, which no text can; leave it out"
    return None
