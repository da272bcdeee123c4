"""A neural language model as a person holds it: text → tokens → network → probabilities, vectors, texts."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch

from firth.checkpoint import Checkpoint, Origin, Reading
from firth.corpus import Corpus, Source
from firth.errors import FirthError, SettingsError, TrainingError
from firth.evaluate.perplexity import Perplexity, TokenScores, perplexity_of
from firth.lm.neural import embedding, saved, scoring
from firth.lm.neural import tokens as all_tokens
from firth.lm.neural.devices import device_named
from firth.lm.neural.embedding import Floats, Layer, Pool
from firth.lm.neural.kinds import config_of, learning_of, module_of
from firth.lm.neural.learn import learn
from firth.lm.neural.learning import Standing
from firth.lm.neural.losses import mean_losses
from firth.lm.neural.network import Network
from firth.lm.neural.saved import Learnt, Unfinished
from firth.lm.neural.stream import Stream, lines
from firth.lm.neural.tokens import SpelledTokens, Tokens, WordTokens
from firth.lm.sampling import Sampling
from firth.progress import Watcher, watching
from firth.settings import whole
from firth.vectors import Vectors

Tokenize = str | Callable[[str], Sequence[str]]
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

        `learning` are fields of `firth.lm.neural.learn.Learning`: epochs, batch, learning_rate, seed…; those left
        out are what suits the kind. With a text `held_out`, its loss is told after each epoch, and the weights end
        up as they were when that was lowest. `update` goes on with the tokens and weights there are. `device` is
        "cpu", "cuda" or "mps"; None takes a GPU where there is one. `checkpoint` names a directory where the model
        is saved at each epoch's end, and as often as a `Checkpoint` says; `resume` goes on from there.

        `tokenizer` makes words, for tokens that are words. Raises `CorpusError`, `SettingsError` or
        `TrainingError`; then the model is as it was. After a KeyboardInterrupt it has what was learnt until then.
        """
        settings = learning_of(self.kind, learning)
        reading = Reading(source, tokenizer, encoding, errors, cache)
        saves = checkpoint if isinstance(checkpoint, Checkpoint | None) else Checkpoint(checkpoint)
        with watching(progress, log) as watcher:
            tokens = self.tokens if update else self._given or self._learn_tokens(reading, watcher)
            network = copy.deepcopy(self.network) if update else self._create(tokens, settings.seed)
            stream = Stream.read(reading, tokens, watcher.reading)
            held = None if held_out is None else Origin(reading.again(held_out), "")
            unfinished = Unfinished(
                Path(saves.path) if saves else Path(),
                Standing(),
                settings,
                Origin(reading, stream.digest()),
                held,
                saves.every if saves else None,
            )
            model = Learnt(self.kind, network, tokens)
            self._train(model, stream, unfinished, device, watcher, saves is not None)
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
        unfinished = self.learnt.unfinished
        if unfinished is None:
            raise TrainingError("this training has ended; fit with update=True learns more")
        origin = unfinished.text
        reading = origin.reading.again(source)
        if reading.source is None or reading.tokenizer is None:
            raise TrainingError(
                "the text was sentences, standard input or made words by a function, which no checkpoint keeps; "
                "train from the start"
            )
        with watching(progress, log) as watcher:
            stream = Stream.read(reading, self.tokens, watcher.reading)
            if stream.digest() != origin.digest:
                raise TrainingError(
                    f"{reading.name} is no longer the text that training began with; restore it, or train from "
                    "the start"
                )
            self._train(self.learnt, stream, unfinished, device, watcher, saving=True)
        return self

    def _train(
        self,
        model: Learnt,
        stream: Stream,
        unfinished: Unfinished,
        device: str | None,
        watcher: Watcher,
        saving: bool,
    ) -> None:
        settings, network, chosen = unfinished.learning, model.network, device_named(device)
        parameters = sum(each.numel() for each in network.parameters())
        watcher.message(
            f"{len(stream):,} {model.tokens.kind} in {stream.lines:,} lines, vocabulary {len(model.tokens):,}; "
            f"{model.kind}: {parameters:,} parameters, on {chosen.type}",
            tokens=len(stream),
            vocabulary=len(model.tokens),
            parameters=parameters,
        )
        measure = self._measure(model, unfinished, chosen, watcher)
        standing = unfinished.standing

        def keep(standing: Standing, *, ended: bool = False) -> None:
            left = None if ended else replace(unfinished, standing=standing)
            self._learnt = replace(model, history=standing.history, unfinished=left)
            if saving and (ended or standing.step):
                saved.save(unfinished.path, self._learnt)

        learn(
            network,
            network.batches(stream),
            settings,
            device=chosen,
            watcher=watcher,
            measure=measure,
            standing=standing,
            checkpoint=keep,
            every=unfinished.every,
        )
        keep(standing, ended=True)

    def _measure(
        self, model: Learnt, unfinished: Unfinished, device: torch.device, watcher: Watcher
    ) -> Callable[[], Mapping[str, float]] | None:
        if unfinished.held_out is None:
            if unfinished.learning.patience is not None:
                raise SettingsError("patience goes by the loss of a text held out; pass held_out")
            return None
        batches = model.network.batches(Stream.read(unfinished.held_out.reading, model.tokens, watcher.reading))
        if not len(batches):
            raise TrainingError("the text held out is too short to be cut into batches; give more of it")
        settings = unfinished.learning
        size = settings.batch

        def measure() -> Mapping[str, float]:
            means = mean_losses(model.network, batches, batch=size, device=device, precision=settings.precision)
            return {f"held_out_{name}": each for name, each in means.items()}

        return measure

    def _learn_tokens(self, reading: Reading, watcher: Watcher) -> Tokens:
        if self.token_kind in ("words", "spelled"):
            corpus = reading.corpus(watcher.reading)
            kind = SpelledTokens if self.token_kind == "spelled" else WordTokens
            return kind.of(corpus.vocab.prune(max_size=self.vocabulary), len(corpus.offsets) - 1)
        if reading.source == "-":
            raise SettingsError(
                "standard input can be read only once, and tokens are learnt first; save it to a file"
            )
        return all_tokens.train(self.token_kind, lambda: lines(reading, watcher.reading), self.vocabulary)

    def _create(self, tokens: Tokens, seed: int) -> Network:
        config = config_of(self.kind, self.size, len(tokens), self.settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network: Network = module_of(self.kind).create(config, tokens)
        return network

    @property
    def learnt(self) -> Learnt:
        """All that the model knows; raises `FirthError` before `fit`."""
        if self._learnt is None:
            raise FirthError("the model has learnt nothing yet; call fit first")
        return self._learnt

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

    def _scores(self, stream: Stream, stride: int | None) -> TokenScores:
        log = scoring.log_probabilities(self.network, self.tokens, stream, stride=stride)
        ids, unknown = stream.ids, self.tokens.unknown
        missing = np.zeros(len(ids), np.bool_) if unknown is None else (ids == unknown) | (ids >= len(self.tokens))
        return TokenScores(log / np.float32(math.log(10)), missing)

    def perplexity(
        self,
        source: Source,
        *,
        stride: int | None = None,
        tokenizer: Tokenize = "whitespace",
        encoding: str = "utf-8",
        errors: str = "strict",
        cache: Cache = None,
    ) -> Perplexity:
        """The perplexity of a text from any source that `Corpus.read` takes, a token, ends of lines predicted.

        For words, these are the events that an n-gram model of the same vocabulary counts; for models of different
        tokens, `bits_per_byte` compares. Lines are read one after another, each with what stood before in view. A
        window of the network's context moves on by `stride` tokens, half of it if None.
        """
        reading = Reading(source, tokenizer, encoding, errors, cache)
        stream = Stream.read(reading, self.tokens)
        return perplexity_of(self._scores(stream, stride), lines=stream.lines, bytes=stream.bytes)

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
        (L + 1, T_i, D), or (N, L + 1, D) pooled. `pool` is "mean" or "max" over the tokens, "last", the last of them, or
        "cls", BERT's [CLS]. BERT's texts are put between [CLS] and [SEP], ELMo's between ends of lines; neither is
        among the T_i. Raises `SettingsError` for a text without tokens, or longer than the network reads.
        """
        if isinstance(texts, str):
            raise SettingsError("texts are a list of strings; put the text between brackets")
        return embedding.embed(self.network, self.tokens, texts, layer=layer, pool=pool, batch=batch)

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
        from firth.lm.neural.generate import generate

        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        tokens = self.tokens
        never = [
            id for id in (tokens.unknown, tokens.pad, tokens.cls, tokens.mask) if id not in (None, tokens.end)
        ]
        found = generate(
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

    def save(self, path: str | Path) -> None:
        """Write a directory that `firth.lm.load` opens, and `Vectors.load`; the old one stays whole till then."""
        saved.save(path, self.learnt)

    @classmethod
    def load(cls, path: str | Path) -> Neural:
        """The model that `save` wrote, or Hugging Face's libraries; raises `FormatError`."""
        return cls._of(saved.load(path))

    @classmethod
    def _of(cls, learnt: Learnt) -> Neural:
        model = cls.__new__(cls)
        model.kind, model.token_kind, model._given = learnt.kind, learnt.tokens.kind, learnt.tokens
        model.size, model.vocabulary = "", len(learnt.tokens)
        model.settings = {name: each for name, each in vars(learnt.network.config).items() if name != "vocabulary"}
        model._learnt = learnt
        return model
