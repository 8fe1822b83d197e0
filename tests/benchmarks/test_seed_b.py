"""The script of system B, reduced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_the_dense_family_is_trained_measured_and_kept(
    tmp_path: Path, reduced_seed: Callable[..., dict[str, Any]]
) -> None:
    results = reduced_seed("b_dense_family", tmp_path)
    members = {row["member"]: row for row in results["members"]}
    assert list(members) == ["LD16E1D1", "LD32E1D1"]
    for row in members.values():
        history = row["history"]
        assert len(history["train"]) == len(history["held_back"]) == row["training"]["epochs"]
        assert history["held_back"][-1] < 0.7 * history["held_back"][0]
        test, files = row["mse"]["test"], row["files"]
        assert files["mse"] == pytest.approx(test["quantized"], abs=1e-4)  # pixels are rounded to bytes
        assert test["plain"] == pytest.approx(test["quantized"], rel=0.05)
        assert files["factor"] == pytest.approx(results["png_bytes"] / files["bytes_a_file"], rel=1e-3)
        assert files["factor_stacked"] > files["factor"]
    assert members["LD32E1D1"]["mse"]["test"]["plain"] < members["LD16E1D1"]["mse"]["test"]["plain"]
    assert members["LD16E1D1"]["factor"] == pytest.approx(results["png_bytes"] / 64, rel=1e-3)
    assert members["LD16E1D1"]["document"] == {"epochs": 10, "train": 0.0172, "test": 0.0172, "factor": 9.15}
    for plot in ("errors", "training", "rates"):
        assert (tmp_path / "curves" / f"b_dense_family_quick_{plot}.png").stat().st_size > 1000
    checkpoint = next((tmp_path / "run" / "LD16E1D1").rglob("checkpoint.pt"))
    checkpoint.unlink()  # a kept result needs no training
    again = reduced_seed("b_dense_family", tmp_path)
    assert again["members"] == results["members"]
    assert not checkpoint.exists()
