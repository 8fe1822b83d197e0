"""Whoever opens a file, whether nncodec or Pillow: fewer bits and frames than it has are told, once."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures_with_metadata import (
    Stored,
    by_encode,
    by_pillow,
    by_pillow_from_disk,
    file_of,
    frames,
    from_bytes,
    photo,
    png_of_rows,
)
from PIL import Image, ImageDraw

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import NncWarning
from nncodec.picture.depth import bits_of

REDUCED = ["16 bits a sample are reduced to 8"]


def _deep() -> np.ndarray:
    return np.asarray(photo()).astype(np.uint16) * 257


def _png() -> bytes:
    return png_of_rows([row.tobytes() for row in _deep().astype(">u2")], (48, 32), 16, colour=2)


def _tiff(planes: int = 3, photometric: int = 2) -> bytes:
    data = np.resize(_deep(), (32, 48, planes)).astype("<u2").tobytes()
    bits = struct.pack(f"<{planes}H", *[16] * planes)
    entries = [
        (256, 3, 1, 48),
        (257, 3, 1, 32),
        (258, 3, planes, 16 if planes == 1 else 8),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
    ]
    entries += [(273, 4, 1, 8 + len(bits)), (277, 3, 1, planes), (278, 3, 1, 32), (279, 4, 1, len(data))]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(bits) + len(data)) + bits + data + directory


def _jpeg_2000() -> bytes:
    """Return a file whose header says 16 bits; its pixels have 8."""
    data = bytearray(file_of(photo(), "JPEG2000"))
    data[data.index(b"ihdr") + 14] = 15
    return bytes(data)


def _told(way: Callable[..., bytes], data: bytes, path: Path, **options: object) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        way(data, path, **options)
    said = [str(warning.message) for warning in caught if warning.category is NncWarning]
    return [note for note in said if not any(part in note for part in ("larger", "is stored as", "looked up"))]


@pytest.mark.parametrize(
    "make",
    [
        _png,
        _tiff,
        lambda: _tiff(4, 5),
        lambda: b"P6 48 32 65535\n" + _deep().astype(">u2").tobytes(),
    ],
    ids=["PNG", "TIFF", "TIFF, CMYK", "PPM"],
)
@pytest.mark.parametrize("way", [by_pillow_from_disk, by_encode, from_bytes])
def test_reduced_bits_are_told(make: Callable[[], bytes], way: Callable[..., bytes], tmp_path: Path) -> None:
    assert _told(way, make(), tmp_path, lossless=True) == REDUCED


@pytest.mark.parametrize("way", [by_pillow_from_disk, by_encode, from_bytes])
def test_grey_of_sixteen_bits_whose_zero_is_white_is_no_negative(way: Callable[..., bytes], tmp_path: Path) -> None:
    with pytest.warns(NncWarning, match="0 is white in this file"):
        negative = nncodec.decode(way(_tiff(1, 0), tmp_path, lossless=True))
    assert np.array_equal(np.asarray(negative), 0xFFFF - np.asarray(Image.open(io.BytesIO(_tiff(1, 1)))))
    if way is from_bytes:
        with pytest.warns(NncWarning, match="reduced to 8"):
            shallow = nncodec.decode(way(_tiff(1, 0), tmp_path, quality=100))
        assert np.abs(np.asarray(shallow, np.int16) - (np.asarray(negative) >> 8)).max() <= 3


def test_reduced_bits_are_told_by_every_way(stored: Stored) -> None:
    _, notes = stored(_png())
    assert notes == REDUCED


def test_bits_of_jpeg_2000_are_read(tmp_path: Path) -> None:
    for way in (by_encode, by_pillow_from_disk, from_bytes):
        assert _told(way, _jpeg_2000(), tmp_path) == REDUCED
    with Image.open(io.BytesIO(file_of(photo(), "JPEG2000", no_jp2=True))) as image:
        assert bits_of(image) == 8


def test_bits_of_avif_are_read() -> None:
    data = bytearray(file_of(photo(), "AVIF"))
    with Image.open(io.BytesIO(data)) as image:
        assert bits_of(image) == 8
        place = data.index(b"pixi") + 9
        data[place : place + 3] = b"\x0a\x0a\x0a"
        image.fp = io.BytesIO(data)  # Pillow would refuse a file whose pixels have 8
        assert bits_of(image) == 10


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "JPEG2000", "AVIF", "PPM", "SGI", "TIFF", "WEBP", "BMP"])
def test_eight_bits_are_no_news(kind: str, tmp_path: Path) -> None:
    for way in (by_encode, by_pillow_from_disk, from_bytes):
        assert _told(way, file_of(photo(), kind), tmp_path) == []


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP", "AVIF"])
def test_frames_that_are_not_used_are_told(kind: str, tmp_path: Path) -> None:
    several = [image.rotate(number) for number, image in enumerate(frames())]
    data = file_of(several[0], kind, save_all=True, append_images=several[1:])
    told = [f"of 5 frames in this {kind} file, the first is used"]
    for way in (by_pillow_from_disk, by_pillow, by_encode):
        assert _told(way, data, tmp_path, lossless=True) == told
    assert _told(from_bytes, data, tmp_path, lossless=True) == ["all 5 frames are used"]
    with Image.open(io.BytesIO(data)) as image, warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "its .* could not be looked up")
        file_of(image, "NNC", save_all=True, lossless=True)
        image.seek(2)
        nncodec.encode(image, lossless=True)  # whoever chose a frame knows of the others


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_counting_frames_leaves_an_edited_image_as_it_is(kind: str) -> None:
    data = file_of(frames()[0], kind, save_all=True, append_images=[frames()[1]])
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        ImageDraw.Draw(image).rectangle((0, 0, 9, 9), fill=1 if kind == "GIF" else (1, 2, 3))
        edited = image.copy()
        with pytest.warns(NncWarning, match="of 2 frames"):
            decoded = nncodec.decode(nncodec.encode(image, lossless=True))
    assert np.array_equal(np.asarray(decoded), np.asarray(edited))
