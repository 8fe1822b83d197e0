"""ICC profiles, XMP and EXIF that Pillow does not read are kept; what is not read here either is told."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures_with_metadata import (
    SRGB,
    XMP,
    Stored,
    by_encode,
    by_pillow_from_disk,
    file_of,
    from_bytes,
    needs_jxl,
    photo,
    turned_exif,
    turned_jxl,
)
from PIL import ExifTags, Image, ImageOps

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import NncWarning
from nncodec.picture.unread import Unread, unread_of
from nncodec.picture.writing import save

TURNED_XMP = XMP[:-2] + b' tiff:Orientation="6"/>'
XMP_ID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
GEO_ID = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def _jp2(*boxes: bytes, profile: bytes = SRGB) -> bytes:
    """Return a JPEG 2000 file with an embedded profile, and further boxes before the pixels."""
    plain = file_of(photo(), "JPEG2000")
    colr = plain.index(b"colr") - 4
    header = plain.index(b"jp2h") - 4
    pixels = plain.index(b"jp2c") - 4
    colr_end = colr + int.from_bytes(plain[colr : colr + 4])
    inner = plain[header + 8 : colr] + _box(b"colr", b"\2\0\0" + profile) + plain[colr_end:pixels]
    return plain[:header] + _box(b"jp2h", inner) + b"".join(boxes) + plain[pixels:]


def _bmp() -> bytes:
    rows = np.asarray(photo())[::-1, :, ::-1].tobytes()
    header = struct.pack("<IiiHHIIiiII", 124, 48, 32, 1, 24, 0, len(rows), 0, 0, 0, 0) + bytes(16) + b"DEBM" + bytes(48)
    header += struct.pack("<IIII", 4, 124 + len(rows), len(SRGB), 0)
    size = 14 + len(header) + len(rows) + len(SRGB)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 14 + len(header)) + header + rows + SRGB


def _gif(*, behind: bool, frames: int = 1) -> bytes:
    """Return a GIF with a profile and XMP, before or behind the pixels."""
    several = [photo().rotate(90 * number).quantize(64) for number in range(frames)]
    plain = file_of(several[0], "GIF", save_all=True, append_images=several[1:])
    profile = b"".join(bytes([len(part)]) + part for part in (SRGB[at : at + 255] for at in range(0, len(SRGB), 255)))
    extensions = b"\x21\xff\x0bICCRGBG1012" + profile + b"\0"
    extensions += b"\x21\xff\x0bXMP DataXMP" + TURNED_XMP + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    place = len(plain) - 1 if behind else 13 + 3 * 2 ** ((plain[10] & 7) + 1)
    return plain[:place] + extensions + plain[place:]


@pytest.mark.parametrize("way", [by_pillow_from_disk, by_encode, from_bytes])
@pytest.mark.parametrize(
    ("make", "xmp"),
    [
        (lambda: _jp2(_box(b"uuid", XMP_ID + TURNED_XMP)), True),
        (_bmp, False),
        (lambda: _gif(behind=False), True),
        (lambda: _gif(behind=True), True),
    ],
    ids=["JPEG 2000", "BMP", "GIF", "GIF, at its end"],
)
@pytest.mark.filterwarnings("ignore::nncodec.NncWarning")  # of the mode of GIF
def test_profile_and_xmp_are_kept(
    make: Callable[[], bytes], xmp: bool, way: Callable[..., bytes], tmp_path: Path
) -> None:
    decoded = nncodec.decode(way(make(), tmp_path, lossless=True))
    assert decoded.info["icc_profile"] == SRGB
    assert decoded.info.get("xmp") == (TURNED_XMP.replace(b"6", b"1") if xmp else None)  # shown as Pillow shows it
    assert decoded.size == (48, 32)


def test_options_override_what_was_found() -> None:
    data = _jp2(_box(b"uuid", XMP_ID + XMP))
    decoded = nncodec.decode(nncodec.encode(data, icc_profile=None, xmp=None))
    assert not {"icc_profile", "xmp"} & decoded.info.keys()


def test_exif_of_jpeg_2000_is_kept_and_its_place_on_the_map_told(tmp_path: Path) -> None:
    exif = turned_exif().tobytes().removeprefix(b"Exif\0\0")
    data = _jp2(_box(b"uuid", b"JpgTiffExif->JP2" + exif), _box(b"uuid", GEO_ID + b"II*\0"))
    for way in (by_encode, by_pillow_from_disk, from_bytes):
        with pytest.warns(NncWarning) as told:
            decoded = nncodec.decode(way(data, tmp_path))
        assert [str(warning.message) for warning in told] == ["its place on the map (GeoJP2) is not kept"]
        assert decoded.getexif()[ExifTags.Base.Make] == "Maker"
        assert ImageOps.exif_transpose(decoded).size == (48, 32)  # as Pillow shows the file


def test_the_profile_of_an_animation_reaches_save_all(tmp_path: Path) -> None:
    with Image.open(io.BytesIO(_gif(behind=False, frames=3))) as image:
        image.save(tmp_path / "x.nnc", save_all=True)
    decoded = nncodec.decode(tmp_path / "x.nnc")
    assert decoded.info["icc_profile"] == SRGB
    assert decoded.info["xmp"] == TURNED_XMP.replace(b"6", b"1")


@needs_jxl
def test_xmp_of_jpeg_xl_is_kept_and_what_is_compressed_told(stored: Stored) -> None:
    decoded, notes = stored(turned_jxl((b"xml ", TURNED_XMP)))
    assert decoded.info["xmp"] == TURNED_XMP.replace(b"6", b"1")  # the codestream says how to turn it
    assert [note for note in notes if "larger" not in note] == []
    _, notes = stored(turned_jxl(*((b"brob", name + b"\x0b\x02\x80\0\0\0\0\x03") for name in (b"Exif", b"jumb"))))
    assert [note for note in notes if "larger" not in note] == ["its EXIF, compressed in the JPEG XL file, is not kept"]


@needs_jxl
def test_xmp_goes_to_jpeg_xl_and_back() -> None:
    image = photo()
    image.info["xmp"] = XMP
    data, _ = save([image], "JXL", strip=False)
    assert nncodec.decode(nncodec.encode(data)).info["xmp"] == XMP


@pytest.mark.parametrize("make", [lambda: _jp2(_box(b"uuid", XMP_ID + XMP)), _bmp, lambda: _gif(behind=True)])
def test_a_cut_or_damaged_file_does_no_harm(make: Callable[[], bytes]) -> None:
    data = make()
    image = Image.open(io.BytesIO(data))
    assert unread_of(image) != Unread()
    for end in range(0, len(data), 17):
        for rest in (b"", b"\xff" * 40):
            image._fp = io.BytesIO(data[:end] + rest)
            unread_of(image)
    image._fp = io.BytesIO(b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4sQ", 1, b"jp2h", (1 << 64) - 1))
    unread_of(image)
