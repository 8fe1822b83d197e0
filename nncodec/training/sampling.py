"""Samplers and the batches of a run: whole pictures where they have one size, crops where sizes differ."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec.plugin.latents import Pixels
from nncodec.training.events import Note, OnEvent
from nncodec.training.options import RunOptions
from nncodec.training.training_set import TrainingSet

# Limits on the cost of a validation: a share of the training since the last one, and a number of batches.
_VALIDATION_SHARE = 0.25
_VALIDATION_BATCHES = 64
_REDUCED = 0.3  # share of crops from reduced pictures, with augmentation
_LEAST_STEPS = 25  # between validations or grids of samples: an epoch of a small folder is a step or two


class Sampler(Protocol):
    """Source of batches. Stateless: resuming at a step needs only its number."""

    def batch(self, step: int) -> Pixels:
        """Return the batch of this step, uint8 (N, H, W, C)."""


class CropSampler:
    """Random square crops of pictures in memory, mirrored and sometimes reduced.

    Args:
        pictures: uint8 arrays (H, W, C). Crops that reach beyond them are filled with their last row and column, as
            the encoder pads pictures.
        batch_size: crops per batch.
        crop: edge of a crop, pixels.
        seed: together with the step number it determines a batch completely.
        reduce_share: share of crops taken from a picture reduced by a random factor. Reducing hides the smoothing
            of the codec that the training pictures came through, and varies the scale of detail.
        reduce_range: the factors; below 1 is smaller.
        grey_share: share of crops made colourless.
        mirror: flip half of the crops left to right, and half upside down.
        multiple: crops may reach beyond a picture's lower and right edges as far as the encoder pads it, to a multiple
            of this; at most `crop`.
        align: windows begin at multiples of this, and end there if pictures do.
    """

    def __init__(
        self,
        pictures: Sequence[Pixels],
        batch_size: int,
        crop: int,
        seed: int,
        *,
        reduce_share: float = 0.3,
        reduce_range: tuple[float, float] = (0.5, 0.9),
        grey_share: float = 0.05,
        mirror: bool = True,
        multiple: int = 1,
        align: int = 1,
    ) -> None:
        self._pictures = pictures
        self._batch_size = batch_size
        self._crop = crop
        self._seed = seed
        self._reduce_share = reduce_share
        self._reduce_range = reduce_range
        self._grey_share = grey_share
        self._mirror = mirror
        self._multiple = multiple
        self._align = align
        areas = np.array([p.shape[0] * p.shape[1] for p in pictures], np.float64)
        shares = (areas / areas.sum()).cumsum()
        self._shares = shares / shares[-1]

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches that hold about as many crops as there are pictures."""
        return max(1, round(len(self._pictures) / self._batch_size))

    def batch(self, step: int) -> Pixels:
        """Return the crops of this step, uint8 (N, crop, crop, C)."""
        rng = np.random.default_rng([self._seed, step])
        return np.stack([self._random_crop(rng) for _ in range(self._batch_size)])

    def _random_crop(self, rng: np.random.Generator) -> Pixels:
        # The same as Generator.choice with probabilities, without summing them each time.
        picture = self._pictures[self._shares.searchsorted(rng.random(), side="right")]
        reduction = rng.uniform(*self._reduce_range) if rng.random() < self._reduce_share else 1.0
        window = math.ceil(self._crop / reduction)
        if reduction < 1 and min(picture.shape[:2]) >= window:
            cut = _random_window(picture, window, rng)
            colour = cut if cut.shape[2] == 3 else cut[:, :, 0]
            resized = Image.fromarray(colour).resize((self._crop, self._crop), Image.Resampling.LANCZOS)
            cut = np.asarray(resized).reshape(self._crop, self._crop, -1)
        else:
            cut = _random_window(picture, self._crop, rng, self._multiple, self._align)
        if self._mirror and rng.random() < 0.5:
            cut = cut[:, ::-1]
        if self._mirror and rng.random() < 0.5:
            cut = cut[::-1]
        if cut.shape[2] == 3 and rng.random() < self._grey_share:
            cut = np.asarray(Image.fromarray(np.ascontiguousarray(cut)).convert("L").convert("RGB"))
        return padded_to_size(cut, self._crop, self._crop)


