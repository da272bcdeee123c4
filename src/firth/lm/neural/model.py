"""A neural language model as a person holds it: text → tokens → network → probabilities, vectors, texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import numpy as np
import torch

from firth.checkpoint import Checkpoint, Origin
from firth.corpus import Corpus, Reading, ReadingOptions, Source, Tokenize
from firth.errors import FirthError, SettingsError, TrainingError
from firth.evaluate.perplexity import Perplexity, TokenScores, perplexity_of
from firth.files import FileError
from firth.lm.kinds import is_foreign
from firth.lm.neural import embedding, generate, hf, saved, scoring
from firth.lm.neural.devices import device_named
from firth.lm.neural.embedding import Floats, Layer, Pool
from firth.lm.neural.examples import TaskName
from firth.lm.neural.finetune import Task, finetune
from firth.lm.neural.fitting import learn_tokens, same_text, train
from firth.lm.neural.kinds import config_of, learning_of, module_of
from firth.lm.neural.learning import Standing
from firth.lm.neural.network import Network
from firth.lm.neural.saved import Learnt, Unfinished
from firth.lm.neural.scoring import PieceScore
from firth.lm.neural.stream import Stream
from firth.lm.neural.tokens import Tokens
from firth.lm.sampling import Sampling
from firth.progress import Watcher, watching
from firth.settings import whole
from firth.vectors import Vectors

Cache = str | Path | Literal[False] | None

_VOCABULARY = {"words": 10_000, "spelled": 10_000}
_PIECES = 8_000


class Neural:
    """P(token | those before it), or of masked ones (BERT), by a network of one of `firth.lm.NEURAL`'s kinds.

    `size` names a row of the kind's sizes, which `settings` change by the fields of its `Config`. `tokens` are a
    kind of them ("words", "bytes", "bpe", "wordpiece"; None: the one that the paper has), learnt from the text by
    `fit`, `vocabulary` of them (None: 10,000 words, without specials, or 8,000 pieces with them); or a `Tokens`
    that stands. Raises `SettingsError` for what cannot work.
    """

    def __init__(
        self,
        kind: str,
        *,
        size: str | None = None,
        tokens: str | Tokens | None = None,
        vocabulary: int | None = None,
        **settings: Any,
    ):
        module = module_of(kind)
        chosen = tokens if isinstance(tokens, str) else tokens.kind if tokens else module.TOKENS[0]
        if chosen not in module.TOKENS:
            raise SettingsError(
                f"tokens={chosen!r} do not go with {kind}; choose one of {', '.join(module.TOKENS)}"
            )
        self.kind, self.size, self.settings = kind, size or next(iter(module.SIZES)), dict(settings)
        self.token_kind, self._given = chosen, tokens if not isinstance(tokens, str) else None
        self.vocabulary = (
            _VOCABULARY.get(chosen, _PIECES) if vocabulary is None else whole("vocabulary", vocabulary, 1)
        )
        config_of(kind, self.size, max(self.vocabulary, 2), settings)  # raises now rather than after reading
        self._learnt: Learnt | None = None

    def fit(
        self,
        source: Source,
        *,
        held_out: Source | None = None,
        update: bool = False,
        device: str | None = None,
        checkpoint: str | Path | Checkpoint | None = None,
        tokenizer: Tokenize = "whitespace",
        encoding: str = "utf-8",
        errors: str = "strict",
        cache: Cache = None,
        progress: bool = True,
        log: str | Path | None = None,
        **learning: Any,
    ) -> Neural:
        """Learn from any source that `Corpus.read` takes; a line is a text, its end a token.

        `learning` are fields of `firth.lm.neural.learning.Learning`: epochs, batch, learning_rate, seed…; those
        left out are what suits the kind. With a text `held_out`, its loss is told after each epoch, and the
        weights end up as they were when that was lowest. `update` goes on with the tokens and weights there are.
        `device` is "cpu", "cuda" or "mps"; None takes a GPU where there is one. `checkpoint` names a directory
        where the model is saved at each epoch's end, and as often as a `Checkpoint` says; `resume` goes on there.

        `tokenizer` makes words, for tokens that are words. Raises `CorpusError`, `SettingsError` or
        `TrainingError`; then the model is as it was. After a KeyboardInterrupt it has what was learnt until then.
        """
        settings, there = learning_of(self.kind, learning), device_named(device)
        if settings.patience is not None and held_out is None:
            raise SettingsError("patience goes by the loss of a text held out; pass held_out")
        reading = Reading(source, tokenizer, encoding, errors, cache)
        saves = checkpoint if isinstance(checkpoint, Checkpoint | None) else Checkpoint(checkpoint)
        with watching(progress, log) as watcher:
            if update:
                tokens, network = saved.copied(self.learnt)
            else:
                tokens = self._given or learn_tokens(self.token_kind, self.vocabulary, reading, watcher)
                network = self._create(tokens, settings.seed)
            text = Stream.read(reading, tokens, watcher.reading)
            unfinished = Unfinished(
                path=None if saves is None else Path(saves.path),
                standing=Standing(),
                learning=settings,
                text=Origin(reading, text.digest()),
                held_out=None if held_out is None else Origin(reading.again(held_out), ""),
                every=None if saves is None else saves.every,
            )
            self._train(Learnt(self.kind, network, tokens), text, unfinished, there, watcher)
        return self

    def resume(
        self,
        source: Source | None = None,
        *,
        device: str | None = None,
        progress: bool = True,
        log: str | Path | None = None,
    ) -> Neural:
        """Go on with a training whose checkpoint was loaded, as if it had never stopped, and go on saving.

        `source` is the text where it has moved, or was sentences. Raises `TrainingError` for another text, and for
        a model whose training has ended.
        """
        unfinished, there = self.learnt.unfinished, device_named(device)
        if unfinished is None:
            raise TrainingError("this training has ended; fit with update=True learns more")
        with watching(progress, log) as watcher:
            text = same_text(unfinished.text, source, self.tokens, watcher)
            self._train(self.learnt, text, unfinished, there, watcher)
        return self

    def _create(self, tokens: Tokens, seed: int) -> Network:
        config = config_of(self.kind, self.size, len(tokens), self.settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network: Network = module_of(self.kind).create(config, tokens)
        return network

    def _train(
        self, model: Learnt, text: Stream, unfinished: Unfinished, device: torch.device, watcher: Watcher
    ) -> None:
        before, standing = self._learnt, unfinished.standing

        def note(found: Learnt) -> None:
            self._learnt = found

        try:
            train(model, text, unfinished, device, watcher, note)
        except KeyboardInterrupt:
            if self._learnt is not before and standing.noted != standing.step:  # the second one, amid a step
                self._learnt = replace(model, history=standing.history)
            raise
        except FileError:  # at the very end: what was learnt can be saved elsewhere
            raise
        except BaseException:
            self._learnt = before
            raise

    @property
    def learnt(self) -> Learnt:
        """All that the model knows; raises `FirthError` before `fit`."""
        if self._learnt is None:
            raise FirthError("the model has learnt nothing yet; call fit first")
        return self._learnt

    @property
    def started(self) -> bool:
        """Whether there is anything that it has learnt."""
        return self._learnt is not None

    @property
    def network(self) -> Network:
        """The nn.Module."""
        return self.learnt.network

    @property
    def tokens(self) -> Tokens:
        """Text ↔ ids."""
        return self.learnt.tokens

    @property
    def history(self) -> list[dict[str, Any]]:
        """A row an epoch: loss in nats a token, perplexity, what was held out, tokens and seconds so far."""
        return self.learnt.history

    @property
    def vectors(self) -> Vectors:
        """The input vectors of the words, or of all pieces, as any other vectors."""
        return self.learnt.vectors()

    def to(self, device: str) -> Neural:
        """Move the network to a device."""
        self.network.to(device_named(device))
        return self

    def token_scores(self, corpus: Corpus, *, stride: int | None = None) -> TokenScores:
        """log10 P of each token of a text and of each line's end, as `perplexity` has them."""
        return self._scores(Stream.of_corpus(corpus, self.tokens), stride)

    def _scores(self, stream: Stream, stride: int | None, backward: bool = False) -> TokenScores:
        network = self.network
        if backward:
            module = module_of(self.kind)
            if not hasattr(module, "Backward"):
                raise SettingsError(f"{self.kind} does not read backward; an ELMo does")
            network, stream = module.Backward(network), module.turned(stream)
        log = scoring.log_probabilities(network, self.tokens, stream, stride=stride)
        ids, unknown = stream.ids, self.tokens.unknown
        missing = np.zeros(len(ids), np.bool_) if unknown is None else (ids == unknown) | (ids >= len(self.tokens))
        return TokenScores(log / np.float32(math.log(10)), missing)

    def full_scores(self, sentence: str) -> list[PieceScore]:
        """log10 P of each token of a line, and of its end, as it is foreseen where no text stands before."""
        ids = [*self.tokens.encode(sentence), self.tokens.end]
        found = self._scores(Stream(np.array(ids), np.array([0, len(ids)]), self.tokens.end), None)
        columns = (self.tokens.pieces(ids), found.log10.tolist(), found.unknown.tolist())
        return [PieceScore(*each) for each in zip(*columns, strict=True)]

    def perplexity(
        self,
        source: Source,
        *,
        stride: int | None = None,
        backward: bool = False,
        **reading: Unpack[ReadingOptions],
    ) -> Perplexity:
        """The perplexity of a text from any source that `Corpus.read` takes, by `reading`; ends of lines count.

        For words, these are the events that an n-gram model of the same vocabulary counts; for models of different
        tokens, `bits_per_byte` compares. Lines are read one after another, each with what stood before in view. A
        window of the network's context moves on by `stride` tokens, half of it if None. `backward` tells that of
        each token from those after it, the other direction of an ELMo; `SettingsError` for others.
        """
        stream = Stream.read(Reading(source, **reading), self.tokens)
        return perplexity_of(self._scores(stream, stride, backward), lines=stream.lines, bytes=stream.bytes)

    @overload
    def embed(
        self, texts: Sequence[str], *, layer: Layer = ..., pool: None = ..., batch: int = ...
    ) -> list[Floats]: ...
    @overload
    def embed(self, texts: Sequence[str], *, layer: Layer = ..., pool: Pool, batch: int = ...) -> Floats: ...
    def embed(
        self, texts: Sequence[str], *, layer: Layer = "top", pool: Pool | None = None, batch: int = 32
    ) -> list[Floats] | Floats:
        """The states of the tokens of each text, float32 (T_i, D), or pooled, (N, D).

        `layer` is "top", a number from 0, the embeddings, "mix", the mean of all, or "all" of them,
        (L + 1, T_i, D), or (N, L + 1, D) pooled. `pool` is "mean" or "max" over the tokens, "last", the last of
        them, or "cls", BERT's [CLS]. BERT's texts are put between [CLS] and [SEP], ELMo's between ends of lines;
        neither is among the T_i. Raises `SettingsError` for a text without tokens, or one that is too long.
        """
        if isinstance(texts, str):
            raise SettingsError("texts are a list of strings; put the text between brackets")
        return embedding.embed(self.network, self.tokens, texts, layer=layer, pool=pool, batch=batch)

    def embed_words(
        self, sentences: Sequence[Sequence[str]], *, layer: Layer = "top", batch: int = 32
    ) -> list[Floats]:
        """The states of the words of each sentence, float32 (W_i, D): the mean over a word's pieces."""
        return embedding.embed_words(self.network, self.tokens, sentences, layer=layer, batch=batch)

    @overload
    def generate(
        self, prompt: str = ..., *, length: int = ..., sampling: Sampling = ..., seed: int = ...
    ) -> str: ...
    @overload
    def generate(
        self, prompt: list[str], *, length: int = ..., sampling: Sampling = ..., seed: int = ...
    ) -> list[str]: ...
    def generate(
        self,
        prompt: str | list[str] = "",
        *,
        length: int = 100,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        seed: int = 1,
    ) -> str | list[str]:
        """A text that goes on from `prompt`, the beginning of a line, or one for each of several.

        `length` tokens at most, up to the line's end; the unknown word is never drawn. The same seed gives the
        same text; of several prompts the next has the next seed.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        tokens = self.tokens
        never = [
            id for id in (tokens.unknown, tokens.pad, tokens.cls, tokens.mask) if id not in (None, tokens.end)
        ]
        found = generate.generate(
            self.network,
            [[tokens.end, *tokens.encode(each)] for each in prompts],
            length=length,
            sampling=sampling,
            seeds=range(whole("seed", seed, 0), seed + len(prompts)),
            end=tokens.end,
            never=sorted(never),
        )
        between = "" if tokens.kind == "bytes" else " "
        texts = [
            between.join(each for each in (text, tokens.decode(ids)) if each)
            for text, ids in zip(prompts, found, strict=True)
        ]
        return texts[0] if isinstance(prompt, str) else texts

    def finetune(self, dataset: Any, *, task: TaskName, **settings: Any) -> Task:
        """Teach a copy of the network a task, as `firth.lm.neural.finetune.finetune` tells; this one stays."""
        return finetune(self.kind, self.network, self.tokens, dataset, task=task, **settings)

    def save(self, path: str | Path) -> None:
        """Write a directory that `firth.lm.load` opens, and `Vectors.load`; the old one stays whole till then."""
        saved.save(path, self.learnt)

    def export(self, path: str | Path) -> None:
        """Write a new directory that Hugging Face's libraries open; raises `SettingsError` for NNLM and ELMo."""
        hf.write(path, self.network, self.tokens)

    @classmethod
    def load(cls, path: str | Path) -> Neural:
        """The model that `save` wrote, or Hugging Face's libraries; raises `FormatError`."""
        if is_foreign(path):
            return cls._of(Learnt(*hf.read(path)))
        return cls._of(saved.load(path))

    @classmethod
    def _of(cls, learnt: Learnt) -> Neural:
        model = cls.__new__(cls)
        model.kind, model.token_kind, model._given = learnt.kind, learnt.tokens.kind, learnt.tokens
        model.size, model.vocabulary = "", len(learnt.tokens)
        model.settings = {name: each for name, each in vars(learnt.network.config).items() if name != "vocabulary"}
        model._learnt = learnt
        return model
