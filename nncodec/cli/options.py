"""Options that several commands have, so that they mean the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from nncodec import registry
from nncodec.codec import DEFAULT_MODEL, DEFAULT_QUALITY
from nncodec.errors import NncError
from nncodec.limits import DEFAULT_LIMITS

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Manner:
    """How files are worked on, whatever is done to them.

    Args:
        jobs: files at once.
        threads: for each file; None shares the processors among the jobs.
        force: overwrite.
        verbose: report every file.
    """

    jobs: int
    threads: int | None
    force: bool
    verbose: bool

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Manner:
        """Take what `manner_options` added out of a command's options."""
        return cls(*(options.pop(name) for name in ("jobs", "threads", "force", "verbose")))


def _installed(_: click.Context, __: click.Parameter, name: str) -> str:
    try:
        registry.catalog().find(name)
    except NncError as error:
        raise click.BadParameter(str(error)) from None
    return name


force_option = click.option("-f", "--force", is_flag=True, help="Overwrite files that are there.")
json_option = click.option("--json", "as_json", is_flag=True, help="Write a JSON list, one entry for each.")
model_option = click.option(
    "-m",
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    metavar="NAME",
    callback=_installed,
    help="See 'nncodec models'.",
)
quality_option = click.option(
    "-q",
    "--quality",
    type=click.IntRange(0, 100),
    default=DEFAULT_QUALITY,
    show_default=True,
    metavar="N",
    help="0 is smallest, 100 best (and still lossy).",
)
_recursive_option = click.option("-r", "--recursive", is_flag=True, help="Take the files in folders.")


def input_options(command: _F) -> _F:
    """Add the arguments `inputs` and -r."""
    return _stacked(command, click.argument("inputs", nargs=-1, required=True, metavar="FILE..."), _recursive_option)


def coding_options(command: _F) -> _F:
    """Add what encode and decode share: `inputs`, -r, -o, --frame, --strip, --max-pixels."""
    return _stacked(
        input_options(command),
        click.option(
            "-o",
            "--output",
            metavar="PATH",
            help="File or folder to write, - for stdout; -r mirrors folders below it.  [default: beside the input]",
        ),
        click.option("--frame", type=click.IntRange(0), metavar="N", help="This frame only; the first is 0."),
        click.option("--strip", is_flag=True, help="Leave EXIF (with GPS) and XMP out; the ICC profile stays."),
        click.option(
            "--max-pixels",
            type=click.IntRange(1),
            default=DEFAULT_LIMITS.pixels,
            metavar="N",
            show_default=True,
            help="Refuse files with more.",
        ),
    )


def manner_options(command: _F) -> _F:
    """Add the options of `Manner`."""
    return _stacked(
        command,
        click.option(
            "-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Files at once."
        ),
        click.option(
            "--threads",
            type=click.IntRange(1),
            metavar="N",
            help="Processor threads for each file.  [default: the processors, shared among -j]",
        ),
        force_option,
        click.option("-v", "--verbose", is_flag=True, help="Report every file."),
    )


def _stacked(command: _F, *options: Callable[[_F], _F]) -> _F:
    for option in reversed(options):
        command = option(command)
    return command
