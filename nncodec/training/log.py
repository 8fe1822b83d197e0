"""Logs of a run: CSV files that survive interruption."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from nncodec._support.files import write_file

_Row = TypeVar("_Row")


class CsvLog:
    """Rows of figures by step, appended as they come.

    Args:
        path: the file; the first row creates it. A figure that first appears later gets a column too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Mapping[str, float]) -> None:
        """Append a row; raises OSError if it cannot be written, ValueError if the file is no log."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        columns = self._columns()
        further = [name for name in row if name not in columns]
        if further:
            self._write([*columns, *further], self.rows())
            columns += further
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            stream.write(_line([_text(row[name]) if name in row else "" for name in columns]))

    def rows(self) -> list[dict[str, float]]:
        """Return the rows, without one that was cut off; raises ValueError if the file is no log."""
        if not self.path.exists():
            return []
        rows = []
        whole, _, _ = self._text().rpartition("\n")
        for row in self._parsed(csv.DictReader(io.StringIO(whole))):
            try:
                rows.append({name: float(value) for name, value in row.items() if value not in ("", None)})
            except (TypeError, ValueError):
                continue
        return [row for row in rows if "step" in row]

    def cut(self, step: int) -> None:
        """Remove the rows after a step: a run that resumes from a checkpoint writes them again."""
        if self.path.exists():
            self._write(self._columns(), [row for row in self.rows() if row["step"] <= step])

    def _columns(self) -> list[str]:
        if not self.path.exists():
            return []
        return next(self._parsed(csv.reader(io.StringIO(self._text()))), [])

    def _text(self) -> str:
        try:
            return self.path.read_bytes().decode()
        except UnicodeDecodeError:
            raise self._no_log() from None

    def _parsed(self, reader: Iterator[_Row]) -> Iterator[_Row]:
        try:
            yield from reader
        except csv.Error:
            raise self._no_log() from None

    def _no_log(self) -> ValueError:
        return ValueError(f"{self.path} is not the log of a run; delete it, or start again in another folder (--run)")

    def _write(self, columns: list[str], rows: list[dict[str, float]]) -> None:
        text = _line(columns) + "".join(
            _line([_text(row[name]) if name in row else "" for name in columns]) for row in rows
        )
        write_file(self.path, text.encode())


def _line(values: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()


def _text(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"
