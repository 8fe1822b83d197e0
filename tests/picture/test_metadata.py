"""Metadata reaches a file whichever way the picture takes: Pillow, the API or a path; what is lost is told."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures_with_metadata import (
    DURATIONS,
    GAIN_MAP_XMP,
    SRGB,
    XMP,
    file_of,
    frames,
    photo,
    png_with_chunk,
    png_with_raw_profiles,
    profile_of,
    turned_exif,
)
from PIL import ExifTags, Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import InvalidOption, NncWarning
from nncodec.picture.exif_entries import with_size
from nncodec.picture.profile import misfit

Stored = Callable[..., "tuple[Image.Image, list[str]]"]


def _by_pillow(data: bytes, path: Path, **options: object) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        image.save(path / "x.nnc", **options)
    return (path / "x.nnc").read_bytes()


def _by_pillow_from_disk(data: bytes, path: Path, **options: object) -> bytes:
    (path / "in").write_bytes(data)
    with Image.open(path / "in") as image:
        image.save(path / "x.nnc", **options)
    return (path / "x.nnc").read_bytes()


def _by_encode(data: bytes, path: Path, **options: object) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return nncodec.encode(image, **options)


def _by_batch(data: bytes, path: Path, **options: object) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return nncodec.encode_batch([image], **options)[0]


def _by_target(data: bytes, path: Path, **options: object) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return nncodec.encode(image, target_size=100_000, **options)


def _from_bytes(data: bytes, path: Path, **options: object) -> bytes:
    return nncodec.encode(data, **options)


@pytest.fixture(params=[_by_pillow, _by_pillow_from_disk, _by_encode, _by_batch, _by_target, _from_bytes])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    """Encode a picture file one way; return what it decodes to and the notes."""

    def call(data: bytes, **options: object) -> tuple[Image.Image, list[str]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            encoded = request.param(data, tmp_path, **options)
        notes = [str(warning.message) for warning in caught if warning.category is NncWarning]
        assert len(notes) == len(set(notes))
        return nncodec.decode(encoded), notes

    return call


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
    ],
)
def test_tags_of_a_tiff_that_are_not_kept_are_told(tag: int, value: object, told: list[str], tmp_path: Path) -> None:
    data = file_of(photo(), "TIFF", tiffinfo={tag: value})
    for way in (_by_pillow, _from_bytes):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            way(data, tmp_path)
        assert [str(warning.message) for warning in caught] == told


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


# --- colour -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "mode"), [(b"CMYK", "RGB"), (b"GRAY", "RGB"), (b"GRAY", "RGBA"), (b"RGB ", "L"), (b"RGB ", "LA")]
)
def test_a_profile_that_does_not_fit_is_dropped(space: bytes, mode: str) -> None:
    image = photo().convert(mode)
    image.info["icc_profile"] = profile_of(space)
    with pytest.warns(NncWarning, match=f"ICC profile .* does not fit mode {mode.removesuffix('A')}"):
        data = nncodec.encode(image)
    assert "icc_profile" not in nncodec.decode(data).info
    with pytest.warns(NncWarning, match="ICC profile"):
        image.save(io.BytesIO(), "NNC")


@pytest.mark.parametrize("lossless", [False, True])
def test_a_palette_has_the_profile_of_its_colours(lossless: bool) -> None:
    palette = photo().quantize(8)
    data = file_of(palette, "PNG", icc_profile=profile_of(b"RGB "))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert nncodec.decode(nncodec.encode(data, lossless=lossless)).info["icc_profile"] == profile_of(b"RGB ")
        gamma = nncodec.decode(nncodec.encode(png_with_chunk(b"gAMA", (100_000).to_bytes(4, "big"), palette)))
        assert gamma.mode == "RGB"
        assert misfit(gamma.info["icc_profile"], "RGB") == ""
    assert not [warning for warning in told if "profile" in str(warning.message)]


def test_enhance_leaves_out_what_no_longer_holds() -> None:
    with Image.open(io.BytesIO(file_of(photo(), "JPEG", xmp=GAIN_MAP_XMP))) as image:
        image.info["icc_profile"] = profile_of(b"GRAY")
        with pytest.warns(NncWarning) as told:
            enhanced = nncodec.enhance(image, scale=1)
    assert not {"xmp", "icc_profile"} & enhanced.info.keys()
    assert sorted(str(warning.message).split()[1] for warning in told) == ["HDR", "ICC"]
    with Image.open(io.BytesIO(png_with_chunk(b"gAMA", (100_000).to_bytes(4, "big")))) as image:
        assert misfit(nncodec.enhance(image, scale=1).info["icc_profile"], "RGB") == ""


@pytest.mark.parametrize(("space", "mode"), [(b"RGB ", "RGB"), (b"GRAY", "L"), (b"GRAY", "LA")])
def test_a_profile_that_fits_is_kept(space: bytes, mode: str) -> None:
    image = photo().convert(mode)
    image.info["icc_profile"] = profile_of(space)
    assert nncodec.decode(nncodec.encode(image)).info["icc_profile"] == profile_of(space)


def _in_srgb(level: int, profile: bytes, mode: str) -> int:
    image = Image.new(mode, (1, 1), level if mode == "L" else (level,) * 3)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return int(np.asarray(converted)[0, 0, 1])


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_gamma_becomes_a_profile(stored: Stored, mode: str) -> None:
    decoded, notes = stored(png_with_chunk(b"gAMA", (100_000).to_bytes(4, "big"), photo().convert(mode)))
    assert notes == []
    assert abs(_in_srgb(55, decoded.info["icc_profile"], mode) - 128) <= 1


def test_chromaticities_become_a_profile(stored: Stored) -> None:
    wide = b"".join(n.to_bytes(4, "big") for n in (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
    decoded, notes = stored(png_with_chunk(b"cHRM", wide))
    assert notes == []
    profile = ImageCms.ImageCmsProfile(io.BytesIO(decoded.info["icc_profile"]))
    # The red of Display P3, adapted to D50.
    assert np.allclose(profile.profile.red_colorant[0], (0.5151, 0.2412, -0.0011), atol=0.001)


@pytest.mark.parametrize("gamma", [45455, 45400])
def test_srgb_needs_no_profile(stored: Stored, gamma: int) -> None:
    decoded, notes = stored(png_with_chunk(b"gAMA", gamma.to_bytes(4, "big")))
    assert notes == []
    assert "icc_profile" not in decoded.info


def test_cicp_is_read(stored: Stored) -> None:
    decoded, notes = stored(png_with_chunk(b"cICP", bytes((12, 13, 0, 1))))
    assert notes == []
    assert len(decoded.info["icc_profile"]) > 128
    for transfer, name in ((16, "PQ"), (18, "HLG")):
        decoded, notes = stored(png_with_chunk(b"cICP", bytes((9, transfer, 0, 1))))
        assert len(notes) == 1
        assert name in notes[0]
        assert "icc_profile" not in decoded.info


def _avif(primaries: int, transfer: int) -> bytes:
    avif = bytearray(file_of(photo(), "AVIF", quality=90))
    struct.pack_into(">HH", avif, avif.index(b"colrnclx") + 8, primaries, transfer)
    return bytes(avif)


def _heic(primaries: int, transfer: int) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    colours = {"color_primaries": primaries, "transfer_characteristics": transfer}
    return file_of(photo(), "HEIF", save_nclx_profile=True, matrix_coefficients=6, full_range_flag=1, **colours)


@pytest.mark.parametrize("file", [_avif, _heic])
def test_colours_of_avif_and_heic_are_read(file: Callable[[int, int], bytes], tmp_path: Path) -> None:
    path = tmp_path / "picture"
    for colours, told, has_profile in [
        ((12, 13), [], True),
        ((9, 16), ["PQ"], False),
        ((9, 18), ["HLG"], False),
        ((1, 13), [], False),
        ((2, 2), [], False),
        *([((300, 300), ["cICP 255 255"], False)] if file is _avif else []),
    ]:
        path.write_bytes(file(*colours))
        for way in (_by_encode, _by_pillow_from_disk, _from_bytes):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                decoded = nncodec.decode(way(path.read_bytes(), tmp_path))
            notes = [str(warning.message) for warning in caught if "larger" not in str(warning.message)]
            assert len(notes) == len(told)
            assert all(name in note for name, note in zip(told, notes, strict=True))
            assert ("icc_profile" in decoded.info) is has_profile


def test_cicp_is_read_again_from_a_file_that_was_closed(tmp_path: Path) -> None:
    path = tmp_path / "hlg.png"
    path.write_bytes(png_with_chunk(b"cICP", bytes((9, 18, 0, 1))))
    with Image.open(path) as image:
        image.load()
    with pytest.warns(NncWarning, match="HLG"):
        nncodec.encode(image)


# --- resolution ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_dpi_is_kept(stored: Stored, kind: str) -> None:
    decoded, notes = stored(file_of(photo(), kind, dpi=(300, 150)))
    assert decoded.info["dpi"] == pytest.approx((300, 150), abs=0.02)  # PNG and BMP hold whole dots a metre
    assert notes == []


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


def test_srgb_profiles_stay() -> None:
    image = photo()
    image.info["icc_profile"] = SRGB
    assert nncodec.decode(nncodec.encode(image)).info["icc_profile"] == SRGB
