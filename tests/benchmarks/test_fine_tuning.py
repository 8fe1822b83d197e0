"""Fine-tuning, reduced, and its sets of pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import fine_tuning_sets


def test_fine_tuning_trains_by_the_command_line_and_measures_real_files(
    tmp_path: Path, run_benchmark: Callable[..., Any]
) -> None:
    places = ["--run", str(tmp_path / "run"), "--output", str(tmp_path / "o.json"), "--plot", str(tmp_path / "p.png")]
    # Three steps at the usual rate, without a warm-up, would throw the model off.
    done = run_benchmark("fine_tuning", tmp_path, "--quick", "--learning-rate", "5e-5", *places)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "o.json").read_text())["sets"]["texture"]
    assert results["training"]["steps"] == 3
    assert results["training"]["command"].startswith("nncodec train hyperprior texture/ --from photo --steps 3")
    assert results["held_back_pictures"] == 1
    assert not results["skipped"]
    assert results["bd_rate_percent"]["psnr_db"]["webp"] < 0
    for row in results["bytes_at_psnr"]:
        assert max(row["bytes"]["tuned/texture"], row["bytes"]["webp"]) < row["bytes"]["jpeg"]
    for curve in results["curves"].values():
        sizes = [point["bytes"] for point in curve]
        assert sizes == sorted(sizes)
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_the_sets_keep_what_is_measured_apart_from_what_is_trained_on() -> None:
    pages = fine_tuning_sets.pages(3, 2)
    assert {one.shape for one in (*pages.training, *pages.held_back)} == {(640, 480, 1)}
    everything = [one.tobytes() for one in (*pages.training, *pages.held_back)]
    assert len(set(everything)) == 5
    assert np.array_equal(pages.held_back[1], fine_tuning_sets.pages(1, 2).held_back[1])
    texture = fine_tuning_sets.texture()
    (trained,) = texture.training
    for crop in texture.held_back:
        assert crop.shape == (128, 128, 3)
        # A row of the crop that also stood in the training part would be the same pixels.
        row = crop[0, :32].tobytes()
        assert row not in trained.tobytes()
