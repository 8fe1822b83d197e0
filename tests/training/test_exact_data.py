"""Training pictures as they are: arrays, 16-bit pictures, stacks; one kind in a folder, bad files named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nncodec.training.events import Event, Note
from nncodec.training.exact_data import read_exact
from nncodec.training.options import RunOptions
from nncodec.training.sampling import make_batches
from nncodec.training.training_set import TrainingSet

DEEP = np.arange(2 * 20 * 24 * 5, dtype=np.uint16).reshape(2, 20, 24, 5)
GREY = DEEP[0, :, :, 0]


def read(source: Path, held_back: float = 0.0, memory_bytes: int = 1 << 30) -> tuple[TrainingSet | None, list[str]]:
    """Return the pictures and the notes."""
    events: list[Event] = []
    found = read_exact(source, held_back=held_back, memory_bytes=memory_bytes, on_event=events.append)
    return found, [event.text for event in events if isinstance(event, Note)]


@pytest.mark.parametrize(
    ("array", "shapes"), [(DEEP, [(20, 24, 5)] * 2), (DEEP[0], [(20, 24, 5)]), (GREY, [(20, 24, 1)])]
)
def test_arrays_hold_planes_and_stacks(tmp_path: Path, array: np.ndarray, shapes: list[tuple[int, ...]]) -> None:
    np.save(tmp_path / "a.npy", array)
    found, notes = read(tmp_path)
    assert notes == []
    assert [picture.shape for picture in found.training] == shapes
    assert np.array_equal(np.stack(found.training).ravel(), array.ravel())
    assert found.summary.top == 65535
    assert found.converted("RGB") is found


def test_deep_pictures_and_stacks_are_read_as_they_are(tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY + number) for number in range(3)]
    pages[0].save(tmp_path / "a.png")
    pages[1].save(tmp_path / "b.tif", save_all=True, append_images=pages[2:])
    (tmp_path / "c.npy").write_bytes(b"no array")
    found, notes = read(tmp_path)
    assert [picture[0, 0, 0] for picture in found.training] == [0, 1, 2]
    assert all(picture.dtype == np.uint16 for picture in found.training)
    assert found.skipped == 1
    assert "c.npy is skipped" in notes[0]


def test_ordinary_pictures_are_left_to_the_ordinary_reader(tmp_path: Path) -> None:
    assert read(tmp_path)[0] is None
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    assert read(tmp_path)[0] is None
    assert read(tmp_path / "a.png")[0] is None


@pytest.mark.parametrize("other", [GREY.astype(np.uint8), DEEP])
def test_several_kinds_are_refused(tmp_path: Path, other: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", GREY)
    np.save(tmp_path / "b.npy", other)
    with pytest.raises(ValueError, match="give a folder with pictures of one kind"):
        read(tmp_path)


@pytest.mark.parametrize("array", [GREY.astype(float), np.zeros((2, 20, 24, 33), np.uint8), np.zeros(9, np.uint8)])
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match="none of the 1 pictures"):
        read(tmp_path)


def test_memory_is_bounded_and_frames_are_held_back(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", DEEP)
    found, notes = read(tmp_path, memory_bytes=DEEP.nbytes // 2)
    assert len(found.training) == 1
    assert "1 pictures are used" in notes[0]
    found, _ = read(tmp_path, held_back=0.5)
    assert (len(found.training), len(found.validation)) == (1, 1)


def test_crops_keep_samples(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", DEEP)
    found, _ = read(tmp_path)
    batches = make_batches(1, found, RunOptions(crop=16, batch_size=8, augment=True), print)
    batch = batches.sampler.batch(0)
    assert (batch.shape, batch.dtype) == ((8, 16, 16, 5), np.uint16)
    assert np.isin(batch, DEEP).all()
