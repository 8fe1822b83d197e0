"""A small comparison, made with Pillow's codecs on crops of photographs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import skimage.data
from PIL import Image

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
