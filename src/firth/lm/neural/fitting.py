"""A model while it learns: its tokens, the text held out, and where it is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from firth.checkpoint import Origin
from firth.corpus import Reading, Source
from firth.errors import FirthWarning, SettingsError, TrainingError
from firth.files import FileError
from firth.lm.neural import saved
from firth.lm.neural import tokens as all_tokens
from firth.lm.neural.learn import learn
from firth.lm.neural.learning import Standing
from firth.lm.neural.losses import mean_losses
from firth.lm.neural.saved import Learnt, Unfinished
from firth.lm.neural.stream import Stream, lines
from firth.lm.neural.tokens import SpelledTokens, Tokens, WordTokens
from firth.progress import Watcher


def learn_tokens(kind: str, size: int, reading: Reading, watcher: Watcher) -> Tokens:
    """Tokens of a kind, so many, from a text."""
    if kind in ("words", "spelled"):
        corpus = reading.corpus(progress=watcher.reading)
        words = SpelledTokens if kind == "spelled" else WordTokens
        return words.of(corpus.vocab.prune(max_size=size), len(corpus.offsets) - 1)
    if reading.source == "-":
        raise SettingsError("standard input can be read once, and tokens are learnt first; save it to a file")
    return all_tokens.train(kind, lambda: lines(reading, watcher.reading), size)


def same_text(origin: Origin, source: Source | None, tokens: Tokens, watcher: Watcher) -> Stream:
    """The text of a training that goes on, from where it is now; raises `TrainingError` if it has changed."""
    reading = origin.reading.again(source)
    if reading.source is None or reading.tokenizer is None:
        raise TrainingError(
            "the text was sentences, standard input or made words by a function, which no checkpoint keeps; give "
            "the same again"
        )
    stream = Stream.read(reading, tokens, watcher.reading)
    if stream.digest() != origin.digest:
        raise TrainingError(
            f"{reading.name} is no longer the text that training began with; restore it, or train from the start"
        )
    return stream


def train(
    model: Learnt,
    text: Stream,
    unfinished: Unfinished,
    device: torch.device,
    watcher: Watcher,
    note: Callable[[Learnt], None],
) -> None:
    """Learn from where `unfinished` stands to the end; `note` is told of the model whenever it may be kept."""
    network, settings, standing = model.network, unfinished.learning, unfinished.standing
    parameters = sum(each.numel() for each in network.parameters())
    watcher.message(
        f"{len(text):,} {model.tokens.kind} in {text.lines:,} lines, vocabulary {len(model.tokens):,}; "
        f"{model.kind}: {parameters:,} parameters, on {device.type}",
        tokens=len(text),
        vocabulary=len(model.tokens),
        parameters=parameters,
    )

    def keep(standing: Standing) -> None:
        found = replace(model, history=standing.history, unfinished=unfinished)
        try:
            if unfinished.path and standing.step:
                saved.save(unfinished.path, found)
        except FileError as error:
            warnings.warn(
                f"{error}; training goes on without this checkpoint, the one before is whole",
                FirthWarning,
                stacklevel=2,
            )
            found = replace(found, unfinished=None)
        note(found)

    learn(
        network,
        network.batches(text),
        settings,
        device=device,
        watcher=watcher,
        measure=_measure(model, unfinished, device, watcher),
        standing=standing,
        checkpoint=keep,
        every=unfinished.every,
    )
    ended = replace(model, history=standing.history, unfinished=None)
    note(ended)
    if unfinished.path:
        saved.save(unfinished.path, ended)


def _measure(
    model: Learnt, unfinished: Unfinished, device: torch.device, watcher: Watcher
) -> Callable[[], Mapping[str, float]] | None:
    """What tells the losses of the text held out, if there is one."""
    settings = unfinished.learning
    if unfinished.held_out is None:
        return None
    if unfinished.held_out.reading.source is None:
        raise TrainingError("the text held out was no file, and no checkpoint keeps it; train from the start")
    batches = model.network.batches(Stream.read(unfinished.held_out.reading, model.tokens, watcher.reading))
    if not len(batches):
        raise TrainingError("the text held out is too short to be cut into batches; give more of it")

    def measure() -> Mapping[str, float]:
        means = mean_losses(
            model.network, batches, batch=settings.batch, device=device, precision=settings.precision
        )
        return {f"held_out_{name}": each for name, each in means.items()}

    return measure
