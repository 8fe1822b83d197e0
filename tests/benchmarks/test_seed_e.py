"""The script of system E, reduced: it runs to the end, and what it writes is computed."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import benchmarks.tables
from benchmarks.seeds import e_srgan, enhancer_weights
from nncodec.plugin import discovery, registry
from nncodec.plugin.model_file import read_model, write_model

RunSeed = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory, run_seed: RunSeed) -> tuple[Path, str]:
    """Run the reduced form once and return its folder and what it printed."""
    folder = tmp_path_factory.mktemp("e")
    done = run_seed("e_srgan", folder, "--quick")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture
def record(reduced: tuple[Path, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((reduced[0] / "results" / "e_srgan_quick.json").read_text())
    return found


@pytest.mark.slow
def test_sets_are_enlarged_by_filters_and_at_every_strength(record: dict[str, Any]) -> None:
    sets = {name: one for name, one in record["sets"].items() if name != "minutes"}
    assert {name: one["pictures"] for name, one in sets.items()} == {"set5": 2, "set14": 1}
    for one in sets.values():
        assert list(one["mean"]) == ["nearest", "bilinear", "bicubic", "lanczos", "content", "half", "gan"]
        mean = one["mean"]
        assert mean["nearest"]["psnr_y_db"] < mean["bilinear"]["psnr_y_db"] < mean["bicubic"]["psnr_y_db"]
        # Random corrections: the larger, the further from bicubic.
        assert mean["bicubic"]["psnr_y_db"] >= mean["content"]["psnr_y_db"] > mean["gan"]["psnr_y_db"]
        assert mean["bicubic"]["checkerboard_levels"] == pytest.approx(0, abs=1e-6)
        assert mean["gan"]["checkerboard_levels"] > 0.05
        for way, row in one["each"].items():
            values = [picture["psnr_y_db"] for picture in row.values()]
            assert mean[way]["psnr_y_db"] == pytest.approx(sum(values) / len(values), abs=2e-3)
    assert record["published"]["set14"]["SRGAN"] == {"psnr_y_db": 26.02, "ssim_y": 0.7397}


@pytest.mark.slow
def test_the_codec_is_measured_plain_enhanced_and_reduced(record: dict[str, Any]) -> None:
    restored, small = record["restored"], record["reduced"]
    measured = {"restored": restored["whole"], "lowest": small["whole"], "reduced": small["reduced"]}
    assert {part: list(dict.fromkeys(row["way"] for row in rows)) for part, rows in measured.items()} == {
        "restored": ["photo", "restore content", "restore gan"],
        "lowest": ["photo"],
        "reduced": ["reduced, lanczos", "reduced, x4 content", "reduced, x4 gan"],
    }
    for part in ("restored", "reduced"):
        for start in range(0, len(measured[part]), 3):
            plain, content, gan = measured[part][start : start + 3]
            assert plain["rate_bpp"] == content["rate_bpp"] == gan["rate_bpp"] > 0
            assert len({plain["psnr_db"], content["psnr_db"], gan["psnr_db"]}) == 3  # all were decoded differently
    assert (restored["model"], small["model"]) == ("photo", "photo-psnr")
    assert small["reduced"][0]["rate_bpp"] < small["whole"][0]["rate_bpp"]
    assert small["whole_at_reduced_rates"]["40"] is None  # below what quality 2 takes
    assert small["whole"][0]["psnr_db"] < small["whole_at_reduced_rates"]["60"]["psnr_db"]


@pytest.mark.slow
def test_times_are_of_processes_that_say_what_they_made(record: dict[str, Any]) -> None:
    rows = record["time"]["rows"]
    assert [(row["role"], row["output"][0] // row["input"][0]) for row in rows] == [("x4", 4), ("restore", 1)]
    assert rows[0]["input"] == [64, 64]
    for row in rows:
        pixels = math.prod(row["output"])
        assert row["seconds_per_megapixel"] == pytest.approx(1e6 * row["seconds"] / pixels, rel=0.01)
        assert row["peak_mib"] > 100  # torch alone is more
    assert record["time"]["machine"]["idle"] in (True, False, None)


@pytest.mark.slow
def test_what_is_written_and_said(reduced: tuple[Path, str], record: dict[str, Any]) -> None:
    folder, printed = reduced
    assert record["command"] == "python -m benchmarks.seeds.e_srgan --quick"
    assert len(record["marks"]) == 4 + 4 + 2
    for mark in record["marks"]:
        assert f"{'pass' if mark['met'] else 'FAIL'}  {mark['what']}" in printed
    for plot in ("sets", "restored", "reduced"):
        assert (folder / "curves" / f"e_srgan_quick_{plot}.png").stat().st_size > 1000
    with Image.open(folder / "curves" / "e_srgan_quick_example.png") as sheet:
        assert sheet.width == 5 * 256 + 4 * 2
    assert {path.name for path in (folder / "run").glob("zoomed_*.png")} >= {"zoomed_astronaut.png"}


@pytest.mark.slow
def test_tables_are_made_of_a_record(record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "e_srgan.json").write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(benchmarks.tables, "RESULTS", tmp_path)
    lines = {"seed_enlarging": 7 + 4, "seed_enlarging_looks": 7 + 1, "seed_restored": 6, "seed_reduced": 8}
    for name, rows in {**lines, "seed_enhancing_time": 2, "seed_enhancing_marks": 10}.items():
        made = benchmarks.tables.table_text(name).splitlines()
        assert len(made) == 2 + rows
        assert len({line.count("|") for line in made}) == 1
    assert "| published: SRResNet | 32.05 | 0.9019 | 28.49 | 0.8184 |" in benchmarks.tables.table_text("seed_enlarging")


@pytest.mark.slow
def test_parts_of_the_same_weights_are_kept_and_others_dropped(
    reduced: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "e_srgan.json"
    record = {"models": {"x4": "a", "restore": "b"}, **{part: {"minutes": 1} for part in e_srgan.PARTS}}
    path.write_text(json.dumps(record))
    assert e_srgan.PARTS.keys() <= e_srgan.kept_record(path, {"x4": "a"}).keys()
    kept = e_srgan.kept_record(path, {"x4": "a", "restore": "c"})
    assert kept.keys() >= {"sets", "reduced", "time"}  # the last depends on shapes, not on weights
    assert "restored" not in kept
    assert kept["models"] == {"x4": "a", "restore": "c"}
    assert "sets" not in e_srgan.kept_record(path, {"x4": "c"})
    # A file of the reduced run can be measured by itself, and goes nowhere but to the run folder.
    weights = reduced[0] / "run" / "random_restore.safetensors"
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(SystemExit) as ended:
        e_srgan.main(["--run", str(tmp_path / "run"), "--only", "sets", "--x4", str(weights)])
    registry.refresh()
    assert ended.value.code == 2
    assert "takes an enhancer of factor 4" in capsys.readouterr().err.splitlines()[-1]


def test_unknown_parts_and_enhancers_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--run", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        e_srgan.main([*run, "--only", "sets,lunch"])
    assert ended.value.code == 2
    assert "choose from sets, example, time, restored, reduced" in capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(SystemExit) as ended:
        e_srgan.main([*run, "--only", "sets", "--x4", "no/such"])
    line = str(ended.value.code)  # what an interpreter prints before it ends with status 1
    assert "no/such" in line
    assert "\n" not in line
    assert capsys.readouterr().err == ""


def test_files_of_weights_get_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path / "none"))
    registry.refresh()
    first = enhancer_weights.random_weights("x4", tmp_path)
    names = enhancer_weights.usable({"x4": str(first)}, tmp_path / "models")
    assert names == {"x4": "candidate/x4"}
    assert registry.open_enhancer("candidate/x4").traits.factor == 4
    changed = read_model(first)
    tensors = {name: 2 * value for name, value in changed.tensors.items()}
    write_model(first, architecture="srgan", config=changed.config, name="random/x4", card={}, tensors=tensors)
    enhancer_weights.usable({"x4": str(first)}, tmp_path / "models")
    assert registry.catalog().find("candidate/x4").digest != changed.digest
    registry.refresh()
