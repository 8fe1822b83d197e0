"""A table, and the formats of numbers that tables share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column is aligned left, the others right.

    Args:
        header: titles of the columns.
        rows: each as long as the header.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [self.header, ["---", *(["---:"] * (len(self.header) - 1))], *self.rows]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)


Tables = dict[str, tuple[str, Callable[[Record], Table]]]
"""By name: the stem of the record's file below `results`, and the function from the record to the table."""


def percent(value: float | None) -> str:
    """Return a change in percent."""
    return "-" if value is None else f"{value:+.1f}%"
