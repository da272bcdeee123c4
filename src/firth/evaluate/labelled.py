"""Files of labelled texts: a label, then the text it belongs to, a line each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firth.evaluate.sets import EvaluationError, lines


@dataclass(frozen=True)
class Labelled:
    """Texts and their labels, in order, and where they come from."""

    source: str
    texts: list[str]
    labels: list[str]

    def __post_init__(self) -> None:
        if not self.texts or len(self.texts) != len(self.labels):
            raise EvaluationError(
                f"{self.source}: holds {len(self.texts):,} texts and {len(self.labels):,} labels; "
                "give lines of a label and a text"
            )

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted(set(self.labels))


def read_labelled(path: str | Path, *, coarse: bool = False, encoding: str = "utf-8") -> Labelled:
    """Read lines of `label<TAB>text`, or of `label text` where the first line has no tab.

    `coarse` keeps of a label what stands before its colon: of TREC's `LOC:city` the `LOC`. Raises
    `EvaluationError` for a line without a text and for an empty file.
    """
    texts, labels, tabs = [], [], None
    for place, line in lines(path, encoding=encoding):
        tabs = "\t" in line if tabs is None else tabs
        label, _, text = line.partition("\t") if tabs else _halves(line)
        if not (label.strip() and text.strip()):
            between = "a tab, as in the first line," if tabs else "white space"
            raise EvaluationError(f"{place}: {line[:60]!r} is not a label and a text with {between} between them")
        labels.append(label.strip().partition(":")[0] if coarse else label.strip())
        texts.append(text.strip())
    return Labelled(str(path), texts, labels)


def _halves(line: str) -> tuple[str, str, str]:
    label, *text = line.split(maxsplit=1)
    return label, " ", text[0] if text else ""
