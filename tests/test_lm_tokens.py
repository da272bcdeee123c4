"""Tokens: text becomes ids and comes back, whatever it looks like; texts become streams of them."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import Corpus, CorpusError, FormatError, SettingsError, TrainingError, Vocabulary
from firth.corpus import Reading
from firth.lm.neural import tokens
from firth.lm.neural.stream import Stream, lines
from firth.lm.neural.tokens import PieceTokens, SpelledTokens, WordTokens

TEXT = [
    "The cat sat on the mat, and the dog sat on the cat.",
    "",
    "Lower, lowest, newer, newest: the slowest of the newest is lower than the lowest!",
    "在语言学中，语料库是大量的文本。 語言 and Language",
] * 5
PIECES = ["bytes", "bpe", "wordpiece"]
LOOKALIKES = "<|endoftext|> [MASK] [CLS] </s> <unk> [UNK] [PAD] </w> ##s"


def trained(kind, size=400, text=TEXT):
    return tokens.train(kind, lambda: iter(text), size)


@pytest.fixture(scope="module")
def each():
    return {kind: trained(kind) for kind in PIECES}


def words():
    return WordTokens.of(Vocabulary.from_counts({"the": 5, "cat": 3, "</s>": 2, "<unk>": 1, "sat": 1}), 4)


def specials(some):
    return {some.end, some.pad, some.unknown, some.cls, some.sep, some.mask} - {None}


# Words


def test_words_are_the_most_frequent_behind_the_specials():
    some = words()
    assert some.pieces(range(len(some))) == ["<unk>", "</s>", "the", "cat", "</s>", "sat"]
    assert some.counts.tolist() == [0, 4, 5, 3, 2, 1]
    assert some.encode("the dog  sat\t<unk>") == [2, 0, 5, 0]
    assert some.decode([2, 3, some.end]) == "the cat"


def test_an_end_of_line_within_a_text_is_a_word():
    assert words().encode("cat </s>") == [3, 4] and words().end == 1


def test_spelled_words_have_ids_beyond_the_vocabulary():
    some = SpelledTokens.of(Vocabulary.from_counts({"the": 5, "cat": 3}), 4)
    assert some.encode("the dog cat dog emu <unk>") == [2, 4, 3, 4, 5, 0]
    assert some.pieces([4, 5, 2]) == ["dog", "emu", "the"]
    assert len(some) == 4 and some.read == 6
    assert len(tokens.load("spelled", some.dump()).encode("emu")) == 1


# Pieces


@given(text=st.text())
def test_bytes_hold_any_text(each, text):
    some = each["bytes"]
    ids = some.encode(text)
    assert some.decode(ids) == text
    assert some.end not in ids


@pytest.mark.parametrize("kind", PIECES)
@given(text=st.text(alphabet=st.sampled_from("the caT.中文é<|endoftext>[MASK]/s#w"), max_size=40))
@settings(max_examples=50)
def test_no_text_becomes_a_special(each, kind, text):
    some = each[kind]
    assert not set(some.encode(text)) & (specials(some) - {some.unknown})


@pytest.mark.parametrize("kind", PIECES)
def test_what_looks_like_a_special_stays_text(kind):
    some = trained(kind, text=[*TEXT, LOOKALIKES, LOOKALIKES])
    ids = some.encode(LOOKALIKES)
    assert not set(ids) & specials(some)
    shown = some.decode(ids).replace(" ", "")
    assert shown == (LOOKALIKES if kind == "bytes" else LOOKALIKES.lower()).replace(" ", "")
    assert tokens.load(kind, some.dump()).encode(LOOKALIKES) == ids


def test_specials_are_where_the_papers_have_them(each):
    some = each["bytes"]
    assert some.pieces([some.end]) == ["<|endoftext|>"]
    assert some.end == some.pad == len(some) - 1 and some.unknown is None
    assert each["wordpiece"].pieces(range(5)) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert each["wordpiece"].end == each["wordpiece"].sep == 3
    assert each["bpe"].pieces([each["bpe"].end]) == ["<|endoftext|>"]


def test_merges_of_bytes_cross_no_categories_but_for_a_space_before(each):
    for piece in each["bytes"].pieces(range(256, len(each["bytes"]) - 1)):
        letters = [character.isalpha() for character in piece.removeprefix("Ġ") if character.isascii()]
        assert all(letters) or not any(letters), piece


def test_words_are_cut_as_the_papers_cut_them(each):
    wordpiece = each["wordpiece"].pieces(each["wordpiece"].encode("Lowest newest"))
    assert wordpiece[0].startswith("l") and "".join(wordpiece).replace("##", "") == "lowestnewest"
    bpe = each["bpe"].pieces(each["bpe"].encode("Lowest newest"))
    assert "".join(bpe) == "lowest</w>newest</w>"
    assert each["bytes"].pieces(each["bytes"].encode("the the"))[-1] == "Ġthe"


def test_chinese_characters_stand_alone_for_bert(each):
    some = each["wordpiece"]
    assert some.pieces(some.encode("语料库language"))[:3] == ["语", "料", "库"]
    assert some.unknown in some.encode("龘")
    assert each["bytes"].decode(each["bytes"].encode("龘语")) == "龘语"


@pytest.mark.parametrize("kind", PIECES)
def test_the_same_text_gives_the_same_pieces(kind):
    first = trained(kind)
    for _ in range(3):
        again = trained(kind)
        assert again.pieces(range(len(again))) == first.pieces(range(len(first)))
        assert again.encode_all(TEXT) == [first.encode(text) for text in TEXT]


@pytest.mark.parametrize("kind", PIECES)
def test_there_are_so_many_at_most(kind):
    assert len(trained(kind, 300, [str(n) for n in range(3000)])) == 300
    assert len(trained(kind, 5000)) < 1000


@pytest.mark.parametrize("kind", [*PIECES, "words"])
def test_saved_and_loaded(each, kind):
    some = each.get(kind) or words()
    again = tokens.load(kind, some.dump())
    assert again.encode_all(TEXT) == some.encode_all(TEXT)
    assert specials(again) == specials(some) and len(again) == len(some)
    assert np.array_equal(again.counts, some.counts)


@pytest.mark.parametrize("kind", [*PIECES, "words"])
@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"words": ["a"], "counts": [1]}', b'{"words": [1], "counts": [1,1,1]}']
)
def test_damaged_files_are_refused(kind, data):
    with pytest.raises(FormatError, match="copy or save"):
        tokens.load(kind, data)


def test_what_cannot_be_learnt():
    with pytest.raises(SettingsError, match=r"vocabulary=100 must be a whole number of at least 257"):
        trained("bytes", 100)
    with pytest.raises(TrainingError, match="empty"):
        trained("wordpiece", 400, ["", "  "])


def test_a_tokenizer_without_an_end_is_refused(each):
    bare = json.loads(each["bytes"].dump())
    bare["added_tokens"] = []
    del bare["model"]["vocab"]["Ġ" if "<|endoftext|>" not in bare["model"]["vocab"] else "<|endoftext|>"]
    with pytest.raises(FormatError):
        tokens.load("bytes", json.dumps(bare).encode())


# Streams


def by_hand(some, text):
    return [id for line in text for id in (*some.encode(line), some.end)]


@pytest.mark.parametrize("kind", [*PIECES, "words"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_stream_is_all_lines_with_an_end_behind_each(each, kind, packed, tmp_path):
    some = each.get(kind) or words()
    text = [*TEXT, *[f"cat {n} sat" for n in range(2500)]]
    path = tmp_path / "text"
    data = "\n".join(text).encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    stream = Stream.read(Reading(path, cache=False), some)
    assert stream.ids.tolist() == by_hand(some, text)
    assert stream.lines == len(text) and stream.end == some.end
    ends = stream.offsets[1:]
    assert (stream.ids[ends - 1] == some.end).all() and ends[-1] == len(stream)
    assert stream.bytes == len(data) + 1


@pytest.mark.parametrize("kind", [*PIECES, "words"])
def test_a_corpus_is_its_words_with_spaces_between(each, kind):
    some = each.get(kind) or words()
    sentences = [["the", "cat"], [], ["sat", "the", "中"]]
    stream = Stream.of_corpus(Corpus.read(sentences), some)
    assert stream.ids.tolist() == by_hand(some, map(" ".join, sentences))
    assert stream.bytes == len("the cat\n\nsat the 中\n".encode())
    assert stream.digest() == Stream.read(Reading(sentences), some).digest()
    assert stream.digest() != Stream.read(Reading(sentences[:2]), some).digest()


def test_more_than_65536_tokens_need_wider_numbers():
    some = WordTokens([str(n) for n in range(70_000)], np.ones(70_002, np.int64))
    stream = Stream.read(Reading([["69999", "0"]]), some)
    assert stream.ids.dtype == np.uint32 and stream.ids.tolist() == [70_001, 2, 1]


def test_lines_as_they_stand(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("a  b\r\n\n中\xa0".encode())
    assert list(lines(Reading(path))) == ["a  b", "", "中\xa0"]
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(CorpusError, match=r"0xe9 at column 4"):
        list(lines(Reading(path)))
    assert list(lines(Reading(path, encoding="latin-1"))) == ["café"]
    with pytest.raises(SettingsError, match="'zh' plays no part"):
        list(lines(Reading(path, tokenizer="zh")))


def test_pieces_are_tokens_like_any_other(each):
    assert all(isinstance(some, PieceTokens) for some in each.values())
    for some in each.values():
        assert some.encode_all(["", "cat"])[0] == [] and some.decode([]) == ""
