"""The examples of a task: read from a file or given as rows, each with its target where that is known.

    classify    label<TAB>text, or label text
    pair        label<TAB>a<TAB>b
    similarity  score<TAB>a<TAB>b
    choice      index<TAB>context<TAB>c0<TAB>c1…    the index of the right choice, from 0
    tag         word<TAB>tag, a blank line between sentences; of more columns the first and the last
    span        JSON a line: {"question": …, "context": …, "answers": [{"text": …, "start": 17}, …]}

A row in memory is a tuple of the same fields; for tag a list of (word, tag); for span a dict. Without its first
field (span: without "answers"), it is an example to predict.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from firth.errors import CorpusError, SettingsError
from firth.evaluate.sets import lines
from firth.lm.kinds import TASKS

TaskName = Literal["classify", "pair", "similarity", "choice", "tag", "span"]
Source = str | Path | Iterable[Any]


@dataclass(frozen=True)
class Answer:
    """What stands at `context[start:start + len(text)]` and answers a question."""

    text: str
    start: int


@dataclass(frozen=True)
class Example:
    """`texts` as the task has them: the text; a and b; context and choices; the words; question and context.

    `target` is a label, a score, the index of a choice, a tag for each word, or the answers, none if there is
    none; None is unknown. `place` is where it was read.
    """

    texts: tuple[str, ...]
    target: Any
    place: str


def read_examples(
    source: Source, task: TaskName, *, labels: Collection[str] = (), encoding: str = "utf-8"
) -> list[Example]:
    """The examples of a file, or of rows in memory; an `Example` stays what it is.

    Texts to classify in a file without tabs have their labels before the first space; where `labels` are given,
    only if every line begins with one of them. Raises `CorpusError` for what is no example of the task, with its
    place, and for an empty source; `SettingsError` for an unknown task.
    """
    if task not in TASKS:
        raise SettingsError(f"task={task!r} is unknown; choose one of {', '.join(TASKS)}")
    if isinstance(source, str | Path):
        rows: Iterable[tuple[str, Any]] = _rows(source, task, labels, encoding)
    else:
        rows = ((f"example {number}", row) for number, row in enumerate(source, start=1))
    examples = [_example(task, place, row) for place, row in rows]
    if not examples:
        raise CorpusError(f"{_named(source)}: holds no example; {_LAYOUTS[task]}")
    bare = next((each for each in examples if each.target is None), None)
    if bare and any(each.target is not None for each in examples):
        raise CorpusError(f"{bare.place}: has no target, though others have; {_LAYOUTS[task]}")
    return examples


def with_targets(examples: list[Example], task: TaskName) -> list[Example]:
    """The examples, all of whose targets are known; raises `CorpusError` where they are not."""
    if examples[0].target is None:
        raise CorpusError(f"{examples[0].place}: has no target to learn or compare with; {_LAYOUTS[task]}")
    return examples


_LAYOUTS: dict[TaskName, str] = {
    "classify": "give a label and a text, with a tab between them",
    "pair": "give a label and two texts, with tabs between them",
    "similarity": "give a score and two texts, with tabs between them",
    "choice": "give the number of the right choice from 0, a context and the choices, with tabs between them",
    "tag": "give a word and a tag a line, with a tab between them and a blank line after each sentence",
    "span": 'give JSON a line: {"question": "…", "context": "…", "answers": [{"text": "…", "start": 17}]}',
}


def _named(source: Source) -> str:
    return str(source) if isinstance(source, str | Path) else "the examples"


# --- files to rows


def _rows(path: str | Path, task: TaskName, labels: Collection[str], encoding: str) -> Iterator[tuple[str, Any]]:
    if task == "tag":
        yield from _sentences(path, encoding)
        return
    found = list(lines(path, encoding=encoding))
    if task == "span":
        yield from ((place, _object(place, line)) for place, line in found)
    elif task == "classify" and not any("\t" in line for _, line in found):
        known = [(place, line.split(maxsplit=1)) for place, line in found]
        bare = bool(labels) and not all(row[0] in labels for _, row in known)
        yield from ((place, [line]) for place, line in found) if bare else known
    else:
        most = 1 if task == "classify" else -1  # a text to classify may hold tabs
        yield from ((place, line.split("\t", most)) for place, line in found)


def _sentences(path: str | Path, encoding: str) -> Iterator[tuple[str, list[Any]]]:
    for filled, group in groupby(lines(path, encoding=encoding, blank=True), key=lambda each: bool(each[1])):
        if filled:
            found = [(place, line.split("\t") if "\t" in line else line.split()) for place, line in group]
            widths = {len(fields) > 1 for _, fields in found}
            if len(widths) > 1:
                place = next(place for place, fields in found if len(fields) == 1)
                raise CorpusError(f"{place}: has no tag, though others have; {_LAYOUTS['tag']}")
            bare = widths == {False}
            yield found[0][0], [fields[0] if bare else (fields[0], fields[-1]) for _, fields in found]


def _object(place: str, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise CorpusError(f"{place}: is no JSON ({error}); {_LAYOUTS['span']}") from None


# --- rows to examples


def _example(task: TaskName, place: str, row: Any) -> Example:
    if isinstance(row, Example):
        return row
    try:
        texts, target = _PARSERS[task]([row] if isinstance(row, str) and task != "tag" else row)
        if not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError("a text is empty or none")
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise CorpusError(f"{place}: {str(row)[:60]!r} cannot be read ({error}); {_LAYOUTS[task]}") from None
    return Example(tuple(texts), target, place)


Parsed = tuple[Sequence[str], Any]


def _fields(row: Sequence[Any], texts: int) -> tuple[Sequence[str], Any]:
    """So many texts, behind a target or without one."""
    if len(row) not in (texts, texts + 1):
        raise ValueError(f"{len(row)} fields where {texts + 1} are needed, or {texts} to predict")
    return row[-texts:], row[0] if len(row) > texts else None


def _label(value: Any) -> str | None:
    if value is None:
        return None
    if not str(value).strip():
        raise ValueError("the label is empty")
    return str(value).strip()


def _classify(row: Sequence[Any]) -> Parsed:
    texts, label = _fields(row, 1)
    return texts, _label(label)


def _pair(row: Sequence[Any]) -> Parsed:
    texts, label = _fields(row, 2)
    return texts, _label(label)


def _similarity(row: Sequence[Any]) -> Parsed:
    texts, score = _fields(row, 2)
    if score is not None and not math.isfinite(float(score)):
        raise ValueError("the score is no finite number")
    return texts, None if score is None else float(score)


def _choice(row: Sequence[Any]) -> Parsed:
    try:
        index, texts = int(row[0]), row[1:]
    except ValueError:
        index, texts = None, row
    if len(texts) < 3:
        raise ValueError("fewer than two choices")
    if index is not None and not 0 <= index < len(texts) - 1:
        raise ValueError(f"{index} is none of its {len(texts) - 1} choices, 0 to {len(texts) - 2}")
    return texts, index


def _tag(row: Sequence[Any]) -> Parsed:
    if isinstance(row, str) or not row:
        raise ValueError("no list of words")
    if all(isinstance(each, str) for each in row):
        return row, None
    return [word for word, _ in row], tuple(_label(tag) for _, tag in row)


def _span(row: Mapping[str, Any]) -> Parsed:
    question, context = row["question"], row["context"]
    if "answers" not in row:
        return (question, context), None
    answers = []
    for each in row["answers"]:
        text = each if isinstance(each, str) else each["text"]
        start = context.find(text) if isinstance(each, str) or "start" not in each else each["start"]
        if not text or start < 0 or not context.startswith(text, start):
            raise ValueError(f"the answer {text!r} does not stand at {start} of its context")
        answers.append(Answer(text, start))
    return (question, context), tuple(answers)


_PARSERS: dict[TaskName, Callable[[Any], Parsed]] = {
    "classify": _classify,
    "pair": _pair,
    "similarity": _similarity,
    "choice": _choice,
    "tag": _tag,
    "span": _span,
}
