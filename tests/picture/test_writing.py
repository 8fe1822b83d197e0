"""Formats are found by their extension, and hold the modes that they say; see also `tests/cli/test_decode.py`."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from pictures_with_metadata import photo
from PIL import Image

from nncodec.errors import InvalidOption, UnsupportedImage
from nncodec.picture.openers import register_packages
from nncodec.picture.writing import _HOLDS_MODES, extension_of, format_of, save


@pytest.mark.parametrize(("extension", "kind"), [("png", "PNG"), (".JPG", "JPEG"), ("tif", "TIFF"), ("webp", "WEBP")])
def test_a_format_is_found_by_its_extension(extension: str, kind: str) -> None:
    assert format_of(extension) == kind


@pytest.mark.parametrize("extension", ["nnc", "txt", "", "bufr", "emf", "grib", "h5", "wmf"])
def test_a_format_that_pillow_does_not_write_is_refused(extension: str) -> None:
    with pytest.raises(InvalidOption, match=rf"Pillow writes no \.{extension} files") as caught:
        format_of(extension)
    assert caught.value.option == "format"


def test_a_path_without_an_extension_is_refused() -> None:
    assert extension_of(Path("a/b.png")) == ".png"
    with pytest.raises(InvalidOption, match="has no extension that says its format") as caught:
        extension_of(Path("a.b/c"))
    assert caught.value.option == "output"


DEEP = Image.fromarray(np.arange(48 * 32, dtype=np.uint16).reshape(32, 48) * 42 + 3)
PICTURES = {
    "1": photo().convert("1"),
    "P": photo().quantize(16),
    "I;16": DEEP,
    "L": photo().convert("L"),
    "RGB": photo(),
}


def read(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
    return image


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(kind, mode) for kind, modes in _HOLDS_MODES.items() for mode in modes if mode != "CMYK"],
)
def test_a_mode_that_a_format_holds_is_written_exactly(kind: str, mode: str) -> None:
    register_packages()
    if kind not in Image.SAVE:
        pytest.skip("needs a package")
    picture = PICTURES[mode]
    data, notes = save([picture.copy()], kind, strip=False)
    assert notes == ()
    if kind == "PDF":
        assert b"CCITTFaxDecode" in data
    elif kind != "PALM":  # which Pillow does not read
        deep = np.asarray(read(data)) if mode == "I;16" else np.asarray(read(data).convert("RGB"))
        assert np.array_equal(deep, np.asarray(picture if mode == "I;16" else picture.convert("RGB")))


@pytest.mark.parametrize(("kind", "held"), [("MSP", "1"), ("XBM", "1"), ("PALM", "1 or P"), ("BLP", "P")])
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_a_format_that_holds_few_modes_says_so(kind: str, held: str, mode: str) -> None:
    with pytest.raises(UnsupportedImage, match=f"^{kind} holds only mode {held}, and the picture has {mode};"):
        save([PICTURES[mode].copy()], kind, strip=False)


def test_a_palette_of_a_format_without_transparency_has_none() -> None:
    picture = PICTURES["P"].copy()
    picture.info["transparency"] = 3
    with pytest.raises(UnsupportedImage, match=r"^BLP holds only mode P, and the picture has P with transparency;"):
        save([picture], "BLP", strip=False)


def test_what_pillow_cannot_write_is_one_sentence_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no\nway")

    monkeypatch.setitem(Image.SAVE, "PCX", fail)
    with pytest.raises(UnsupportedImage, match=r"^Pillow cannot write 48 x 32 pixels of mode RGB as PCX \(no\); write"):
        save([photo()], "PCX", strip=False)


@pytest.mark.parametrize("size", [(5000, 2), (2, 5000), (40_000, 2)])
def test_a_long_thin_heic_is_refused_in_one_sentence(size: tuple[int, int]) -> None:
    pytest.importorskip("pillow_heif")
    register_packages()
    with pytest.raises(UnsupportedImage, match=f"^Pillow cannot write {size[0]:,} x {size[1]:,} pixels"):
        save([Image.new("RGB", size, "red")], "HEIF", strip=False)


@pytest.mark.parametrize("quality", [None, 50])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_sprites_on_nothing_keep_it_in_webp(mode: str, quality: int | None) -> None:
    frames = []
    for left in (0, 16, 32):
        frame = Image.new("RGBA", (48, 32), (0, 0, 0, 0))
        frame.paste(photo((16, 16)), (left, 8))
        frames.append(frame.convert(mode))
        frames[-1].info = {"duration": 50}
    data, _ = save([frame.copy() for frame in frames], "WEBP", strip=False, quality=quality)
    with Image.open(io.BytesIO(data)) as image:
        for number, frame in enumerate(frames):
            image.seek(number)
            assert image.convert("RGBA").getchannel("A").tobytes() == frame.getchannel("A").tobytes()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_colours_under_alpha_0_stay(kind: str) -> None:
    samples = np.asarray(photo().convert("RGBA")).copy()
    samples[:10, :, 3] = 0
    with Image.open(io.BytesIO(save([Image.fromarray(samples)], kind, strip=False)[0])) as image:
        np.testing.assert_array_equal(np.asarray(image), samples)


def test_opaque_frames_stay_opaque_in_webp() -> None:
    frames = [photo().convert("RGBA"), photo().rotate(180).convert("RGBA")]
    assert read(save(frames, "WEBP", strip=False)[0]).mode == "RGB"


def test_a_picture_that_is_opaque_everywhere_needs_no_format_with_alpha() -> None:
    opaque, clear = photo().convert("RGBA"), photo().convert("RGBA")
    clear.putpixel((3, 3), (0, 0, 0, 254))
    assert read(save([opaque], "JPEG", strip=False)[0]).mode == "RGB"
    with pytest.raises(UnsupportedImage, match="transparency, which JPEG cannot hold"):
        save([clear], "JPEG", strip=False)


def test_frames_of_16_bits_are_refused_where_pillow_would_cut_them() -> None:
    deep = [Image.fromarray(np.asarray(DEEP) + 777 * number) for number in range(3)]
    with pytest.raises(UnsupportedImage, match=r"animated PNG files of 16 bits; decode it to \.tif"):
        save(deep, "PNG", strip=False)
    with Image.open(io.BytesIO(save(deep, "TIFF", strip=False)[0])) as file:
        for number, frame in enumerate(deep):
            file.seek(number)
            assert np.array_equal(np.asarray(file), np.asarray(frame))
