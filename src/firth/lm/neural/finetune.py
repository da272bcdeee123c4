"""Fine-tuning: a pretrained network and a head learn a task; what comes of it predicts, is evaluated and saved."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from firth.errors import FirthWarning, FormatError, SettingsError
from firth.files import read_directory, write_directory
from firth.lm.kinds import TASK, is_foreign
from firth.lm.neural import hf
from firth.lm.neural import tokens as tokenizing
from firth.lm.neural.answers import Names, Prediction, measured, predictions
from firth.lm.neural.devices import device_named
from firth.lm.neural.examples import Example, Source, TaskName, read_examples, with_targets
from firth.lm.neural.heads import TaskNetwork, with_head
from firth.lm.neural.hf.heads import Head
from firth.lm.neural.inputs import NEW, Encoded, Examples, Layout, batch_of, encode
from firth.lm.neural.learn import learn
from firth.lm.neural.learning import Learning
from firth.lm.neural.tokens import Tokens
from firth.progress import watching
from firth.settings import real
from firth.tensors import open_tensors, write_tensors

KINDS = ("elmo", "gpt", "gpt2", "bert")
MODEL = "model.safetensors"
DROPOUT = 0.1  # before the head
AUXILIARY = 0.5  # λ of GPT
EPOCHS, RATE = 3, 0.04  # the rate is divided by the dims: 5e-5 for 768 of them
EPOCHS_OF_HEAD, RATE_OF_HEAD = 20, 3e-3  # where the network itself does not learn
BATCH = 32  # examples predicted at once

Network = Any  # a `firth.lm.neural.network.Network`


class Task:
    """A network that has learnt a task.

    `task` is its kind and `names` what the network's numbers mean. `history` has a row for each epoch: losses, and
    how right it was on the validation part. `settings` tell how it was made.
    """

    def __init__(
        self,
        model: str,
        network: TaskNetwork,
        tokens: Tokens,
        names: Names,
        *,
        history: Sequence[Mapping[str, Any]] = (),
        settings: Mapping[str, Any],
    ):
        self.model, self.network, self.tokens, self.names = model, network, tokens, names
        self.history = [dict(row) for row in history]
        self.settings = dict(settings)
        self.layout = Layout.of(model, network.network.config, tokens)

    @property
    def task(self) -> TaskName:
        """classify, pair, similarity, choice, tag or span."""
        return self.network.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels or tags that it knows, sorted; none for tasks without."""
        return self.names.labels

    def __repr__(self) -> str:
        labels = f", {len(self.labels)} labels" if self.labels else ""
        return f"<Task: {self.task} by {self.model}{labels}>"

    def predict(self, source: Source, *, batch: int = BATCH, encoding: str = "utf-8") -> list[Prediction]:
        """A prediction for each example of a file, or of rows in memory, with targets or without.

        Raises `CorpusError` for what is no example of the task.
        """
        examples = read_examples(source, self.task, labels=self.labels, encoding=encoding)
        encoded = [encode(each, self.task, self.tokens, self.layout) for each in examples]
        _tell_of_cut(encoded, self.layout)
        return self._predicted(encoded, batch)

    def evaluate(self, source: Source, *, batch: int = BATCH, encoding: str = "utf-8") -> dict[str, float]:
        """How right it is on examples with targets.

        accuracy and macro_f1 (classify, pair); spearman and pearson; accuracy (choice); entity_f1 if the tags are
        B-, I- and O, accuracy and macro_f1 of the words (tag); f1 and exact_match as SQuAD has them (span).
        """
        examples = read_examples(source, self.task, labels=self.labels, encoding=encoding)
        return self.measured(examples, self.predict(with_targets(examples, self.task), batch=batch))

    def measured(self, examples: Sequence[Example], found: Sequence[Prediction]) -> dict[str, float]:
        """How right predictions of examples with targets are, as `evaluate` tells."""
        return measured(self.task, examples, found)

    def save(self, path: str | Path) -> None:
        """Write a directory: weights, tokens, names and settings, replacing one that stands there as a whole."""
        weights = {name: each.detach().cpu().numpy() for name, each in self.network.state_dict().items()}
        config = {
            "kind": TASK,
            "task": self.task,
            "model": self.model,
            "network": asdict(self.network.network.config),
            "tokens": self.tokens.kind,
            "names": asdict(self.names),
            "settings": self.settings,
            "history": self.history,
        }
        dump = self.tokens.dump()
        files: dict[str, Callable[[IO[bytes]], object]] = {
            MODEL: partial(write_tensors, tensors=weights),
            tokenizing.FILE: lambda file: file.write(dump),
        }
        write_directory(path, config, files)

    def export(self, path: str | Path) -> None:
        """Write a new directory that `transformers` opens as a task of BERT; raises `SettingsError` for others."""
        weight, bias = (each.detach() for each in (self.network.head.weight, self.network.head.bias))
        names, dropout = self.names, self.settings["dropout"]
        head = Head(self.task, weight * names.spread, bias * names.spread + names.mean, names.labels, dropout)
        hf.write(path, self.network.network, self.tokens, head)

    @classmethod
    def load(cls, path: str | Path, *, task: TaskName | None = None, device: str | None = None) -> Task:
        """What `save` wrote, or `transformers` as a task of BERT; raises `FormatError` for anything else.

        BertForSequenceClassification does not say whether it reads one text or two; `task="pair"` makes it two.
        """
        if is_foreign(path):
            return cls._of_transformers(path, task, device)
        directory = read_directory(path)
        config = directory.config
        if config.get("kind") != TASK:
            raise FormatError(f"{path}: holds {config.get('kind')!r}, no task; use firth.lm.load")
        try:
            names = Names(**{**config["names"], "labels": tuple(config["names"]["labels"])})
            tokens = tokenizing.load(config["tokens"], directory.files[tokenizing.FILE].read_bytes())
            module = _module(config["model"])
            settings = config["settings"]
            with torch.random.fork_rng(devices=[]):
                network = module.create(module.Config(**config["network"]), tokens)
                whole = _with_head(config["model"], network, config["task"], names, settings)
            weights = open_tensors(directory.files[MODEL])
            whole.load_state_dict({name: torch.tensor(each) for name, each in weights.items()})
        except (KeyError, TypeError, AttributeError, RuntimeError, SettingsError) as error:
            cause = " ".join(str(error).split())[:200]
            raise FormatError(f"{path}: its parts do not belong together ({cause}); save it again") from None
        whole.to(device_named(device)).eval()
        return cls(config["model"], whole, tokens, names, history=config["history"], settings=settings)

    @classmethod
    def _of_transformers(cls, path: str | Path, task: TaskName | None, device: str | None) -> Task:
        network, tokens, head = hf.read_task(path)
        names, settings = Names(head.labels), _settings("bert", head.dropout, None, None)
        chosen: TaskName = "pair" if (head.task, task) == ("classify", "pair") else head.task
        whole = _with_head("bert", network, chosen, names, settings)
        whole.head.load_state_dict({"weight": head.weight, "bias": head.bias})
        return cls("bert", whole.to(device_named(device)).eval(), tokens, names, settings=settings)

    def _predicted(self, encoded: Sequence[Encoded], batch: int) -> list[Prediction]:
        """Predictions in order; examples of like length are read together."""
        lengths = [max(len(row.ids) for inputs in each.candidates for row in inputs) for each in encoded]
        order = sorted(range(len(encoded)), key=lengths.__getitem__)
        found: dict[int, Prediction] = {}
        device = self.network.head.weight.device
        with torch.inference_mode():
            for begin in range(0, len(order), batch):
                places = order[begin : begin + batch]
                some = [encoded[at] for at in places]
                made = {name: each.to(device) for name, each in batch_of(some, self.tokens.pad).items()}
                said = predictions(self.task, self.names, some, self.network(made))
                found.update(zip(places, said, strict=True))
        return [found[at] for at in range(len(encoded))]


