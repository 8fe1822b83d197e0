"""What an .nnc file does not keep of a picture file is told, in one line each."""

from __future__ import annotations

import io
import struct
import warnings

import pytest
from pictures_with_metadata import XMP, file_of, photo, png_with_chunk, profile_of, turned_exif
from PIL import ExifTags, Image

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import NncWarning, UnsupportedImage

_ASPECT = ["the shape of its pixels (density 2:1) is not kept; they are taken for square"]
_C2PA = ["its Content Credentials (C2PA) are not kept"]
_VIDEO = ["the video of this motion photo is not kept, nor the XMP that describes it"]
_SECOND_PART = ["the second part of its XMP is not kept"]


def _notes_of(data: bytes, way: str) -> tuple[Image.Image, list[str]]:
    """Return what a file decodes to after it was encoded by a way, and the notes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if way == "bytes":
            encoded = nncodec.encode(data)
        else:
            with Image.open(io.BytesIO(data)) as image:
                encoded = file_of(image, "NNC")
    notes = [str(warning.message) for warning in caught if warning.category is NncWarning]
    return nncodec.decode(encoded), [n for n in notes if "larger than the input" not in n and "looked up" not in n]


def _jpeg_of_aspect(x: int, y: int) -> bytes:
    jpeg = bytearray(file_of(photo(), "JPEG"))
    struct.pack_into(">BHH", jpeg, jpeg.index(b"JFIF\0") + 7, 0, x, y)
    return bytes(jpeg)


def _jpeg_with_segment(marker: int, content: bytes) -> bytes:
    jpeg = file_of(photo(), "JPEG")
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content + jpeg[2:]


def _jpeg_with_xmp(attribute: bytes) -> bytes:
    return file_of(photo(), "JPEG", xmp=XMP[:-2] + b" " + attribute + b"/>")


@pytest.mark.parametrize("way", ["bytes", "Pillow"])
@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(_jpeg_of_aspect(2, 1), _ASPECT, id="JPEG 2:1"),
        pytest.param(_jpeg_of_aspect(1, 1), [], id="JPEG 1:1"),
        pytest.param(png_with_chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)), _ASPECT, id="PNG 2:1"),
        pytest.param(png_with_chunk(b"pHYs", struct.pack(">IIB", 3, 3, 0)), [], id="PNG 1:1"),
        pytest.param(_jpeg_with_segment(0xEB, b"JP\0\1\0\0\0\1jumbc2pa"), _C2PA, id="C2PA in JPEG"),
        pytest.param(_jpeg_with_segment(0xEB, b"JP\0\1another"), [], id="no C2PA"),
        pytest.param(png_with_chunk(b"caBX", b"jumbc2pa"), _C2PA, id="C2PA in PNG"),
        pytest.param(_jpeg_with_xmp(b'GCamera:MotionPhoto="1"'), _VIDEO, id="motion photo"),
        pytest.param(_jpeg_with_xmp(b"GCamera:MotionPhoto='1'"), _VIDEO, id="motion photo, single quotes"),
        pytest.param(_jpeg_with_xmp(b'GCamera:MicroVideo = "1"'), _VIDEO, id="motion photo, spaces"),
        pytest.param(_jpeg_with_xmp(b'GCamera:MotionPhoto="0"'), [], id="no motion photo"),
        pytest.param(_jpeg_with_xmp(b'xmpNote:HasExtendedXMP="0123"'), _SECOND_PART, id="XMP in parts"),
        pytest.param(file_of(photo(), "JPEG2000"), [], id="OpenJPEG"),
        pytest.param(file_of(photo(), "TGA", id_section=b"by me"), ["its comment is not kept"], id="TGA"),
        pytest.param(file_of(photo(), "JPEG2000", comment="by me"), ["its comment is not kept"], id="comment"),
    ],
)
def test_what_is_not_kept_is_told_once(data: bytes, told: list[str], way: str) -> None:
    decoded, notes = _notes_of(data, way)
    assert notes == told
    assert ("xmp" in decoded.info) is (b"adobe:ns:meta" in data and told != _VIDEO)
    assert b"HasExtendedXMP" not in decoded.info.get("xmp", b"")


@pytest.mark.parametrize("way", ["bytes", "Pillow"])
def test_further_pictures_of_a_heic_file_are_told(way: str) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    _, notes = _notes_of(file_of(photo(), "HEIF", save_all=True, append_images=[photo().rotate(90)]), way)
    assert notes == ["of 2 pictures in this HEIF file, the first is used"]


def test_frames_with_other_profiles_or_turned_otherwise_are_told() -> None:
    first, other = photo(), photo()
    first.info["icc_profile"], other.info["icc_profile"] = profile_of(b"RGB "), profile_of(b"RGB ") + b"2"
    with pytest.warns(NncWarning, match="different ICC profiles; that of the first"):
        nncodec.encode([first, other])
    pages = io.BytesIO()
    first.save(pages, "TIFF", save_all=True, append_images=[other])
    with pytest.warns(NncWarning) as told:
        nncodec.encode(pages.getvalue())
    assert "its frames have different ICC profiles; that of the first is taken for all" in [
        str(warning.message) for warning in told
    ]
    turned = photo()
    turned.info["exif"] = turned_exif().tobytes()
    with pytest.warns(NncWarning, match="turned differently; all are shown as the first"):
        nncodec.encode([turned, photo()])
    nncodec.encode([turned, turned, first], icc_profile=None, exif=turned_exif())


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (ExifTags.Base.DocumentName, "A plan"),
        (ExifTags.Base.PageName, "Page 2"),
        (ExifTags.Base.HostComputer, "A phone"),
        (ExifTags.Base.XPTitle, "A title".encode("utf-16-le")),
        (ExifTags.Base.XPComment, "A comment".encode("utf-16-le")),
        (ExifTags.Base.Rating, 4),
    ],
)
def test_tags_of_a_tiff_that_describe_the_picture_are_kept(tag: int, value: object) -> None:
    decoded, _ = _notes_of(file_of(photo(), "TIFF", tiffinfo={tag: value}), "Pillow")
    assert decoded.getexif()[tag] == value


@pytest.mark.parametrize("way", ["bytes", "Pillow"])
@pytest.mark.parametrize("dpi", [None, (72, 72), (300, 300)])
def test_a_jpeg_has_no_resolution_unless_it_says_so(dpi: tuple[int, int] | None, way: str) -> None:
    decoded, _ = _notes_of(file_of(photo(), "JPEG", exif=turned_exif(), **({"dpi": dpi} if dpi else {})), way)
    assert decoded.info.get("dpi") == dpi


def test_a_resolution_that_exif_says_is_kept() -> None:
    exif = turned_exif()
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.ResolutionUnit] = 72.0, 2
    decoded, _ = _notes_of(file_of(photo(), "JPEG", exif=exif), "Pillow")
    assert decoded.info["dpi"] == (72, 72)


@pytest.mark.parametrize(
    "sizes",
    [
        b' exif:PixelXDimension="48" exif:PixelYDimension="32" tiff:ImageWidth="48" tiff:ImageLength="32"/>',
        b"><exif:PixelXDimension>48</exif:PixelXDimension><tiff:ImageLength>32</tiff:ImageLength></x:xmpmeta>",
    ],
)
def test_the_size_in_xmp_follows_the_picture(sizes: bytes) -> None:
    image = photo()
    image.info["xmp"] = XMP[:-2] + sizes
    data = nncodec.encode(image)
    assert nncodec.decode(data).info["xmp"] == image.info["xmp"]
    expected = image.info["xmp"].replace(b"48", b"20").replace(b"32", b"10")
    assert nncodec.decode(data, box=(0, 0, 20, 10)).info["xmp"] == expected
    assert nncodec.decode(nncodec.encode(image.crop((0, 0, 20, 10)))).info["xmp"] == expected


@pytest.mark.parametrize(
    ("mode", "transparency", "advice"),
    [("La", None, "convert to LA, it has transparency$"), ("1", 0, "convert to LA, it has transparency$")],
)
def test_the_mode_to_convert_to_is_one_that_pillow_converts_to(mode: str, transparency: int, advice: str) -> None:
    image = Image.new(mode, (4, 4))
    if transparency is not None:
        image.info["transparency"] = transparency
    with pytest.raises(UnsupportedImage, match=advice):
        nncodec.encode(image)
    nncodec.encode(image.convert("LA"))
