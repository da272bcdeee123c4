"""Text ↔ token ids: whole words, or pieces of them that are learnt from a text by the tokenizers library.

Five kinds, each with its specials, which no text is ever turned into, whatever it looks like:

    words       a fixed vocabulary, the other words <unk>; </s> ends a line
    spelled     ELMo's: the same, but other words are known by their spelling where they are read
    bytes       GPT-2's: byte-level BPE, so that any text has tokens; <|endoftext|> ends a text
    bpe         GPT's: BPE of lower-cased words, </w> at their ends; <|endoftext|> ends a text
    wordpiece   BERT's: [CLS] … [SEP], [MASK], ## before what goes on; every Chinese character by itself
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from firth.errors import FormatError, TrainingError
from firth.settings import whole
from firth.vocab import Vocabulary

KINDS = ("words", "spelled", "bytes", "bpe", "wordpiece")
FILE = "tokenizer.json"
UNKNOWN, END = 0, 1  # of words

_SPECIALS = {
    "bytes": ["<|endoftext|>"],
    "bpe": ["<unk>", "<|endoftext|>"],
    "wordpiece": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
}
_ENDS = {"bytes": ["<|endoftext|>"], "bpe": ["<|endoftext|>", "</s>", "\n</w>"], "wordpiece": ["[SEP]"]}
_END_OF_WORD, _GOES_ON = "</w>", "##"


class Tokens(Protocol):
    """A kind of tokens with its vocabulary.

    `end` is behind every line; `pad` fills up batches, and is masked. `counts`, int64 (V,), tells how often each
    token occurred where the vocabulary was made, where that is known.
    """

    kind: str
    end: int
    pad: int
    unknown: int | None
    cls: int | None
    sep: int | None
    mask: int | None
    counts: NDArray[np.int64] | None

    def __len__(self) -> int:
        """The size of the vocabulary, specials among it."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without specials."""

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The same for many texts, faster."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids, without specials."""

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """What the vocabulary calls these ids."""

    def dump(self) -> bytes:
        """What `load` reads."""


class WordTokens:
    """Words between white space: `<unk>`, `</s>`, then those of a vocabulary, the most frequent first.

    `</s>` within a text is a word like others; `<unk>` is the unknown word.
    """

    kind: str = "words"
    unknown: int | None = UNKNOWN
    cls: int | None = None
    sep: int | None = None
    mask: int | None = None

    def __init__(self, words: Sequence[str], counts: NDArray[np.int64]):
        self.words = list(words)
        self.counts: NDArray[np.int64] | None = counts
        self.end = self.pad = END

    @classmethod
    def of(cls, vocab: Vocabulary, lines: int) -> Self:
        """The words of a vocabulary; `lines` ended in the text that it was counted in."""
        kept = [word != "<unk>" for word in vocab.words]
        words = [word for word, keep in zip(vocab.words, kept, strict=True) if keep]
        counts = vocab.counts[kept]
        return cls(words, np.concatenate([[0, lines], counts]))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each word."""
        return {word: id for id, word in enumerate(self.words, start=END + 1)}

    def __len__(self) -> int:
        return END + 1 + len(self.words)

    def id(self, word: str) -> int:
        """The id of a word."""
        return self.ids.get(word, UNKNOWN)

    def encode(self, text: str) -> list[int]:
        """The ids of the words of a text."""
        return [self.id(word) for word in text.split()]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of the words of each text."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Iterable[int]) -> str:
        """The words with spaces between them; ends of lines are left out."""
        return " ".join(self.pieces(id for id in ids if id != END))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The words."""
        names = ("<unk>", "</s>")
        return [self.words[id - 2] if id > END else names[id] for id in ids]

    def dump(self) -> bytes:
        """JSON: the words, and the counts of all ids."""
        counts = np.asarray(self.counts).tolist()
        return json.dumps({"words": self.words, "counts": counts}).encode()


