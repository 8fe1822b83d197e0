"""The benchmark of speed runs to the end, and its record is consistent. Never how fast anything is."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import benchmarks.tables


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory, run_benchmark: Callable[..., Any]) -> dict[str, Any]:
    """Run the benchmark once, with tiny pictures, and return what it stored."""
    output = tmp_path_factory.mktemp("speed") / "speed.json"
    run = run_benchmark("speed", output.parent, "--quick", "--peers", "jpeg", "--output", str(output))
    assert run.returncode == 0, run.stderr
    stored: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return stored


@pytest.mark.slow
def test_the_record_says_how_it_was_made(record: dict[str, Any]) -> None:
    assert record["command"].startswith("python -m benchmarks.speed --quick")
    assert record["quick"] is True
    assert record["idle"] in (True, False, None)
    assert {"processor", "cores", "memory_gib"} <= record["machine"].keys()
    assert {"nncodec-image", "torch", "pillow"} <= record["versions"].keys()
    assert list(record["codecs"]) == ["hyperprior/photo", "JPEG"]
    for codec in record["codecs"].values():
        assert codec["psnr_db"] == pytest.approx(record["codecs"]["hyperprior/photo"]["psnr_db"], abs=1)
        assert codec["rate_bpp"] > 0


@pytest.mark.slow
def test_speeds_and_ratios_are_quotients_of_medians(record: dict[str, Any]) -> None:
    medians = {}
    for row in record["throughput"]:
        assert row["median_s"] == pytest.approx(statistics.median(row["seconds"]), rel=1e-4)
        assert row["mp_per_s"] == pytest.approx(row["megapixels"] / row["median_s"], rel=1e-4)
        assert len(row["seconds"]) == record["rounds"]
        assert row["cores_used"] > 0
        medians[row["size"], row["threads"], row["operation"], row["codec"]] = row["median_s"]
    assert len(medians) == len(record["throughput"]) == 3 * 2 * 2
    for one in record["ratios"]:
        work = (one["size"], one["threads"], one["operation"])
        quotient = medians[*work, one["against"]] / medians[*work, one["codec"]]
        assert one["times_as_fast"] == pytest.approx(quotient, rel=1e-4)
    assert len(record["ratios"]) == 3 * 2
    for line in record["scaling"]:
        for size, seconds in line["seconds_per_megapixel"].items():
            (row,) = [
                row
                for row in record["throughput"]
                if (row["size"], row["operation"], row["codec"]) == (size, line["operation"], line["codec"])
            ]
            assert seconds == pytest.approx(row["median_s"] / row["megapixels"], rel=1e-4)


@pytest.mark.slow
def test_memory_is_of_the_codecs_own_process_less_input_and_output(record: dict[str, Any]) -> None:
    rows = record["memory"]
    assert len(rows) == 2 * 2
    for row in rows:
        assert row["less_input_output_mib"] == pytest.approx(
            row["peak_mib"] - row["picture_mib"] - row["file_mib"], abs=0.3
        )
        assert 0 <= row["working_mib"] < row["peak_mib"]
    # Torch alone takes over 100 MiB. If these processes inherited a peak, the peers would show it too.
    assert max(row["peak_mib"] for row in rows if row["codec"] != "hyperprior/photo") < 100
    assert min(row["peak_mib"] for row in rows if row["codec"] == "hyperprior/photo") > 100
    for line in record["memory_constancy"]:
        less = [
            row["less_input_output_mib"]
            for row in rows
            if (row["codec"], row["operation"]) == (line["codec"], line["operation"])
        ]
        assert line["variation_percent"] == pytest.approx(100 * (max(less) / min(less) - 1), abs=0.1)


@pytest.mark.slow
def test_memory_can_be_measured_again_for_the_codecs_of_a_record(
    record: dict[str, Any], tmp_path: Path, run_benchmark: Callable[..., Any]
) -> None:
    path = tmp_path / "speed.json"
    # Without the model, whose processes take long to start.
    record = record | {
        "codecs": {"JPEG": record["codecs"]["JPEG"]},
        "memory": [row | {"peak_mib": -1} for row in record["memory"] if row["codec"] == "JPEG"],
    }
    path.write_text(json.dumps(record))
    run = run_benchmark("speed", tmp_path, "--quick", "--memory-again", str(path))
    assert run.returncode == 0, run.stderr
    again = json.loads(path.read_text(encoding="utf-8"))
    assert again.pop("memory_command") == f"python -m benchmarks.speed --quick --memory-again {path}"
    rows = [[(row["codec"], row["operation"], row["size"]) for row in one["memory"]] for one in (record, again)]
    assert rows[0] == rows[1]
    assert min(row["peak_mib"] for row in again["memory"]) > 10
    assert {key: again[key] for key in record.keys() - {"memory", "memory_constancy"}} == {
        key: record[key] for key in record.keys() - {"memory", "memory_constancy"}
    }


@pytest.mark.slow
def test_cold_starts_cover_the_command_line_and_pillow(record: dict[str, Any]) -> None:
    processes = record["cold_start"]["processes"]
    assert {
        "import nncodec",
        "nncodec --help",
        "nncodec encode, hyperprior/photo",
        "nncodec decode, hyperprior/photo",
        "Image.open and load, hyperprior/photo",
        "Image.save, JPEG",
        "Image.open and load, JPEG",
    } <= processes.keys()
    assert all(figures["median_s"] > 0 for figures in processes.values())
    assert record["cold_start"]["warm_open_s"].keys() == record["codecs"].keys()


@pytest.mark.slow
def test_tables_are_made_of_a_record(record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "speed.json").write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(benchmarks.tables, "RESULTS", tmp_path)
    for name, lines in {"speed": 2 + 6, "speed_by_size": 2 + 6, "speed_memory": 2 + 4, "cold_start": 2 + 13}.items():
        made = benchmarks.tables.table_text(name).splitlines()
        assert len(made) == lines
        assert len({line.count("|") for line in made}) == 1
    assert "| MP/s, 1 core | hyperprior/photo | JPEG |" in benchmarks.tables.table_text("speed")
