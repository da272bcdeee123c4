"""The head of a task in a checkpoint: one linear layer, whose name tells the class in `transformers`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from firth.errors import FormatError
from firth.lm.neural.examples import TaskName
from firth.lm.neural.heads import OF_WORDS

_CLASSES: dict[TaskName, str] = {
    "classify": "ForSequenceClassification",
    "pair": "ForSequenceClassification",
    "similarity": "ForSequenceClassification",
    "tag": "ForTokenClassification",
    "span": "ForQuestionAnswering",
    "choice": "ForMultipleChoice",
}
_MODULES = ("classifier", "qa_outputs", "score", "multiple_choice_head.summary")


@dataclass(frozen=True)
class Head:
    """weight·h + bias: the scores of `labels`, of a choice, of the two ends of an answer, or of a similarity.

    `weight` is (outputs, D), `bias` (outputs,), both float32. `dropout` stands before it in training.
    """

    task: TaskName
    weight: Tensor
    bias: Tensor
    labels: tuple[str, ...]
    dropout: float


def taken_head(stored: dict[str, Tensor], settings: dict[str, Any], dims: int, folder: Path) -> Head | None:
    """The head that a checkpoint's class has, its weights taken out of `stored`; raises `FormatError`."""
    match settings.get("architectures"):
        case [str() as architecture, *_]:
            architecture = architecture.replace("DoubleHeadsModel", "ForMultipleChoice")
        case _:
            return None
    task = next((task for task, name in _CLASSES.items() if architecture.endswith(name)), None)
    module = next((module for module in _MODULES if f"{module}.weight" in stored), None)
    if task is None or module is None:
        return None
    if settings.get("problem_type") == "multi_label_classification":
        raise FormatError(f"{folder}: gives texts several labels each; Firth's tasks give one")
    weight = stored.pop(f"{module}.weight").float()
    bias = stored.pop(f"{module}.bias", torch.zeros(weight.shape[:1])).float()
    outputs = {"span": 2, "choice": 1}.get(task, max(bias.numel(), 1))
    if weight.shape != (outputs, dims) or bias.shape != (outputs,):
        raise FormatError(
            f"{folder}: {module} of shape {list(weight.shape)} is no head of {architecture}; take the whole again"
        )
    if task == "classify" and outputs == 1:
        task = "similarity"
    labels = _labels(settings.get("id2label"), outputs) if task in ("classify", "tag") else ()
    dropout = settings.get("classifier_dropout")
    dropout = settings.get("hidden_dropout_prob", 0.1) if dropout is None else dropout
    return Head(task, weight, bias, labels, dropout)


def _labels(names: Any, count: int) -> tuple[str, ...]:
    """Those of config.json, and for others what `transformers` calls them."""
    known = names if isinstance(names, dict) else {}
    return tuple(str(known.get(str(number), f"LABEL_{number}")) for number in range(count))


def head_settings(head: Head) -> dict[str, Any]:
    """What config.json tells of a head of BERT."""
    names = head.labels or [f"LABEL_{number}" for number in range(len(head.weight))]
    labels = {str(number): label for number, label in enumerate(names)}
    kind = "regression" if head.task == "similarity" else "single_label_classification"
    return {
        "architectures": [f"Bert{_CLASSES[head.task]}"],
        "classifier_dropout": head.dropout,
        "id2label": labels,
        "label2id": {label: int(number) for number, label in labels.items()},
        **({"problem_type": kind} if _CLASSES[head.task] == "ForSequenceClassification" else {}),
    }


def with_head(weights: dict[str, Tensor], head: Head) -> dict[str, Tensor]:
    """BERT's weights with a head in place of those that it was pretrained by."""
    unused = ("cls.", "bert.pooler.") if head.task in OF_WORDS else ("cls.",)
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(unused)}
    module = "qa_outputs" if head.task == "span" else "classifier"
    return {**kept, f"{module}.weight": head.weight, f"{module}.bias": head.bias}
