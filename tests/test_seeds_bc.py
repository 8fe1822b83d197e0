"""The scripts of systems B and C and of fine-tuning, reduced: they run to the end, and what they write is computed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "benchmarks" / "seeds"


def run(script: Path, folder: Path, *arguments: str) -> str:
    """Run a script's reduced form in a folder of its own and return what it prints."""
    command = [sys.executable, str(script), "--quick", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def reduced(name: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the reduced form of a source system's script and return its JSON."""
    places = [word for option in ("--run", "--results", "--curves") for word in (option, str(folder / option[2:]))]
    run(SEEDS / f"{name}.py", folder, *places, *arguments)
    (path,) = (folder / "results").glob(f"{name}_quick*.json")
    results: dict[str, Any] = json.loads(path.read_text())
    return results


def test_the_dense_family_is_trained_measured_and_kept(tmp_path: Path) -> None:
    results = reduced("b_dense_family", tmp_path)
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
    again = reduced("b_dense_family", tmp_path)
    assert again["members"] == results["members"]
    assert not checkpoint.exists()


def test_stacks_are_compared_with_codecs_at_their_ssim(tmp_path: Path) -> None:
    results = reduced("c_layers", tmp_path, "--only", "3", "--steps", "40")
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


def test_the_crops_of_the_test_set_do_not_depend_on_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SEEDS))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import c_layers

    photographs = [np.arange(200 * 150 * 3, dtype=np.uint32).reshape(200, 150, 3).astype(np.uint8) for _ in range(2)]
    one, two = (c_layers.test_crops(photographs, 5) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert {crop.shape for crop in one} == {(128, 128, 3)}
    assert not np.array_equal(one[0], one[2])


def test_fine_tuning_trains_by_the_command_line_and_measures_real_files(tmp_path: Path) -> None:
    places = ["--run", str(tmp_path / "run"), "--output", str(tmp_path / "o.json"), "--plot", str(tmp_path / "p.png")]
    run(ROOT / "benchmarks" / "fine_tuning.py", tmp_path, *places)
    results = json.loads((tmp_path / "o.json").read_text())["sets"]["texture"]
    assert results["training"]["steps"] == 3
    assert results["training"]["command"].startswith("nncodec train hyperprior texture/ --from photo --steps 3")
    assert results["held_back_pictures"] == 1
    assert not results["skipped"]
    assert results["bd_rate_percent"]["webp"] < 0
    for row in results["bytes_at_psnr"]:
        assert row["bytes"]["tuned/texture"] < row["bytes"]["webp"] < row["bytes"]["jpeg"]
    for curve in results["curves"].values():
        sizes = [point["bytes"] for point in curve]
        assert sizes == sorted(sizes)
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_the_sets_keep_what_is_measured_apart_from_what_is_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import fine_tuning_sets

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


@pytest.mark.parametrize(
    ("script", "option", "wrong", "choices"),
    [
        ("seeds/b_dense_family.py", "--only", "LD1E1D1", "LD16E1D1, LD16E2D2"),
        ("seeds/c_layers.py", "--only", "3,4", "3, 5, 7, 10"),
        ("fine_tuning.py", "--sets", "cats", "clothing, pages, texture"),
    ],
)
def test_what_there_is_not_is_refused_in_one_line(
    tmp_path: Path, script: str, option: str, wrong: str, choices: str
) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / script), option, wrong]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert f"choose from {choices}" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())
