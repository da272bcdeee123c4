"""The command line: a command a file, imported when it is asked for.

What every command promises is kept here: an error is one line and status 1, bad usage one line and status 2,
Ctrl-C status 130, and no reader of the output can make it fail.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any

import click

from firth.cli.lazy import LazyGroup
from firth.cli.output import INTERRUPTED, fail
from firth.errors import FirthError, FirthWarning

COMMANDS = ("train", "similar", "analogy", "evaluate", "info", "convert", "vocab", "lm", "demo")


class _Firth(LazyGroup):
    def main(self, *args: Any, **settings: Any) -> Any:
        _accept_any_text()
        try:
            with warnings.catch_warnings():
                _show_warnings_in_a_line()
                sys.exit(super().main(*args, **{**settings, "prog_name": "firth", "standalone_mode": False}))
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "firth"
            fail(f"{error.format_message().rstrip('.')}; see {path} --help", prefix=path)
            sys.exit(2)
        except click.Abort:
            fail("interrupted")
            sys.exit(INTERRUPTED)
        except (FirthError, click.ClickException) as error:
            fail(str(error))
        except MemoryError:
            fail("the memory does not suffice; give fewer words (--max-size, --limit) or smaller vectors (--dim)")
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        sys.exit(1)


def _accept_any_text() -> None:
    """Let words that no terminal can show, as GoogleNews has some, be shown escaped and be asked for."""
    for stream, errors in (
        (sys.stdin, "surrogateescape"),
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
    ):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _show_warnings_in_a_line() -> None:
    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, FirthWarning):
            fail(f"warning: {message}")
        else:
            usual(message, category, *place, **more)

    warnings.showwarning = show
    warnings.simplefilter("always", FirthWarning)


@click.group(
    cls=_Firth,
    package="firth.cli",
    names=COMMANDS,
    context_settings={"show_default": True, "max_content_width": 100, "help_option_names": ["-h", "--help"]},
    no_args_is_help=False,
    epilog="firth COMMAND --help tells what a command does, with an example.",
)
@click.version_option(package_name="firth", message="firth %(version)s")
def main() -> None:
    """Learn vectors for words from text, and ask what they mean.

    \b
    firth train wiki.txt -o wiki.bin
    firth similar wiki.bin france
    """
