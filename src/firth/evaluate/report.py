"""Results as plain text in columns, and as numbers that JSON can hold."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

SHOWN = 8  # unknown words that a table names; the result holds them all


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, rule_before: int | None = None) -> str:
    """Columns two spaces apart, the first to the left and the others to the right; a rule below the header.

    `rule_before` is the number of a row to draw another rule above, where sums begin.
    """
    widths = [max(map(_columns, column)) for column in zip(header, *rows, strict=True)]
    printed = [_line(row, widths) for row in (header, *rows)]
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    if rule_before is not None:
        printed.insert(1 + rule_before, rule)
    printed.insert(1, rule)
    return "\n".join(printed)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    paddings = [" " * (width - _columns(cell)) for cell, width in zip(row, widths, strict=True)]
    return "  ".join([row[0] + paddings[0], *(p + cell for cell, p in zip(row[1:], paddings[1:], strict=True))])


def _columns(text: str) -> int:
    """The columns that a terminal gives the text: two for a Chinese character, none for a combining mark."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def percent(share: float) -> str:
    """A share in per cent with one digit; a dash where there is none."""
    return "–" if math.isnan(share) else f"{100 * share:.1f} %"


def sample(unknown: Sequence[str]) -> str:
    """How many words are unknown, and the first of them."""
    if not unknown:
        return "no unknown words"
    more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
    return f"{len(unknown):,} unknown words: {', '.join(unknown[:SHOWN])}{more}"


def number_or_none(value: float) -> float | None:
    """None for NaN, which JSON does not know."""
    return None if math.isnan(value) else value