def finetune(
    model: str,
    network: Network,
    tokens: Tokens,
    dataset: Source,
    *,
    task: TaskName,
    validation: Source | float | None = 0.1,
    auxiliary: float | None = None,
    frozen: bool | None = None,
    dropout: float = DROPOUT,
    encoding: str = "utf-8",
    device: str | None = None,
    progress: bool = True,
    log: str | Path | None = None,
    **learning: Any,
) -> Task:
    """Teach a copy of a network of kind `model` a task; the network itself stays as it is.

    `dataset` is a file or rows as `examples.py` tells. After each epoch the task is evaluated on `validation`,
    examples of their own or a share of the dataset drawn by the seed, and the weights of the best epoch are kept;
    with None all is learnt, and the last weights are kept. `auxiliary` is λ, the share of the language model's own
    loss on the task's texts (gpt, gpt2; 0.5 unless given). A `frozen` network does not learn, the head alone does
    (elmo, unless given). `learning` are the fields of `Learning`: 3 epochs of batches of 32 at a rate of
    0.04 / dims, with a warm-up of a tenth; with a frozen network 20 epochs at 0.003.

    Raises `CorpusError` for what is no example of the task, `SettingsError` for settings that cannot work.
    """
    _module(model)
    settings = _settings(model, dropout, auxiliary, frozen)
    own = {"epochs": EPOCHS, "learning_rate": RATE / network.config.dims, "warmup": 0.1}
    if settings["frozen"]:
        own |= {"epochs": EPOCHS_OF_HEAD, "learning_rate": RATE_OF_HEAD}
    how = Learning(**{**own, **learning})
    examples, held = _parts(dataset, task, validation, encoding, how.seed)
    names = Names.of(task, examples)
    if len(names.labels) == 1:
        raise SettingsError(f"all examples are labelled {names.labels[0]!r}; give some of another label")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(how.seed)
        copy = _copy(model, network, tokens, NEW if model in ("gpt", "gpt2") else 0)
        whole = _with_head(model, copy, task, names, settings)
    made = Task(model, whole, tokens, names, settings={**settings, **asdict(how)})
    encoded = [encode(each, task, tokens, made.layout) for each in examples]
    held_encoded = [encode(each, task, tokens, made.layout) for each in held]
    _tell_of_cut([*encoded, *held_encoded], made.layout)

    def measure() -> dict[str, float]:
        found = made.measured(held, made._predicted(held_encoded, BATCH))
        return {"error": 1 - next(iter(found.values())), **found}

    with watching(progress, log) as watcher:
        standing = learn(
            whole,
            Examples(encoded, [names.target(task, each) for each in encoded], tokens.pad),
            how,
            device=device_named(device),
            watcher=watcher,
            measure=measure if held else None,
        )
    made.history += standing.history
    return made


