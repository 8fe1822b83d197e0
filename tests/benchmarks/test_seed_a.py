"""The script of system A, reduced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_digits_learn_and_their_files_hold_what_the_quantized_network_makes(
    tmp_path: Path, reduced_seed: Callable[..., dict[str, Any]]
) -> None:
    results = reduced_seed("a_digits", tmp_path)
    history = results["history"]
    assert [point["epoch"] for point in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["test_plain"] < 0.75 * history[0]["test_plain"]
    assert results["test"]["mse_quantized"] < 0.04  # of one grey level for all: 0.059
    assert results["test"]["plain"] == pytest.approx(history[-1]["test_plain"], abs=1e-3)  # float16 weights
    files = results["files"]
    assert files["frames_equal_files"]
    assert files["mse"] == pytest.approx(results["test"]["mse_quantized"], abs=1e-4)  # pixels are rounded to bytes
    assert files["bytes_a_picture_stacked"] < files["bytes_a_file"] <= files["largest_file_bytes"]
    assert results["machine"]["cores"] >= 1
    assert results["command"] == "python -m benchmarks.seeds.a_digits --quick"
    assert (tmp_path / "curves" / "a_digits_quick.png").stat().st_size > 1000
    assert (tmp_path / "run" / "reconstructions.png").stat().st_size > 1000