class SpelledTokens(WordTokens):
    """Words for a network that reads their spelling: those outside the vocabulary have ids, too.

    These are numbered from `len` on as they turn up, for as long as this object lives, and are not saved. Where
    such a word has to be predicted, it is `<unk>`.
    """

    kind = "spelled"

    def __init__(self, words: Sequence[str], counts: NDArray[np.int64]):
        super().__init__(words, counts)
        self.unseen: list[str] = []

    def __deepcopy__(self, memo: object) -> Self:
        return self  # what a copy of a network reads has the same ids

    @property
    def read(self) -> int:
        """How many ids there are by now."""
        return len(self) + len(self.unseen)

    def id(self, word: str) -> int:
        """The id of a word, of a new one if need be."""
        found = self.ids.get(word)
        if found is None and word != "<unk>":
            found = self.ids[word] = self.read
            self.unseen.append(word)
        return found or UNKNOWN

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The words."""
        size = len(self)
        return [self.unseen[id - size] if id >= size else super(SpelledTokens, self).pieces([id])[0] for id in ids]


class PieceTokens:
    """Pieces of words by a tokenizer of the tokenizers library, one trained here or one that came with a model."""

    def __init__(self, kind: str, tokenizer: Tokenizer):
        self.kind, self.tokenizer = kind, tokenizer
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True  # text that looks like a special token stays text
        find = tokenizer.token_to_id
        self.cls, self.sep, self.mask = find("[CLS]"), find("[SEP]"), find("[MASK]")
        self.unknown = find({"bpe": "<unk>", "wordpiece": "[UNK]"}.get(kind, ""))
        ends = [id for id in map(find, _ENDS[kind]) if id is not None] + [self.unknown]
        if ends[0] is None:
            raise FormatError(f"the tokenizer has no {_ENDS[kind][0]}, which ends texts; take another vocabulary")
        self.end: int = ends[0]
        pad = find("[PAD]")
        self.pad: int = self.end if pad is None else pad
        self.counts: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """The ids of the pieces of a text."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of the pieces of each text, by all cores."""
        return [each.ids for each in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text; bytes that are no UTF-8 are U+FFFD."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces as the vocabulary spells them: Ġthe, ##ing, low</w>."""
        return [self.tokenizer.id_to_token(id) or "" for id in ids]

    def dump(self) -> bytes:
        """The JSON of the tokenizers library."""
        return self.tokenizer.to_str().encode()


def load(kind: str, data: bytes) -> Tokens:
    """What `dump` made; raises `FormatError`."""
    try:
        if kind not in ("words", "spelled"):
            return PieceTokens(kind, Tokenizer.from_str(data.decode()))
        saved = json.loads(data)
        words, counts = saved["words"], np.array(saved["counts"], np.int64)
        if counts.shape != (len(words) + END + 1,) or not all(isinstance(word, str) for word in words):
            raise ValueError("words and counts do not belong together")
        return (SpelledTokens if kind == "spelled" else WordTokens)(words, counts)
    except Exception as error:  # the library raises no class of its own
        raise FormatError(f"{FILE} is no tokenizer of {kind!r} ({error}); copy or save the model again") from None


def train(kind: str, lines: Callable[[], Iterable[str]], size: int) -> PieceTokens:
    """Pieces learnt from a text, `size` of them with the specials; `lines` gives the text anew at each call.

    The same text gives the same pieces. There are fewer where the text is too small for so many. Raises
    `SettingsError` for a size that has no room for the bytes or characters, `TrainingError` for an empty text.
    """
    specials = _SPECIALS[kind]
    whole("vocabulary", size, len(specials) + (256 if kind == "bytes" else 1))
    if kind == "bytes":
        tokenizer = _of_bytes()
        trainer = trainers.BpeTrainer(
            vocab_size=size - len(specials),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(lines(), trainer)
    else:
        tokenizer = _of_words(kind)
        alphabet = _alphabet(tokenizer.normalizer, lines(), most=size // 3)
        tokenizer.train_from_iterator(lines(), _trainer(kind, size, alphabet))
        # Made anew, since to the one that was trained all that was named beforehand is special.
        model = json.loads(tokenizer.to_str())["model"]
        tokenizer = _of_words(kind, model["vocab"], model.get("merges", ()))
    tokenizer.add_special_tokens(specials)
    return PieceTokens(kind, tokenizer)


def _of_bytes() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _of_words(kind: str, vocab: dict[str, int] | None = None, merges: Iterable[Sequence[str]] = ()) -> Tokenizer:
    """GPT's or BERT's: lower-cased, without accents, Chinese characters and punctuation by themselves."""
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(vocab or {"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.decoder = decoders.WordPiece()
    else:
        pairs = [(left, right) for left, right in merges]
        model = models.BPE(vocab or {}, pairs, unk_token="<unk>", end_of_word_suffix=_END_OF_WORD)
        tokenizer = Tokenizer(model)
        tokenizer.decoder = decoders.BPEDecoder(suffix=_END_OF_WORD)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _alphabet(normalizer: Any, lines: Iterable[str], most: int) -> list[str]:
    """The most frequent characters; of equally frequent ones the first by number."""
    found: Counter[str] = Counter()
    for line in lines:
        found.update(normalizer.normalize_str(line))
    characters = [each for each in sorted(found, key=lambda each: (-found[each], each)) if not each.isspace()]
    if not characters:
        raise TrainingError("the text is empty, nothing can be learnt from it; check the source")
    return sorted(characters[:most])


def _trainer(kind: str, size: int, alphabet: list[str]) -> Any:
    # Characters that stand within a word or at its end are other pieces. They are named beforehand, since the
    # trainer would number them in an order that changes from run to run.
    letters = [each for each in alphabet if not _stands_alone(each)]
    settings: dict[str, Any] = {
        "vocab_size": size,
        "initial_alphabet": alphabet,
        "limit_alphabet": len(alphabet),
        "show_progress": False,
    }
    if kind == "wordpiece":
        named = [*_SPECIALS[kind], *(_GOES_ON + each for each in letters)]
        return trainers.WordPieceTrainer(special_tokens=named, continuing_subword_prefix=_GOES_ON, **settings)
    named = [*_SPECIALS[kind], *(each + _END_OF_WORD for each in alphabet)]
    return trainers.BpeTrainer(special_tokens=named, end_of_word_suffix=_END_OF_WORD, **settings)


def _stands_alone(character: str) -> bool:
    """Whether BERT's rules make a word of it: punctuation, Chinese characters."""
    return unicodedata.category(character)[0] == "P" or "CJK" in unicodedata.name(character, "")
