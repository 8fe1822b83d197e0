"""A user's pictures: everything Pillow reads, bad files named, memory bounded, splits that are never empty."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from nncodec.training.data import in_mode
from nncodec.training.events import Event, Note
from nncodec.training.training_set import TrainingSet, read_data

ASTRONAUT = skimage.data.astronaut()[:60, 200:280]  # (60, 80, 3)
CAMERA = skimage.data.camera()[:60, 200:280]  # (60, 80)

Read = Callable[..., tuple[TrainingSet, list[str]]]


def read(
    source: Path, *, held_back: float = 0.0, crop: int = 16, memory_bytes: int = 1 << 30
) -> tuple[TrainingSet, list[str]]:
    """Return the pictures and the notes."""
    events: list[Event] = []
    found = read_data(source, held_back=held_back, crop=crop, memory_bytes=memory_bytes, on_event=events.append)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert not [note for note in notes if "\n" in note]
    return found, notes


def idx(array: np.ndarray) -> bytes:
    """Return an array as an IDX file of unsigned bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_modes_formats_and_folders_may_be_mixed(tmp_path: Path) -> None:
    colour, grey = Image.fromarray(ASTRONAUT), Image.fromarray(CAMERA)
    (tmp_path / "below" / "deeper").mkdir(parents=True)
    colour.save(tmp_path / "a.png")
    colour.convert("RGBA").save(tmp_path / "b.webp", lossless=True)
    colour.convert("CMYK").save(tmp_path / "below" / "c.tif")
    grey.save(tmp_path / "below" / "deeper" / "d.PNG")
    grey.convert("RGB").save(tmp_path / "e.bmp")
    Image.fromarray(CAMERA.astype(np.uint16) * 257).save(tmp_path / "f.png")
    colour.quantize(8).save(tmp_path / "g.gif")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"no picture")
    found, notes = read(tmp_path)
    assert notes == []
    shapes = [one.shape for one in found.training]
    assert shapes == [(60, 80, 3), (60, 80, 3), (60, 80, 3), (60, 80, 1), (60, 80, 1), (60, 80, 1), (60, 80, 3)]
    assert np.array_equal(found.training[1], ASTRONAUT)
    for grey_one in (3, 4, 5):  # equal channels are grey, and 16 bits are scaled to 8
        assert np.array_equal(found.training[grey_one][:, :, 0], CAMERA)
    summary = found.summary
    assert (summary.count, summary.width, summary.height, summary.grey) == (7, 80, 60, False)
    assert {one.shape for one in found.converted("L").training} == {(60, 80, 1)}
    assert {one.shape for one in found.converted("RGB").training} == {(60, 80, 3)}


def test_modes_are_converted_as_pillow_does() -> None:
    assert np.array_equal(in_mode(ASTRONAUT, "L")[:, :, 0], np.asarray(Image.fromarray(ASTRONAUT).convert("L")))
    assert np.array_equal(in_mode(CAMERA[:, :, None], "RGB")[:, :, 2], CAMERA)


def test_pictures_stand_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png", exif=exif)
    (found,) = read(tmp_path)[0].training
    assert np.array_equal(found, np.rot90(ASTRONAUT, -1))


