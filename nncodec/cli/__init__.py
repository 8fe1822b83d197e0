"""The command line: one file per command. Nothing here imports torch before a command codes a picture.

Commands share `options`, `files` (inputs, and where results go), `work` (runs jobs and writes their results),
`progress` (a bar) and `text` (complaints and tables).
"""

from __future__ import annotations

import errno
import importlib
import io
import itertools
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from nncodec import __version__
from nncodec._support.interrupts import INTERRUPTED, raise_interrupts
from nncodec._support.text import describe
from nncodec.cli.standard_streams import drop_unwritten, open_closed_streams, results_only
from nncodec.cli.text import DEBUG_VARIABLE, SEE_TRACEBACK, complain, show_traceback
from nncodec.errors import InvalidOption, NncError, UnknownModel

__all__ = ["main"]


_COMMANDS = (
    "encode",
    "decode",
    "info",
    "check",
    "models",
    "plugins",
    "demo",
    "compare",
    "train",
    "enhance",
    "batch",
    "export-onnx",
    "viewer",
    "ui",
    "desktop",
)
"""Commands in the order of the help; `export-onnx` is `export_onnx_command` of `nncodec.cli.export_onnx`."""


_EMPTY = f"{__name__}.empty"
"""Key of a context for an argument that is empty, as a message names it; None if there is none."""


class _Commands(click.Group):
    """The group of commands; turns every error of a command into one line and an exit status.

    A command is imported when it is needed: all of them take longer than decoding a small picture.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"nncodec.cli.{name}"), f"{name}_command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Path("") is the current folder, which nobody means who gives the value of a variable that is not set.
        ctx.meta[_EMPTY] = _empty(args)
        return super().parse_args(ctx, args)

    def main(self, *arguments: Any, **options: Any) -> Any:
        open_closed_streams()
        try:
            return super().main(*arguments, **options)
        except OSError as error:  # help and the version are written before any command is invoked
            show_traceback()
            drop_unwritten()
            complain(describe(error))
            sys.exit(1)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **options)
        except click.NoSuchOption as error:  # before any command
            complain(_told(error, "nncodec"))
            raise click.exceptions.Exit(error.exit_code) from None

    def invoke(self, ctx: click.Context) -> Any:
        # Pillow logs some faults of a file before it raises them; the command says each in one line of its own.
        logging.getLogger("PIL").addHandler(logging.NullHandler())
        try:
            raise_interrupts()
            # A name that the terminal's encoding does not hold is escaped, as on stderr, and ends nothing.
            if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
                sys.stdout.reconfigure(errors="backslashreplace")
            if ctx.meta[_EMPTY]:
                raise click.UsageError(f"{ctx.meta[_EMPTY]} is empty; give a path or a value, or leave its option out")
            with results_only():
                return super().invoke(ctx)
        except click.UsageError as error:
            if isinstance(error, click.exceptions.NoArgsIsHelpError):
                raise
            complain(_told(error, ctx.command_path))
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except NncError as error:
            show_traceback()
            complain(str(error))
            ctx.exit(2 if isinstance(error, InvalidOption | UnknownModel) else 1)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # nobody reads stdout any more: click ends quietly
            show_traceback()
            drop_unwritten()
            complain(describe(error), str(error.filename or ""))
            ctx.exit(1)
        except Exception as error:  # a fault of a plugin, or of this program
            show_traceback()
            complain(f"{describe(error)}; {SEE_TRACEBACK}")
            ctx.exit(1)
        except KeyboardInterrupt:
            complain("interrupted")
            ctx.exit(INTERRUPTED)


def _told(error: click.UsageError, path: str) -> str:
    where = error.ctx.command_path if error.ctx else path
    return f"{error.format_message().rstrip('.')}; see '{where} --help'"


def _empty(args: Sequence[str]) -> str | None:
    """Return the option whose value is empty, or "an argument" that is; None if there is none."""
    for before, given in itertools.pairwise(["", *args]):
        if not given:
            return before if before.startswith("-") else "an argument"
        if given.startswith("--") and given.find("=") == len(given) - 1:
            return given
    return None


def _debugging(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Set the variable while the command runs, for this process and its workers."""
    if not wanted:
        return
    before = os.environ.get(DEBUG_VARIABLE, "")
    os.environ[DEBUG_VARIABLE] = "1"
    ctx.call_on_close(lambda: os.environ.update({DEBUG_VARIABLE: before}))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_debugging,
    help="Show the tracebacks of errors, as NNCODEC_DEBUG=1 does.",
)
@click.version_option(__version__, "-V", "--version", prog_name="nncodec")
def main() -> None:
    """Compress pictures to .nnc files with neural networks, and decode them.

    \b
    nncodec demo                         see what it does
    nncodec encode photo.png             write photo.nnc
    nncodec decode photo.nnc             write photo.png
    nncodec encode -r photos -o small    a whole folder
    nncodec train hyperprior photos -o mine.safetensors    a codec for your pictures
    nncodec enhance small.png --scale 4  write small-enhanced.png
    nncodec batch encode photos s3://bucket/small    millions of pictures
    nncodec viewer site                  a web page that shows .nnc files
    nncodec ui                           a page for all of this

    Exit status: 0 all done, 1 some files failed, 2 wrong usage.
    """


@click.command("help", short_help="Show the help of a command.")
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command: 'help encode' is 'encode --help'."""
    command, inner = ctx.find_root().command, ctx.find_root()
    for name in names:
        found = command.get_command(inner, name) if isinstance(command, click.Group) else None
        if found is None:
            raise click.UsageError(f"No such command {name!r}")
        command, inner = found, click.Context(found, info_name=name, parent=inner)
    click.echo(command.get_help(inner), color=inner.color)


main.add_command(help_command)
