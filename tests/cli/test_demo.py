from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

import nncodec
from nncodec.cli import demo
from nncodec.cli.demo_sheet import ENLARGED, Layout, Panel, draw_sheet
from nncodec.compare import PEERS, code_at_bytes, measure
from nncodec.compare.crops import Crop, most_different_square
from nncodec.metrics import psnr, ssim


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The photographs, cut small, and one timed run: the tests are not about their size."""
    whole = demo._photograph
    monkeypatch.setattr(demo, "_photograph", lambda name: whole(name).crop((100, 50, 228, 146)))
    monkeypatch.setattr(measure, "TIMED_RUNS", 1)


def rows_of(output: str) -> dict[str, dict[str, str]]:
    """Return the table's cells by the first word of each row, then by head."""
    heads, *lines = (re.split(r"\s{2,}", line) for line in output.split("\n\n")[1].splitlines())
    return {cells[0].split()[0]: dict(zip(heads, cells, strict=True)) for cells in lines}


@pytest.mark.parametrize("output", ["x.jpg", "-", "x"])
def test_it_writes_nothing_but_a_png(run, output):
    result = run("demo", "-m", "tiny/rgb", "-o", output)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "does not end in .png" in result.stderr
    assert not Path(output).exists()


@pytest.mark.parametrize("picture", ["astronaut", "chelsea", "coffee"])
def test_compares_at_the_same_size_by_the_metrics_of_compare(run, picture):
    result = run("demo", picture, "-m", "tiny/rgb", "-q", 60)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{picture}, 128 x 96 pixels, 36,864 bytes uncompressed\n")
    rows = rows_of(result.stdout)
    assert list(rows) == ["nncodec", "JPEG", "WebP", "AVIF"]
    original = demo._photograph(picture)
    data = nncodec.encode(original, "tiny/rgb", 60)
    decoded = {"nncodec": (data, nncodec.decode(data), 60)}
    decoded |= {PEERS[name].label: code_at_bytes(name, original, len(data)) for name in ("jpeg", "webp", "avif")}
    assert rows["nncodec"]["CODEC"] == "nncodec tiny/rgb"
    for name, (coded, image, quality) in decoded.items():
        row = rows[name]
        assert (row["QUALITY"], row["BYTES"]) == (str(quality), f"{len(coded):,}")
        assert 0.5 * len(data) < len(coded) < 1.5 * len(data)
        assert row["BITS PER PIXEL"] == f"{8 * len(coded) / original.width / original.height:.3f}"
        assert row["PSNR"] == f"{psnr(original, image):.2f} dB"
        assert row["SSIM"] == f"{ssim(original, image):.4f}"
        assert row["ENCODE"].endswith(" ms")
        assert row["DECODE"].endswith(" ms")
    with Image.open("demo.png") as sheet:
        check_sheet(sheet, original, [original, *(image for _, image, _ in decoded.values())])


def check_sheet(sheet: Image.Image, original: Image.Image, images: list[Image.Image]) -> None:
    """Every picture is there at full size but for the outline, and its square enlarged pixel by pixel."""
    crop = most_different_square(original, images[1:], 32)
    layout = draw_sheet([Panel(("", "", ""), image) for image in images], crop)[1]
    layout = dataclasses.replace(layout, label_height=label_height_of(sheet, layout))
    assert sheet.size == layout.size(len(images))
    outside = np.ones((96, 128), bool)
    outside[max(0, crop.top - 2) : crop.bottom + 2, max(0, crop.left - 2) : crop.right + 2] = False
    for number, image in enumerate(images):
        left, top = layout.picture_at(number)
        shown = np.asarray(sheet.crop((left, top, left + 128, top + 96)))
        assert np.array_equal(shown[outside], np.asarray(image)[outside])
        left, top = layout.square_at(number)
        enlarged = np.asarray(sheet.crop((left, top, left + 96, top + 96)))
        expected = np.asarray(image.crop(crop.box)).repeat(ENLARGED, 0).repeat(ENLARGED, 1)
        assert np.array_equal(enlarged, expected)


def label_height_of(sheet: Image.Image, layout: Layout) -> int:
    return next(h for h in range(1, sheet.height) if dataclasses.replace(layout, label_height=h).size(5) == sheet.size)


def test_the_square_is_where_the_worst_and_the_best_codec_are_furthest_apart():
    original = Image.new("RGB", (60, 40), "grey")
    equally_bad, much_worse = original.copy(), original.copy()
    for image in (equally_bad, much_worse):
        image.paste("black", (0, 0, 10, 10))
    much_worse.paste("black", (33, 21, 43, 31))
    assert most_different_square(original, [equally_bad, much_worse], 10) == Crop(33, 21, 43, 31)
    assert most_different_square(original, [equally_bad], 10) == Crop(0, 0, 10, 10)
    grey = [image.convert("L") for image in (original, equally_bad, much_worse)]
    assert most_different_square(grey[0], grey[1:], 10) == Crop(33, 21, 43, 31)


def test_the_default_model_and_an_output(run):
    result = run("demo", "-o", "folder/x.png")
    assert result.exit_code == 0
    assert rows_of(result.stdout)["nncodec"]["CODEC"] == "nncodec photo"
    assert Path("folder/x.png").is_file()


def test_what_is_there_is_kept_unless_forced(run):
    Path("demo.png").write_bytes(b"mine")
    result = run("demo", "-m", "tiny/rgb")
    assert result.exit_code == 1
    assert result.stderr == "nncodec: demo.png is already there; use -f to overwrite it\n"
    assert Path("demo.png").read_bytes() == b"mine"
    assert run("demo", "-m", "tiny/rgb", "-f").exit_code == 0


def test_metrics_and_the_extra_that_adds_what_is_missing(run, monkeypatch):
    result = run("demo", "-m", "tiny/rgb")
    assert "SSIMULACRA2" in rows_of(result.stdout)["JPEG"]
    assert "left out" not in result.stdout
    for package in ("pytorch_msssim", "ssimulacra2", "bjontegaard", "jinja2", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    result = run("demo", "-m", "tiny/rgb", "-f")
    assert result.exit_code == 0
    assert not {"SSIMULACRA2", "MS-SSIM"} & rows_of(result.stdout)["JPEG"].keys()
    assert 'MS-SSIM and SSIMULACRA2 left out; pip install "nncodec-image[compare]" adds them.' in result.stdout


def test_a_missing_codec_is_reported(run, monkeypatch):
    check = features.check
    monkeypatch.setattr(features, "check", lambda name: name != "avif" and check(name))
    result = run("demo", "-m", "tiny/rgb")
    assert set(rows_of(result.stdout)["AVIF"].values()) == {"AVIF", "-"}
    assert "AVIF left out; it needs a Pillow that was built with it." in result.stdout


def test_a_codec_that_cannot_get_so_small_is_reported(run, monkeypatch):
    monkeypatch.setitem(PEERS, "jpeg", dataclasses.replace(PEERS["jpeg"], qualities=range(95, 101)))
    result = run("demo", "-m", "tiny/rgb")
    assert result.exit_code == 0
    assert "Even the lowest quality of JPEG takes more bytes." in result.stdout
    assert rows_of(result.stdout)["JPEG"]["QUALITY"] == "95"


@pytest.mark.parametrize("arguments", [("nobody",), ("-m", "no/model"), ("-q", "101")])
def test_wrong_usage(run, arguments):
    assert run("demo", *arguments).exit_code == 2
