"""Codecs at equal bytes, PSNR or SSIM."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nncodec.compare import code_at_bytes, code_at_psnr, code_at_ssim, open_codec
from nncodec.compare.matching import Coded, matched_quality, nearest_quality
from nncodec.errors import InvalidOption
from nncodec.metrics import psnr, ssim


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A photograph, 48 x 32 pixels."""
    return Image.fromarray(skimage.data.chelsea()[80:112, 100:148])


# --- the search ---------------------------------------------------------------------------------------------------


@given(
    values=st.lists(st.integers(0, 60), min_size=1, max_size=40).map(sorted),
    target=st.floats(-5, 65),
    first=st.integers(0, 3),
    known=st.sets(st.integers(0, 45)),
)
def test_the_nearest_quality_is_found_where_values_rise(
    values: list[int], target: float, first: int, known: set[int]
) -> None:
    qualities = range(first, first + len(values))
    given_values = {quality: float(values[quality - first]) for quality in known if quality in qualities}
    asked: list[int] = []

    def value_at(quality: int) -> float:
        asked.append(quality)
        return values[quality - first]

    quality = nearest_quality(qualities, value_at, target, given_values)
    assert abs(values[quality - first] - target) == min(abs(value - target) for value in values)
    assert len(asked) == len(set(asked)) <= 8
    assert not set(asked) & given_values.keys()


def test_an_unchanged_picture_can_be_the_target() -> None:
    values = [30.0, 40.0, float("inf"), float("inf")]
    assert nearest_quality(range(4), values.__getitem__, float("inf"), {}) == 2
    assert nearest_quality(range(2), values.__getitem__, float("inf"), {}) in (0, 1)


# --- pictures -----------------------------------------------------------------------------------------------------


@functools.cache
def _all(image_bytes: bytes, size: tuple[int, int]) -> list[tuple[int, float, float]]:
    """Return bytes, PSNR and SSIM of WebP at every quality."""
    image, codec = Image.frombytes("RGB", size, image_bytes), open_codec("webp")
    files = [codec.encode(image, quality) for quality in codec.qualities]
    decoded = [codec.decode(data) for data in files]
    return [(len(f), psnr(image, d), ssim(image, d)) for f, d in zip(files, decoded, strict=True)]


@pytest.mark.parametrize(
    ("code", "place", "target", "within"),
    [
        (code_at_bytes, 0, 500, 20),
        (code_at_bytes, 0, 10, 0),
        (code_at_bytes, 0, 10**6, 0),
        (code_at_psnr, 1, 31.0, 0.05),
        (code_at_psnr, 1, 99.0, 0),
        (code_at_ssim, 2, 0.9, 0.003),
    ],
)
def test_a_picture_is_coded_as_near_as_whole_qualities_allow(
    photo: Image.Image, code: Callable[..., Coded], place: int, target: float, within: float
) -> None:
    coded = code("webp", photo, target)
    values = (len(coded.data), psnr(photo, coded.image), ssim(photo, coded.image))
    every = _all(photo.tobytes(), photo.size)
    assert values == every[coded.quality]
    best = min(abs(one[place] - target) for one in every)
    assert abs(values[place] - target) <= best + within  # quality does not raise every value at every step


def test_a_grey_picture_comes_back_grey(photo: Image.Image) -> None:
    coded = code_at_bytes(open_codec("webp"), photo.convert("L"), 500)
    assert coded.image.mode == "L"


def test_a_model_without_qualities_is_as_it_is() -> None:
    image = Image.fromarray(skimage.data.chelsea()[80:108, 100:128, 0])
    assert code_at_bytes("dense/fashion", image, 10**6).quality == code_at_bytes("dense/fashion", image, 1).quality


def test_other_things_cannot_be_made_equal(photo: Image.Image) -> None:
    with pytest.raises(InvalidOption, match="matched by psnr, ssim, bytes, not by 'vmaf'"):
        matched_quality(open_codec("webp"), photo, "vmaf", 50)
