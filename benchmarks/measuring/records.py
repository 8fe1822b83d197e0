"""Records of measurements: their folder, reading and writing, and the command that repeats one."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "docs" / "images"

Record = dict[str, Any]


def command_line(module: str, arguments: Sequence[str] | None = None) -> str:
    """Return the command that runs a benchmark from the root of the repository.

    Args:
        module: its name within `benchmarks`, such as "seeds.a_digits".
        arguments: those of this process by default.
    """
    return shlex.join(["python", "-m", f"benchmarks.{module}", *(sys.argv[1:] if arguments is None else arguments)])


def read_record(path: Path) -> Record:
    """Return a stored record."""
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Store a record, with the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
