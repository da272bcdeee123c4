"""A group of commands, each a module that is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """The commands called `names`: `command` of the modules of that name in `package`."""

    def __init__(self, *args: Any, package: str, names: Sequence[str], **settings: Any):
        super().__init__(*args, **settings)
        self.package, self.names = package, names

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order given."""
        return list(self.names)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, or None for a name that is not among them."""
        if name not in self.names:
            return None
        command: click.Command = import_module(f"{self.package}.{name}").command
        return command
