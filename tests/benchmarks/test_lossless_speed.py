"""The benchmark of lossless speed runs to the end, and its table has its figures. Never how fast anything is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tables.speed import lossless_speed


@pytest.mark.slow
def test_the_record_becomes_a_table(tmp_path: Path, run_benchmark: Callable[..., Any]) -> None:
    output = tmp_path / "speed.json"
    run = run_benchmark("lossless_speed", tmp_path, "--quick", "--rounds", "1", "--output", str(output))
    assert run.returncode == 0, run.stderr
    record = json.loads(output.read_text(encoding="utf-8"))
    assert {(row["codec"], row["operation"]) for row in record["throughput"]} == {
        (codec, operation) for codec in record["codecs"] for operation in ("encode", "decode")
    }
    table = lossless_speed(record).to_markdown()
    assert table.splitlines()[0].endswith("| nncodec | PNG | WebP | JPEG XL |")
    assert table.count("encode, 40 x 30, 1 core ") == 1
