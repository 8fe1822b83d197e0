"""Pictures in the page are the pictures, or the same part of each."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from nncodec.compare.crops import Crop
from nncodec.compare.report.embed import embed


def decoded(uri: str) -> Image.Image:
    head, data = uri.split(",")
    assert head in ("data:image/webp;base64", "data:image/png;base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


def flat_with_detail(width: int, height: int, box: Crop) -> Image.Image:
    """Grey but for noise in a box."""
    levels = np.full((height, width, 3), 128, np.uint8)
    shape = (box.bottom - box.top, box.right - box.left, 3)
    levels[box.top : box.bottom, box.left : box.right] = np.random.default_rng(0).integers(0, 256, shape)
    return Image.fromarray(levels)


def test_pictures_are_embedded_whole_and_without_loss(images: dict[str, Image.Image]) -> None:
    versions = [[image, Image.eval(image, lambda level: 255 - level)] for image in images.values()]
    for given, one in zip(versions, embed(versions), strict=True):
        assert one.whole
        assert one.crop == Crop(0, 0, *given[0].size)
        for image, uri in zip(given, one.uris, strict=True):
            assert np.array_equal(np.asarray(decoded(uri).convert(image.mode)), np.asarray(image))


def test_png_serves_where_pillow_has_no_webp(images: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: False)
    image = images["grey.png"]
    ((uri,),) = (one.uris for one in embed([[image]]))
    assert uri.startswith("data:image/png")
    assert decoded(uri).tobytes() == image.tobytes()


def test_too_much_is_cropped_to_where_the_detail_is() -> None:
    noisy = Crop(300, 150, 500, 350)
    picture = flat_with_detail(600, 400, noisy)
    whole, cropped = (embed([[picture, picture]], most)[0] for most in (10_000_000, 150_000))
    assert whole.whole
    assert not cropped.whole
    assert sum(len(uri) for uri in cropped.uris) <= 150_000
    box = cropped.crop
    assert noisy.left <= box.left < box.right <= noisy.right
    assert noisy.top <= box.top < box.bottom <= noisy.bottom
    assert len({decoded(uri).size for uri in cropped.uris}) == 1
    part = picture.crop((box.left, box.top, box.right, box.bottom))
    assert decoded(cropped.uris[1]).tobytes() == part.tobytes()


def test_the_thumbnail_is_whole_and_outlines_the_part() -> None:
    picture = flat_with_detail(2000, 1200, Crop(200, 100, 300, 200))
    (one,) = embed([[picture]])
    assert (one.crop.width, one.crop.height) == (1322, 793)  # 2^20 pixels in the picture's shape
    small = np.asarray(decoded(one.thumbnail), int)
    assert small.shape == (144, 240, 3)
    yellow = (small[..., 0] > 200) & (small[..., 2] < 50)
    rows, columns = np.nonzero(yellow)
    scale = 2000 / 240
    assert columns.min() == pytest.approx(one.crop.left / scale, abs=2)
    assert rows.max() == pytest.approx(one.crop.bottom / scale, abs=2)


def test_large_pictures_are_searched_at_a_smaller_size(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = Crop(303, 151, 471, 263)
    picture = flat_with_detail(602, 401, noisy)
    monkeypatch.setattr("nncodec.compare.report.embed._MOST_SEARCHED", 20_000)  # a fourth of its height and width
    box = embed([[picture]], 40_000)[0].crop
    assert noisy.left - 4 <= box.left < box.right <= noisy.right + 4
    assert noisy.top - 4 <= box.top < box.bottom <= noisy.bottom + 4


def test_a_strip_keeps_its_height() -> None:
    strip = Image.effect_noise((4000, 20), 90)
    box = embed([[strip]], 10_000)[0].crop
    assert box.height == 20
    assert box.width < 1000


def test_a_limit_that_cannot_be_met_still_ends(images: dict[str, Image.Image]) -> None:
    one = embed([[images["cup.png"]]], most_bytes=10)[0]
    assert (one.crop.width, one.crop.height) == (96, 96)
    assert embed([]) == []


@pytest.mark.parametrize("has_webp", [True, False])
def test_colour_profiles_stay_out(
    has_webp: bool, images: dict[str, Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "check", lambda name: has_webp)
    image = images["cup.png"].copy()
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (one,) = embed([[image]])
    assert all("icc_profile" not in decoded(uri).info for uri in (*one.uris, one.thumbnail))
    assert image.info["icc_profile"]
