"""How bytes become words: encodings, tokenizers, and what cannot be read as text."""

import sys
from collections import Counter

import pytest
from corpora import check

from firth.corpus import Corpus
from firth.errors import CorpusError, MissingExtraError


@pytest.mark.parametrize("tokenizer", ["whitespace", "words", str.split])
@pytest.mark.parametrize("filler", ["", "many words before " * 100_000])
def test_undecodable_bytes_are_said_with_their_place(tmp_path, tokenizer, filler):
    path = tmp_path / "wiki.txt"
    path.write_bytes(f"{filler}\nein ".encode() * 3 + "caf\xe9 au lait\n".encode("latin-1"))
    with pytest.raises(CorpusError) as raised:
        Corpus.read(path, tokenizer=tokenizer)
    assert str(raised.value) == (
        f'{path}:4: byte 0xe9 at column 8 is not UTF-8; pass encoding="latin-1" or errors="replace"'
    )
    long_line = tmp_path / "line.txt"
    long_line.write_bytes(f"a\n{filler}".encode() + b"\xff")
    with pytest.raises(CorpusError, match=f":2: byte 0xff at column {len(filler) + 1} "):
        Corpus.read(long_line, tokenizer=tokenizer)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030", "shift_jis", "UTF8"])
@pytest.mark.parametrize("tokenizer", ["whitespace", str.split])
def test_encodings(tmp_path, encoding, tokenizer):
    path = tmp_path / "text.txt"
    text = "日本 語\n\n本 x\n" * 30_000 + "語"
    path.write_bytes(text.encode(encoding))
    corpus = Corpus.read(path, encoding=encoding, tokenizer=tokenizer)
    assert dict(zip(corpus.vocab.words, corpus.vocab.counts.tolist(), strict=True)) == Counter(text.split())
    assert len(corpus.offsets) == 90_002


def test_errors_of_other_encodings_and_their_replacement(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"a " * 700_000 + b"caf\xe9 b\xff\n c")
    with pytest.raises(CorpusError, match="byte 0xe9 at offset 1,400,003 is not ascii; pass another encoding"):
        Corpus.read(path, encoding="ascii")
    assert "caf\ufffd" in Corpus.read(path, errors="replace").vocab.words
    assert "caf" in Corpus.read(path, errors="ignore").vocab.words
    assert "café" in Corpus.read(path, encoding="latin-1").vocab.words


@pytest.mark.parametrize("tokenizer", ["whitespace", "words", str.split])
def test_a_byte_order_mark_is_skipped(tmp_path, tokenizer):
    for name in "ab":
        (tmp_path / name).write_bytes("\ufeffthe cat\nsat\n".encode())
    check(Corpus.read(tmp_path, tokenizer=tokenizer), [["the", "cat"], ["sat"]] * 2)
    (tmp_path / "a").write_bytes("\ufeff".encode())
    check(Corpus.read(tmp_path, tokenizer=tokenizer), [["the", "cat"], ["sat"]])


@pytest.mark.parametrize("tokenizer", ["whitespace", "words", str.split])
def test_a_line_of_two_million_words_is_one_sentence(tmp_path, tokenizer):
    path = tmp_path / "line.txt"
    path.write_bytes(b"a bb ccc d\xc3\xa9 " * 500_000)
    corpus = Corpus.read(path, tokenizer=tokenizer)
    assert corpus.offsets.tolist() == [0, 2_000_000]
    assert corpus.vocab.counts.tolist() == [500_000] * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The CAT, (sat)... don't\n", [["the", "cat", "sat", "don't"]]),
        ("'quoted' rock’n’roll dogs' \n!?\n", [["quoted", "rock'n'roll", "dogs"], []]),
        ("x_1 3.14 état-major", [["x_1", "3", "14", "état", "major"]]),
        ("e\u0301te\u0301 हिन्दी भाषा ΟΔΟΣ", [["e\u0301te\u0301", "हिन्दी", "भाषा", "οδος"]]),
        ("❤\ufe0f ok 👍\n...", [["ok"], []]),
        ("a\n\n \nb\n", [["a"], [], [], ["b"]]),
        ("a\u2028b\u00a0c\r\n", [["a", "b", "c"]]),
    ],
)
def test_words(tmp_path, text, expected):
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    check(Corpus.read(path, tokenizer="words"), expected)


def test_a_function_gets_lines_and_its_tokens_may_hold_spaces(tmp_path):
    path = tmp_path / "text.csv"
    path.write_bytes("new york,los angeles\r\n\nx\x85y,z".encode())
    lines = []

    def commas(line):
        lines.append(line)
        return line.split(",") if line else []

    check(Corpus.read(path, tokenizer=commas), [["new york", "los angeles"], [], ["x\x85y", "z"]])
    assert lines == ["new york,los angeles", "", "x\x85y,z"]
    with pytest.raises(CorpusError, match=r"text\.csv:2: a token is empty"):
        Corpus.read(path, tokenizer=lambda line: line.split(","))
    with pytest.raises(CorpusError, match=r"text\.csv:1: 'new york,los angeles' is a string, not a list"):
        Corpus.read(path, tokenizer=str.strip)


def test_chinese(tmp_path, capfd):
    pytest.importorskip("jieba")
    path = tmp_path / "text.txt"
    path.write_text("我来到北京清华大学。\n\n林黛玉,1791年!", encoding="utf-8")
    check(
        Corpus.read(path, tokenizer="zh"),
        [["我", "来到", "北京", "清华大学"], [], ["林黛玉", "1791", "年"]],
    )
    assert capfd.readouterr() == ("", "")


def test_chinese_without_jieba_is_said(tmp_path, monkeypatch):
    file = tmp_path / "text.txt"
    file.write_text("一只猫\n", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(MissingExtraError, match=r"zh tokenizer .*firth\[zh\]"):
        Corpus.read(file, tokenizer="zh")
