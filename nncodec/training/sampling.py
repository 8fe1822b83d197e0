"""Batches for a recipe: whole pictures where they have one size, crops where they differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncodec.plugin.latents import Pixels
from nncodec.training.data import ArraySampler, CropSampler, Sampler, padded
from nncodec.training.pictures import Pictures
from nncodec.training.recipe import RunOptions

# What a validation may cost: a share of the training from one to the next, and so many batches.
_VALIDATION_SHARE = 0.25
_VALIDATION_BATCHES = 64
_REDUCED = 0.3  # share of crops from reduced pictures, where augmentation is asked for
_LEAST_STEPS = 25  # from one validation or grid to the next: an epoch of a small folder is a step or two


@dataclass(frozen=True)
class Batches:
    """What a run sees.

    Args:
        sampler: of the training pictures.
        steps_per_epoch: batches in an epoch.
        validation_steps: from one validation to the next.
        sample_steps: from one grid of samples to the next; 0 makes none on the way.
        validation: the batches that are validated on, the same every time; empty if none are wanted.
    """

    sampler: Sampler
    steps_per_epoch: int
    validation_steps: int
    sample_steps: int
    validation: list[Pixels]


def batches_for(
    size: tuple[int, int] | int, pictures: Pictures, run: RunOptions, on_note: Callable[[str], None]
) -> Batches:
    """Return the batches of a run.

    Architectures of one size get whole pictures. The others get crops with edges that are multiples of `size`: of
    `run.crop`, or less where more than half of the pictures are smaller than that. Pictures of one size that are no
    larger than a crop are taken whole, padded as the encoder pads them. Windows of pairs begin at multiples of `size`,
    so where pixels of the worse pictures do, and none are reduced further. Pairs of one size are not mirrored either
    where `size` is more than a pixel: the architecture then looks at where in a square something is.

    Args:
        size: of the recipe.
        pictures: in the recipe's mode.
        run: batch size, crop, seed and so on.
        on_note: called with a line if the crop is not as it was asked for.

    Raises:
        ValueError: the pictures do not have the size that the architecture takes.
    """
    if isinstance(size, tuple):
        _require_size(pictures, size)
        return _whole(pictures.training, pictures.validation, run)
    if pictures.factor == 1 and size > 1:
        run = replace(run, augment=False)
    every = [*pictures.training, *pictures.validation]
    extents = {(_up(one.shape[0], size), _up(one.shape[1], size)) for one in every}
    if len(extents) == 1 and max(next(iter(extents))) <= max(run.crop, size):
        height, width = extents.pop()
        training, validation = (
            [padded(one, height, width) for one in side] for side in (pictures.training, pictures.validation)
        )
        return _whole(training, validation, run)
    crop = _crop_for(every, size, run.crop)
    if crop != run.crop:
        on_note(f"crops of {crop} x {crop} pixels are used: {_reason(crop, size, run.crop)}")
    return _crops(pictures, size, crop, run)


def _whole(training: Sequence[Pixels], validation: Sequence[Pixels], run: RunOptions) -> Batches:
    sampler = ArraySampler(np.stack(training), run.batch_size, run.seed, flip=run.augment)
    count = min(len(validation), _most_validated(run, sampler.steps_per_epoch))
    edge = run.batch_size
    batches = [np.stack(validation[start : start + edge][: count - start]) for start in range(0, count, edge)]
    return _batches(sampler, sampler.steps_per_epoch, run, batches)


def _crops(pictures: Pictures, size: int, crop: int, run: RunOptions) -> Batches:
    align = size if pictures.factor else 1
    sampler = CropSampler(
        pictures.training,
        run.batch_size,
        crop,
        run.seed,
        reduce_share=_REDUCED if run.augment and pictures.factor is None else 0.0,
        grey_share=0.0,
        mirror=run.augment,
        multiple=size,
        align=align,
    )
    if not pictures.validation:
        return _batches(sampler, sampler.steps_per_epoch, run, [])
    count = min(len(pictures.validation), _most_validated(run, sampler.steps_per_epoch))
    # The seed is apart from any that a user would give, so that folders of one picture do not validate on the very
    # crops that they are trained on.
    still = CropSampler(
        pictures.validation,
        run.batch_size,
        crop,
        run.seed + (1 << 32),
        reduce_share=0.0,
        grey_share=0.0,
        mirror=False,
        multiple=size,
        align=align,
    )
    batches = [still.batch(number) for number in range(max(1, math.ceil(count / run.batch_size)))]
    return _batches(sampler, sampler.steps_per_epoch, run, batches)


def _batches(sampler: Sampler, steps_per_epoch: int, run: RunOptions, validation: list[Pixels]) -> Batches:
    sample_steps = _steps(run.sample_epochs, steps_per_epoch) if run.sample_epochs else 0
    return Batches(sampler, steps_per_epoch, _steps(run.validate_epochs, steps_per_epoch), sample_steps, validation)


def _steps(epochs: int, steps_per_epoch: int) -> int:
    """Return the steps of so many epochs, or of more where these are short."""
    return math.ceil(max(epochs * steps_per_epoch, _LEAST_STEPS) / steps_per_epoch) * steps_per_epoch


def _most_validated(run: RunOptions, steps_per_epoch: int) -> int:
    interval = _steps(run.validate_epochs, steps_per_epoch)
    return run.batch_size * max(1, min(_VALIDATION_BATCHES, int(_VALIDATION_SHARE * interval)))


def _crop_for(pictures: Sequence[Pixels], size: int, wanted: int) -> int:
    edges = sorted(_up(min(one.shape[:2]), size) for one in pictures)
    typical = edges[len(edges) // 2]
    return max(size, min(wanted // size * size, typical))


def _reason(crop: int, size: int, wanted: int) -> str:
    if crop == max(size, wanted // size * size):
        return f"this architecture takes multiples of {size}"
    return "half of the pictures are no larger"


def _require_size(pictures: Pictures, size: tuple[int, int]) -> None:
    width, height = size
    every = [*pictures.training, *pictures.validation]
    others = [one.shape for one in every if one.shape[:2] != (height, width)]
    if others:
        found = f"{others[0][1]} x {others[0][0]}"
        raise ValueError(
            f"the architecture takes pictures of {width} x {height} pixels, and {len(others):,} of {len(every):,} are "
            f"not, such as one of {found}; resize them, or choose an architecture that takes any size"
        )


def _up(edge: int, multiple: int) -> int:
    return math.ceil(edge / multiple) * multiple
