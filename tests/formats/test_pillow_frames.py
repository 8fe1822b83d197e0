"""Frames of several images in one file: converted to one mode that holds all of them, and of one size."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)


def _saved(first: Image.Image, *others: Image.Image, **options: object) -> list[Image.Image]:
    out = io.BytesIO()
    first.save(out, "NNC", save_all=True, append_images=others, **options)
    return [*nncodec.decode_frames(out.getvalue())]


def _keyed(image: Image.Image) -> Image.Image:
    keyed = image.copy()
    keyed.info["transparency"] = keyed.getpixel((0, 0))
    return keyed


def test_copies_of_the_frames_of_a_gif_are_saved(photo: Image.Image) -> None:
    several = [photo.rotate(angle).quantize(16) for angle in (0, 90, 180)]
    out = io.BytesIO()
    several[0].save(out, "GIF", save_all=True, append_images=several[1:])
    frames = [frame.copy() for frame in ImageSequence.Iterator(Image.open(out))]
    assert len({frame.mode for frame in frames}) > 1
    for frame, decoded in zip(frames, _saved(*frames, lossless=True), strict=True):
        assert np.array_equal(np.asarray(decoded.convert("RGB")), np.asarray(frame.convert("RGB")))
    assert {decoded.mode for decoded in _saved(*frames, quality=90)} <= {"RGB", "RGBA"}


@pytest.mark.parametrize(
    ("modes", "common"),
    [
        (("RGB", "L"), "RGB"),
        (("L", "RGBA"), "RGBA"),
        (("RGB", "P"), "RGB"),
        (("1", "L"), "L"),
        (("LA", "RGB"), "RGBA"),
    ],
)
def test_frames_of_several_modes_become_one_that_holds_them(
    photo: Image.Image, modes: tuple[str, ...], common: str
) -> None:
    frames = [photo.convert(mode) for mode in modes]
    for frame, decoded in zip(frames, _saved(*frames, lossless=True), strict=True):
        assert decoded.mode == common
        assert np.array_equal(np.asarray(decoded.convert("RGBA")), np.asarray(frame.convert("RGBA")))
    assert [decoded.mode for decoded in _saved(*frames, quality=30)] == [common] * len(frames)


def test_palettes_that_differ_and_a_transparent_colour_of_one_frame_do_no_harm(photo: Image.Image) -> None:
    first, second = photo.quantize(16), photo.point(lambda level: 255 - level).quantize(16)
    assert [decoded.mode for decoded in _saved(first, second, lossless=True)] == ["RGB", "RGB"]
    assert [decoded.mode for decoded in _saved(first, first, lossless=True)] == ["P", "P"]
    keyed, plain = _saved(_keyed(photo), photo, lossless=True)
    assert (keyed.mode, plain.mode) == ("RGBA", "RGBA")
    assert keyed.getpixel((0, 0))[3] == 0
    assert plain.getpixel((0, 0))[3] == 255


def test_metadata_of_the_first_frame_outlives_the_conversion(photo: Image.Image) -> None:
    first = photo.convert("L")
    first.getexif()[0x010F] = "Maker"
    first.info["xmp"] = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    decoded, _ = _saved(first, photo, lossless=True)
    assert decoded.getexif()[0x010F] == "Maker"
    assert decoded.info["xmp"] == first.info["xmp"]


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 30}])
def test_sizes_that_differ_are_refused_with_advice(photo: Image.Image, options: dict[str, object]) -> None:
    for other in (photo.resize((8, 8)), photo.convert("L").resize((8, 8))):
        with pytest.raises(OSError, match="must agree: crop or resize them to one size"):
            _saved(photo, other, **options)
    with pytest.raises(nncodec.UnsupportedImage, match="must agree: convert them to one mode"):
        nncodec.encode([photo, photo.convert("L")], **options)
