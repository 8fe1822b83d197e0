"""What written files carry of metadata: no picture stands sideways, and damaged EXIF is told."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest
from pictures_with_metadata import jxl_boxes, needs_jxl, photo
from PIL import Image, ImageOps

from nncodec.picture.openers import register_packages
from nncodec.picture.writing import save

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>"""


def exif_of(orientation: object, text: str = "") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    if text:
        exif[0x010E] = text
    return exif.tobytes()


def with_info(**info: object) -> Image.Image:
    image = photo()
    image.info = dict(info)
    return image


def shown(data: bytes) -> Image.Image:
    """Return the first frame of a file as a viewer shows it."""
    register_packages()
    with Image.open(io.BytesIO(data)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def assert_shows(data: bytes, expected: Image.Image) -> None:
    image = shown(data)
    assert image.size == expected.size
    assert np.abs(np.asarray(image, np.int16) - np.asarray(expected, np.int16)).mean() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_animation_as_avif_stands_upright(orientation: int) -> None:
    frames = [with_info(exif=exif_of(orientation, "x"), duration=50), with_info(exif=exif_of(orientation), duration=50)]
    frames[1].paste("red", (0, 0, 9, 9))
    data, _ = save(frames, "AVIF", strip=False)
    assert_shows(data, ImageOps.exif_transpose(frames[0]))
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 2
        assert image.getexif()[0x010E] == "x"


@pytest.mark.parametrize(
    "info",
    [
        {"exif": exif_of(6), "xmp": XMP},
        {"exif": exif_of(6, "x" * 70_000), "xmp": XMP},
        {"exif": exif_of(8), "xmp": XMP.ljust(70_000)},
        {"exif": exif_of(3)},
        {"xmp": XMP},
        {"xmp": XMP.replace(b' tiff:Orientation="6"/>', b"><tiff:Orientation>6</tiff:Orientation></rdf:Description>")},
        {"xmp": XMP.ljust(70_000)},
    ],
    ids=["both", "large EXIF", "large XMP", "EXIF", "XMP", "XMP element", "large XMP alone"],
)
@pytest.mark.parametrize(
    "kind", ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "JXL", "HEIF", "MPO", "PNG", "TIFF", "WEBP"]
)
@pytest.mark.parametrize("strip", [False, True])
def test_a_picture_is_shown_as_its_metadata_says(info: dict[str, bytes], kind: str, strip: bool) -> None:
    register_packages()
    if kind not in Image.SAVE:
        pytest.skip("needs a package")
    image = with_info(**info)
    expected = ImageOps.exif_transpose(image)
    data, _ = save([image], kind, strip=strip)
    assert_shows(data, expected)


@needs_jxl
def test_a_turned_picture_stands_upright_in_the_codestream_of_jpeg_xl() -> None:
    image = with_info(exif=exif_of(6, "x"))
    data, _ = save([image], "JXL", strip=False)
    _, exif = next(box for box in jxl_boxes(data) if box[0] == b"Exif")
    assert exif[:8] == b"\0\0\0\0MM\0*"  # ISO/IEC 18181-2: an offset, and then the TIFF stream
    with Image.open(io.BytesIO(data)) as written:
        assert written.size == (image.height, image.width)  # a viewer takes no notice of EXIF
        assert dict(written.getexif()) == {0x010E: "x", 0x0112: 1}


DAMAGED = {
    "garbage": b"garbage!!",
    "text as orientation": b"II*\0\x08\0\0\0" + struct.pack("<HHHI4sI", 1, 0x0112, 2, 2, b"6\0\0\0", 0),
    "cut": exif_of(6, "a description of the picture")[6:-20],
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("kind", ["AVIF", "TIFF"])
def test_damaged_exif_is_left_out_where_it_is_written_anew(damage: str, kind: str) -> None:
    image = with_info(exif=DAMAGED[damage])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = photo() if damage != "cut" else ImageOps.exif_transpose(image)
    data, notes = save([image], kind, strip=False)
    assert notes == (f"its EXIF is damaged and left out: {kind} files get EXIF that is written anew",)
    assert_shows(data, expected)


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.filterwarnings("ignore:Truncated")  # of Pillow's reader
def test_damaged_exif_is_copied_where_it_can_be(damage: str, kind: str) -> None:
    data, notes = save([with_info(exif=DAMAGED[damage])], kind, strip=False)
    assert notes == ()
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["exif"].removeprefix(b"Exif\0\0") == DAMAGED[damage]


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("kind", ["BMP", "GIF"])
def test_damaged_exif_is_one_note_where_none_is_held(damage: str, kind: str) -> None:
    _, notes = save([with_info(exif=DAMAGED[damage])], kind, strip=False)
    assert notes[0] == f"{kind} does not carry its EXIF"


@pytest.mark.parametrize(
    ("kind", "duration", "written", "says"),
    [
        ("AVIF", (1 << 32) + 50, (1 << 32) - 1, "AVIF holds durations up to 4,294,967,295 ms"),
        ("GIF", 655_350, 655_350, ""),
        ("GIF", 655_356, 655_350, "GIF holds durations up to 655,350 ms"),
        ("GIF", 33, 30, "GIF holds durations in steps of 10 ms"),
        ("PNG", 65_534, 65_534, ""),
        ("PNG", 655_350, 655_350, ""),
        ("PNG", 16_777_215, 16_777_000, "PNG holds durations in steps of a second where they are long"),
        ("PNG", 65_535_001, 65_535_000, "PNG holds durations up to 65,535,000 ms"),
        ("WEBP", 16_777_215, 16_777_215, ""),
        ("WEBP", 16_777_216, 16_777_215, "WEBP holds durations up to 16,777,215 ms"),
    ],
)
def test_durations_that_a_format_does_not_hold_are_the_nearest(
    kind: str, duration: int, written: int, says: str
) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for frame in frames:
        frame.info = {"duration": duration}
    data, notes = save(frames, kind, strip=False)
    assert [note.partition(";")[0] for note in notes] == ([says] if says else [])
    with Image.open(io.BytesIO(data)) as image:
        for number in (0, 1):
            image.seek(number)
            image.load()
            assert image.info["duration"] == pytest.approx(written, abs=0.01)
