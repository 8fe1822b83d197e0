"""Training data: IDX files, folders, splits, samplers."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from nncodec.training.data import list_pictures, load_pictures, read_idx, split_by_name
from nncodec.training.sampling import ArraySampler, CropSampler


def idx(array: np.ndarray) -> bytes:
    """Return an array as an IDX file of unsigned bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_an_idx_file_is_read_whole(tmp_path: Path, compress: type[bytes]) -> None:
    array = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    path = tmp_path / "pictures"
    path.write_bytes(compress(idx(array)))
    assert np.array_equal(read_idx(path), array)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file"),
        (struct.pack(">HBBI", 0, 0x0D, 1, 1) + b"abcd", "not an IDX file"),
        (struct.pack(">HBBI", 0, 8, 3, 1), "ends inside"),
        (gzip.compress(idx(np.zeros(100, np.uint8)))[:-9], "incomplete"),
        (gzip.compress(b"")[:10] + b"\xff\xff", "incomplete"),
        (struct.pack(">HBBI", 0, 8, 1, 9) + b"short", "declares"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 4), "declares"),
    ],
)
def test_a_wrong_idx_file_is_refused_in_one_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "wrong"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=complaint) as caught:
        read_idx(path)
    assert "\n" not in str(caught.value)


def test_pictures_are_listed_recursively_and_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no pictures"):
        list_pictures(tmp_path)
    (tmp_path / "deep").mkdir()
    for name in ("deep/b.PNG", "a.jpg", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in list_pictures(tmp_path)] == ["a.jpg", "b.PNG"]


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"broken\.png"):
        load_pictures([path])


def test_a_split_holds_back_about_its_share_and_does_not_move_when_pictures_are_added() -> None:
    paths = [Path(f"{n}.png") for n in range(1000)]
    training, held_back = split_by_name(paths, 0.2)
    assert 150 < len(held_back) < 250
    assert set(training) | set(held_back) == set(paths)
    assert split_by_name(paths[::2], 0.2)[1] == [p for p in held_back if p in paths[::2]]


def test_crops_repeat_for_the_same_step_and_differ_between_steps() -> None:
    pictures = [skimage.data.chelsea(), skimage.data.coffee()]
    sampler = CropSampler(pictures, 4, 48, seed=7)
    assert sampler.batch(3).shape == (4, 48, 48, 3)
    assert np.array_equal(sampler.batch(3), CropSampler(pictures, 4, 48, seed=7).batch(3))
    assert not np.array_equal(sampler.batch(3), sampler.batch(4))


def test_a_picture_smaller_than_the_crop_is_padded_with_its_own_pixels() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 10, 3), np.uint8)
    batch = CropSampler([picture], 2, 32, seed=0, reduce_share=0, grey_share=0).batch(0)
    assert batch.shape == (2, 32, 32, 3)
    known = {tuple(p) for p in picture.reshape(-1, 3)}
    assert {tuple(p) for p in batch.reshape(-1, 3)} <= known


def test_an_epoch_shows_every_picture_once_and_the_next_in_another_order() -> None:
    pictures = np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1)
    sampler = ArraySampler(pictures, 4, seed=0)
    first = [sampler.batch(step).ravel().tolist() for step in range(3)]
    second = [sampler.batch(step).ravel().tolist() for step in range(3, 6)]
    for epoch in (first, second):
        assert sorted(number for batch in epoch for number in batch) == list(range(12))
    assert first != second
    assert sampler.batch(1).ravel().tolist() == first[1]


def test_mixed_modes_become_one(tmp_path: Path) -> None:
    for name, mode in (("a.png", "L"), ("b.png", "RGBA"), ("c.png", "P")):
        Image.new(mode, (5, 4)).save(tmp_path / name)
    assert {p.shape for p in load_pictures(list_pictures(tmp_path))} == {(4, 5, 3)}
    assert {p.shape for p in load_pictures(list_pictures(tmp_path), "L")} == {(4, 5, 1)}
