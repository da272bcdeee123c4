"""Tokenizers of Hugging Face directories: each kind of files, beside what `transformers` makes of the same."""

import json

import checkpoints
import pytest
import torch
import transformers
from checkpoints import (
    KINDS,
    TINY,
    old_files,
    ours,
    save,
    theirs,
)
from hypothesis import given
from hypothesis import strategies as st

from firth.corpus import Corpus
from firth.errors import FirthWarning, FormatError
from firth.lm.neural import hf
from firth.lm.neural.hf.tokens import read_tokens
from firth.lm.neural.tokens import WordTokens

torch.set_num_threads(1)

THEIR_TOKENIZERS = {
    "gpt": transformers.OpenAIGPTTokenizer,
    "gpt2": transformers.GPT2Tokenizer,
    "bert": transformers.BertTokenizer,
}
ODD = [
    *checkpoints.TEXT,
    "",
    " ",
    "\n\n  a\r\n b\u2028c",
    "<|endoftext|> [MASK] [CLS]<unk></s>",
    "naïve ＡＢＣ ﬁ ½ ß İstanbul Ǆ e\u0301 \u200bzero\u00adwidth",
    "👨\u200d👩\u200d👧\u200d👦 🇩🇪 ☃️",
    "日本語テスト 한국어 العربية हिन्दी 㐀 𠀀 豈",
    "x\x00y\x7f\ufffd\ufeffz",
    "it's I'LL they’re 1,000.50 3.14e-10 a_b",
    "word" * 60,
]


def agree(tokens, other, text):
    assert tokens.encode(text) == other(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
def test_old_tokenizer_files_give_the_same_tokens(kind, pieces, tmp_path):
    folder = old_files(tmp_path, kind, pieces[kind])
    tokens, other = read_tokens(folder, kind), THEIR_TOKENIZERS[kind].from_pretrained(folder)
    assert tokens.kind == KINDS[kind]
    assert len(tokens) == len(other) == len(pieces[kind])
    for text in ODD:
        agree(tokens, other, text)

    @given(st.lists(st.text() | st.sampled_from(ODD)).map("".join))
    def any_text(text):
        agree(tokens, other, text)

    any_text()


@pytest.mark.parametrize(
    "settings",
    [
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"do_lower_case": False, "strip_accents": True},
        {"tokenize_chinese_chars": False},
    ],
    ids=str,
)
def test_bert_keeps_to_its_tokenizer_config(settings, pieces, tmp_path):
    folder = old_files(tmp_path, "bert", pieces["bert"], **settings)
    tokens, other = read_tokens(folder, "bert"), transformers.BertTokenizer.from_pretrained(folder)
    plain = read_tokens(old_files(tmp_path / "plain", "bert", pieces["bert"]), "bert")
    for text in ODD:
        agree(tokens, other, text)
    assert any(tokens.encode(text) != plain.encode(text) for text in ODD)  # the setting does something


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizer_json_is_taken_as_it_stands_but_never_cuts(kind, pieces, tmp_path):
    other = THEIR_TOKENIZERS[kind].from_pretrained(old_files(tmp_path / "old", kind, pieces[kind]))
    other.backend_tokenizer.enable_truncation(4)
    other.backend_tokenizer.enable_padding(length=4)
    other.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    tokens = read_tokens(tmp_path, kind)
    assert tokens.kind == KINDS[kind]
    for text in ODD:
        assert tokens.encode(text) == pieces[kind].encode(text)


@pytest.mark.parametrize("kind", KINDS)
def test_what_we_write_auto_tokenizer_opens(kind, pieces, tmp_path):
    network, _ = ours(kind, TINY, pieces[kind])
    hf.write(tmp_path / "out", network, pieces[kind])
    other = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in ODD:
        agree(pieces[kind], other, text)
    assert (other.eos_token_id, other.pad_token_id) == (pieces[kind].end, pieces[kind].pad)
    assert other.model_max_length == TINY.context
    if kind == "bert":
        pair = other("the fox", "the dog")
        first, second = pieces[kind].encode("the fox"), pieces[kind].encode("the dog")
        cls, sep = pieces[kind].cls, pieces[kind].sep
        assert pair["input_ids"] == [cls, *first, sep, *second, sep]
        assert pair["token_type_ids"] == [0] * (len(first) + 2) + [1] * (len(second) + 1)


def test_a_vocabulary_of_words_is_written_as_well(tmp_path):
    vocab = Corpus.read([["the", "fox", "and", "the", "dog", "end"]], cache=False).vocab
    words = WordTokens.of(vocab, 1)
    network, _ = ours("gpt2", TINY, words)
    hf.write(tmp_path / "out", network, words)
    other = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in ["the dog", "the\x1cdog\x85end\u2003and cat", "", "\n The fox"]:
        assert other(text)["input_ids"] == words.encode(text)


def test_chinese_gpt2_comes_with_the_vocabulary_of_bert(pieces, tmp_path):
    model = theirs("gpt2", TINY, vocabulary=len(pieces["bert"]))
    model.save_pretrained(old_files(tmp_path, "bert", pieces["bert"]))
    kind, _, tokens = hf.read(tmp_path)
    assert (kind, tokens.kind) == ("gpt2", "wordpiece")
    assert tokens.encode("白天 太阳") == pieces["bert"].encode("白天 太阳")


def test_tokens_that_were_added_keep_their_numbers(pieces, tmp_path):
    folder = old_files(tmp_path, "gpt2", pieces["gpt2"])
    number = len(pieces["gpt2"])
    (folder / "added_tokens.json").write_text(json.dumps({"<b>": number + 1, "<a>": number}))
    tokens = read_tokens(folder, "gpt2")
    assert tokens.encode("x<b>y<a>") == [*tokens.encode("x"), number + 1, *tokens.encode("y"), number]
    (folder / "added_tokens.json").write_text(json.dumps({"<b>": number + 1}))
    with pytest.raises(FormatError, match="'<b>' cannot be number"):
        read_tokens(folder, "gpt2")


def test_another_end_of_texts_is_said(pieces, tmp_path):
    folder = old_files(tmp_path, "gpt2", pieces["gpt2"], eos_token={"content": "dog"})
    with pytest.warns(FirthWarning, match=r"end with 'dog'.*ends them with '<\|endoftext\|>'"):
        read_tokens(folder, "gpt2")


def test_no_tokenizer_is_an_error(pieces, tmp_path):
    theirs("bert", TINY, vocabulary=9).save_pretrained(tmp_path)
    with pytest.raises(FormatError, match="has no tokenizer, neither"):
        hf.read(tmp_path)


def test_bert_needs_its_special_tokens(pieces, tmp_path):
    folder = old_files(tmp_path, "bert", pieces["bert"])
    file = folder / "vocab.txt"
    file.write_text(file.read_text("utf-8").replace("[MASK]", "[mask]"), "utf-8")
    with pytest.raises(FormatError, match=r"has no \[MASK\], which BERT needs"):
        read_tokens(folder, "bert")


def test_a_tokenizer_of_another_network_is_noticed(pieces, tmp_path):
    for more, error in ((-1, FormatError), (1, None)):
        folder = save(
            tmp_path / str(more), theirs("gpt2", TINY, vocabulary=len(pieces["gpt2"]) + more), pieces["gpt2"]
        )
        if error:
            with pytest.raises(error, match="do not belong together"):
                hf.read(folder)
        else:
            with pytest.warns(FirthWarning, match="may be padding, or a tokenizer that was cut short"):
                hf.read(folder)
