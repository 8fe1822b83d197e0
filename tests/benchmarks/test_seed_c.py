"""The script of system C, reduced, and its test set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.seeds import c_layers


def test_stacks_are_compared_with_codecs_at_their_ssim(
    tmp_path: Path, reduced_seed: Callable[..., dict[str, Any]]
) -> None:
    results = reduced_seed("c_layers", tmp_path, "--only", "3", "--steps", "40")
    (row,) = results["models"]
    assert results["loss"]["perceptual"] == "left out: there were no VGG16 weights"
    own, jpeg, photo = (row[name] for name in ("autoencoder", "jpeg", "photo"))
    assert own["ssim"] <= min(jpeg["ssim"], photo["ssim"])
    assert own["ratio_of_all_bytes"] == pytest.approx(49152 / own["bytes_a_file"], rel=1e-3)
    assert own["seconds_a_picture"] > 0
    points = results["jpeg_points"]
    assert [point["jpeg"]["quality"] for point in points] == [75, 13]
    for point in points:
        assert point["photo"]["ssim"] >= point["jpeg"]["ssim"]
        assert point["photo"]["bytes_a_file"] < point["jpeg"]["bytes_a_file"]
    for plot in ("means", "pictures"):
        assert (tmp_path / "curves" / f"c_layers_quick_part_{plot}.png").stat().st_size > 1000


def test_the_crops_of_the_test_set_do_not_depend_on_chance() -> None:
    photographs = [np.arange(200 * 150 * 3, dtype=np.uint32).reshape(200, 150, 3).astype(np.uint8) for _ in range(2)]
    one, two = (c_layers.test_crops(photographs, 5) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert {crop.shape for crop in one} == {(128, 128, 3)}
    assert not np.array_equal(one[0], one[2])
