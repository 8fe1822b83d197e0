"""`encode --lossless` and `--max-error`, `info` on what they write, and decoding it to other formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nncodec
from nncodec.plugin import discovery, registry

PHOTO = np.random.default_rng(2).integers(0, 256, (12, 16, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def lossless(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give these tests the plugin that others do without."""
    monkeypatch.delenv(discovery.DISABLED_VARIABLE)
    registry.refresh()


@pytest.fixture(autouse=True)
def palette_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = Image.fromarray(PHOTO).quantize(9)
    image.save("p.png", transparency=3)
    Image.fromarray(PHOTO).convert("CMYK").save("c.tif")
    Image.fromarray(np.arange(192, dtype=np.uint16).reshape(12, 16) * 300).save("deep.png")


@pytest.mark.parametrize(("source", "kept"), [("p.png", "P"), ("deep.png", "I;16"), ("c.tif", "CMYK")])
def test_lossless_keeps_the_mode_there_and_back(run, source, kept):
    assert run("encode", "--lossless", source, "-o", "x.nnc", "-v").exit_code == 0
    assert nncodec.inspect("x.nnc").mode == kept
    assert run("decode", "x.nnc", "-o", f"y{Path(source).suffix}").exit_code == 0
    with Image.open(source) as before, Image.open(f"y{Path(source).suffix}") as after:
        assert (after.mode, after.tobytes()) == (before.mode, before.tobytes())
        assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes()


def test_a_lossless_model_does_the_same(run):
    assert run("encode", "-m", "lossless", "p.png", "-o", "x.nnc").exit_code == 0
    assert nncodec.inspect("x.nnc").lossless


def test_max_error_bounds_it_and_info_says_so(run):
    Image.fromarray(PHOTO).save("a.png")
    result = run("encode", "--max-error", "3", "a.png", "-v")
    assert "errors up to 3" in result.stdout + result.stderr
    assert abs(np.asarray(nncodec.decode("a.nnc")).astype(int) - PHOTO).max() == 3
    assert "no sample differs by more than 3" in run("info", "a.nnc").stdout
    entry = json.loads(run("info", "--json", "a.nnc").stdout)[0]
    assert (entry["lossless"], entry["max_error"], entry["bits"], entry["planes"]) == (False, 3, 8, 3)


def test_a_max_error_beyond_the_samples_is_refused(run):
    Image.fromarray(PHOTO).save("a.png")
    result = run("encode", "--max-error", "300", "a.png")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "255 at most" in result.stderr
    assert not Path("a.nnc").exists()


def test_info_says_that_a_file_is_lossless(run):
    run("encode", "--lossless", "deep.png")
    shown = run("info", "deep.nnc").stdout
    assert "lossless" in shown
    assert "1 plane of 16 bits" in shown


@pytest.mark.parametrize("command", [("encode", "p.png"), ("batch", "encode", ".", "out")])
@pytest.mark.parametrize("exact", ["--lossless", "--max-error 2", "-m lossless"])
@pytest.mark.parametrize(
    "other",
    ["--quality 50", "--target-bpp 1", "--never-lossless", "--coder zstd", "--downscale 2", "--enhancer tiny/keep"],
)
def test_what_an_exact_file_cannot_have_is_wrong_usage(run, command, exact, other):
    for options in (f"{exact} {other}", f"{other} {exact}"):
        result = run(*command, *options.split())
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
        name = exact if exact.startswith("-m") else exact.partition(" ")[0]
        assert f"{name} and {other.partition(' ')[0]} exclude each other" in result.stderr
    assert not Path("out").exists()


def test_exact_and_nearly_exact_contradict_each_other(run):
    Image.fromarray(PHOTO).save("a.png")
    result = run("encode", "--lossless", "--max-error", 3, "p.png")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "--lossless and --max-error 3 exclude each other" in result.stderr
    assert run("encode", "--lossless", "--max-error", 0, "p.png").exit_code == 0
    assert run("encode", "-m", "lossless", "--max-error", 3, "a.png").exit_code == 0


@pytest.mark.parametrize(
    ("source", "target", "note"),
    [
        ("p.png", "y.jpg", "has transparency"),
        ("p.png", "y.webp", "WEBP does not hold mode P"),
        ("deep.png", "y.jpg", "JPEG"),
    ],
)
def test_a_format_without_the_mode_gets_it_converted_or_refused(run, source, target, note):
    run("encode", "--lossless", source, "-o", "x.nnc")
    assert note in run("decode", "x.nnc", "-o", target).stderr


def test_planes_without_a_mode_are_refused_in_one_line(run):
    Path("x.nnc").write_bytes(nncodec.encode(np.zeros((5, 6, 7), np.uint8), lossless=True))
    result = run("decode", "x.nnc")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "as_array=True" in result.stderr
