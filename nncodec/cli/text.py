"""What the commands tell people: complaints and tables."""

from __future__ import annotations

from collections.abc import Sequence

import click

from nncodec._support.text import line_of, plain


def complain(message: str, name: str = "") -> None:
    """Write one line to stderr: `nncodec: name: message`."""
    click.echo(line_of(message, name), err=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return rows as aligned columns under their heads.

    Args:
        right: numbers of the columns that are aligned to the right.
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
