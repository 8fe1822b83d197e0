"""The benchmark of a busy machine runs to the end, and its table has its figures. Never how fast anything is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.busy_machine import ALL_THREADS, OURS, PEERS
from benchmarks.measuring.machine import cores
from benchmarks.tables.speed import busy_machine


@pytest.mark.slow
def test_the_record_becomes_a_table(tmp_path: Path, run_benchmark: Callable[..., Any]) -> None:
    output = tmp_path / "busy.json"
    run = run_benchmark("busy_machine", tmp_path, "--quick", "--rounds", "1", "--output", str(output))
    assert run.returncode == 0, run.stderr
    record = json.loads(output.read_text(encoding="utf-8"))
    codecs = [codec.name for codec in (OURS, *PEERS)]
    assert {(row["other_programs"], row["codec"], row["operation"]) for row in record["seconds"]} == {
        (others, codec, operation)
        for others in range(cores() + 1)
        for codec in (*codecs, ALL_THREADS)
        for operation in ("encode", "decode")
    }
    lines = busy_machine(record).to_markdown().splitlines()
    assert len(lines) == 2 + 2 * (1 + len(codecs))
    assert lines[2].startswith("| encode, nncodec, all threads |")
