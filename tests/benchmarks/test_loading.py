"""The benchmark of loading runs to the end, and its tables have its figures. Never how fast anything is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tables.loading import loading, stacks


@pytest.mark.slow
def test_the_record_becomes_tables(tmp_path: Path, run_benchmark: Callable[..., Any]) -> None:
    output = tmp_path / "loading.json"
    run = run_benchmark("loading", tmp_path, "--quick", "--rounds", "1", "--output", str(output))
    assert run.returncode == 0, run.stderr
    record = json.loads(output.read_text(encoding="utf-8"))
    assert all(row["pictures_per_second"] > 0 for row in record["loading"])
    lines = loading(record).to_markdown().splitlines()
    assert lines[0].endswith("| nncodec | JPEG | WebP |")
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| 96 x 64: bytes, PSNR",
        "| 96 x 64, folder, whole",
        "| 96 x 64, tar files, whole",
        "| 96 x 64, folder, crop 32 of the whole",
        "| 96 x 64, folder, crop 32 alone",
        "| 0.02 MP: bytes, PSNR",
        "| 0.02 MP, folder, whole",
        "| 0.02 MP, folder, crop 32 of the whole",
        "| 0.02 MP, folder, crop 32 alone",
        "| 28 x 28: bytes, PSNR",
        "| 28 x 28, folder, whole",
        "| 28 x 28, tar files, whole",
    ]
    assert [line.split(" | ")[0] for line in stacks(record).to_markdown().splitlines()[2:]] == [
        *("| 16", "| 64", "| as many as fit")
    ]
