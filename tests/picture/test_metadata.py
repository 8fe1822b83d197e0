"""Metadata reaches a file whichever way the picture takes: Pillow, the API or a path; what is lost is told."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import pytest
from pictures_with_metadata import (
    DURATIONS,
    GAIN_MAP_XMP,
    XMP,
    Stored,
    by_pillow,
    file_of,
    frames,
    from_bytes,
    photo,
    png_with_raw_profiles,
    turned_exif,
)
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import InvalidOption, NncWarning

# --- EXIF and XMP -------------------------------------------------------------------------------------------------


def test_raw_profiles_of_a_png_are_kept(stored: Stored) -> None:
    decoded, notes = stored(png_with_raw_profiles())
    assert decoded.getexif()[ExifTags.Base.Orientation] == 6
    assert decoded.getexif()[ExifTags.Base.Make] == "Maker"
    assert decoded.info["xmp"] == XMP
    assert notes == []


def test_what_a_tiff_says_of_the_picture_is_kept(stored: Stored) -> None:
    data = file_of(photo(), "TIFF", exif=turned_exif())
    decoded, _ = stored(data)
    assert decoded.getexif()[ExifTags.Base.Make] == "Maker"
    assert ExifTags.Base.StripOffsets not in decoded.getexif()
    with Image.open(io.BytesIO(data)) as original:
        original.load()  # Pillow turns it upright
        assert ImageOps.exif_transpose(decoded).size == original.size == (32, 48)


def test_a_gain_map_is_told_and_its_xmp_goes(stored: Stored) -> None:
    decoded, notes = stored(file_of(photo(), "JPEG", xmp=GAIN_MAP_XMP))
    assert "xmp" not in decoded.info
    assert [note for note in notes if "HDR gain map" in note] == notes != []


def test_other_pictures_in_a_phone_photo_are_told(stored: Stored) -> None:
    data = file_of(photo(), "MPO", save_all=True, append_images=[photo((24, 16))])
    decoded, notes = stored(data)
    assert decoded.size == (48, 32)
    assert notes == ["of 2 pictures in this MPO file, the first is used"]


def test_comments_and_text_are_told(stored: Stored) -> None:
    _, notes = stored(file_of(photo(), "JPEG", comment=b"by me"))
    assert notes == ["its comment is not kept"]
    text = PngInfo()
    text.add_text("Title", "A cat")
    text.add_itxt("Author", "Ada")
    _, notes = stored(file_of(photo(), "PNG", pnginfo=text))
    assert notes == ["its text is not kept: Title, Author"]
    for number in range(6):
        text.add_text(f"Key {number}", "value")
    _, notes = stored(file_of(photo(), "PNG", pnginfo=text))
    assert notes == ["its text is not kept: Title, Author, Key 0, Key 1, Key 2 and 3 more"]


def test_text_that_programs_write_by_themselves_is_dropped_in_silence(stored: Stored) -> None:
    text = PngInfo()
    for key in ("Software", "date:create", "tiff:Orientation", "Thumb::URI"):
        text.add_text(key, "value")
    _, notes = stored(file_of(photo(), "PNG", pnginfo=text))
    assert notes == []


@pytest.mark.parametrize(
    ("tag", "value", "told"),
    [
        (33723, b"\x1c\x02\x00\x00\x02\x00\x04", ["its IPTC record is not kept"]),
        (34377, b"8BIM\x04\x04\0\0\0\0\0\x04abcd", ["its IPTC record is not kept"]),
        (34377, b"8BIM\x03\xed\0\0\0\0\0\x04abcd", []),
        (34735, (1, 1, 0, 0), ["its place on the map (GeoTIFF) is not kept"]),
        (42112, "<GDALMetadata/>", ["1 tag of the TIFF file is not kept: GDAL_METADATA"]),
        (65000, "private", ["1 tag of the TIFF file is not kept: 65000"]),
        (297, (1, 2), []),
    ],
)
def test_tags_of_a_tiff_that_are_not_kept_are_told(tag: int, value: object, told: list[str], tmp_path: Path) -> None:
    data = file_of(photo(), "TIFF", tiffinfo={tag: value})
    for way in (by_pillow, from_bytes):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            way(data, tmp_path)
        assert [str(warning.message) for warning in caught] == told


def test_many_tags_of_a_tiff_are_told_in_one_line(stored: Stored) -> None:
    data = file_of(photo(), "TIFF", tiffinfo={65000 + number: "private" for number in range(7)})
    _, notes = stored(data)
    assert notes == ["7 tags of the TIFF file are not kept: 65000, 65001, 65002, 65003, 65004 and 2 more"]
    assert stored(file_of(photo(), "TIFF"))[1] == []


def test_exif_in_the_first_directory_of_a_tiff_is_kept(stored: Stored) -> None:
    exif = turned_exif()
    time, exposure = "2001:01:01 00:00:00", IFDRational(1, 50)
    tags = {ExifTags.Base.DateTimeOriginal: time, ExifTags.Base.ExposureTime: exposure}
    for tag, value in tags.items():
        exif[tag] = value
    decoded, notes = stored(file_of(photo(), "TIFF", exif=exif))
    kept = decoded.getexif().get_ifd(ExifTags.IFD.Exif)
    assert {tag: kept.get(tag) for tag in tags} == tags
    assert notes == []


@pytest.mark.parametrize("kind", ["ICO", "ICNS"])
def test_further_sizes_of_an_icon_are_told(stored: Stored, kind: str) -> None:
    _, notes = stored(file_of(photo((64, 64)), kind, sizes=[(16, 16), (64, 64)]))
    assert len(notes) == 1
    assert re.fullmatch(rf"of \d+ sizes in this {kind} file, one is used: (\d+) x \1", notes[0])
    if kind == "ICO":
        assert stored(file_of(photo((64, 64)), kind, sizes=[(64, 64)]))[1] == []


# --- resolution ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_dpi_is_kept(stored: Stored, kind: str) -> None:
    decoded, notes = stored(file_of(photo(), kind, dpi=(300, 150)))
    assert decoded.info["dpi"] == pytest.approx((300, 150), abs=0.02)  # PNG and BMP hold whole dots a metre
    assert [note for note in notes if "looked up" not in note] == []


@pytest.mark.filterwarnings("ignore:the result is larger")
@pytest.mark.parametrize(
    ("says", "dpi"),
    [((300, 150, 2), (300, 150)), ((100, 100, 3), (254, 254)), ((72, 72, 2), None), ((300, 300, 1), None)],
)
def test_dpi_that_only_exif_says_is_kept(says: tuple[int, int, int], dpi: tuple[int, int] | None) -> None:
    exif = Image.Exif()
    tags = (ExifTags.Base.XResolution, ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit)
    for tag, value in zip(tags, says, strict=True):
        exif[tag] = value
    for kind in ("WEBP", "AVIF", "PNG"):
        data = file_of(photo(), kind, exif=exif)
        assert nncodec.inspect(nncodec.encode(data)).dpi == (dpi and pytest.approx(dpi))
    assert nncodec.inspect(nncodec.encode(data, dpi=None)).dpi is None


def test_dpi_can_be_given() -> None:
    data = nncodec.encode(photo(), dpi=96)
    assert nncodec.inspect(data).dpi == (96, 96)
    assert "dpi" not in nncodec.decode(nncodec.encode(nncodec.decode(data), dpi=None)).info
    for bad in ("x", 0, (1, 2, 3), (1, -1), float("nan")):
        with pytest.raises(InvalidOption, match="'dpi'"):
            nncodec.encode(photo(), dpi=bad)


def test_a_resolution_of_nothing_is_passed_on_without_an_error() -> None:
    image = photo()
    image.info["dpi"] = (0, 0)
    assert nncodec.inspect(file_of(image, "NNC", **image.info)).dpi is None


# --- animation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_keeps_its_times(kind: str) -> None:
    several = [photo(), photo().rotate(90), photo().rotate(180)]
    loop = {} if kind == "AVIF" else {"loop": 3}
    data = file_of(several[0], kind, save_all=True, append_images=several[1:], duration=[40, 100, 300], **loop)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NncWarning)
        encoded = nncodec.encode(data)
    info = nncodec.inspect(encoded)
    assert info.durations_ms == (40, 100, 300)
    assert info.loop == loop.get("loop")
    assert [frame.info["duration"] for frame in nncodec.decode_frames(encoded)] == [40, 100, 300]
    assert nncodec.decode(encoded, frame=2).info["duration"] == 300
    with Image.open(io.BytesIO(encoded)) as image:
        assert image.info.get("loop") == loop.get("loop")
        for number, duration in enumerate((40, 100, 300)):
            image.seek(number)
            assert image.info["duration"] == duration


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_save_all_keeps_the_times_of_an_animation(kind: str) -> None:
    several = [photo(), photo().rotate(90), photo().rotate(180)]
    data = file_of(several[0], kind, save_all=True, append_images=several[1:], duration=[40, 100, 300], loop=2)
    with Image.open(io.BytesIO(data)) as animation:
        encoded = file_of(animation, "NNC", save_all=True)
    info = nncodec.inspect(encoded)
    assert (info.durations_ms, info.loop) == ((40, 100, 300), 2)


def test_durations_and_loop_can_be_given() -> None:
    several = frames()
    data = file_of(several[0], "NNC", save_all=True, append_images=several[1:], duration=DURATIONS, loop=0)
    info = nncodec.inspect(data)
    assert (info.frames, info.durations_ms, info.loop) == (5, tuple(DURATIONS), 0)
    assert nncodec.inspect(nncodec.encode(several, duration=70)).durations_ms == (70,) * 5
    assert nncodec.inspect(nncodec.encode(several)).durations_ms is None
    for option in ({"duration": [1, 2]}, {"duration": -1}, {"duration": "x"}, {"loop": -1}, {"loop": 1.5}):
        with pytest.raises(InvalidOption, match=f"'{next(iter(option))}'"):
            nncodec.encode(several, **option)


def test_the_default_image_of_an_apng_is_marked() -> None:
    several = frames()
    data = file_of(
        several[0],
        "PNG",
        save_all=True,
        default_image=True,
        append_images=[several[1], several[3]],
        duration=[100, 200],
    )
    with pytest.warns(NncWarning, match="all 3 frames"):
        encoded = nncodec.encode(data)
    decoded = nncodec.decode(encoded)
    assert decoded.info["default_image"] is True
    assert nncodec.inspect(encoded).durations_ms == (0, 100, 200)
