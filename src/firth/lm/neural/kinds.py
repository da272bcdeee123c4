"""The kinds of neural language models by name, each a module as `network.py` describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from types import ModuleType
from typing import Any

from firth.errors import SettingsError
from firth.lm.kinds import NEURAL
from firth.lm.neural.learning import Learning


def module_of(kind: str) -> ModuleType:
    """The module of a kind; raises `SettingsError` for a name that is none."""
    if kind not in NEURAL:
        raise SettingsError(f"{kind!r} is no neural language model; choose one of {', '.join(NEURAL)}")
    return import_module(f"firth.lm.neural.{kind}")


def config_of(kind: str, size: str, vocabulary: int, settings: Mapping[str, Any]) -> Any:
    """The `Config` of a size, with what `settings` say instead; raises `SettingsError`."""
    module = module_of(kind)
    if size not in module.SIZES:
        raise SettingsError(f"size={size!r} is none of {kind}'s; choose one of {', '.join(module.SIZES)}")
    known = {each.name for each in fields(module.Config)} - {"vocabulary"}
    if unknown := sorted(settings.keys() - known):
        raise SettingsError(f"{kind} has no setting {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return module.Config(**{**module.SIZES[size], **settings, "vocabulary": vocabulary})


def learning_of(kind: str, settings: Mapping[str, Any]) -> Learning:
    """How a kind learns: as `settings` say, else as suits it; raises `SettingsError`."""
    known = {each.name for each in fields(Learning)}
    if unknown := sorted(settings.keys() - known):
        raise SettingsError(f"training has no setting {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return Learning(**{**getattr(module_of(kind), "LEARNING", {}), **settings})
