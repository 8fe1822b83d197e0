"""The measures of system E are those of the literature, and marks are true."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from benchmarks.seeds import enlarging
from benchmarks.seeds.enlarging_marks import marks
from benchmarks.seeds.restoring import at_rate


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut())


def test_psnr_on_luma_is_that_of_the_literature(photograph: Image.Image) -> None:
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
    pictures = [enlarging.read(path) for path in Path(os.environ["NNCODEC_DATA"], name).glob("*.png")]
    bicubic = enlarging.methods(None)["bicubic"]
    pairs = [[enlarging._middle(one) for one in (image, bicubic(enlarging.reduced(image)))] for image in pictures]
    assert np.mean([enlarging.psnr_y(*pair) for pair in pairs]) == pytest.approx(psnr_db, abs=0.02)
    assert np.mean([enlarging.ssim_y(*pair) for pair in pairs]) == pytest.approx(ssim, abs=0.001)


def test_marks_are_met_or_not() -> None:

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
    assert [mark["met"] for mark in marks({"restored": {"whole": whole}})] == [True, False]


def test_figures_at_a_rate_lie_between_those_of_neighbours() -> None:
    rows = [
        {"way": "photo", "quality": quality, "rate_bpp": rate, "psnr_db": 10 * rate, "niqe": None}
        for quality, rate in ((10, 2.0), (0, 1.0), (20, 4.0))
    ]
    assert at_rate(rows, "photo", 2.5) == {"rate_bpp": 2.5, "psnr_db": 25.0}
    assert at_rate(rows, "photo", 0.5) is None
    assert at_rate(rows, "other", 2.5) is None