def _module(model: str) -> Any:
    """The module of a kind of network; raises `SettingsError` for one that the tasks do not know."""
    if model not in KINDS:
        raise SettingsError(f"{model} has no tasks; fine-tune one of {', '.join(KINDS)}")
    return import_module(f"firth.lm.neural.{model}")


def _settings(model: str, dropout: float, auxiliary: float | None, frozen: bool | None) -> dict[str, Any]:
    """What the head is made by, checked."""
    causal = model in ("gpt", "gpt2")
    share = (AUXILIARY if causal else 0.0) if auxiliary is None else real("auxiliary", auxiliary)
    if share < 0 or (share and not causal):
        raise SettingsError(f"auxiliary={share:g} must be 0 or above, and 0 for {model}; gpt and gpt2 have it")
    if not 0 <= real("dropout", dropout) < 1:
        raise SettingsError(f"dropout={dropout} must be at least 0 and below 1")
    return {
        "dropout": float(dropout),
        "auxiliary": 0.0 if frozen else share,
        "frozen": model == "elmo" if frozen is None else bool(frozen),
    }


def _with_head(
    model: str, network: Network, task: TaskName, names: Names, settings: Mapping[str, Any]
) -> TaskNetwork:
    made = {name: settings[name] for name in ("dropout", "auxiliary", "frozen")}
    return with_head(model, network, task, names.outputs(task), **made)


def _copy(model: str, network: Network, tokens: Tokens, new: int) -> Network:
    """The same network with so many new tokens, whose vectors are fresh."""
    config = replace(network.config, vocabulary=network.config.vocabulary + new)
    copy = _module(model).create(config, tokens)
    known = network.state_dict()
    with torch.no_grad():
        for name, each in copy.state_dict().items():
            each[: len(known[name])] = known[name]
    return copy


def _parts(
    dataset: Source, task: TaskName, validation: Source | float | None, encoding: str, seed: int
) -> tuple[list[Example], list[Example]]:
    """The examples to learn, and those to measure by."""
    examples = with_targets(read_examples(dataset, task, encoding=encoding), task)
    if validation is None:
        return examples, []
    if not isinstance(validation, float):
        return examples, with_targets(read_examples(validation, task, encoding=encoding), task)
    count = round(validation * len(examples))
    if not 0 < validation < 1 or not 0 < count < len(examples):
        raise SettingsError(
            f"validation={validation:g} leaves {count} of {len(examples)} examples to measure by; "
            "give a share between 0 and 1, more examples, or None"
        )
    order = np.random.default_rng([seed, 2]).permutation(len(examples))
    return [examples[at] for at in sorted(order[count:])], [examples[at] for at in sorted(order[:count])]


def _tell_of_cut(encoded: Sequence[Encoded], layout: Layout) -> None:
    if cut := sum(each.cut for each in encoded):
        warnings.warn(
            f"{cut:,} of {len(encoded):,} examples are longer than the {layout.context:,} tokens that the model "
            "sees; the ends of their texts were left out",
            FirthWarning,
            stacklevel=3,
        )
