"""What a task's network is to say and what it says: targets, predictions, and how right these are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from firth.evaluate import metrics
from firth.lm.neural.examples import Answer, Example, TaskName
from firth.lm.neural.inputs import Encoded

LONGEST = 64  # pieces of an answer


@dataclass(frozen=True)
class Prediction:
    """What was predicted for an example, and how probable it is held.

    `value` is a label, a score, the index of a choice, a tag a word, or an answer's text, empty for none.
    `probabilities` are those of all labels by name, of all choices, of each word's tag, or the answer's; None for
    a score. `start` is where an answer begins in its context, in characters.
    """

    value: Any
    probabilities: Any = None
    start: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """What there is, fit for JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Names:
    """What the numbers of a task's network mean: `labels` by number; scores are (value − mean) / spread."""

    labels: tuple[str, ...] = ()
    mean: float = 0.0
    spread: float = 1.0

    @classmethod
    def of(cls, task: TaskName, examples: Sequence[Example]) -> Names:
        """The labels, sorted, and scale of what is learnt from."""
        found = [each.target for each in examples]
        if task == "similarity":
            return cls(mean=float(np.mean(found)), spread=float(np.std(found)) or 1.0)
        if task in ("classify", "pair"):
            return cls(tuple(sorted(set(found))))
        return cls(tuple(sorted({tag for tags in found for tag in tags})) if task == "tag" else ())

    def outputs(self, task: TaskName) -> int:
        """How many numbers the network gives for a text or word."""
        return {"similarity": 1, "choice": 1, "span": 2}.get(task, len(self.labels))

    def target(self, task: TaskName, encoded: Encoded) -> list[Any]:
        """What is to be said of an example: for tag a row of numbers for each candidate, for span its two ends."""
        target = encoded.example.target
        if task == "similarity":
            return [(target - self.mean) / self.spread]
        if task == "choice":
            return [target]
        if task == "span":
            return _ends(encoded, target)
        number = {label: place for place, label in enumerate(self.labels)}
        if task == "tag":
            tags = iter([number[tag] for tag in target])
            return [[next(tags) for _ in row.places] for (row,) in encoded.candidates]
        return [number[target]]


def _ends(encoded: Encoded, answers: Sequence[Answer]) -> list[list[int]]:
    """The places of the first and last piece of the first answer in each window; 0 and 0 where it is not there."""
    inside: list[int] = []
    for answer in answers[:1]:
        end = answer.start + len(answer.text)
        inside = [at for at, (first, last) in enumerate(encoded.spots) if first < end and last > answer.start]
    rows = []
    for begin, inputs in zip(encoded.windows, encoded.candidates, strict=True):
        pieces = range(begin, begin + len(inputs[-1].places) - 1)
        whole = inside and inside[0] in pieces and inside[-1] in pieces
        rows.append([inside[0] - begin + 1, inside[-1] - begin + 1] if whole else [0, 0])
    return rows


def predictions(task: TaskName, names: Names, encoded: Sequence[Encoded], scores: Tensor) -> list[Prediction]:
    """What a network's scores of a batch say of its examples."""
    scores = scores.float().cpu()
    if task == "similarity":
        return [Prediction(value) for value in (scores * names.spread + names.mean).tolist()]
    if task in ("tag", "span"):
        rows = torch.split(scores, [len(each.candidates) for each in encoded])
        say = _tags if task == "tag" else _answer
        return [say(names, each, row) for each, row in zip(encoded, rows, strict=True)]
    best, shares = scores.argmax(-1).tolist(), scores.softmax(-1).tolist()
    if task == "choice":
        counts = [len(each.candidates) for each in encoded]
        return [Prediction(at, row[:count]) for at, row, count in zip(best, shares, counts, strict=True)]
    return [
        Prediction(names.labels[at], dict(zip(names.labels, row, strict=True)))
        for at, row in zip(best, shares, strict=True)
    ]


def _tags(names: Names, encoded: Encoded, scores: Tensor) -> Prediction:
    """(C, W, tags) to a tag a word."""
    parts = [row[: len(inputs[0].places)] for row, inputs in zip(scores, encoded.candidates, strict=True)]
    shares, best = torch.cat(parts).softmax(-1).max(-1)
    return Prediction(tuple(names.labels[at] for at in best.tolist()), tuple(shares.tolist()))


def _answer(names: Names, encoded: Encoded, scores: Tensor) -> Prediction:
    """(C, W, 2) to the stretch i … j ≥ i of all windows with the highest S·h_i + E·h_j, if it beats that of none.

    That of none is the lowest of the windows' S·h_0 + E·h_0 (Devlin et al. 2019, 4.3). The probability is the
    softmax over all stretches and none.
    """
    starts, ends = scores[:, 1:, 0], scores[:, 1:, 1]  # (C, W − 1)
    sums = starts[:, :, None] + ends[:, None, :]
    allowed = torch.ones(sums.shape[1:], dtype=torch.bool).triu().tril(LONGEST - 1)
    sums = sums.masked_fill(~allowed, -math.inf)
    none = scores[:, 0].sum(-1).min()
    total = torch.logsumexp(torch.cat([sums.flatten(), none[None]]), 0)
    if not sums.numel() or none >= sums.max():
        return Prediction("", float((none - total).exp()))
    window, first, last = np.unravel_index(int(sums.argmax()), sums.shape)
    begin, end = (encoded.spots[encoded.windows[window] + at][side] for at, side in ((first, 0), (last, 1)))
    return Prediction(encoded.example.texts[1][begin:end], float((sums.max() - total).exp()), begin)


def measured(task: TaskName, examples: Sequence[Example], found: Sequence[Prediction]) -> dict[str, float]:
    """How right predictions are; the first of these numbers is the one that chooses among trainings."""
    gold, values = [each.target for each in examples], [each.value for each in found]
    if task == "similarity":
        return {"spearman": metrics.spearman(gold, values), "pearson": metrics.pearson(gold, values)}
    if task == "choice":
        return {"accuracy": metrics.accuracy(gold, values)}
    if task == "span":
        texts = [[answer.text for answer in answers] for answers in gold]
        return {
            name: float(np.mean([score(answers, value) for answers, value in zip(texts, values, strict=True)]))
            for name, score in (("f1", metrics.overlap_f1), ("exact_match", metrics.exact_match))
        }
    if task == "tag":
        every = [[tag for tags in rows for tag in tags] for rows in (gold, values)]
        found_f1 = {"entity_f1": metrics.entity_f1(gold, values)} if _are_entities(every[0]) else {}
        return {**found_f1, "accuracy": metrics.accuracy(*every), "macro_f1": metrics.macro_f1(*every)}
    return {"accuracy": metrics.accuracy(gold, values), "macro_f1": metrics.macro_f1(gold, values)}


def _are_entities(tags: Sequence[str]) -> bool:
    return "O" in tags and all(tag == "O" or tag[:2] in ("B-", "I-") for tag in tags)