def test_what_cannot_be_read_is_named_counted_and_skipped(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).save(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    found, notes = read(tmp_path)
    assert len(found.training) == 1
    assert found.skipped == 3
    for name in ("cut.png", "empty.jpg", "text.jpg"):
        assert sum(f"{name} is skipped: " in note for note in notes) == 1
    assert notes[-1] == "3 of 4 pictures cannot be read and are skipped"


def test_of_a_picture_that_is_too_large_is_said_what_a_training_can_do(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).save(tmp_path / "good.png")
    Image.new("1", (16384, 16384)).save(tmp_path / "large.png")
    found, notes = read(tmp_path)
    assert (len(found.training), found.skipped) == (1, 1)
    assert notes[0].endswith("large.png is skipped: it has too many pixels; make it smaller first")


def test_nothing_to_train_on_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pictures below"):
        read(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        read(tmp_path / "elsewhere")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(ValueError, match="none of the 1 pictures"):
        read(tmp_path)
    (tmp_path / "text.jpg").rename(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(ValueError, match="IDX files; give one of them: train-images-idx3-ubyte"):
        read(tmp_path)


def test_a_single_file_may_be_given(tmp_path: Path) -> None:
    Image.fromarray(ASTRONAUT).save(tmp_path / "a.png")
    found, notes = read(tmp_path / "a.png", held_back=0.1)
    assert found.count == 1
    assert np.array_equal(found.training[0], found.validation[0])
    assert any("single picture" in note for note in notes)


def test_idx_files_hold_grey_or_colour_pictures(tmp_path: Path) -> None:
    path = tmp_path / "pictures"
    path.write_bytes(idx(np.stack([CAMERA] * 40)))
    found, _ = read(path, held_back=0.25)
    assert found.summary.grey
    assert (found.summary.width, found.summary.height) == (80, 60)
    assert len(found.training) + len(found.validation) == found.count == 40
    assert 4 < len(found.validation) < 17
    path.write_bytes(idx(np.stack([ASTRONAUT] * 3)))
    assert np.array_equal(read(path)[0].training[2], ASTRONAUT)


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros(9, np.uint8), "holds labels"),
        (np.zeros((2, 3), np.uint8), "shape"),
        (np.zeros((2, 3, 3, 2), np.uint8), "shape"),
        (np.zeros((0, 28, 28), np.uint8), "no pictures"),
    ],
)
def test_other_idx_files_are_refused(tmp_path: Path, array: np.ndarray, complaint: str) -> None:
    (tmp_path / "file").write_bytes(idx(array))
    with pytest.raises(ValueError, match=complaint):
        read(tmp_path / "file")


@pytest.mark.parametrize("held_back", [0.001, 0.5, 0.999])
def test_no_side_is_empty(tmp_path: Path, held_back: float) -> None:
    for number in range(5):
        Image.new("L", (4, 4), number).save(tmp_path / f"{number}.png")
    found, _ = read(tmp_path, held_back=held_back)
    assert found.training
    assert found.validation
    levels = [int(one[0, 0, 0]) for one in (*found.training, *found.validation)]
    assert sorted(levels) == list(range(5))


def folder_of(folder: Path, count: int, edge: int) -> Path:
    """Fill a folder with noise pictures of one size."""
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (edge, edge, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


def held_bytes(found: TrainingSet) -> int:
    """Return what the arrays keep alive, which is more than they show where they are views."""
    return sum((one if one.base is None else np.asarray(one.base)).nbytes for one in found.training)


def test_large_pictures_are_cut_to_windows_where_memory_is_short(tmp_path: Path) -> None:
    folder_of(tmp_path, 4, 100)
    Image.fromarray(CAMERA[:20, :20]).save(tmp_path / "small.png")
    found, notes = read(tmp_path, memory_bytes=60_000)
    assert held_bytes(found) <= 60_000
    assert len(found.training) == 5
    assert {one.shape[0] for one in found.training} == {70, 20}  # 4 x 70 x 70 x 3, and what the small one leaves
    assert any("window" in note and "memory_mib" in note for note in notes)
    again, _ = read(tmp_path, memory_bytes=60_000)
    assert all(np.array_equal(a, b) for a, b in zip(found.training, again.training, strict=True))


def test_a_part_of_the_pictures_is_used_where_windows_would_be_too_small(tmp_path: Path) -> None:
    folder_of(tmp_path, 10, 100)
    found, notes = read(tmp_path, memory_bytes=12_000)
    assert held_bytes(found) <= 12_000
    assert {one.shape for one in found.training} == {(32, 32, 3)}  # twice the crop
    assert len(found.training) == 3
    assert any("3 of 10 pictures are used" in note for note in notes)


def test_a_long_idx_file_is_cut(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(idx(np.zeros((100, 10, 10), np.uint8)))
    found, notes = read(tmp_path / "file", memory_bytes=3000)
    assert found.count == 30
    assert any("30 of 100 pictures are used" in note for note in notes)
