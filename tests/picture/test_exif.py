"""EXIF is kept as it is, with edits, and says what is true of the picture that is stored."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from pictures_with_metadata import (
    Stored,
    file_of,
    needs_jxl,
    photo,
    turned_exif,
    turned_jxl,
)
from PIL import ExifTags, Image, ImageOps

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec.picture.exif_entries import with_size


@pytest.mark.parametrize("edit", ["turned", "deleted", "added"])
def test_edits_of_getexif_are_saved(edit: str) -> None:
    with Image.open(io.BytesIO(file_of(photo(), "JPEG", exif=turned_exif()))) as opened:
        image = opened.transpose(Image.Transpose.ROTATE_270)
    exif = image.getexif()
    if edit == "turned":
        exif[ExifTags.Base.Orientation] = 1
    elif edit == "deleted":
        for tag in list(exif):
            del exif[tag]
    else:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] = "Lens"
    out = io.BytesIO()
    image.save(out, "NNC")
    for decoded in (nncodec.decode(nncodec.encode(image)), Image.open(out)):
        again = decoded.getexif()
        if edit == "turned":
            assert (again[ExifTags.Base.Orientation], again[ExifTags.Base.Make]) == (1, "Maker")
        elif edit == "deleted":
            assert "exif" not in decoded.info
        else:
            assert again.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "Lens"


@pytest.mark.parametrize("kind", ["NNC", "JPEG", "TIFF"])
@pytest.mark.parametrize(
    "options", [{}, {"quality": 30, "save_all": True}, {"lossless": True}, {"target_size": 900}], ids=str
)
def test_encoding_leaves_edited_exif_as_it_is(kind: str, options: dict[str, object]) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    with Image.open(io.BytesIO(file_of(photo(), kind, exif=exif))) as image:
        image.getexif()[ExifTags.Base.Model] = "cam"
        image.load()  # then Pillow itself looks into the directories of a TIFF file
        edited, directories = dict(image.getexif()), dict(image.getexif()._ifds)
        first, second = (file_of(image, "NNC", **options) for _ in range(2))
        assert first == second
        assert (dict(image.getexif()), image.getexif()._ifds) == (edited, directories)
    kept = dict(nncodec.decode(first).getexif())
    assert (kept[ExifTags.Base.Make], kept[ExifTags.Base.Model]) == ("Maker", "cam")
    assert not {ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo} & kept.keys()


@pytest.mark.parametrize("is_option", [True, False])
def test_directories_that_were_only_looked_for_are_not_stored(is_option: bool) -> None:
    image = photo()
    exif = Image.Exif() if is_option else image.getexif()
    options = {"exif": exif} if is_option else {}
    assert not exif.get_ifd(ExifTags.IFD.GPSInfo)  # Pillow would write it now
    assert "exif" not in nncodec.decode(nncodec.encode(image, **options)).info
    exif[ExifTags.Base.Artist] = "Ada"
    assert dict(nncodec.decode(nncodec.encode(image, **options)).getexif()) == {ExifTags.Base.Artist: "Ada"}
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    kept = nncodec.decode(nncodec.encode(image, **options)).getexif()
    assert kept.get_ifd(ExifTags.IFD.GPSInfo) == {ExifTags.GPS.GPSLatitudeRef: "N"}
    assert ExifTags.IFD.Exif not in kept


def test_a_directory_is_saved_where_it_is_all_that_was_added() -> None:
    image = photo()
    image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] = "Lens"
    kept = nncodec.decode(nncodec.encode(image)).getexif()
    assert kept.get_ifd(ExifTags.IFD.Exif) == {ExifTags.Base.LensModel: "Lens"}


def test_an_empty_directory_of_a_file_is_gone_once_exif_was_edited() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif.get_ifd(ExifTags.IFD.GPSInfo)
    with Image.open(io.BytesIO(file_of(photo(), "JPEG", exif=exif))) as image:
        assert ExifTags.IFD.GPSInfo in image.getexif()
        image.getexif()[ExifTags.Base.Make] = "Other"
        assert dict(nncodec.decode(nncodec.encode(image)).getexif()) == {ExifTags.Base.Make: "Other"}
        assert ExifTags.IFD.GPSInfo in image.getexif()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_that_was_taken_out_of_info_or_replaced_there_does_not_come_back(kind: str) -> None:
    with Image.open(io.BytesIO(file_of(photo(), kind, exif=turned_exif()))) as image:
        image.getexif()
        exif = Image.Exif()
        exif[ExifTags.Base.Artist] = "Ada"
        image.info["exif"] = exif.tobytes()
        assert dict(nncodec.decode(nncodec.encode(image)).getexif()) == {ExifTags.Base.Artist: "Ada"}
        image.info.pop("exif")
        assert "exif" not in nncodec.decode(nncodec.encode(image)).info
        assert b"Maker" not in file_of(image, "NNC")


def _xmp_turned(orientation: int = 6) -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
        b'tiff:Orientation="%d"/></x:xmpmeta>' % orientation
    )


@pytest.mark.parametrize(
    ("has", "dropped", "is_turned"),
    [
        (("exif",), ("exif",), True),
        (("exif",), ("xmp",), False),
        (("exif",), (), False),
        (("xmp",), ("xmp",), True),
        (("xmp",), ("exif",), False),  # XMP still says it
        (("xmp",), ("exif", "xmp"), True),
        (("exif", "xmp"), ("exif", "xmp"), True),
    ],
)
def test_pixels_are_turned_where_the_options_drop_what_says_so(
    stored: Stored, has: tuple[str, ...], dropped: tuple[str, ...], is_turned: bool
) -> None:
    says = {"exif": turned_exif(), "xmp": _xmp_turned()}
    data = file_of(photo(), "JPEG", comment=b"by me", **{key: says[key] for key in has})
    decoded, notes = stored(data, **dict.fromkeys(dropped))
    assert decoded.size == ((32, 48) if is_turned else (48, 32))
    shown = ImageOps.exif_transpose(decoded)
    with Image.open(io.BytesIO(data)) as original:
        upright = ImageOps.exif_transpose(original)
    assert np.abs(np.asarray(shown, float) - np.asarray(upright, float)).mean() < 12
    assert notes == ["its comment is not kept"]


def test_exact_pictures_are_turned_alike() -> None:
    data = file_of(photo(), "PNG", exif=turned_exif())
    with Image.open(io.BytesIO(data)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
        for source in (image, data):
            assert np.array_equal(nncodec.decode(nncodec.encode(source, lossless=True, exif=None)), upright)


def test_turned_pictures_of_a_batch_need_not_agree_in_size() -> None:
    turned, plain = photo(), photo()
    turned.info["exif"] = turned_exif().tobytes()
    files = nncodec.encode_batch([turned, plain], exif=None)
    assert [nncodec.decode(file).size for file in files] == [(32, 48), (48, 32)]


@pytest.mark.parametrize("place", [0, 1])
def test_pages_of_a_tiff_are_turned_once(place: int) -> None:
    pages = [photo(), photo().rotate(180)]
    data = file_of(pages[0], "TIFF", save_all=True, append_images=pages[1:], tiffinfo={ExifTags.Base.Orientation: 6})
    with Image.open(io.BytesIO(data)) as image:
        image.seek(place)
        with Image.open(io.BytesIO(file_of(image, "NNC", save_all=True))) as saved:
            assert saved.size == (32, 48)
            assert ImageOps.exif_transpose(saved).size == (32, 48)


@pytest.mark.parametrize(
    "says",
    [b"tiff:Orientation='6'", b'tiff:Orientation = "6"', b"tiff:Orientation\n=\n'6'"],
    ids=["quotes", "=", "lines"],
)
def test_xmp_of_a_picture_that_is_turned_says_upright_however_it_is_spelled(says: bytes, stored: Stored) -> None:
    xmp = _xmp_turned().replace(b'tiff:Orientation="6"', says)
    decoded, _ = stored(file_of(photo(), "JPEG", exif=turned_exif(), xmp=xmp), exif=None)
    assert decoded.size == (32, 48)
    assert decoded.info["xmp"] == xmp.replace(b"6", b"1")
    kept, _ = stored(file_of(photo(), "JPEG", exif=turned_exif(), xmp=xmp))
    assert (kept.size, kept.info["xmp"]) == ((48, 32), xmp)


@needs_jxl
def test_jpeg_xl_which_is_decoded_upright_is_not_turned_again(stored: Stored) -> None:
    data = turned_jxl((b"Exif", bytes(4) + turned_exif().tobytes().removeprefix(b"Exif\0\0")))
    upright = Image.open(io.BytesIO(data))
    assert upright.size == (32, 48)
    for options in ({}, {"exif": None}):
        decoded, _ = stored(data, **options)
        shown = ImageOps.exif_transpose(decoded)
        assert shown.size == upright.size
        assert np.abs(np.asarray(shown, np.int16) - np.asarray(upright, np.int16)).mean() < 8
        assert decoded.getexif().get(ExifTags.Base.Make) == (None if options else "Maker")
    assert stored(data, exif=turned_exif())[0].getexif()[ExifTags.Base.Orientation] == 6  # as was asked for


def test_exif_of_a_new_picture_is_saved() -> None:
    image = photo()
    image.getexif()[ExifTags.Base.Artist] = "Ada"
    assert nncodec.decode(nncodec.encode(image)).getexif()[ExifTags.Base.Artist] == "Ada"


def test_exif_that_was_not_edited_keeps_its_bytes() -> None:
    with Image.open(io.BytesIO(file_of(photo((160, 100)), "JPEG", exif=turned_exif()))) as image:
        image.getexif().get_ifd(ExifTags.IFD.Exif)
        stored = nncodec.decode(nncodec.encode(image)).info["exif"]
        assert stored == image.info["exif"]


def _sizes(exif: bytes) -> tuple[int, int]:
    read = Image.Exif()
    read.load(exif)
    own = read.get_ifd(ExifTags.IFD.Exif)
    return own[0xA002], own[0xA003]


@pytest.mark.parametrize("size", [(640, 400), (70_000, 5)])
def test_the_size_in_exif_is_corrected_in_place(size: tuple[int, int]) -> None:
    exif = turned_exif().tobytes()
    corrected = with_size(exif, size)
    assert _sizes(corrected) == size
    assert len(corrected) == len(exif)
    assert with_size(exif, (160, 100)) == exif


def _with_thumbnail(exif: bytes, form: str, order: str, behind: bytes = b"") -> bytes:
    """Return EXIF with a thumbnail: as JPEG, or in strips of samples."""
    pixels = b"what was cut off"
    first = struct.unpack_from(f"{order}I", exif, 4)[0]
    link = first + 2 + 12 * struct.unpack_from(f"{order}H", exif, first)[0]
    tags = {"JPEG": (0x201, 0x202), "strips": (0x111, 0x117)}[form]
    place = len(exif) + 2 + 12 * 2 + 4
    directory = struct.pack(f"{order}H", 2)
    if form == "JPEG":
        directory += struct.pack(f"{order}HHII HHII I", tags[0], 4, 1, place, tags[1], 4, 1, len(pixels), 0)
        data = pixels
    else:
        directory += struct.pack(f"{order}HHII HHIHH I", tags[0], 4, 2, place, tags[1], 3, 2, 8, len(pixels) - 8, 0)
        data = struct.pack(f"{order}II", place + 8, place + 16) + pixels
    return exif[:link] + struct.pack(f"{order}I", len(exif)) + exif[link + 4 :] + directory + data + behind


@pytest.mark.parametrize("behind", [b"", b"maker"])
@pytest.mark.parametrize("form", ["JPEG", "strips"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_thumbnail_goes_where_the_picture_was_cut(form: str, order: str, behind: bytes) -> None:
    tags = turned_exif()
    tags.endian = order
    exif = _with_thumbnail(tags.tobytes().removeprefix(b"Exif\0\0"), form, order, behind)
    with Image.open(io.BytesIO(file_of(photo((160, 100)), "JPEG", exif=b"Exif\0\0" + exif))) as image:
        assert nncodec.decode(nncodec.encode(image)).info["exif"] == b"Exif\0\0" + exif
        data = nncodec.encode(image)
        cut = nncodec.encode(image.crop((0, 0, 80, 50)))
    for decoded in (nncodec.decode(cut), nncodec.decode(data, box=(0, 0, 80, 50))):
        assert b"cut off" not in decoded.info["exif"]
        assert decoded.info["exif"].endswith(behind)
        assert decoded.getexif()[ExifTags.Base.Make] == "Maker"
        assert decoded.getexif().get_ifd(ExifTags.IFD.IFD1) == {}
        assert _sizes(decoded.info["exif"]) == (80, 50)


@pytest.mark.parametrize("form", ["JPEG", "strips"])
def test_a_thumbnail_goes_where_exif_does_not_say_the_size(form: str) -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Maker"
    exif = _with_thumbnail(tags.tobytes().removeprefix(b"Exif\0\0"), form, ">")
    assert b"cut off" not in with_size(exif, (160, 100))
    for length in range(len(exif)):
        with_size(exif[:length], (9, 9))


def test_exif_of_a_decoded_picture_can_be_passed_on_to_any_writer(enhancers: Callable[[], None]) -> None:
    data = nncodec.encode(photo(), exif=turned_exif())
    for image in (nncodec.decode(data), Image.open(io.BytesIO(data)), nncodec.enhance(nncodec.decode(data), scale=1)):
        for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
            with Image.open(io.BytesIO(file_of(image, kind, exif=image.info["exif"]))) as written:
                assert written.getexif()[ExifTags.Base.Make] == "Maker"


def test_a_broken_size_in_exif_does_no_harm() -> None:
    exif = turned_exif().tobytes()
    for length in range(len(exif)):
        with_size(exif[:length], (9, 9))
    assert with_size(b"anything", (9, 9)) == b"anything"


def test_the_size_in_exif_is_right_after_resizing_enlarging_and_cutting(enhancers: Callable[[], None]) -> None:
    with Image.open(io.BytesIO(file_of(photo((160, 100)), "JPEG", exif=turned_exif()))) as image:
        image.load()
        smaller = image.resize((80, 50))
        assert _sizes(nncodec.decode(nncodec.encode(smaller)).info["exif"]) == (80, 50)
        assert _sizes(nncodec.enhance(image, scale=4).info["exif"]) == (640, 400)
        data = nncodec.encode(image, downscale=2)
    assert _sizes(nncodec.decode(data).info["exif"]) == (160, 100)
    assert _sizes(nncodec.decode(data, box=(0, 0, 30, 20)).info["exif"]) == (30, 20)
