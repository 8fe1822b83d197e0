"""A small comparison, made with Pillow's codecs on crops of photographs, and the report of it."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image

from nncodec.compare.report import write_report
from nncodec.compare.report.plots import Plot
from nncodec.compare.report.samples import Sample, choose_samples
from nncodec.compare.results import Comparison, Skipped
from nncodec.compare.study import compare

NASTY = '<script>alert("x")</script> & $\\alpha$.png'
NOT_TEXT = "caf\udce9.png"
QUALITIES = {"avif": (20, 50, 80), "jpeg": (10, 40, 70, 90), "webp": (0, 30, 60, 90)}


def crop(name: str, left: int, top: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    picture: Image.Image = Image.fromarray(getattr(skimage.data, name)())
    return picture.crop((left, top, left + size[0], top + size[1]))


@pytest.fixture(scope="session")
def images() -> dict[str, Image.Image]:
    """Pictures by name: colour and grey, of several sizes, under names that need quoting."""
    return {
        "astronaut.png": crop("astronaut", 180, 60),
        NASTY: crop("chelsea", 120, 90),
        NOT_TEXT: crop("coffee", 200, 150, (64, 96)),
        "grey.png": crop("astronaut", 300, 300).convert("L"),
        "cup.png": crop("coffee", 300, 100, (160, 120)),
    }


@pytest.fixture(scope="session")
def comparison(images: dict[str, Image.Image]) -> Comparison:
    """Three codecs on the pictures, which are too small for MS-SSIM.

    AVIF stands for a learned codec, which the report treats in the same way. Times and SSIMULACRA2 are invented: the
    first would differ from run to run, the second needs a package.
    """
    found = compare(
        images, list(QUALITIES), qualities=QUALITIES, command="nncodec compare -r pictures --report <folder>"
    )
    return replace(
        found,
        codecs=tuple(replace(c, label="photo", learned=True) if c.name == "avif" else c for c in found.codecs),
        measurements=tuple(
            replace(one, encode_s=0.02, decode_s=0.004, ssimulacra2=70 + 0.1 * one.quality)
            for one in found.measurements
        ),
        skipped=(
            Skipped("broken.png", None, "not a picture that Pillow can read"),
            Skipped(NASTY, "jxl", "<b>refused</b>"),
        ),
        versions={"nncodec": "0.1", "Pillow": "13.0"},
    )


@pytest.fixture(scope="session")
def samples(comparison: Comparison, images: dict[str, Image.Image]) -> list[Sample]:
    """All pictures, the worst three first."""
    return choose_samples(comparison, images, each=3)


@pytest.fixture(scope="session")
def report(comparison: Comparison, samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole report."""
    folder = tmp_path_factory.mktemp("reports") / "report"
    write_report(comparison, folder, samples=samples)
    return folder


@pytest.fixture
def blank_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave plots empty, where a test is about something else: drawing takes most of a report's time."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    monkeypatch.setattr(Plot, "png", lambda plot, theme: buffer.getvalue())


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless browser, see `chromium.py`; skips where there is none."""
    spec = importlib.util.spec_from_file_location("chromium", Path(__file__).with_name("chromium.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.find()
    if found is None:
        pytest.skip("no chromium is installed (Debian: apt-get install chromium)")
    browser = module.Chromium(found, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
