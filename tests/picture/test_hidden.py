"""What replaces colours under alpha 0."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from nncodec.picture.hidden import fill_hidden, flatten_hidden


def picture(mode: str, width: int, height: int) -> Image.Image:
    """Return noise with a hidden half, and a few hidden pixels elsewhere."""
    random = np.random.default_rng((width, height))
    planes = random.integers(0, 256, (height, width, len(mode)), np.uint8)
    planes[..., -1] = random.integers(0, 9, (height, width)) * 31
    planes[: height // 2, :, -1] = 0
    planes[-1, -1, -1] = 1
    return Image.fromarray(planes)


def filled(image: Image.Image) -> Image.Image:
    return fill_hidden(image, np.asarray(image.getchannel("A")))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 7), (5, 1), (16, 16), (37, 23), (3, 600), (257, 513)])
def test_colours_that_are_seen_stay_and_hidden_ones_lie_between_them(mode: str, width: int, height: int) -> None:
    image = picture(mode, width, height)
    found = filled(image)
    assert (found.mode, found.size) == (mode.removesuffix("A"), image.size)
    planes = np.asarray(image)
    colour = np.asarray(found).reshape(height, width, -1)
    seen = planes[..., -1] > 0
    np.testing.assert_array_equal(colour[seen], planes[seen][:, :-1])
    assert (colour >= colour[seen].min(axis=0)).all()
    assert (colour <= colour[seen].max(axis=0)).all()


@pytest.mark.parametrize("colour", [(10, 200, 30), (3, 5, 250), (0, 255, 1)])
@pytest.mark.parametrize("size", [(64, 64), (61, 35), (300, 700)])
def test_a_single_colour_fills_everything_exactly(size: tuple[int, int], colour: tuple[int, int, int]) -> None:
    image = Image.new("RGBA", size, (255, 0, 255, 0))
    image.paste((*colour, 7), (20, 10, 30, 33))
    assert filled(image).getcolors() == [(size[0] * size[1], colour)]


def test_the_filling_continues_what_is_beside_it() -> None:
    planes = np.zeros((64, 64, 4), np.uint8)
    planes[:, :20] = (200, 0, 0, 255)
    planes[:, 44:] = (0, 0, 200, 255)
    found = np.asarray(filled(Image.fromarray(planes)), int)
    assert (found[:, 20] >= (150, 0, 0)).all()
    assert (found[:, 43] >= (0, 0, 150)).all()
    assert np.abs(np.diff(found, axis=1)).max() < 60  # without a step


def test_nearly_transparent_colours_weigh_little() -> None:
    planes = np.zeros((8, 8, 4), np.uint8)
    planes[0, 0] = (200, 200, 200, 255)
    planes[0, 1] = (0, 0, 0, 1)
    assert np.asarray(filled(Image.fromarray(planes)))[4:, 4:].min() >= 198


def test_a_picture_that_shows_nothing_becomes_grey() -> None:
    for mode, grey in (("LA", 128), ("RGBA", (128, 128, 128))):
        noise = np.random.default_rng(0).integers(0, 256, (9, 5, len(mode)), np.uint8)
        noise[..., -1] = 0
        assert filled(Image.fromarray(noise)).getcolors() == [(45, grey)]


def test_what_is_hidden_from_a_lossless_model_has_the_only_colour_that_is_seen() -> None:
    one = Image.fromarray(np.array([[[9, 8, 7, 1], [9, 8, 7, 255], [1, 2, 3, 0]]], np.uint8))
    assert np.asarray(flatten_hidden(one)).tolist() == [[[9, 8, 7, 1], [9, 8, 7, 255], [9, 8, 7, 0]]]
    grey = one.convert("LA")
    assert len(np.unique(np.asarray(flatten_hidden(grey))[..., 0])) == 1
    two = Image.fromarray(np.array([[[9, 8, 7, 1], [9, 8, 6, 255], [1, 2, 3, 0]]], np.uint8))
    assert np.asarray(flatten_hidden(two)).tolist() == [[[9, 8, 7, 1], [9, 8, 6, 255], [0, 0, 0, 0]]]
    none = Image.new("RGBA", (2, 1), (1, 2, 3, 0))
    assert np.asarray(flatten_hidden(none)).tolist() == [[[0, 0, 0, 0]] * 2]
    opaque = Image.new("RGB", (2, 1))
    assert flatten_hidden(opaque) is opaque
