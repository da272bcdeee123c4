"""From text to words: split at white space, Unicode words, Chinese, or by any function."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from firth._core import Ingest, InvalidByte
from firth.corpus.draft import Encoded
from firth.corpus.reader import Piece
from firth.errors import CorpusError, MissingExtraError, SettingsError


@dataclass(frozen=True)
class Tokenizer:
    """A way to make words of a text.

    `encode(ingest, piece)` counts the words of a piece of text, which ends with one of `ends`, and gives what
    became of them. Tokenizers of equal `identity` make the same words of a text; None is equal to nothing. A
    `native` one works without the GIL, so that several threads are faster than one.
    """

    identity: str | None
    encode: Callable[[Ingest, Piece], Encoded]
    ends: bytes = b" \n"
    native: bool = False

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
        return cls(None, functools.partial(_by_lines, function), ends=b"\n")


def whitespace() -> Tokenizer:
    """Words are what stands between white space, exactly as `str.split()` sees it."""
    return Tokenizer("whitespace", _by_whitespace, native=True)


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

    return Tokenizer(f"zh, jieba {jieba.__version__}", functools.partial(_by_lines, tokens), ends=b"\n")


def _by_whitespace(ingest: Ingest, piece: Piece) -> Encoded:
    try:
        return ingest.add_text(piece.text)
    except InvalidByte as invalid:
        raise piece.invalid(*invalid.args) from None


def _by_words(ingest: Ingest, piece: Piece) -> Encoded:
    text = piece.decoded().lower().replace("’", "'")
    return ingest.add_text(" ".join(_word_pattern().findall(text)).encode())


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    marks = "".join(
        character
        for character in map(chr, range(0x300, sys.maxunicode + 1))
        if unicodedata.category(character) in ("Mn", "Mc") or character in "\u200c\u200d"
    )
    # The look ahead spares ASCII text a slow search among all marks.
    return re.compile(rf"\n|\w+(?:(?![\0-\x7f])[{marks}]+\w*|'\w+)*")


def _by_lines(tokens: Callable[[str], Sequence[str]], ingest: Ingest, piece: Piece) -> Encoded:
    lines = piece.decoded().removesuffix("\n").split("\n")
    return add(ingest, [tokens(line.removesuffix("\r")) for line in lines], f"{piece.name}:", piece.line)


def add(ingest: Ingest, sentences: list[Sequence[str]], place: str, number: int) -> Encoded:
    """Encode sentences of tokens; an error names `place` and the sentence's number, counted from `number`."""
    try:
        return ingest.add_sentences(sentences)
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
