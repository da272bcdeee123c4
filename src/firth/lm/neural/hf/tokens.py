"""The tokenizer files of a Hugging Face directory: tokenizer.json, or the vocabularies of the first releases."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, WordLevel, WordPiece

from firth.errors import FirthWarning, FormatError
from firth.lm.neural.hf.weights import read_json
from firth.lm.neural.tokens import PieceTokens, Tokens, WordTokens

FILE = "tokenizer.json"
SETTINGS = "tokenizer_config.json"

# Special tokens by what tokenizer_config.json calls them: what Tokens call them, and the published ones.
_IDS = {
    "unk_token": "unknown",
    "bos_token": "end",
    "eos_token": "end",
    "sep_token": "sep",
    "pad_token": "pad",
    "cls_token": "cls",
    "mask_token": "mask",
}
_PUBLISHED = {
    "bpe": {"unk_token": "<unk>"},
    "bytes": {"eos_token": "<|endoftext|>"},
    "wordpiece": {
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    },
}


def read_tokens(folder: Path, kind: str) -> Tokens:
    """The tokens of a checkpoint of this kind of network; raises `FormatError`.

    They neither cut nor pad, whatever their files say.
    """
    settings = _settings(folder)
    try:
        tokens = _open(folder, kind, settings)
    except (FormatError, OSError):
        raise
    except Exception as error:  # the library raises nothing more special
        raise FormatError(f"{folder}: its tokenizer is damaged ({error}); download or save it again") from None
    lacking = [role for role in ("pad", "cls", "sep", "mask") if getattr(tokens, role) is None]
    if kind == "bert" and lacking:
        raise FormatError(
            f"{folder}: its tokenizer has no [{lacking[0].upper()}], which BERT needs; download it again"
        )
    end, said = tokens.pieces([tokens.end])[0], settings["specials"].get("eos_token")
    if said not in (None, end):
        message = f"{folder}: its texts end with {said!r}, by tokenizer_config.json; Firth ends them with {end!r}"
        warnings.warn(FirthWarning(message), stacklevel=3)
    return tokens


def _settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, with the special tokens that it and special_tokens_map.json name as "specials"."""
    found: dict[str, Any] = {}
    specials: dict[str, str] = {}
    for name in ("special_tokens_map.json", SETTINGS):
        if (folder / name).is_file():
            found = read_json(folder / name)
            for role in _IDS:
                token = found.get(role)
                token = token.get("content") if isinstance(token, dict) else token
                if isinstance(token, str):
                    specials[role] = token
    return {**found, "specials": specials}


def _open(folder: Path, kind: str, settings: dict[str, Any]) -> Tokens:
    if (folder / FILE).is_file():
        tokenizer = Tokenizer.from_str((folder / FILE).read_text("utf-8"))
        return PieceTokens(_kind(tokenizer, folder), tokenizer)
    if (folder / "vocab.txt").is_file():
        found = "wordpiece"
        tokenizer = _wordpiece(folder / "vocab.txt", settings)
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        found = "bpe" if kind == "gpt" else "bytes"
        vocabulary, merges = BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
        tokenizer = (_bpe if kind == "gpt" else _bytes)(vocabulary, merges, settings)
    else:
        raise FormatError(
            f"{folder}: has no tokenizer, neither {FILE} nor vocab.txt nor vocab.json with merges.txt; "
            "download it as well, or let transformers write it with save_pretrained"
        )
    _add(tokenizer, folder, {**_PUBLISHED[found], **settings["specials"]})
    return PieceTokens(found, tokenizer)


def _kind(tokenizer: Tokenizer, folder: Path) -> str:
    """Which of our kinds of tokens a tokenizer gives."""
    match tokenizer.model:
        case WordPiece():
            return "wordpiece"
        case BPE(end_of_word_suffix="</w>"):
            return "bpe"
        case BPE() if "ByteLevel" in repr(tokenizer.pre_tokenizer):
            return "bytes"
    raise FormatError(
        f"{folder / FILE}: is of {type(tokenizer.model).__name__}; Firth reads WordPiece, byte-level BPE, and BPE "
        "with </w>, which are those of the published models"
    )


def _wordpiece(path: Path, settings: dict[str, Any]) -> Tokenizer:
    """BERT's: a token a line, its number is the line's; text is lower-cased unless the settings say otherwise."""
    lines = path.read_text("utf-8").removesuffix("\n").split("\n")  # a token may be a separator of lines
    unknown = settings["specials"].get("unk_token", "[UNK]")
    tokenizer = Tokenizer(WordPiece({token: number for number, token in enumerate(lines)}, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def _bytes(vocabulary: Any, merges: Any, settings: dict[str, Any]) -> Tokenizer:
    """GPT-2's: pairs of bytes, merged within words that keep the space before them."""
    tokenizer = Tokenizer(BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=settings.get("add_prefix_space", False))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _bpe(vocabulary: Any, merges: Any, settings: dict[str, Any]) -> Tokenizer:
    """GPT's: pairs of characters of lower-cased words, whose ends are marked."""
    unknown = settings["specials"].get("unk_token", "<unk>")
    tokenizer = Tokenizer(BPE(vocabulary, merges, unk_token=unknown, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder(suffix="</w>")
    return tokenizer


def _add(tokenizer: Tokenizer, folder: Path, specials: dict[str, str]) -> None:
    """Tell a tokenizer of added_tokens.json, and which of its tokens are special."""
    path = folder / "added_tokens.json"
    added = read_json(path) if path.is_file() else {}
    for token in sorted(added, key=added.__getitem__):
        tokenizer.add_tokens([AddedToken(token, normalized=False)])
        if tokenizer.token_to_id(token) != added[token]:
            raise FormatError(f"{path}: {token!r} cannot be number {added[token]}; download the tokenizer again")
    tokenizer.add_special_tokens(
        [token for token in specials.values() if tokenizer.token_to_id(token) is not None]
    )


def special_ids(tokens: Tokens) -> dict[str, int]:
    """What config.json tells of the tokens."""
    return {"bos_token_id": tokens.end, "eos_token_id": tokens.end, "pad_token_id": tokens.pad}


def tokenizer_files(tokens: Tokens, kind: str, context: int) -> dict[str, dict[str, Any]]:
    """What stands in tokenizer.json and tokenizer_config.json, from which AutoTokenizer makes the same tokens."""
    tokenizer = _of_words(tokens) if isinstance(tokens, WordTokens) else Tokenizer.from_str(tokens.dump().decode())
    ids = {role: getattr(tokens, ours) for role, ours in _IDS.items()}
    inputs = ["input_ids", "attention_mask"]
    if kind == "bert" and tokens.cls is not None and tokens.sep is not None:
        inputs.insert(1, "token_type_ids")
        cls, sep = tokens.pieces([tokens.cls, tokens.sep])
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{cls} $A {sep}",
            pair=f"{cls} $A {sep} $B:1 {sep}:1",
            special_tokens=[(cls, tokens.cls), (sep, tokens.sep)],
        )
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # takes tokenizer.json as it stands
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "model_input_names": inputs,
        **{role: tokens.pieces([id])[0] for role, id in ids.items() if id is not None},
    }
    return {FILE: json.loads(tokenizer.to_str()), SETTINGS: settings}


def _of_words(tokens: WordTokens) -> Tokenizer:
    """The same words by the tokenizers library: split where Python splits, at more than Unicode's white space."""
    vocabulary = {piece: id for id, piece in enumerate(tokens.pieces(range(len(tokens))))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\x1c-\x1f]+"), "removed")
    tokenizer.add_special_tokens(["<unk>", "</s>"])
    return tokenizer
