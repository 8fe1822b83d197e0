"""The estimate of an exact file is near its size, for what photographs and drawings are made of."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw

import nncodec
from nncodec.coding.exact_estimate import estimated_bytes
from nncodec.picture.samples import stack_of


def astronaut(edge: int = 256) -> Image.Image:
    return Image.fromarray(skimage.data.astronaut()).resize((edge, edge))


def lines() -> Image.Image:
    rng = np.random.default_rng(0)
    image = Image.new("RGB", (320, 240), "white")
    draw = ImageDraw.Draw(image)
    for ends, colour in zip(
        rng.integers(0, 240, (40, 4)).tolist(), rng.integers(0, 255, (40, 3)).tolist(), strict=True
    ):
        draw.line(ends, tuple(colour), 2)
    return image


@pytest.mark.parametrize(
    "image",
    [
        astronaut(),
        astronaut().convert("L"),
        astronaut().quantize(4).convert("RGB"),
        astronaut().quantize(64).convert("RGB"),
        astronaut().convert("1").convert("L"),
        lines(),
    ],
    ids=["photograph", "grey", "4 colours", "64 colours", "dither", "lines"],
)
def test_it_is_at_most_three_times_the_size(image: Image.Image) -> None:
    size = len(nncodec.encode(image, lossless=True))
    assert 0.9 * size < estimated_bytes(stack_of([image])) < 3 * size


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_single_pixel_has_one(mode: str) -> None:
    assert 0 < estimated_bytes(stack_of([Image.new(mode, (1, 1))])) < 100


def test_a_drawing_in_few_colours_is_stored_exactly_where_that_is_smaller() -> None:
    exact = nncodec.encode(lines(), lossless=True)
    assert len(nncodec.encode(lines(), "photo", 20, lossless=False)) > 2 * len(exact)
    assert nncodec.encode(lines(), "photo", 20) == exact


def wallpaper() -> Image.Image:
    return Image.fromarray(np.tile(skimage.data.astronaut()[40:104, 180:244], (5, 6, 1)))


def tile_map() -> Image.Image:
    rng = np.random.default_rng(0)
    tiles = np.stack([skimage.data.coffee()[y : y + 16, x : x + 16] for y, x in rng.integers(0, 380, (16, 2))])
    return Image.fromarray(tiles[rng.integers(0, 16, (20, 20))].transpose(0, 2, 1, 3, 4).reshape(320, 320, 3))


@pytest.mark.parametrize("image", [wallpaper(), tile_map()], ids=["wallpaper", "tiles"])
def test_patterns_are_stored_exactly_where_that_is_smaller(image: Image.Image) -> None:
    exact = nncodec.encode(image, lossless=True)
    assert estimated_bytes(stack_of([image])) < 3 * len(exact)
    assert len(nncodec.encode(image, "photo", 50, lossless=False)) > 1.5 * len(exact)
    assert nncodec.encode(image, "photo", 50) == exact


@pytest.mark.parametrize("name", ["astronaut", "coffee", "camera", "brick", "retina"])
def test_a_photograph_is_searched_for_patterns_in_a_few_rows_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncodec.coding.exact_estimate._AREA_EDGE", 0)  # a search of an area would fail
    assert estimated_bytes(stack_of([Image.fromarray(getattr(skimage.data, name)())])) > 0
