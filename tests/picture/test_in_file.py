"""What only a file tells is found as long as the file can be reached, and else its absence is told."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from pictures_with_metadata import by_pillow, by_pillow_from_disk, file_of, frames, photo, png_with_chunk
from PIL import Image

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import NncWarning
from nncodec.picture import losses


def _avif() -> bytes:
    """Return a picture in Display P3, by numbers."""
    data = bytearray(file_of(photo(), "AVIF"))
    struct.pack_into(">HHH", data, data.index(b"colrnclx") + 8, 12, 13, 6)
    return bytes(data)


def _png() -> bytes:
    return png_with_chunk(b"cICP", bytes((12, 13, 0, 1)))


def _ppm() -> bytes:
    return b"P6 2 1 65535\n" + bytes(12)


def _notes_of(act: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    notes = [str(warning.message) for warning in caught if warning.category is NncWarning]
    return [note for note in notes if "larger" not in note]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (_avif(), "colours, bits a sample"),
        (file_of(photo(), "BMP"), "ICC profile"),
        (file_of(photo(), "JPEG2000"), "ICC profile, XMP, bits a sample"),
        (_ppm(), "bits a sample"),
        (file_of(photo(), "SGI"), "bits a sample"),
    ],
    ids=["AVIF", "BMP", "JPEG 2000", "PPM", "SGI"],
)
def test_what_pillow_let_go_of_is_told_once(data: bytes, names: str, tmp_path: Path) -> None:
    (note,) = _notes_of(lambda: by_pillow(data, tmp_path, lossless=True))
    assert note.startswith(f"its {names} could not be looked up: Pillow has let go of the ")
    (told,) = _notes_of(lambda: by_pillow(data, tmp_path, lossless=True, icc_profile=None)) or [""]
    assert ("bits" in told, "colours" in told) == ("bits" in names, False)
    assert "looked up" not in "".join(_notes_of(lambda: by_pillow_from_disk(data, tmp_path, lossless=True)))


def test_bits_matter_only_where_samples_are_exact(tmp_path: Path) -> None:
    assert _notes_of(lambda: by_pillow(_ppm(), tmp_path)) == []
    assert _notes_of(lambda: by_pillow(_ppm(), tmp_path, max_error=1)) != []


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "WEBP", "TIFF"])
def test_files_that_pillow_holds_on_to_are_no_news(kind: str, tmp_path: Path) -> None:
    data = file_of(photo().quantize(8) if kind == "GIF" else photo(), kind)
    notes = _notes_of(lambda: by_pillow(data, tmp_path, lossless=True))
    assert "looked up" not in "".join(notes)


def test_a_closed_file_is_opened_again_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "p3.png"
    path.write_bytes(_png())
    with path.open("rb") as stream:
        image = Image.open(stream)
        image.load()
    assert "icc_profile" in nncodec.decode(nncodec.encode(image)).info
    path.unlink()
    (note,) = _notes_of(lambda: nncodec.encode(image))
    assert note.startswith("its colours could not be looked up")


def test_colours_by_numbers_and_bits_of_an_animation_reach_save_all(tmp_path: Path) -> None:
    several = [image.rotate(number) for number, image in enumerate(frames())]
    data = bytearray(file_of(several[0], "AVIF", save_all=True, append_images=several[1:]))
    for place in (found.start() for found in re.finditer(b"colrnclx", data)):
        struct.pack_into(">HHH", data, place + 8, 12, 13, 6)
    assert _notes_of(lambda: by_pillow_from_disk(bytes(data), tmp_path, save_all=True)) == []
    assert "icc_profile" in nncodec.decode(tmp_path / "x.nnc").info
    (note,) = _notes_of(lambda: by_pillow(bytes(data), tmp_path, save_all=True))
    assert note.startswith("its colours could not be looked up")


def test_bits_of_several_frames_are_told_by_save_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "bits_of", lambda image: 16 if image.tell() else 8)
    data = file_of(frames()[0], "PNG", save_all=True, append_images=frames()[1:])
    told = _notes_of(lambda: by_pillow_from_disk(data, tmp_path, save_all=True, lossless=True))
    assert told == ["16 bits a sample are reduced to 8"]