class ArraySampler:
    """Shuffled batches of equally sized pictures, one epoch after another.

    Args:
        pictures: uint8 (n, H, W, C).
        batch_size: pictures per batch, at most n.
        seed: together with the epoch number it determines the order.
        flip: flip half of the pictures left to right.
    """

    def __init__(self, pictures: Pixels, batch_size: int, seed: int, *, flip: bool = False) -> None:
        self._pictures = pictures
        self._batch_size = min(batch_size, len(pictures))
        self._seed = seed
        self._flip = flip
        self._order: tuple[int, NDArray[np.intp]] = (-1, np.empty(0, np.intp))

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in one pass over the pictures."""
        return len(self._pictures) // self._batch_size

    def batch(self, step: int) -> Pixels:
        """Return the pictures of this step, uint8 (N, H, W, C)."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if self._order[0] != epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._pictures))
            self._order = (epoch, order)
        chosen = self._order[1][index * self._batch_size : (index + 1) * self._batch_size]
        pictures = self._pictures[chosen]
        if self._flip:
            mirrored = np.random.default_rng([self._seed, epoch, index]).random(len(pictures)) < 0.5
            pictures[mirrored] = pictures[mirrored, :, ::-1]
        return pictures


def padded_to_size(picture: Pixels, height: int, width: int) -> Pixels:
    """Return a picture (H, W, C) padded to at least this size by its last row and column, as the encoder does."""
    short = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
    return np.pad(picture, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge") if any(short) else picture


def _random_window(picture: Pixels, edge: int, rng: np.random.Generator, multiple: int = 1, align: int = 1) -> Pixels:
    """Return a window of the padded picture without the padding: it is smaller where it reaches into the padding."""
    height, width = (max(edge, math.ceil(n / multiple) * multiple) for n in picture.shape[:2])
    top = align * int(rng.integers((height - edge) // align + 1))
    left = align * int(rng.integers((width - edge) // align + 1))
    return picture[top : top + edge, left : left + edge]


@dataclass(frozen=True)
class Batches:
    """The batches of a run.

    Args:
        sampler: of the training pictures.
        steps_per_epoch: batches in an epoch.
        validation_steps: steps between validations.
        sample_steps: steps between grids of samples; 0 draws none before the end.
        validation: the batches to validate on, the same every time; empty if none are wanted.
    """

    sampler: Sampler
    steps_per_epoch: int
    validation_steps: int
    sample_steps: int
    validation: list[Pixels]

    @property
    def validation_digest(self) -> str:
        """What tells these batches to validate on from others: losses on others cannot be compared."""
        state = hashlib.sha256()
        for batch in self.validation:
            state.update(f"{batch.dtype} {batch.shape}\n".encode())
            state.update(np.ascontiguousarray(batch).data)
        return state.hexdigest()


def make_batches(size: tuple[int, int] | int, pictures: TrainingSet, options: RunOptions, on_event: OnEvent) -> Batches:
    """Return the batches of a run.

    Architectures of one size get whole pictures. The others get crops with edges that are multiples of `size`:
    `options.crop`, or less where more than half of the pictures are smaller than that. Pictures of one size that are no
    larger than a crop are taken whole, padded as the encoder pads them. Crops of pairs begin at multiples of `size`,
    where pixels of the worse pictures begin, and are never reduced. Pairs with factor 1 are not mirrored either
    if `size` is more than a pixel: the architecture then depends on the position within a square.

    Args:
        size: of the recipe.
        pictures: in the recipe's mode.
        options: batch size, crop, seed and so on.
        on_event: receives a `Note` if the crop is not the one asked for.

    Raises:
        ValueError: the pictures do not have the size that the architecture takes.
    """
    if isinstance(size, tuple):
        _require_size(pictures, size)
        return _whole(pictures.training, pictures.validation, options)
    if pictures.factor == 1 and size > 1:
        options = replace(options, augment=False)
    all_pictures = [*pictures.training, *pictures.validation]
    extents = {(_up(picture.shape[0], size), _up(picture.shape[1], size)) for picture in all_pictures}
    if len(extents) == 1 and max(next(iter(extents))) <= max(options.crop, size):
        height, width = extents.pop()
        training, validation = (
            [padded_to_size(picture, height, width) for picture in side]
            for side in (pictures.training, pictures.validation)
        )
        return _whole(training, validation, options)
    crop = _crop_for(all_pictures, size, options.crop)
    if crop != options.crop:
        on_event(Note(f"crops of {crop} x {crop} pixels are used: {_reason(crop, size, options.crop)}"))
    return _crops(pictures, size, crop, options)


def _whole(training: Sequence[Pixels], validation: Sequence[Pixels], options: RunOptions) -> Batches:
    sampler = ArraySampler(np.stack(training), options.batch_size, options.seed, flip=options.augment)
    count = min(len(validation), _most_validated(options, sampler.steps_per_epoch))
    edge = options.batch_size
    batches = [np.stack(validation[start : start + edge][: count - start]) for start in range(0, count, edge)]
    return _batches(sampler, sampler.steps_per_epoch, options, batches)


def _crops(pictures: TrainingSet, size: int, crop: int, options: RunOptions) -> Batches:
    align = size if pictures.factor else 1
    sampler = CropSampler(
        pictures.training,
        options.batch_size,
        crop,
        options.seed,
        reduce_share=_REDUCED if options.augment and pictures.factor is None and not pictures.exact else 0.0,
        grey_share=0.0,
        mirror=options.augment,
        multiple=size,
        align=align,
    )
    if not pictures.validation:
        return _batches(sampler, sampler.steps_per_epoch, options, [])
    count = min(len(pictures.validation), _most_validated(options, sampler.steps_per_epoch))
    # No user would give this seed, so a folder of a single picture does not validate on its training crops.
    validation = CropSampler(
        pictures.validation,
        options.batch_size,
        crop,
        options.seed + (1 << 32),
        reduce_share=0.0,
        grey_share=0.0,
        mirror=False,
        multiple=size,
        align=align,
    )
    batches = [validation.batch(number) for number in range(max(1, math.ceil(count / options.batch_size)))]
    return _batches(sampler, sampler.steps_per_epoch, options, batches)


def _batches(sampler: Sampler, steps_per_epoch: int, options: RunOptions, validation: list[Pixels]) -> Batches:
    sample_steps = _steps(options.sample_epochs, steps_per_epoch) if options.sample_epochs else 0
    return Batches(sampler, steps_per_epoch, _steps(options.validate_epochs, steps_per_epoch), sample_steps, validation)


def _steps(epochs: int, steps_per_epoch: int) -> int:
    """Return the number of steps in so many epochs, or in more if these are short."""
    return math.ceil(max(epochs * steps_per_epoch, _LEAST_STEPS) / steps_per_epoch) * steps_per_epoch


def _most_validated(options: RunOptions, steps_per_epoch: int) -> int:
    interval = _steps(options.validate_epochs, steps_per_epoch)
    return options.batch_size * max(1, min(_VALIDATION_BATCHES, int(_VALIDATION_SHARE * interval)))


def _crop_for(pictures: Sequence[Pixels], size: int, wanted: int) -> int:
    edges = sorted(_up(min(picture.shape[:2]), size) for picture in pictures)
    typical = edges[len(edges) // 2]
    return max(size, min(wanted // size * size, typical))


def _reason(crop: int, size: int, wanted: int) -> str:
    if crop == max(size, wanted // size * size):
        return f"this architecture takes multiples of {size}"
    return "half of the pictures are no larger"


def _require_size(pictures: TrainingSet, size: tuple[int, int]) -> None:
    width, height = size
    all_pictures = [*pictures.training, *pictures.validation]
    others = [picture.shape for picture in all_pictures if picture.shape[:2] != (height, width)]
    if others:
        example = f"{others[0][1]} x {others[0][0]}"
        raise ValueError(
            f"the architecture takes pictures of {width} x {height} pixels, and {len(others):,} of "
            f"{len(all_pictures):,} are not, such as one of {example}; resize them, or choose an architecture that "
            "takes any size"
        )


def _up(edge: int, multiple: int) -> int:
    return math.ceil(edge / multiple) * multiple


def draw_pictures(pictures: Sequence[Pixels], pixels: int, *, edge: int = 512, seed: int = 0) -> list[Pixels]:
    """Draw pictures, or windows of large ones, in colour, to fit something to after the training.

    Args:
        pictures: uint8 (H, W, 1 or 3); grey ones become three equal planes.
        pixels: about how many to draw in all; if the pictures have fewer, all are drawn.
        edge: windows have at most this many pixels along each axis.
        seed: of the draw.

    Returns:
        At least one picture, uint8 (H, W, 3).
    """
    rng = np.random.default_rng(seed)
    chosen: list[Pixels] = []
    for number in rng.permutation(len(pictures)):
        picture = pictures[number]
        top, left = (int(rng.integers(max(1, size - edge + 1))) for size in picture.shape[:2])
        window = picture[top : top + edge, left : left + edge]
        chosen.append(np.repeat(window, 3, axis=2) if window.shape[2] == 1 else window)
        pixels -= window.shape[0] * window.shape[1]
        if pixels <= 0:
            break
    return chosen


def padded_to_multiple(picture: Pixels, multiple: int) -> Pixels:
    """Return a picture (H, W, C) with its last row and column repeated up to a multiple, as the encoder does."""
    below, right = (-size % multiple for size in picture.shape[:2])
    return np.pad(picture, ((0, below), (0, right), (0, 0)), mode="edge")
