"""A user's pictures in memory, split into those to train on and those to validate on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from nncodec.picture.reading import is_picture
from nncodec.plugin.latents import Pixels
from nncodec.training.data import hash_fraction, in_mode, list_pictures, read_idx, read_picture, reason_of
from nncodec.training.events import Note, OnEvent, Reading, ignore

# Pictures that do not fit are cut to windows of at least this many crops along each edge: enough to draw from.
_WINDOW_CROPS = 2
_COLOURS = 3

Window = tuple[slice, slice]
_T = TypeVar("_T")


@dataclass(frozen=True)
class DataSummary:
    """What a recipe knows about the pictures before it builds a network.

    Args:
        count: training pictures.
        width, height: of every picture, pixels; None where sizes differ.
        grey: no picture has colour.
        factor: for pairs, how many times larger along each edge the good picture is than the worse one: 1, 2 or 4;
            None if the pictures are not pairs.
        top: largest value that the type of the samples holds: 65535 for deep pictures that are kept as they are.
    """

    count: int
    width: int | None
    height: int | None
    grey: bool
    factor: int | None = None
    top: int = 255


@dataclass(frozen=True)
class TrainingSet:
    """Pictures in memory, split.

    Args:
        training, validation: uint8 (H, W, 1) or (H, W, 3), or (H, W, 6) for pairs; neither is empty, except
            `validation` where none is wanted.
        count: number of pictures; a single one may be on both sides.
        skipped: number of pictures that could not be read.
        name: of the folder or file they came from.
        factor: of pairs, see `DataSummary`.
        exact: the pictures are kept as they are: uint8 or uint16, with any number of planes; see `read_exact`.
    """

    training: list[Pixels]
    validation: list[Pixels]
    count: int
    skipped: int
    name: str
    factor: int | None = None
    exact: bool = False

    @property
    def held_back(self) -> int:
        """Number of pictures to validate on that are not trained on, too."""
        return len(self.validation) if self.count > 1 else 0

    @property
    def summary(self) -> DataSummary:
        """What a recipe needs to know."""
        pictures = [*self.training, *self.validation]
        sizes = {picture.shape[:2] for picture in pictures}
        height, width = sizes.pop() if len(sizes) == 1 else (None, None)
        grey = all(picture.shape[2] == 1 for picture in pictures)
        return DataSummary(len(self.training), width, height, grey, self.factor, int(np.iinfo(pictures[0].dtype).max))

    def converted(self, mode: str) -> TrainingSet:
        """Return the pictures in a colour mode, "L" or "RGB"; pairs and exact pictures stay as they are."""
        if self.factor is not None or self.exact:
            return self
        training, validation = (
            [in_mode(picture, mode) for picture in side] for side in (self.training, self.validation)
        )
        return replace(self, training=training, validation=validation)


def read_data(
    source: Path,
    *,
    held_back: float,
    crop: int,
    memory_bytes: int,
    on_event: OnEvent = ignore,
    planes: int = 3,
) -> TrainingSet:
    """Read the pictures of a folder and the folders below, of an IDX file, or a single picture.

    Pictures are read as by `nncodec encode`: the first of several frames, 8 bits per sample, without transparency.
    They are also turned upright according to EXIF. Those with three equal channels count as grey.

    Decoded pictures take at most `memory_bytes`, besides the one being read. If all together need more, large ones are
    cut to a window at a place that their names decide; if windows of twice the crop still need too much, some pictures
    are left out. A note says so.

    Args:
        source: folder, IDX file or picture.
        held_back: share to validate on, chosen by a hash of the file's name or of the index in an IDX file.
        crop: edge of the crops that will be drawn, pixels.
        memory_bytes: bound on decoded pictures.
        on_event: receives `Reading`, and a `Note` for each skipped file and whatever else a user should know.
        planes: most bytes that a pixel will take.

    Returns:
        The training set; a single picture is on both sides.

    Raises:
        ValueError: there is nothing to train on; one line.
        OSError: the folder or file cannot be read.
    """
    name = source.resolve().name or "pictures"
    if source.is_file() and not is_picture(source):
        pictures = _of_idx(source, memory_bytes * _COLOURS // planes, on_event)
        keys = [str(number) for number in range(len(pictures))]
        return split(pictures, keys, held_back, 0, name, on_event)
    if not source.exists():
        raise ValueError(f"{source} does not exist; give a folder of pictures or an IDX file")
    paths = [source] if source.is_file() else _listed(source)
    budget = MemoryBudget.of([_area(path) for path in paths], crop, memory_bytes // planes)
    paths = budget.chosen(paths, lambda path: path.name, on_event)
    pictures, keys = [], []
    for done, path in enumerate(paths):
        on_event(Reading(done, len(paths)))
        try:
            pixels = read_picture(path)
            window = budget.window(pixels.shape[0], pixels.shape[1], path.name)
            pictures.append(pixels if window is None else pixels[window].copy())
            keys.append(path.name)
        except Exception as error:  # Pillow's decoders raise anything, and one picture must not stop the rest
            on_event(Note(f"{path} is skipped: {reason_of(error)}"))
    on_event(Reading(len(paths), len(paths)))
    skipped = len(paths) - len(pictures)
    if not pictures:
        raise ValueError(f"none of the {len(paths):,} pictures below {source} can be read")
    if skipped:
        on_event(Note(f"{skipped:,} of {len(paths):,} pictures cannot be read and are skipped"))
    return split(pictures, keys, held_back, skipped, name, on_event)


@dataclass(frozen=True)
class MemoryBudget:
    """How many pictures, and how much of each, fit into memory.

    Args:
        kept: number of pictures.
        most_pixels: of each; None where all fit whole.
    """

    kept: int
    most_pixels: int | None

    @classmethod
    def of(cls, areas: Sequence[int], crop: int, most_pixels: int) -> MemoryBudget:
        """Return what fits of pictures with these areas.

        Args:
            areas: pixels of each picture.
            crop: edge of the crops that will be drawn, pixels.
            most_pixels: of all pictures together.
        """
        most_pixels = max(1, most_pixels)
        areas = sorted(areas)
        if sum(areas) <= most_pixels:
            return cls(len(areas), None)
        # The area to which larger pictures must be cut so that all fit.
        left, level = most_pixels, 0
        for number, area in enumerate(areas):
            level = left // (len(areas) - number)
            if area > level:
                break
            left -= area
        least = (_WINDOW_CROPS * crop) ** 2
        if level >= least:
            return cls(len(areas), level)
        mean = sum(min(area, least) for area in areas) / len(areas)
        return cls(max(1, min(len(areas), int(most_pixels / mean))), least)

    def chosen(self, entries: list[_T], name_of: Callable[[_T], str], on_event: OnEvent) -> list[_T]:
        """Return the pictures to use, in their order, with a note about what is left out."""
        if self.kept < len(entries):
            on_event(Note(f"{self.kept:,} of {len(entries):,} pictures are used; all would not fit into memory_mib"))
            order = sorted(range(len(entries)), key=lambda number: hash_fraction(name_of(entries[number]), "kept"))
            return [entries[number] for number in sorted(order[: self.kept])]
        if self.most_pixels is not None:
            on_event(
                Note(
                    f"large pictures are cut to a window of {self.most_pixels / 1e6:.2g} megapixels, to fit memory_mib"
                )
            )
        return entries

    def window(self, height: int, width: int, name: str, multiple: int = 1) -> Window | None:
        """Return the part of a picture that fits, at a place that its name decides.

        Args:
            height, width: of the picture, pixels.
            name: of the picture.
            multiple: the window's edges lie at multiples of this.

        Returns:
            Its rows and columns; None where the whole picture fits.
        """
        if self.most_pixels is None or height * width <= self.most_pixels:
            return None
        scale = math.sqrt(self.most_pixels / (height * width))

        def part(edge: int, end: str) -> slice:
            count = max(1, int(edge * scale) // multiple)
            first = int(hash_fraction(name, end) * (edge // multiple - count + 1))
            return slice(first * multiple, (first + count) * multiple)

        return part(height, "top"), part(width, "left")


def _area(path: Path) -> int:
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except Exception:  # reading it will report the problem
        return 0


def _of_idx(path: Path, memory_bytes: int, on_event: OnEvent) -> list[Pixels]:
    array = read_idx(path)
    if array.ndim == 1:
        raise ValueError(f"{path} holds labels; give the file with the pictures")
    if array.ndim == 4 and array.shape[3] in (1, 3):
        pictures = array
    elif array.ndim == 3:
        pictures = array[..., None]
    else:
        raise ValueError(f"{path} has the shape {array.shape}, not (pictures, height, width)")
    if not pictures.size:
        raise ValueError(f"{path} holds no pictures")
    if pictures.nbytes > memory_bytes:
        kept = max(1, memory_bytes // pictures[0].nbytes)
        on_event(Note(f"{kept:,} of {len(pictures):,} pictures are used; all would not fit into memory_mib"))
        pictures = pictures[:kept].copy()
    return list(pictures)


def _listed(folder: Path) -> list[Path]:
    try:
        return list_pictures(folder)
    except ValueError:
        idx = sorted(path.name for path in folder.iterdir() if "idx" in path.name and "ubyte" in path.name)
        if not idx:
            raise
        names = ", ".join(idx)
        raise ValueError(f"there are no pictures below {folder}, but IDX files; give one of them: {names}") from None


def split(
    pictures: list[Pixels], keys: list[str], held_back: float, skipped: int, name: str, on_event: OnEvent
) -> TrainingSet:
    """Return pictures split by a hash of their keys, with neither side empty; see `read_data`."""
    if not held_back:
        return TrainingSet(pictures, [], len(pictures), skipped, name)
    if len(pictures) == 1:
        on_event(Note("there is a single picture; it serves for both training and validation"))
        return TrainingSet(pictures, pictures, 1, skipped, name)
    fractions = [hash_fraction(key) for key in keys]
    held = {number for number, fraction in enumerate(fractions) if fraction < held_back}
    if not held:
        held = {min(range(len(keys)), key=fractions.__getitem__)}
    elif len(held) == len(keys):
        held.discard(max(range(len(keys)), key=fractions.__getitem__))
    training = [picture for number, picture in enumerate(pictures) if number not in held]
    validation = [pictures[number] for number in sorted(held)]
    return TrainingSet(training, validation, len(pictures), skipped, name)
