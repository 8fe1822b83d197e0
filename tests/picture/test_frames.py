"""Frames of several modes in one file: what cannot be kept exactly is refused where it must be, else told."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

import nncodec
import nncodec_pillow

PHOTO = Image.fromarray(skimage.data.chelsea()).resize((24, 16))
GREY = PHOTO.convert("L")
DEEP = Image.fromarray(np.arange(24 * 16, dtype=np.uint16).reshape(16, 24) * 163)


def tiff(folder: Path, *frames: Image.Image) -> Path:
    frames[0].save(folder / "frames.tif", save_all=True, append_images=frames[1:])
    return folder / "frames.tif"


@pytest.mark.parametrize("options", [{"lossless": True}, {"max_error": 1}])
@pytest.mark.parametrize(
    ("frames", "modes"),
    [
        ((DEEP, GREY), "I;16 and L"),
        ((GREY, DEEP), "I;16 and L"),
        ((PHOTO, PHOTO.convert("CMYK")), "CMYK and RGB"),
        ((PHOTO.convert("CMYK"), PHOTO), "CMYK and RGB"),
    ],
)
def test_frames_that_no_mode_holds_exactly_are_refused(
    frames: tuple[Image.Image, ...], modes: str, options: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(nncodec.UnsupportedImage, match=f"have modes {modes}, and no mode holds all of them exactly"):
        nncodec.encode(tiff(tmp_path, *frames), **options)


@pytest.mark.parametrize(
    "frames", [(PHOTO, GREY), (PHOTO.convert("1"), GREY), (GREY, PHOTO.quantize(16)), (PHOTO, PHOTO.convert("RGBA"))]
)
def test_frames_whose_samples_a_richer_mode_holds_are_exact(frames: tuple[Image.Image, ...], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nncodec.NncWarning)  # tells how many frames there are
        data = nncodec.encode(tiff(tmp_path, *frames), lossless=True)
    for frame, image in zip(frames, nncodec.decode_frames(data), strict=True):
        assert np.array_equal(np.asarray(image.convert("RGBA")), np.asarray(frame.convert("RGBA")))


@pytest.mark.parametrize(("first", "second"), [(GREY, DEEP), (PHOTO, PHOTO.convert("CMYK"))])
def test_saving_all_frames_tells_what_becomes_of_their_samples(
    first: Image.Image, second: Image.Image, tmp_path: Path
) -> None:
    nncodec_pillow.register_nnc_opener()
    with Image.open(tiff(tmp_path, first, second)) as image:
        with pytest.warns(nncodec.NncWarning, match=f"mode {second.mode} is stored as {first.mode}"):
            image.save(io.BytesIO(), "NNC", save_all=True)
        with pytest.raises(OSError, match="no mode holds all of them exactly"):
            image.save(io.BytesIO(), "NNC", save_all=True, lossless=True)


def flat_psd(image: Image.Image) -> bytes:
    """Return a Photoshop file without layers, RGB."""
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, *image.size[::-1], 8, 3)
    return head + bytes(12) + b"\0\0" + b"".join(band.tobytes() for band in image.split())


@pytest.mark.parametrize("source", [bytes, io.BytesIO, lambda data: Image.open(io.BytesIO(data))])
def test_a_flattened_psd_has_one_picture(source: Callable[[bytes], Any]) -> None:
    image = nncodec.decode(nncodec.encode(source(flat_psd(PHOTO)), lossless=True))
    assert np.array_equal(np.asarray(image), np.asarray(PHOTO))


@pytest.mark.parametrize("frame", [None, 1])
def test_a_later_frame_that_pillow_reads_with_fewer_bits_is_told(
    frame: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nncodec.picture import losses, reading

    path = tiff(tmp_path, PHOTO, PHOTO.rotate(180))
    monkeypatch.setattr(losses, "bits_of", lambda image: 16 if image.tell() else 8)
    with path.open("rb") as stream:
        picture = reading.read_picture_file(stream, frame=frame, max_pixels=1 << 20, strip=False)
    assert "16 bits a sample are reduced to 8" in picture.notes
