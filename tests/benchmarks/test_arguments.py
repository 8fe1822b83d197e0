"""Wrong arguments of benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("module", "option", "wrong", "choices"),
    [
        ("seeds.b_dense_family", "--only", "LD1E1D1", "LD16E1D1, LD16E2D2"),
        ("seeds.c_layers", "--only", "3,4", "3, 5, 7, 10"),
        ("fine_tuning", "--sets", "cats", "clothing, pages, texture"),
    ],
)
def test_unknown_parts_are_refused_in_one_line(
    tmp_path: Path, run_benchmark: Callable[..., Any], module: str, option: str, wrong: str, choices: str
) -> None:
    done = run_benchmark(module, tmp_path, option, wrong)
    assert done.returncode == 2
    assert f"choose from {choices}" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())
