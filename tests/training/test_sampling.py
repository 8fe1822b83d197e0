"""Batches for recipes of one size and of any size."""

from __future__ import annotations

import numpy as np
import pytest

from nncodec.plugin.latents import Pixels
from nncodec.training.events import Event, Note
from nncodec.training.options import RunOptions
from nncodec.training.sampling import Batches, CropSampler, make_batches
from nncodec.training.training_set import TrainingSet


def pictures(*sizes: tuple[int, int], channels: int = 1, held_back: int = 1) -> TrainingSet:
    """Return noise pictures (height, width), the last of them held back."""
    rng = np.random.default_rng(0)
    every: list[Pixels] = [rng.integers(0, 256, (*size, channels), np.uint8) for size in sizes]
    cut = len(every) - held_back
    return TrainingSet(every[:cut], every[cut:], len(every), 0, "noise")


def batches(size: tuple[int, int] | int, found: TrainingSet, **options: object) -> tuple[Batches, list[str]]:
    notes: list[Event] = []
    run = RunOptions(epochs=1, **options)  # type: ignore[arg-type]
    return make_batches(size, found, run, notes.append), [note.text for note in notes if isinstance(note, Note)]


def test_pictures_of_the_one_size_are_taken_whole_and_each_once_an_epoch() -> None:
    found = pictures(*[(6, 4)] * 9)
    made, _ = batches((4, 6), found, batch_size=4)
    assert made.steps_per_epoch == 2
    epoch = [one.tobytes() for step in range(2) for one in made.sampler.batch(step)]
    assert len(set(epoch)) == 8
    assert set(epoch) == {one.tobytes() for one in found.training}
    assert [one.tobytes() for batch in made.validation for one in batch] == [found.validation[0].tobytes()]


def test_another_size_is_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"of 5 x 6 pixels, and 1 of 3 are not, such as one of 4 x 6"):
        batches((5, 6), pictures((6, 5), (6, 4), (6, 5)))


def test_small_pictures_of_one_size_are_padded_as_the_encoder_pads_them() -> None:
    found = pictures(*[(28, 28)] * 5)
    made, notes = batches(16, found, batch_size=4, crop=128)
    assert notes == []
    batch = made.sampler.batch(0)
    assert batch.shape == (4, 32, 32, 1)
    assert np.array_equal(batch[:, 28:, :28], np.repeat(batch[:, 27:28, :28], 4, axis=1))
    assert np.array_equal(batch[:, :, 28:], np.repeat(batch[:, :, 27:28], 4, axis=2))


def test_crops_are_multiples_and_no_larger_than_half_of_the_pictures() -> None:
    assert batches(16, pictures((200, 90), (300, 300), (90, 200)), crop=128)[0].sampler.batch(0).shape[1:3] == (96, 96)
    made, notes = batches(16, pictures((200, 200), (300, 300)), crop=100)
    assert made.sampler.batch(0).shape[1:3] == (96, 96)
    assert notes == ["crops of 96 x 96 pixels are used: this architecture takes multiples of 16"]
    made, notes = batches(16, pictures((50, 50), (40, 60), (3, 2), (300, 300)), crop=128)
    assert made.sampler.batch(0).shape[1:3] == (64, 64)
    assert notes == ["crops of 64 x 64 pixels are used: half of the pictures are no larger"]
    made, _ = batches(64, pictures((5, 3), (4, 3)), crop=8)
    assert made.sampler.batch(0).shape == (1, 64, 64, 1)


def test_crops_reach_as_far_as_the_padding_and_no_further() -> None:
    picture = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((1, 20, 1), np.uint8)
    sampler = CropSampler([picture], 64, 16, seed=0, reduce_share=0, grey_share=0, mirror=False, multiple=16)
    lasts = {int(crop[-1, 0, 0]) for crop in sampler.batch(0)}
    firsts = {int(crop[0, 0, 0]) for crop in sampler.batch(0)}
    assert max(firsts) == 16  # rows 16 to 31 of the padded picture
    assert min(firsts) == 0
    assert max(lasts) == 19  # the last row, repeated


def test_crops_are_not_mirrored_unless_it_is_asked_for() -> None:
    ramp = np.tile(np.arange(100, dtype=np.uint8)[None, :, None], (100, 1, 1))
    found = TrainingSet([ramp], [ramp], 1, 0, "ramp")

    def rising(augment: bool) -> set[bool]:
        made, _ = batches(8, found, batch_size=32, crop=32, augment=augment)
        return {bool(crop[0, -1, 0] > crop[0, 0, 0]) for crop in made.sampler.batch(0)}

    assert rising(False) == {True}
    assert rising(True) == {True, False}


def test_short_epochs_are_taken_together_between_validations() -> None:
    made, _ = batches(8, pictures(*[(64, 64)] * 13), batch_size=4, crop=32)
    assert made.steps_per_epoch == 3
    assert made.validation_steps == 27
    long, _ = batches((2, 2), pictures(*[(2, 2)] * 201), batch_size=4, validate_epochs=2)
    assert (long.steps_per_epoch, long.validation_steps) == (50, 100)
    assert (made.sample_steps, long.sample_steps) == (0, 0)
    assert batches(8, pictures(*[(64, 64)] * 13), batch_size=4, crop=32, sample_epochs=1)[0].sample_steps == 27


def test_validation_is_the_same_every_time_bounded_and_not_what_is_trained_on() -> None:
    found = pictures(*[(40, 40)] * 300, held_back=290)
    first, _ = batches(8, found, batch_size=4, crop=16)
    again, _ = batches(8, found, batch_size=4, crop=16)
    assert all(np.array_equal(a, b) for a, b in zip(first.validation, again.validation, strict=True))
    assert sum(len(batch) for batch in first.validation) == 4 * 6  # batches: a quarter of the 26 steps in between
    many, _ = batches((2, 2), pictures(*[(2, 2)] * 2000, held_back=1000), batch_size=4)
    assert len(many.validation) == 62  # a quarter of 250 steps
    more, _ = batches((2, 2), pictures(*[(2, 2)] * 3000, held_back=1000), batch_size=4)
    assert len(more.validation) == 64
    assert not batches(8, pictures((40, 40), held_back=0), crop=16)[0].validation


@pytest.mark.parametrize("size", [(48, 64), (16, 16)], ids=str)
def test_pairs_of_one_size_stay_in_their_squares_and_are_not_mirrored(size: tuple[int, int]) -> None:
    # Each plane of a picture tells of every pixel where in a square it is.
    rows, columns = np.mgrid[: size[0], : size[1]] % 16
    picture = np.stack([rows, columns] * 3, axis=2).astype(np.uint8)
    found = TrainingSet([picture] * 8, [picture], 9, 0, "squares", factor=1)
    made, _ = batches(16, found, batch_size=4, crop=32, augment=True)
    edge = min(32, *size)
    for batch in (*(made.sampler.batch(step) for step in range(6)), *made.validation):
        assert batch.shape[1:] == (edge, edge, 6)
        assert (batch[..., 0] == np.mgrid[:edge, :edge][0] % 16).all()
        assert (batch[..., 1] == np.mgrid[:edge, :edge][1] % 16).all()
    without, _ = batches(1, found, batch_size=4, crop=32, augment=True)
    begins = {(int(one[0, 0, 0]), int(one[0, 0, 1])) for step in range(6) for one in without.sampler.batch(step)}
    assert len(begins) > 1
