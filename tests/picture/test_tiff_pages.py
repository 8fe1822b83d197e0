"""TIFF files of science and of programs for photographs: pages that are no frames, and samples that Pillow changes."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from pictures_with_metadata import by_encode, by_pillow, from_bytes, photo, tiff_of
from PIL import Image

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)
from nncodec import NncWarning, UnsupportedImage
from nncodec.picture.reading import read_picture_file
from nncodec.picture.tiff_pages import tags_of_pages

SAMPLES = np.asarray(photo())
SMALL = SAMPLES[::2, ::2]
REDUCED, MASK = {254: 1}, {254: 4}
UNREADABLE = np.zeros((4, 4, 7), np.uint16)


def _notes_of(data: bytes, path: Path, way: object = from_bytes, **options: object) -> tuple[bytes, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encoded = way(data, path, **options)  # type: ignore[operator]
    notes = [str(warning.message) for warning in caught if warning.category is NncWarning]
    return encoded, [note for note in notes if "larger" not in note]


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
@pytest.mark.parametrize(
    "companion",
    [(SMALL, REDUCED), (SAMPLES, REDUCED), (SMALL, {255: 2}), (SAMPLES[..., 0], MASK), (UNREADABLE, MASK)],
    ids=["smaller", "of equal size", "by the old tag", "mask", "unreadable"],
)
def test_a_smaller_copy_or_mask_is_no_frame(
    companion: tuple[np.ndarray, dict[int, int]], big: bool, tmp_path: Path
) -> None:
    data = tiff_of((SAMPLES, {}), companion, big=big)
    encoded, notes = _notes_of(data, tmp_path, lossless=True)
    assert notes == ["of 2 pictures in this TIFF file, the first is used; the others are smaller copies or masks"]
    (frame,) = nncodec.decode_frames(encoded)
    assert np.array_equal(np.asarray(frame), SAMPLES)
    for way in (by_pillow, by_encode):
        _, notes = _notes_of(data, tmp_path, way, lossless=True)
        assert notes == ["of 2 frames in this TIFF file, the first is used"]
    assert _notes_of(data, tmp_path, by_pillow, lossless=True, save_all=True)[0] == encoded


def test_pages_that_are_pictures_stay_frames(tmp_path: Path) -> None:
    data = tiff_of((SAMPLES, {254: 2}), (SMALL, REDUCED), (255 - SAMPLES, {254: 2}), (SMALL, REDUCED))
    told = ["of 4 pictures in this TIFF file, 2 are used; the others are smaller copies or masks"]
    encoded, notes = _notes_of(data, tmp_path, lossless=True)
    assert notes == told
    assert [np.asarray(frame)[0, 0, 0] for frame in nncodec.decode_frames(encoded)] == [
        SAMPLES[0, 0, 0],
        255 - SAMPLES[0, 0, 0],
    ]
    by_save_all, notes = _notes_of(data, tmp_path, by_pillow, lossless=True, save_all=True)
    assert (by_save_all, notes) == (encoded, told)
    chosen = read_picture_file(io.BytesIO(data), frame=1, max_pixels=1 << 20, strip=False)
    assert chosen.frames[0].size == (24, 16)


def test_a_file_of_smaller_copies_only_is_read(tmp_path: Path) -> None:
    encoded, notes = _notes_of(tiff_of((SMALL, REDUCED)), tmp_path, lossless=True)
    assert notes == []
    assert np.array_equal(np.asarray(nncodec.decode(encoded)), SMALL)


def test_cut_and_looping_directories_end() -> None:
    for big in (False, True):
        data = tiff_of((SAMPLES[:1, :1], {}), (SAMPLES[:1, :1], REDUCED), big=big)
        for end in range(len(data)):
            assert len([*tags_of_pages(io.BytesIO(data[:end]))]) <= 2
    looping = bytearray(tiff_of((SAMPLES[:1, :1], {})))
    entries = int.from_bytes(looping[8:10], "little")
    looping[10 + 12 * entries : 14 + 12 * entries] = (8).to_bytes(4, "little")
    assert len([*tags_of_pages(io.BytesIO(looping))]) == 1


# --- samples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [from_bytes, by_pillow, by_encode])
@pytest.mark.parametrize(("planes", "kept"), [(4, 3), (5, 3)])
def test_planes_that_pillow_drops_are_told(planes: int, kept: int, way: object, tmp_path: Path) -> None:
    data = tiff_of((np.resize(SAMPLES, (32, 48, planes)), {}))
    assert _notes_of(data, tmp_path, way, lossless=True)[1] == [f"of {planes} planes of the TIFF file, {kept} are kept"]


@pytest.mark.parametrize("way", [from_bytes, by_pillow, by_encode])
def test_signed_samples_of_8_bits_are_told(way: object, tmp_path: Path) -> None:
    data = tiff_of((np.array([[-66, -19, 109]], np.int8), {}))
    encoded, notes = _notes_of(data, tmp_path, way, lossless=True)
    assert notes == ["its samples are signed, and stored as if they were not: -1 becomes 255"]
    assert np.asarray(nncodec.decode(encoded)).tolist() == [[190, 237, 109]]


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.array([[-66, 109]], np.int16), "some negative; add 32,768 to all"),
        (np.array([[-66, 1 << 17]], np.int32), "exceed 16 bits; scale them to 16 bits"),
        (np.array([[0.5]], np.float16), "of floating-point samples of 16 bits; scale them to whole numbers"),
        (np.array([[0.5]], np.float64), "of floating-point samples of 64 bits; scale them to whole numbers"),
        (np.zeros((2, 2, 7), np.uint16), "of 7 planes of 16 bits, which Pillow does not read; read it with tifffile"),
        (np.zeros((2, 2, 3), np.uint32), "of 3 planes of 32 bits, which Pillow does not read"),
    ],
    ids=["int16", "int32", "float16", "float64", "7 planes", "32 bits"],
)
def test_samples_that_cannot_be_read_are_named(samples: np.ndarray, says: str) -> None:
    with pytest.raises(UnsupportedImage, match=says):
        nncodec.encode(tiff_of((samples, {})), lossless=True)


def test_a_damaged_tiff_is_still_damaged() -> None:
    with pytest.raises(UnsupportedImage, match="a TIFF file that is damaged"):
        nncodec.encode(tiff_of((SAMPLES, {259: 9999})))


def test_grey_of_16_bits_that_is_turned_round_is_told(tmp_path: Path) -> None:
    samples = np.arange(12, dtype=np.uint16).reshape(3, 4)
    for way in (from_bytes, by_encode, by_pillow):
        encoded, notes = _notes_of(tiff_of((samples, {262: 0})), tmp_path, way, lossless=True)
        assert notes == ["0 is white in this file; its samples are turned round"]
        assert np.array_equal(np.asarray(nncodec.decode(encoded)), 0xFFFF - samples)
    assert _notes_of(tiff_of((samples, {})), tmp_path, lossless=True)[1] == []


def test_a_copy_has_no_tags_so_its_samples_stay_as_they_are_without_a_note() -> None:
    samples = np.arange(4, dtype=np.uint16).reshape(2, 2)
    with Image.open(io.BytesIO(tiff_of((samples, {262: 0})))) as image:
        encoded = nncodec.encode(image.copy(), lossless=True)  # a note would be raised
    assert np.array_equal(np.asarray(nncodec.decode(encoded)), samples)
