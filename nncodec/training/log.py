"""Logs of a run: CSV files that survive interruption."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path


class CsvLog:
    """Rows of figures by step, appended as they come.

    Args:
        path: the file; it is made with the first row. Figures that come later than the head get a column too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, float]) -> None:
        """Write a row; raises OSError where that is not possible."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        columns = self._columns()
        further = [name for name in row if name not in columns]
        if further:
            self._write([*columns, *further], self.rows())
            columns += further
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            stream.write(_line([_text(row[name]) if name in row else "" for name in columns]))

    def rows(self) -> list[dict[str, float]]:
        """Return the rows; one that was cut off is left out."""
        if not self.path.exists():
            return []
        found = []
        whole, _, _ = self.path.read_text(encoding="utf-8").rpartition("\n")
        for row in csv.DictReader(io.StringIO(whole)):
            try:
                found.append({name: float(value) for name, value in row.items() if value not in ("", None)})
            except (TypeError, ValueError):
                continue
        return [row for row in found if "step" in row]

    def cut(self, step: int) -> None:
        """Forget the rows after a step: a run that goes on from a checkpoint writes them again."""
        if self.path.exists():
            self._write(self._columns(), [row for row in self.rows() if row["step"] <= step])

    def _columns(self) -> list[str]:
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as stream:
            return next(csv.reader(stream), [])

    def _write(self, columns: list[str], rows: list[dict[str, float]]) -> None:
        text = _line(columns) + "".join(
            _line([_text(row[name]) if name in row else "" for name in columns]) for row in rows
        )
        temporary = self.path.with_name(f".{self.path.name}.part")
        try:
            temporary.write_text(text, encoding="utf-8", newline="")
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)


def _line(values: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def _text(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"
