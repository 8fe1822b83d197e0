"""Pairs from two folders: matched by name, aligned whatever is cut out of them, refused where they do not pair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from nncodec.plugin.latents import Pixels
from nncodec.training.events import Event, Note
from nncodec.training.options import RunOptions
from nncodec.training.pairs import paired, read_pairs
from nncodec.training.sampling import make_batches
from nncodec.training.training_set import TrainingSet

ASTRONAUT = skimage.data.astronaut()

Save = Callable[..., None]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save a good picture of 48 x 32 pixels, and a worse one: `save("a.png", "a.bmp", factor=4)`."""

    def call(high: str | None, low: str | None, *, factor: int = 2, top: int = 0, mode: str = "RGB") -> None:
        good = Image.fromarray(ASTRONAUT[top : top + 32, 200:248]).convert(mode)
        for name, folder, image in (
            (high, "high", good),
            (low, "low", good.reduce(factor) if mode != "P" else good.resize((48 // factor, 32 // factor))),
        ):
            if name:
                (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
                image.save(tmp_path / folder / name)

    return call


def read(
    folder: Path, *, held_back: float = 0.0, crop: int = 8, memory_bytes: int = 1 << 30
) -> tuple[TrainingSet, list[str]]:
    """Return the pairs and the notes."""
    events: list[Event] = []
    low, high = folder / "low", folder / "high"
    found = read_pairs(low, high, held_back=held_back, crop=crop, memory_bytes=memory_bytes, on_event=events.append)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert not [note for note in notes if "\n" in note]
    return found, notes


def pulled_apart(pair: Pixels, factor: int) -> tuple[Pixels, Pixels]:
    """Return the good and the worse picture of a pair, of which every pixel is there factor x factor times."""
    low = pair[::factor, ::factor, 3:]
    assert np.array_equal(paired(pair[:, :, :3], low, factor), pair)
    return pair[:, :, :3], low


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_pictures_pair_by_their_place_and_name_whatever_the_extension(save: Save, tmp_path: Path, factor: int) -> None:
    save("b.png", "b.bmp", factor=factor)
    save("below/a.tif", "below/a.png", factor=factor, top=100)
    (tmp_path / "low" / "notes.txt").write_text("no picture")
    found, notes = read(tmp_path)
    assert notes == []
    assert found.factor == factor
    assert found.summary.factor == factor
    assert found.converted("RGB") is found
    assert found.name == "high"
    assert {one.shape for one in found.training} == {(32, 48, 6)}
    for pair, top in zip(found.training, (0, 100), strict=True):
        good, worse = pulled_apart(pair, factor)
        assert np.array_equal(good, ASTRONAUT[top : top + 32, 200:248])
        assert np.array_equal(worse, np.asarray(Image.fromarray(good).reduce(factor)))


def test_grey_palette_transparent_and_deep_pictures_become_colour(save: Save, tmp_path: Path) -> None:
    for mode in ("L", "P", "RGBA", "LA"):
        save(f"{mode}.png", f"{mode}.png", mode=mode)
    deep = np.full((32, 48), 257 * 9, np.uint16)
    Image.fromarray(deep).save(tmp_path / "high" / "deep.png")
    Image.fromarray(deep[:16, :24]).save(tmp_path / "low" / "deep.png")
    found, _ = read(tmp_path)
    assert [one.shape for one in found.training] == [(32, 48, 6)] * 5
    assert (found.training[-1] == 9).all() or (found.training[3] == 9).all()
    grey = found.training[0]
    assert np.array_equal(grey[:, :, 0], grey[:, :, 1])


def test_a_turned_picture_pairs_as_it_stands(save: Save, tmp_path: Path) -> None:
    save("a.png", "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(ASTRONAUT[:32, 200:248])).save(tmp_path / "high" / "a.png", exif=exif)
    (pair,) = read(tmp_path)[0].training
    assert np.array_equal(pair[:, :, :3], ASTRONAUT[:32, 200:248])


def refused(folder: Path) -> str:
    """Return why the folders do not pair, in one line."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_first_name_without_a_partner_is_named(save: Save, tmp_path: Path) -> None:
    save("a.png", "a.png")
    save("c.png", None)
    assert (
        refused(tmp_path)
        == f"the folders do not pair: {tmp_path / 'high' / 'c.png'} has no partner in {tmp_path / 'low'}"
    )
    save(None, "b.png")
    assert (
        refused(tmp_path)
        == f"the folders do not pair: {tmp_path / 'low' / 'b.png'} has no partner in {tmp_path / 'high'}"
    )


def test_two_pictures_of_one_name_are_refused(save: Save, tmp_path: Path) -> None:
    save("a.png", "a.png")
    save("a.bmp", None)
    text = refused(tmp_path)
    assert "a.bmp" in text
    assert "a.png" in text
    assert "have the same name" in text


def test_sizes_that_are_no_whole_factor_apart_are_refused_with_both(save: Save, tmp_path: Path) -> None:
    save("a.png", "a.png", factor=3)
    text = refused(tmp_path)
    assert "a.png has 48 x 32 pixels" in text
    assert "16 x 11" in text
    assert text.endswith("exactly 1, 2 or 4 times as large")
    save("a.png", "a.png", factor=4)
    save("b.png", "b.png", factor=4)
    save("c.png", "c.png", factor=2)
    text = refused(tmp_path)
    assert "c.png" in text
    assert text.endswith("4 times as large, as those before")


def test_something_else_than_two_folders_of_pictures_is_refused(save: Save, tmp_path: Path) -> None:
    save("a.png", None)
    assert "low is not a folder" in refused(tmp_path)
    (tmp_path / "low").mkdir()
    assert "no pictures below" in refused(tmp_path)


def test_pairs_that_cannot_be_read_are_named_and_skipped(save: Save, tmp_path: Path) -> None:
    save("a.png", "a.png")
    save("b.png", "b.png")
    whole = (tmp_path / "low" / "a.png").read_bytes()
    (tmp_path / "low" / "a.png").write_bytes(whole[: len(whole) // 2])
    found, notes = read(tmp_path)
    assert (found.count, found.skipped) == (1, 1)
    assert notes[0].startswith(f"{tmp_path / 'low' / 'a.png'} is skipped, and its partner")
    (tmp_path / "high" / "b.png").write_text("no picture")
    assert "none of the 2 pairs" in refused(tmp_path)


def test_where_memory_is_short_windows_of_pairs_stay_aligned(save: Save, tmp_path: Path) -> None:
    for number in range(4):
        save(f"{number}.png", f"{number}.png", factor=4, top=50 * number)
    budget = 6 * 4 * 24 * 32
    found, notes = read(tmp_path, memory_bytes=budget)
    assert sum(one.nbytes for one in found.training) <= budget
    assert any("a window of" in note for note in notes)
    tops = []
    for number, pair in enumerate(found.training):
        good, worse = pulled_apart(pair, 4)
        assert np.array_equal(worse, np.asarray(Image.fromarray(good).reduce(4)))
        whole = ASTRONAUT[50 * number : 50 * number + 32, 200:248]
        places = [
            (top, left)
            for top in range(32 - len(good) + 1)
            for left in range(48 - good.shape[1] + 1)
            if np.array_equal(whole[top : top + len(good), left : left + good.shape[1]], good)
        ]
        tops += places
    assert len(set(tops)) > 1  # at places of their own
    few, notes = read(tmp_path, crop=16, memory_bytes=6 * 32 * 48)
    assert few.count == 1
    assert any("1 of 4 pictures are used" in note for note in notes)


@pytest.mark.parametrize("augment", [False, True])
def test_crops_of_pairs_are_aligned_mirrored_together_and_never_reduced(
    save: Save, tmp_path: Path, augment: bool
) -> None:
    for number in range(6):
        save(f"{number}.png", f"{number}.png", factor=4, top=50 * number)
    found, _ = read(tmp_path, held_back=0.2)
    run = RunOptions(epochs=1, batch_size=64, crop=16, augment=augment)
    made = make_batches(4, found, run, lambda text: None)
    crops = [*made.sampler.batch(0), *made.validation[0]]
    assert len({crop.tobytes() for crop in crops}) > 20
    for crop in crops:
        good, worse = pulled_apart(crop, 4)
        assert good.shape == (16, 16, 3)
        assert np.abs(np.asarray(Image.fromarray(good).reduce(4)).astype(int) - worse).max() <= 1  # rounding, mirrored
