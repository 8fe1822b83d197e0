"""The benchmark of speed: what it computes from times is right, and it runs to the end. Never how fast anything is."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def benchmarks_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def row(codec: str, median_s: float, **changes: Any) -> dict[str, Any]:
    same = {"size": "1 MP", "threads": 2, "operation": "encode", "megapixels": 1.0}
    return {**same, "codec": codec, "median_s": median_s, **changes}


def test_ratios_compare_each_model_with_every_other_codec_on_the_same_work() -> None:
    from measuring import timing

    rows = [row("ours", 2.0), row("JPEG", 0.5), row("other", 4.0), row("JPEG", 9.0, threads=1)]
    found = {(one["codec"], one["against"]): one["times_as_fast"] for one in timing.ratios(rows, ["ours", "other"])}
    assert found == {
        ("ours", "JPEG"): 0.25,
        ("ours", "other"): 2.0,
        ("other", "JPEG"): 0.125,
        ("other", "ours"): 0.5,
    }


def test_scaling_divides_by_pixels_and_takes_the_most_cores() -> None:
    from measuring import timing

    rows = [
        row("ours", median_s, operation=operation, **changes)
        for operation in timing.OPERATIONS
        for median_s, changes in ((0.5, {}), (3.0, {"size": "4 MP", "megapixels": 4.0}), (99.0, {"threads": 1}))
    ]
    first, second = timing.scaling(rows, ["1 MP", "4 MP"], ["ours"])
    assert (first["operation"], second["operation"], first["threads"]) == ("encode", "decode", 2)
    assert first["seconds_per_megapixel"] == {"1 MP": 0.5, "4 MP": 0.75}
    assert first["slowest_over_fastest"] == 1.5


def test_memory_constancy_looks_at_the_chosen_sizes_only() -> None:
    from measuring import memory

    rows = [
        {"size": size, "codec": "ours", "operation": operation, "less_input_output_mib": less, "peak_mib": less + 50}
        for operation in ("encode", "decode")
        for size, less in (("1 MP", 10.0), ("4 MP", 100.0), ("50 MP", 115.0))
    ]
    encoding, _ = memory.constancy(rows, ["4 MP", "50 MP"], ["ours"])
    assert encoding["variation_percent"] == 15.0
    assert encoding["largest_peak_mib"] == 165.0


def test_peers_get_the_quality_nearest_in_psnr_to_the_first_model() -> None:
    from measuring import peers
    from measuring.codec import Codec

    def fidelity(codec: Codec) -> tuple[float, float]:
        return 1.0, {"first": 30.6, "second": 77.0}.get(codec.name, float(codec.settings["quality"]))

    models = [Codec(name, "NNC", {"quality": 50}, is_model=True) for name in ("first", "second")]
    used = peers.at_equal_psnr(models, ["jpeg", "webp"], fidelity)
    assert [one.codec.name for one in used] == ["first", "second", "JPEG", "WebP"]
    assert [one.codec.settings["quality"] for one in used] == [50, 50, 31, 31]
    assert used[2].codec.settings["progressive"] is True


def test_a_mosaic_has_its_size_and_nothing_in_it_repeats() -> None:
    from measuring import pictures

    source = np.asarray(Image.effect_noise((600, 520), 60).convert("RGB"))
    image = pictures.mosaic([source], 2.0)
    assert image.size == (1633, 1225)
    assert image.tobytes() == pictures.mosaic([source], 2.0).tobytes()
    pixels = np.asarray(image)
    cells = [pixels[y : y + 200, x : x + 600].tobytes() for y in (0, 512, 1024) for x in (0, 512, 1024)]
    assert len(set(cells)) == len(cells)


@pytest.mark.parametrize(
    ("busy", "own_s", "cores_left", "idle"),
    [
        ((0.01, 0.01), 12.0, 2, True),
        ((0.01, 0.01), 2.0, 2, False),
        ((0.01, 0.4), 12.0, 2, False),
        ((0.01, 0.01), 12.0, 1, False),
    ],
    ids=["own work", "others meanwhile", "others at the end", "a core was taken away"],
)
def test_work_of_other_programs_is_told_from_own(
    monkeypatch: pytest.MonkeyPatch, busy: tuple[float, float], own_s: float, cores_left: int, idle: bool
) -> None:
    from measuring import machine

    shares, usage = iter(busy), iter([machine._Usage(0.0, 100.0, 5.0), machine._Usage(10.0, 112.0, 5.0 + own_s)])
    monkeypatch.setattr(machine, "_busy_share", lambda _: next(shares))
    monkeypatch.setattr(machine._Usage, "now", lambda: next(usage))
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (0.1, 0.1, 0.1))
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(machine, "cores", lambda: 2)
    watch = machine.IdleWatch()
    monkeypatch.setattr(machine, "cores", lambda: cores_left)
    found = watch.finish()
    assert found["idle"] is idle
    assert found["share_of_processors_used_by_others"]["meanwhile"] == pytest.approx((12.0 - own_s) / 20)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the benchmark once, with tiny pictures, and return what it stored."""
    output = tmp_path_factory.mktemp("speed") / "speed.json"
    command = [sys.executable, "benchmarks/speed.py", "--quick", "--peers", "jpeg,webp", "--output", str(output)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    stored: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return stored


@pytest.mark.slow
def test_the_record_says_how_it_was_made(record: dict[str, Any]) -> None:
    assert record["command"].startswith("python benchmarks/speed.py --quick")
    assert record["quick"] is True
    assert record["idle"] in (True, False, None)
    assert {"processor", "cores", "memory_gib"} <= record["machine"].keys()
    assert {"nncodec-image", "torch", "pillow", "libwebp"} <= record["versions"].keys()
    assert list(record["codecs"]) == ["hyperprior/photo", "JPEG", "WebP"]
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
    assert len(medians) == len(record["throughput"]) == 3 * 3 * 2
    for one in record["ratios"]:
        work = (one["size"], one["threads"], one["operation"])
        quotient = medians[*work, one["against"]] / medians[*work, one["codec"]]
        assert one["times_as_fast"] == pytest.approx(quotient, rel=1e-4)
    assert len(record["ratios"]) == 3 * 2 * 2
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
    assert len(rows) == 3 * 2
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
def test_memory_can_be_measured_again_for_the_codecs_of_a_record(record: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    path.write_text(json.dumps(record | {"memory": [row | {"peak_mib": -1} for row in record["memory"]]}))
    command = [sys.executable, "benchmarks/speed.py", "--quick", "--memory-again", str(path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    again = json.loads(path.read_text(encoding="utf-8"))
    assert again.pop("memory_command") == " ".join(["python", *command[1:]])
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
        "Image.open and load, WebP",
    } <= processes.keys()
    assert all(figures["median_s"] > 0 for figures in processes.values())
    assert record["cold_start"]["warm_open_s"].keys() == record["codecs"].keys()


@pytest.mark.slow
def test_tables_are_made_of_a_record(record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tables

    (tmp_path / "speed.json").write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    for name, lines in {"speed": 2 + 6, "speed_by_size": 2 + 6, "speed_memory": 2 + 6, "cold_start": 2 + 16}.items():
        made = tables.TABLES[name]().splitlines()
        assert len(made) == lines
        assert len({line.count("|") for line in made}) == 1
    assert "| MP/s, 1 core | hyperprior/photo | JPEG | WebP |" in tables.TABLES["speed"]()
