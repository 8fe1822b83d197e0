"""Pictures of other modes; `tests/cli/test_pictures.py` sees the same through files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms

from nncodec.picture.conversion import convert
from nncodec.picture.pixels import MODES


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_is_worked_on_is_left_alone(mode: str) -> None:
    image = Image.new(mode, (3, 2))
    assert convert(image) == (image, "", False)
    assert convert(image).image is image


def test_the_info_goes_along() -> None:
    for mode in ("1", "P", "CMYK", "I;16"):
        image = Image.new(mode, (3, 2))
        image.info["xmp"] = b"<x/>"
        found = convert(image)
        assert found.image.info == {"xmp": b"<x/>"}
        assert found.note.startswith(f"mode {mode} is stored as ")


def test_colours_of_another_kind_lose_their_profile() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = Image.new("LAB", (2, 2), (50, 0, 0))
    image.info = {"icc_profile": profile, "exif": b"II*\0"}
    found = convert(image)
    assert found.other_colours
    assert found.image.info == {"exif": b"II*\0"}
    assert found.image.mode == "RGB"


def test_sixteen_bits_are_scaled() -> None:
    image = Image.fromarray(np.array([[0, 128, 129, 0xFFFF]], np.uint16))
    assert np.asarray(convert(image).image).tolist() == [[0, 0, 1, 255]]
