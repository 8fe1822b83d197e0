"""Text for the terminal: complaints and tables."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from nncodec._support.text import line_of, plain

if TYPE_CHECKING:
    from nncodec.compare.tables import Column, Table

DEBUG_VARIABLE = "NNCODEC_DEBUG"
"""Environment variable that shows tracebacks of errors, unless it is empty or says no; workers inherit it."""
SEE_TRACEBACK = "'nncodec --debug ...' shows where"
"""What an error says that nobody expected."""

_NO = ("", "0", "false", "no", "off")
_TO_ASCII = str.maketrans({"−": "-", "–": "-", "∞": "inf"})


def complain(message: str, name: str = "") -> None:
    """Write one line to stderr: `nncodec: name: message`."""
    click.echo(line_of(message, name), err=True)


def show_traceback() -> None:
    """Write the traceback of the exception that is being handled to stderr, if the user asked for such."""
    if os.environ.get(DEBUG_VARIABLE, "").strip().lower() not in _NO:
        click.echo(traceback.format_exc(), err=True, nl=False)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return rows as aligned columns under their heads.

    Args:
        right: numbers of the columns to align to the right.
    """
    lines = [heads, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    shown = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join(shown)


def render(shown: Table, labels: Mapping[str, str] | None = None) -> str:
    """Return a table of a comparison as text: units after the values, numbers in ASCII.

    Args:
        labels: of codecs, to show in place of their names.
    """
    shown = shown.for_people()
    rows = [
        [_cell(*given, labels or {}) for given in zip(shown.columns, cells, values, strict=True)]
        for cells, values in zip(shown.shown(), shown.rows, strict=True)
    ]
    right = [number for number, column in enumerate(shown.columns) if column.right]
    return table([column.title.upper() for column in shown.columns], rows, right=right)


def _cell(column: Column, cell: str, value: object, labels: Mapping[str, str]) -> str:
    if column.codec:
        return labels.get(cell, cell)
    if not column.right:
        return cell
    unit = "" if value is None else column.unit if column.unit in ("", "%") else f" {column.unit}"
    return f"{cell}{unit}".translate(_TO_ASCII)
