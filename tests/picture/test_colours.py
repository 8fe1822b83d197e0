"""ICC profiles, and what files say of colours in other ways: kept, translated, or told."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures_with_metadata import (
    GAIN_MAP_XMP,
    SRGB,
    Stored,
    by_encode,
    by_pillow_from_disk,
    file_of,
    from_bytes,
    photo,
    png_with_chunk,
    profile_of,
)
from PIL import Image, ImageCms, TiffImagePlugin

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import NncWarning
from nncodec.picture.profile import misfit


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


def _tiff(mode: str = "RGB", **tags: object) -> bytes:
    numbers = {"white": 318, "chromaticities": 319, "transfer": 301}
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        directory[numbers[name]] = value
    return file_of(photo().convert(mode), "TIFF", tiffinfo=directory)


_WIDE = {"white": (0.3127, 0.329), "chromaticities": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)}
_LINEAR = tuple(257 * level for level in range(256))
_LIKE_SRGB = tuple(
    round(0xFFFF * (((x / 255 + 0.055) / 1.055) ** 2.4 if x > 10 else x / 255 / 12.92)) for x in range(256)
)


@pytest.mark.parametrize(("mode", "tables"), [("RGB", 3), ("RGB", 1), ("L", 1)])
def test_the_transfer_function_of_a_tiff_becomes_a_profile(stored: Stored, mode: str, tables: int) -> None:
    decoded, notes = stored(_tiff(mode, transfer=_LINEAR * tables))
    assert notes == []
    assert abs(_in_srgb(55, decoded.info["icc_profile"], mode) - 128) <= 1


def test_chromaticities_of_a_tiff_become_a_profile(stored: Stored) -> None:
    decoded, notes = stored(_tiff(**_WIDE, transfer=_LIKE_SRGB * 3))
    assert notes == []
    profile = ImageCms.ImageCmsProfile(io.BytesIO(decoded.info["icc_profile"]))
    assert np.allclose(profile.profile.red_colorant[0], (0.5151, 0.2412, -0.0011), atol=0.001)
    assert _in_srgb(100, decoded.info["icc_profile"], "RGB") == 100


def test_a_tiff_in_srgb_needs_no_profile(stored: Stored) -> None:
    decoded, notes = stored(_tiff(transfer=_LIKE_SRGB * 3))
    assert notes == []
    assert "icc_profile" not in decoded.info


@pytest.mark.parametrize(
    "tags", [{"white": (0.3127, 0.329)}, {"transfer": (0, 0xFFFF)}, {**_WIDE, "white": (0.3127, 0.329, 0.4)}]
)
def test_colours_of_a_tiff_that_say_too_little_are_told(stored: Stored, tags: dict[str, object]) -> None:
    decoded, notes = stored(_tiff(**tags))
    assert notes == ["its white point, chromaticities or transfer function are not kept; they are taken for sRGB"]
    assert "icc_profile" not in decoded.info


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
        for way in (by_encode, by_pillow_from_disk, from_bytes):
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


def test_srgb_profiles_stay() -> None:
    image = photo()
    image.info["icc_profile"] = SRGB
    assert nncodec.decode(nncodec.encode(image)).info["icc_profile"] == SRGB
