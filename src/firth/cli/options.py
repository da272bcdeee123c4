"""Options: in groups, made from the fields of dataclasses, and those that commands share."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_METAVARS = {int: "N", float: "X"}


class _Option(click.Option):
    """An option that knows the group it is shown in; `default_text` says in words what holds without it."""

    def __init__(self, *args: Any, group: str = "Options", default_text: str | None = None, **settings: Any):
        if default_text is not None:
            settings["help"] += f"  [default: {default_text}]"
            settings["show_default"] = False
        super().__init__(*args, **settings)
        self.group = group


class _Command(click.Command):
    """A command whose help shows options in groups, and an example."""

    def __init__(self, *args: Any, example: str, **settings: Any):
        super().__init__(*args, **settings)
        self.example = example

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)
        with formatter.section("Example"):
            for line in self.example.splitlines():
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def command_with(example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function; its docstring is the help."""
    return click.command(cls=_Command, example=example)


def option(*names: str, **settings: Any) -> Decorator:
    """`click.option`, with the settings of `_Option` besides."""
    return click.option(*names, cls=_Option, **settings)


def typed_option(name: str, hint: Any, **settings: Any) -> Decorator:
    """The option for a setting called `name` with this type hint."""
    inner = [each for each in get_args(hint) if each is not type(None)]
    flag = "--" + name.replace("_", "-")
    if get_origin(hint) is Literal:
        return option(flag, type=click.Choice(inner), **settings)
    if hint is bool:
        return option(f"{flag}/--no-{flag[2:]}", **settings)
    kind = hint if get_origin(hint) is tuple else inner[0] if inner else hint
    if get_origin(kind) is tuple:
        number = get_args(kind)[0]
        return option(flag, type=_numbers(number), metavar=f"{_METAVARS[number]},…", **settings)
    return option(flag, type=kind, metavar=_METAVARS.get(kind), **settings)


def defaults_of(kind: type[Any]) -> dict[str, Any]:
    """The arguments that a class is made with, and their defaults."""
    return {name: each.default for name, each in inspect.signature(kind).parameters.items()}


def settings_of(kind: type[Any], **hints: Any) -> Callable[..., Decorator]:
    """What makes the options for arguments of `kind`, with their types (but for those in `hints`) and defaults."""
    types, defaults = {**get_type_hints(kind.__init__), **hints}, defaults_of(kind)

    def setting(name: str, group: str, help: str, **settings: Any) -> Decorator:
        return typed_option(name, types[name], default=defaults[name], help=help, group=group, **settings)

    return setting


def _numbers(number: type[int] | type[float]) -> Callable[[Any], tuple[float, ...]]:
    """A type of options: numbers with commas between them."""

    def convert(value: Any) -> tuple[float, ...]:
        if isinstance(value, tuple):  # the default
            return value
        try:
            return tuple(number(each) for each in value.split(","))
        except ValueError:
            kind = "whole numbers" if number is int else "numbers"
            raise click.BadParameter(f"{value!r} must be {kind} with commas between them") from None

    return convert


def one_of(name: str, kinds: Mapping[str, type[Any]], *, default: str, help: str) -> Decorator:
    """An option that chooses one of `kinds`, dataclasses, and an option for each field that any of them has.

    The command is given the object made of them as its argument `name`; a field that the chosen kind does
    not have is a usage error.
    """
    having: dict[str, dict[str, dataclasses.Field[Any]]] = {}
    for kind_name, kind in kinds.items():
        for field in dataclasses.fields(kind):
            having.setdefault(field.name, {})[kind_name] = field
    group = f"The {name}"
    options = [
        option(
            f"--{name}",
            type=click.Choice(list(kinds)),
            metavar="NAME",
            default=default,
            help=f"{help}: {_any(kinds)}",
            group=group,
        )
    ]
    options += [_field_option(name, kinds, each, fields, group) for each, fields in having.items()]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(**values: Any) -> Any:
            chosen = values.pop(name)
            given = {each: value for each in having if (value := values.pop(each)) is not None}
            for each in given:
                if chosen not in having[each]:
                    raise click.UsageError(f"--{each} goes with --{name} {_any(having[each])}, not with {chosen}")
            return function(**values, **{name: kinds[chosen](**given)})

        return _with(options, wrapper)

    return decorate


def _with(decorators: Sequence[Decorator], function: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


def _field_option(
    name: str,
    kinds: Mapping[str, type[Any]],
    field_name: str,
    fields: Mapping[str, dataclasses.Field[Any]],
    group: str,
) -> Decorator:
    kind_name, field = next(iter(fields.items()))
    only = f" (with {_any(fields)})" if len(fields) < len(kinds) else ""
    defaults = {_shown(each, field_name): kind for kind, each in fields.items()}
    shown = ", ".join(f"{value} for {kind}" for value, kind in defaults.items())
    return typed_option(
        field_name,
        get_type_hints(kinds[kind_name])[field_name],
        default=None,
        default_text=shown if len(defaults) > 1 else next(iter(defaults)),
        help=field.metadata["help"] + only,
        group=group,
    )


def _shown(field: dataclasses.Field[Any], name: str) -> str:
    """The default of a field; one that says little by itself is told in its metadata."""
    default = field.default
    plain = str(default) if not isinstance(default, bool) else name if default else f"no-{name}"
    return str(field.metadata.get("default", plain))


def _any(names: Mapping[str, object]) -> str:
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def reads_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """The inputs and how they are read: gives the command `sources`, and as `reading` what `Corpus.read` takes."""
    return _reads_text(function, required=True)


def may_read_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a command that can do without inputs: `sources` is None then."""
    return _reads_text(function, required=False)


def _reads_text(function: Callable[..., Any], *, required: bool) -> Callable[..., Any]:
    group = "Reading"
    options: list[Decorator] = [
        click.argument("sources", nargs=-1, required=required, metavar="INPUT..."),
        option(
            "--tokenizer",
            type=click.Choice(["whitespace", "words", "zh"]),
            default="whitespace",
            help="how a line becomes words: split at white space; Unicode words, lower-cased; Chinese, by jieba",
            group=group,
        ),
        option("--encoding", default="utf-8", help="of the text", group=group),
        option(
            "--errors",
            type=click.Choice(["strict", "replace", "ignore"]),
            default="strict",
            help="what becomes of bytes that are not of the encoding",
            group=group,
        ),
        option(
            "--cache",
            metavar="DIR",
            default_text="$FIRTH_CACHE, or ~/.cache/firth",
            help="where encoded texts are kept for the next run",
            group=group,
        ),
        option("--no-cache", is_flag=True, help="keep no encoded text", group=group),
    ]

    @functools.wraps(function)
    def wrapper(sources: tuple[str, ...], cache: str | None, no_cache: bool, **values: Any) -> Any:
        if cache and no_cache:
            raise click.UsageError("--cache and --no-cache exclude each other")
        reading = {name: values.pop(name) for name in ("tokenizer", "encoding", "errors")}
        reading["cache"] = False if no_cache else cache
        several = sources[0] if len(sources) == 1 else list(sources) or None
        return function(sources=several, reading=reading, **values)

    return _with(options, wrapper)


def duration(text: str) -> float:
    """The seconds of a time: 30s, 5m, 2h, or a number of seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match or not float(match[1]):
        raise click.BadParameter(f"{text!r} is not a time like 30s, 5m or 2h")
    return float(match[1]) * {"m": 60, "h": 3600}.get(match[2], 1)


as_json = option("--json", "as_json", is_flag=True, help="print JSON, for machines")
quiet = option("--quiet", "-q", is_flag=True, help="show nothing but errors and the result")
