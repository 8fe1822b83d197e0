"""Pictures of every kind, as codecs get them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from nncodec.compare.pictures import PictureSource, load, sources_of
from nncodec.errors import InvalidOption, UnsupportedImage


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A photograph, 48 x 32 pixels."""
    return Image.fromarray(skimage.data.chelsea()[80:112, 100:148])


def saved(image: Image.Image, path: Path, **settings: object) -> PictureSource:
    image.save(path, **settings)
    return PictureSource(path.name, path)


def test_what_is_known_of_a_picture(photo: Image.Image, tmp_path: Path) -> None:
    original = load(saved(photo, tmp_path / "a.png"))
    assert np.array_equal(original.image, photo)
    info = original.info
    assert (info.name, info.width, info.height, info.mode, info.raw_bytes) == ("a.png", 48, 32, "RGB", 48 * 32 * 3)
    buffer = io.BytesIO()
    photo.save(buffer, "PNG", optimize=True)
    assert info.png_bytes == len(buffer.getvalue())
    assert original.notes == ()


def test_metadata_goes_and_orientation_is_applied(photo: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = saved(photo, tmp_path / "a.png", exif=exif, icc_profile=b"profile", dpi=(300, 300))
    original = load(source)
    assert original.image.info == {}
    assert np.array_equal(original.image, photo.transpose(Image.Transpose.ROTATE_270))


def test_grey_stays_grey_and_counts_one_byte_a_pixel(photo: Image.Image, tmp_path: Path) -> None:
    original = load(saved(photo.convert("L"), tmp_path / "a.png"))
    assert (original.info.mode, original.info.raw_bytes) == ("L", 48 * 32)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_flattened_onto_white_and_told(photo: Image.Image, tmp_path: Path, mode: str) -> None:
    image = photo.convert(mode)
    image.putalpha(Image.linear_gradient("L").resize(photo.size))
    original = load(saved(image, tmp_path / "a.png"))
    white = Image.new("RGBA", photo.size, "white")
    expected = np.asarray(Image.alpha_composite(white, image.convert("RGBA")).convert(mode.removesuffix("A")), int)
    assert np.abs(np.asarray(original.image, int) - expected).max() <= 1
    assert original.notes == ("transparency is flattened onto white",)


def test_a_transparent_colour_of_an_open_picture_is_flattened_too(photo: Image.Image) -> None:
    image = photo.convert("RGB")
    image.paste((255, 0, 255), (0, 0, 8, 8))
    image.info["transparency"] = (255, 0, 255)
    original = load(PictureSource("keyed", image))
    assert original.image.getpixel((3, 3)) == (255, 255, 255)
    assert original.notes == ("transparency is flattened onto white",)


def test_opaque_alpha_is_dropped_without_a_word(photo: Image.Image, tmp_path: Path) -> None:
    original = load(saved(photo.convert("RGBA"), tmp_path / "a.png"))
    assert np.array_equal(original.image, photo)
    assert original.notes == ()


def test_sixteen_bits_and_palettes_are_converted_as_for_encoding(photo: Image.Image, tmp_path: Path) -> None:
    deep = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    original = load(saved(deep, tmp_path / "deep.png"))
    assert np.array_equal(original.image, photo.convert("L"))
    assert original.notes == ("mode I;16 is stored as L, 16 bits a sample reduced to 8",)
    original = load(saved(photo.convert("P"), tmp_path / "palette.png"))
    assert original.info.mode == "RGB"
    assert original.notes == ("mode P is stored as RGB",)


def test_of_several_frames_the_first_is_taken(photo: Image.Image, tmp_path: Path) -> None:
    black = Image.new("RGB", photo.size)
    source = saved(photo, tmp_path / "a.tif", save_all=True, append_images=[black])
    assert np.array_equal(load(source).image, photo)


def test_an_image_can_be_given_itself_and_is_left_alone(photo: Image.Image) -> None:
    mine = photo.copy()
    mine.info["comment"] = "mine"
    assert np.array_equal(load(PictureSource("a", mine)).image, photo)
    assert mine.info == {"comment": "mine"}
    with pytest.raises(UnsupportedImage, match="mode CMYK cannot be compared"):
        load(PictureSource("a", photo.convert("CMYK")))


def test_pictures_that_are_refused(photo: Image.Image, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage, match="48 x 10 pixels are too few"):
        load(saved(photo.crop((0, 0, 48, 10)), tmp_path / "tiny.png"))
    with pytest.raises(Image.DecompressionBombError):
        load(saved(photo, tmp_path / "large.png"), max_pixels=700)


# --- names --------------------------------------------------------------------------------------------------------


def test_files_are_named_as_shortly_as_they_can_be_told_apart() -> None:
    sources = sources_of(["x/a.png", Path("y/a.png"), "x/b.png"])
    assert [source.name for source in sources] == [str(Path("x/a.png")), str(Path("y/a.png")), "b.png"]
    with pytest.raises(InvalidOption, match=r"b.png is given twice"):
        sources_of(["x/b.png", "x/b.png"])
