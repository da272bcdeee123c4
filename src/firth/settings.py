"""Numbers that people set: checked where they are given, and made Python's own, so that they can be saved."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

from firth.errors import SettingsError


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as an int; raises `SettingsError` unless it is a whole number from `low` to `high`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        shown = repr(value) if number is None else number
        bounds = f"of at least {low}" if high is None else f"from {low} to {high:,}"
        raise SettingsError(f"{name}={shown} must be a whole number {bounds}")
    return number


def real(name: str, value: Any) -> float:
    """`value` as a float; raises `SettingsError` for what is no number."""
    if not isinstance(value, Real):
        raise SettingsError(f"{name}={value!r} must be a number")
    return float(value)
