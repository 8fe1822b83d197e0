"""The script of system E, reduced: it runs to the end, its measures are those of the literature, and marks are true."""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from nncodec.plugin import discovery
from nncodec.plugin.model_file import write_model

ROOT = Path(__file__).parent.parent
SEEDS = ROOT / "benchmarks" / "seeds"


@pytest.fixture(autouse=True)
def benchmarks_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SEEDS))
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def module(name: str) -> Any:
    return importlib.import_module(name)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script with its places in a folder."""
    places = [word for option in ("--run", "--results", "--curves") for word in (option, str(folder / option[2:]))]
    command = [sys.executable, str(SEEDS / "e_srgan.py"), *places, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the reduced form once and return its folder and what it printed."""
    folder = tmp_path_factory.mktemp("e")
    done = run(folder, "--quick")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture
def record(reduced: tuple[Path, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((reduced[0] / "results" / "e_srgan_quick.json").read_text())
    return found


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


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
    codec = record["codec"]
    ways = {part: list(dict.fromkeys(row["way"] for row in codec[part])) for part in ("whole", "lowest", "reduced")}
    assert ways == {
        "whole": ["photo", "restore content", "restore gan"],
        "lowest": ["photo"],
        "reduced": ["reduced, lanczos", "reduced, x4 content", "reduced, x4 gan"],
    }
    for part in ("whole", "reduced"):
        for start in range(0, len(codec[part]), 3):
            plain, content, gan = codec[part][start : start + 3]
            assert plain["rate_bpp"] == content["rate_bpp"] == gan["rate_bpp"] > 0
            assert len({plain["psnr_db"], content["psnr_db"], gan["psnr_db"]}) == 3  # all were decoded differently
    assert codec["reduced"][0]["rate_bpp"] < codec["lowest"][0]["rate_bpp"]
    assert codec["whole_at_reduced_rates"]["40"] is None  # below what quality 2 takes
    assert codec["lowest"][0]["psnr_db"] < codec["whole_at_reduced_rates"]["60"]["psnr_db"]


@pytest.mark.slow
def test_times_are_of_processes_that_say_what_they_made(record: dict[str, Any]) -> None:
    rows = record["time"]["rows"]
    assert [(row["role"], row["output"][0] // row["input"][0]) for row in rows] == [("x4", 4)] * 2 + [
        ("restore", 1)
    ] * 2
    assert rows[0]["input"] == [64, 64]
    for row in rows:
        pixels = math.prod(row["output"])
        assert row["seconds_per_megapixel"] == pytest.approx(1e6 * row["seconds"] / pixels, rel=0.01)
        assert row["peak_mib"] > 100  # torch alone is more
    assert record["time"]["machine"]["idle"] in (True, False, None)


@pytest.mark.slow
def test_what_is_written_and_said(reduced: tuple[Path, str], record: dict[str, Any]) -> None:
    folder, printed = reduced
    assert record["command"] == "python benchmarks/seeds/e_srgan.py --quick"
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
    tables = module("tables")
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "e_srgan.json").write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    lines = {"seed_enlarging": 7 + 4, "seed_enlarging_looks": 7 + 1, "seed_restored": 6, "seed_reduced": 8}
    for name, rows in {**lines, "seed_enhancing_time": 4, "seed_enhancing_marks": 10}.items():
        made = tables.TABLES[name]().splitlines()
        assert len(made) == 2 + rows
        assert len({line.count("|") for line in made}) == 1
    assert "| published: SRResNet | 32.05 | 0.9019 | 28.49 | 0.8184 |" in tables.TABLES["seed_enlarging"]()


@pytest.mark.slow
def test_parts_of_the_same_weights_are_kept_and_others_dropped(reduced: tuple[Path, str], tmp_path: Path) -> None:
    e_srgan = module("e_srgan")
    path = tmp_path / "e_srgan.json"
    record = {"models": {"x4": "a", "restore": "b"}, **{part: {"minutes": 1} for part in e_srgan.PARTS}}
    path.write_text(json.dumps(record))
    assert e_srgan.PARTS.keys() <= e_srgan._kept(path, {"x4": "a"}).keys()
    kept = e_srgan._kept(path, {"x4": "a", "restore": "c"})
    assert "sets" in kept
    assert "codec" not in kept
    assert kept["models"] == {"x4": "a", "restore": "c"}
    assert "sets" not in e_srgan._kept(path, {"x4": "c"})
    # A file of the reduced run can be measured by itself, and goes nowhere but to the run folder.
    weights = reduced[0] / "run" / "random_restore.safetensors"
    done = run(tmp_path, "--only", "sets", "--x4", str(weights))
    assert done.returncode == 2
    assert "takes an enhancer of factor 4" in done.stderr.splitlines()[-1]


def test_what_there_is_not_is_refused_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "sets,lunch")
    assert done.returncode == 2
    assert "choose from sets, example, time, codec" in done.stderr.splitlines()[-1]
    done = run(tmp_path, "--only", "sets", "--x4", "no/such")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no/such" in done.stderr


def test_files_of_weights_get_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    e_srgan = module("e_srgan")
    registry = e_srgan.registry
    monkeypatch.setenv(discovery.MODELS_VARIABLE, str(tmp_path / "none"))
    registry.refresh()
    first = e_srgan._random_weights("x4", tmp_path)
    names = e_srgan.usable({"x4": str(first)}, tmp_path / "models")
    assert names == {"x4": "candidate/x4"}
    assert registry.open_enhancer("candidate/x4").traits.factor == 4
    changed = e_srgan.read_model(first)
    tensors = {name: 2 * value for name, value in changed.tensors.items()}
    write_model(first, architecture="srgan", config=changed.config, name="random/x4", card={}, tensors=tensors)
    e_srgan.usable({"x4": str(first)}, tmp_path / "models")
    assert registry.catalog().find("candidate/x4").digest != changed.digest
    registry.refresh()


def test_psnr_on_luma_is_that_of_the_literature(photograph: Image.Image) -> None:
    enlarging = module("enlarging")
    for colour, level in {(0, 0, 0): 16, (255, 255, 255): 235, (255, 0, 0): 81.481, (0, 0, 255): 40.966}.items():
        assert enlarging.luma(Image.new("RGB", (2, 2), colour))[1, 1] == pytest.approx(level)
    assert enlarging.luma(Image.new("L", (2, 2), 255))[0, 0] == 255  # as published figures take grey pictures
    grey = Image.new("L", (64, 64), 100)
    assert enlarging.psnr_y(grey, Image.new("L", (64, 64), 101)) == pytest.approx(20 * math.log10(255))
    # What is within four pixels of an edge does not count.
    framed = photograph.crop((0, 0, 64, 64))
    framed.paste("red", (0, 0, 64, 4))
    found = enlarging.figures(photograph.crop((0, 0, 64, 64)), framed)
    assert found["psnr_y_db"] == math.inf
    assert found["ssim_y"] == pytest.approx(1)


@pytest.mark.skipif(
    not Path(os.environ.get("NNCODEC_DATA", ""), "set5").is_dir(), reason="needs $NNCODEC_DATA with set5/ and set14/"
)
@pytest.mark.parametrize(("name", "psnr_db", "ssim"), [("set5", 28.42, 0.8104), ("set14", 26.00, 0.7027)])
def test_bicubic_interpolation_has_its_published_figures(name: str, psnr_db: float, ssim: float) -> None:
    # Of MATLAB's imresize, as in Huang et al., CVPR 2015, and most tables since.
    enlarging = module("enlarging")
    pictures = [enlarging.read(path) for path in Path(os.environ["NNCODEC_DATA"], name).glob("*.png")]
    bicubic = enlarging.methods(None)["bicubic"]
    pairs = [[enlarging._middle(one) for one in (image, bicubic(enlarging.reduced(image)))] for image in pictures]
    assert np.mean([enlarging.psnr_y(*pair) for pair in pairs]) == pytest.approx(psnr_db, abs=0.02)
    assert np.mean([enlarging.ssim_y(*pair) for pair in pairs]) == pytest.approx(ssim, abs=0.001)


def test_marks_are_met_or_not() -> None:
    marks = module("enlarging_marks").marks

    def rows(content_db: float, gan_db: float, gan_niqe: float, gan_pattern_db: float) -> dict[str, Any]:
        means = {
            "bicubic": (28.0, 7.0, -1.0),
            "content": (content_db, 6.0, -4.0),
            "gan": (gan_db, gan_niqe, gan_pattern_db),
        }
        names = "psnr_y_db", "niqe", "alternation_db"
        mean = {way: dict(zip(names, values, strict=True)) for way, values in means.items()}
        return {"mean": mean, "original": {"niqe": 4.0, "alternation_db": -2.0}}

    good = marks({"sets": {"set5": rows(29.5, 27.0, 5.9, -2.0), "minutes": 1.0}})
    assert [mark["met"] for mark in good] == [True, True, True, True]
    bad = marks({"sets": {"set5": rows(29.49, 26.98, 6.0, -1.9), "minutes": 1.0}})
    assert [mark["met"] for mark in bad] == [False, False, False, False]
    assert bad[0]["found"] == pytest.approx(1.49)
    row = {"quality": 10, "psnr_db": 27.0, "ms_ssim": 0.9}
    whole = [{**row, "way": "photo"}, {**row, "way": "restore content", "psnr_db": 27.2, "ms_ssim": 0.8999}]
    assert [mark["met"] for mark in marks({"codec": {"whole": whole}})] == [True, False]


def test_figures_at_a_rate_lie_between_those_of_neighbours() -> None:
    at_rate = module("restoring").at_rate
    rows = [
        {"way": "photo", "quality": quality, "rate_bpp": rate, "psnr_db": 10 * rate, "niqe": None}
        for quality, rate in ((10, 2.0), (0, 1.0), (20, 4.0))
    ]
    assert at_rate(rows, "photo", 2.5) == {"rate_bpp": 2.5, "psnr_db": 25.0}
    assert at_rate(rows, "photo", 0.5) is None
    assert at_rate(rows, "other", 2.5) is None


def test_a_pattern_of_single_pixels_is_told_from_a_photograph(photograph: Image.Image) -> None:
    alternation_db = module("measuring.alternation").alternation_db
    luma = np.asarray(photograph.convert("L"), np.float64)
    rows, columns = np.indices(luma.shape)
    plain = alternation_db(luma)
    assert -4 < plain < 0
    # Along edges only, as enlargers leave it, and in any direction.
    edges = np.hypot(*np.gradient(luma)) > 20
    for pattern in ((rows + columns) % 2, rows % 2, columns % 2):
        assert alternation_db(luma + 16 * edges * pattern) > plain + 3
    noise = np.random.default_rng(0).normal(0, 8, luma.shape)
    assert alternation_db(noise) == pytest.approx(0, abs=0.5)
    assert alternation_db(luma + noise) < 0.5
    assert alternation_db(np.full((64, 64), 7.0)) == 0
    assert alternation_db(luma[:63]) is None


def test_niqe_is_worse_for_whatever_is_done_to_a_photograph(photograph: Image.Image) -> None:
    niqe = module("measuring.niqe").niqe
    rng = np.random.default_rng(0)
    pixels = np.asarray(photograph)
    small = photograph.resize((128, 128), Image.Resampling.BICUBIC)
    plain = niqe(photograph)
    enlarged = niqe(small.resize(photograph.size, Image.Resampling.BICUBIC))
    noisy = niqe(Image.fromarray(np.clip(pixels + rng.normal(0, 10, pixels.shape), 0, 255).astype(np.uint8)))
    blurred = [niqe(photograph.filter(ImageFilter.GaussianBlur(radius))) for radius in (1, 2)]
    assert plain < blurred[0] < blurred[1]
    assert plain + 1 < enlarged
    assert plain + 1 < noisy
    assert niqe(photograph.convert("L")) == pytest.approx(plain, abs=0.05)
    assert niqe(photograph.crop((0, 0, 191, 96))) is None  # one block
    assert niqe(Image.new("L", (200, 200), 90)) > 10  # and no warning of a division by nothing


def test_statistics_of_blocks_recover_a_known_distribution() -> None:
    niqe = module("measuring.niqe")
    rng = np.random.default_rng(1)
    blocks = np.stack([rng.normal(0, 2, (96, 96)), rng.laplace(0, 1, (96, 96))])
    shape, left, right = niqe._asymmetric_gaussian(blocks)
    assert shape == pytest.approx([2, 1], abs=0.05)  # of a normal and a Laplace distribution
    assert left == pytest.approx(right, rel=0.05)
    assert left == pytest.approx([2 * math.sqrt(2), 1], rel=0.05)  # scales, not deviations: of exp(-(x / scale)^shape)
    one = niqe.Statistics(np.zeros(2), np.eye(2))
    assert one.distance(niqe.Statistics(np.array([3.0, 4.0]), np.eye(2))) == pytest.approx(5)
    assert one.distance(niqe.Statistics(np.array([3.0, 4.0]), 7 * np.eye(2))) == pytest.approx(2.5)
