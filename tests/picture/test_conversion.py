"""Pictures of other modes; `tests/cli/test_pictures.py` sees the same through files."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures_with_metadata import file_of, photo, png_of_rows, profile_of
from PIL import Image, ImageCms

import nncodec
from nncodec import NncWarning
from nncodec.picture.conversion import convert
from nncodec.picture.pixels import MODES
from nncodec.picture.reading import read_picture_file


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_is_worked_on_is_left_alone(mode: str) -> None:
    image = Image.new(mode, (3, 2))
    assert convert(image) == (image, "")
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
    assert found.image.info == {"exif": b"II*\0"}
    assert found.image.mode == "RGB"


@pytest.mark.parametrize("mode", ["YCbCr", "HSV"])
def test_other_coordinates_of_rgb_keep_its_profile(mode: str) -> None:
    rgb = photo()
    image = rgb.convert(mode)
    image.info = {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    found = convert(image)
    assert found.image.info == image.info
    assert np.abs(np.asarray(found.image, int) - np.asarray(rgb, int)).mean() < 3


def test_a_profile_of_rgb_in_ycbcr_goes_into_the_file(tmp_path: Path) -> None:
    profile = profile_of(b"RGB ")
    photo().convert("YCbCr").save(tmp_path / "in.tif", icc_profile=profile)
    with pytest.warns(NncWarning, match="mode YCbCr is stored as RGB"):
        assert nncodec.decode(nncodec.encode(tmp_path / "in.tif")).info["icc_profile"] == profile


def _tiff_of_12_bits(samples: np.ndarray) -> bytes:
    """Return a grey TIFF whose rows have an even number of samples."""
    pairs = samples.reshape(-1, 2).astype(int)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1)
    data = packed.astype(np.uint8).tobytes()
    height, width = samples.shape
    short, long = 3, 4
    entries = [(256, short, width), (257, short, height), (258, short, 12), (259, short, 1), (262, short, 1)]
    entries += [(273, long, 8), (277, short, 1), (278, short, height), (279, long, len(data))]
    directory = b"".join(struct.pack("<HHII", tag, form, 1, value) for tag, form, value in entries)
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    return head + data + struct.pack("<H", len(entries)) + directory + bytes(4)


@pytest.mark.parametrize("strip", [False, True])
def test_grey_of_12_bits_is_scaled_from_12_bits(strip: bool) -> None:
    samples = np.arange(0, 4096, 16, np.uint16).reshape(8, 32)
    file = io.BytesIO(_tiff_of_12_bits(samples))
    picture = read_picture_file(file, frame=None, max_pixels=1 << 20, strip=strip)
    assert picture.notes == ("mode I;16 is stored as L, 12 bits a sample reduced to 8",)
    assert np.array_equal(np.asarray(picture.frames[0]), np.round(samples * (255 / 4095)))


def test_integers_of_8_bits_stay_as_they_are() -> None:
    grey = photo().convert("L")
    found = convert(grey.convert("I"))
    assert found.note == "mode I is stored as L"
    assert np.array_equal(np.asarray(found.image), np.asarray(grey))


def test_a_dark_ppm_of_16_bits_stays_dark() -> None:
    file = io.BytesIO(b"P5 2 1 65535\n" + np.array([0, 255], ">u2").tobytes())
    with Image.open(file) as image:
        assert np.asarray(convert(image).image).tolist() == [[0, 1]]


def _ppm(white: int) -> bytes:
    return b"P6 2 1 %d\n" % white + np.zeros(6, ">u2").tobytes()


def _sgi() -> bytes:
    return file_of(photo(), "SGI", bpc=2)


def _heic(bits: int) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    samples = np.zeros((64, 64, 3), np.uint16)
    out = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
        pillow_heif.encode("RGB;16", (64, 64), samples.tobytes(), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("made", "bits"),
    [
        (lambda: _ppm(65535), 16),
        (lambda: _ppm(1023), 10),
        (lambda: b"P3 1 1 4095 0 0 0\n", 12),
        (lambda: b"P1 1 1 1\n", 1),
        (_sgi, 16),
        (lambda: _heic(10), 10),
        (lambda: _heic(12), 12),
        (lambda: file_of(photo(), "PPM"), 8),
    ],
    ids=["PPM 16", "PPM 10", "plain PPM", "plain PBM", "SGI", "HEIC 10", "HEIC 12", "PPM 8"],
)
def test_bits_that_pillow_drops_are_told(made: Callable[[], bytes], bits: int) -> None:
    picture = read_picture_file(io.BytesIO(made()), frame=None, max_pixels=1 << 20, strip=False)
    told = [note for note in picture.notes if "reduced" in note]
    assert told == ([f"{bits} bits a sample are reduced to 8"] if bits > 8 else [])


def test_sixteen_bits_are_scaled() -> None:
    image = Image.fromarray(np.array([[0, 128, 129, 0xFFFF]], np.uint16))
    assert np.asarray(convert(image).image).tolist() == [[0, 0, 1, 255]]


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("copied", [False, True])
def test_a_transparent_grey_of_few_bits_is_one_of_the_pixels(bits: int, copied: bool) -> None:
    row = {2: b"\x1b", 4: b"\x01\x2f"}[bits]  # samples from 0 on; the last is white
    with Image.open(io.BytesIO(png_of_rows([row], (4, 1), bits, tRNS=struct.pack(">H", (1 << bits) - 1)))) as image:
        decoded = nncodec.decode(nncodec.encode(image.copy() if copied else image, lossless=True))
    assert np.asarray(decoded.getchannel("A")).tolist() == [[255, 255, 255, 0]]


@pytest.mark.parametrize("key", [3, 15])
def test_black_and_white_in_8_bits_has_no_transparent_grey_that_no_pixel_has(key: int) -> None:
    image = Image.fromarray(np.array([[0, 255] * 8] * 4, np.uint8))
    with Image.open(io.BytesIO(file_of(image, "PNG", transparency=key))) as opened:
        assert np.asarray(nncodec.decode(nncodec.encode(opened, lossless=True)).convert("RGBA"))[..., 3].min() == 255


@pytest.mark.parametrize(
    ("greys", "key", "alphas"),
    [([0, 0x80, 0xFFFF], 0, [0, 0, 255]), ([0x34, 0x3400, 0x3412, 0xFFFF], 0x34, [0, 255, 255, 255])],
)
def test_a_transparent_colour_of_16_bits_is_reduced_as_the_pixels_are(
    greys: list[int], key: int, alphas: list[int]
) -> None:
    samples = np.repeat(np.array(greys, ">u2"), 3).tobytes()
    data = png_of_rows([samples], (len(greys), 1), 16, colour=2, tRNS=struct.pack(">3H", key, key, key))
    with Image.open(io.BytesIO(data)) as image, pytest.warns(NncWarning) as told:
        decoded = nncodec.decode(nncodec.encode(image, lossless=True))
    reduced, near = "16 bits a sample are reduced to 8", "colours near the transparent one become transparent, too"
    assert [str(warning.message) for warning in told] == [f"{reduced}; {near}"]
    assert np.asarray(decoded.getchannel("A")).tolist() == [alphas]


def test_pixels_of_16_bits_do_not_have_samples_of_16_bits() -> None:
    masks = struct.pack("<4I", 0xF800, 0x07E0, 0x001F, 0)
    head = struct.pack("<IiiHHIIiiII", 56, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0) + masks
    file = b"BM" + struct.pack("<IHHI", 18 + len(head), 0, 0, 14 + len(head)) + head + bytes(4)
    picture = read_picture_file(io.BytesIO(file), frame=None, max_pixels=1 << 20, strip=False)
    assert picture.notes == ()
