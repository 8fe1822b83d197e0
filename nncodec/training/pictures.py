"""A user's pictures: found, read within bounded memory, and split into those to train and those to validate on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from nncodec._support.text import describe
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.reading import is_picture, read_pictures
from nncodec.plugin.latents import Pixels
from nncodec.training.data import DataFacts, hash_fraction, list_pictures, read_idx

# Pictures that do not fit are cut to windows of at least this many crops along each edge: enough to draw from.
_WINDOW_CROPS = 2
_COLOURS = 3

Window = tuple[slice, slice]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Pictures:
    """Pictures in memory, split.

    Args:
        training, validation: uint8 (H, W, 1) or (H, W, 3), or (H, W, 6) for pairs; neither is empty, unless no
            validation is wanted.
        count: how many there are; a single one may be on both sides.
        skipped: how many could not be read.
        name: of the folder or file they came from.
        factor: of pairs, see `DataFacts`.
    """

    training: list[Pixels]
    validation: list[Pixels]
    count: int
    skipped: int
    name: str
    factor: int | None = None

    @property
    def facts(self) -> DataFacts:
        """What a recipe is told."""
        every = [*self.training, *self.validation]
        sizes = {one.shape[:2] for one in every}
        height, width = sizes.pop() if len(sizes) == 1 else (None, None)
        grey = all(one.shape[2] == 1 for one in every)
        return DataFacts(len(self.training), width, height, grey, self.factor)

    def converted(self, mode: str) -> Pictures:
        """Return the pictures in a colour mode, "L" or "RGB"; pairs are in colour already."""
        if self.factor is not None:
            return self
        training, validation = ([in_mode(one, mode) for one in side] for side in (self.training, self.validation))
        return replace(self, training=training, validation=validation)


def read_data(
    source: Path,
    *,
    held_back: float,
    crop: int,
    memory_bytes: int,
    on_note: Callable[[str], None],
    on_read: Callable[[int, int], None] = lambda done, total: None,
    planes: int = 3,
) -> Pictures:
    """Read the pictures of a folder and the folders below, of an IDX file, or a single picture.

    Pictures are read as `nncodec encode` reads them: the first of several frames, 8 bits a sample, without
    transparency; besides, they are turned upright as EXIF says. Those with three equal channels count as grey.

    Memory: decoded pictures take at most `memory_bytes`, besides the one that is being read. Where all together would
    take more, large ones are cut to a window at a place that their names decide, and if windows of twice the crop are
    still too much, a part of the pictures is left out; a note says so.

    Args:
        source: where they are.
        held_back: share to validate on, by a hash of the file's name or of the place in an IDX file.
        crop: edge of the crops that will be drawn, pixels.
        memory_bytes: bound on decoded pictures.
        on_note: called with a line for each file that is skipped, and for whatever else a user should know.
        on_read: called with how many files are read and how many there are.
        planes: bytes that a pixel will take, at most.

    Returns:
        The pictures; a single one is on both sides.

    Raises:
        ValueError: there is nothing to train on; one line.
        OSError: the folder or file cannot be read.
    """
    name = source.resolve().name or "pictures"
    if source.is_file() and not is_picture(source):
        pictures = _of_idx(source, memory_bytes * _COLOURS // planes, on_note)
        keys = [str(number) for number in range(len(pictures))]
        return split(pictures, keys, held_back, 0, name, on_note)
    if not source.exists():
        raise ValueError(f"{source} does not exist; give a folder of pictures or an IDX file")
    paths = [source] if source.is_file() else _listed(source)
    room = Room.of([_area(path) for path in paths], crop, memory_bytes // planes)
    paths = room.chosen(paths, lambda path: path.name, on_note)
    pictures, keys = [], []
    for done, path in enumerate(paths):
        on_read(done, len(paths))
        try:
            pixels = read_picture(path)
            window = room.window(pixels.shape[0], pixels.shape[1], path.name)
            pictures.append(pixels if window is None else pixels[window].copy())
            keys.append(path.name)
        except Exception as error:  # Pillow's decoders raise anything, and one picture must not stop the rest
            on_note(f"{path} is skipped: {reason_of(error)}")
    on_read(len(paths), len(paths))
    skipped = len(paths) - len(pictures)
    if not pictures:
        raise ValueError(f"none of the {len(paths):,} pictures below {source} can be read")
    if skipped:
        on_note(f"{skipped:,} of {len(paths):,} pictures cannot be read and are skipped")
    return split(pictures, keys, held_back, skipped, name, on_note)


def in_mode(pixels: Pixels, mode: str) -> Pixels:
    """Return a picture (H, W, C) with the channels of a mode: grey by Pillow's weights, or three equal channels."""
    channels = {"L": 1, "RGB": 3}[mode]
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]


@dataclass(frozen=True)
class Room:
    """What fits into memory.

    Args:
        kept: how many of the pictures.
        most_pixels: of each; None where all fit whole.
    """

    kept: int
    most_pixels: int | None

    @classmethod
    def of(cls, areas: Sequence[int], crop: int, most_pixels: int) -> Room:
        """Return what fits of pictures of these areas into so many pixels.

        Args:
            areas: pixels of each picture.
            crop: edge of the crops that will be drawn, pixels.
            most_pixels: of all together.
        """
        budget = max(1, most_pixels)
        areas = sorted(areas)
        if sum(areas) <= budget:
            return cls(len(areas), None)
        # The level at which cutting off what is above it makes them fit.
        left, level = budget, 0
        for number, area in enumerate(areas):
            level = left // (len(areas) - number)
            if area > level:
                break
            left -= area
        least = (_WINDOW_CROPS * crop) ** 2
        if level >= least:
            return cls(len(areas), level)
        mean = sum(min(area, least) for area in areas) / len(areas)
        return cls(max(1, min(len(areas), int(budget / mean))), least)

    def chosen(self, entries: list[_T], name_of: Callable[[_T], str], on_note: Callable[[str], None]) -> list[_T]:
        """Return the pictures that are used, in their order, and say what is not."""
        if self.kept < len(entries):
            on_note(f"{self.kept:,} of {len(entries):,} pictures are used: all would not fit into memory_mib")
            order = sorted(range(len(entries)), key=lambda number: hash_fraction(name_of(entries[number]), "kept"))
            return [entries[number] for number in sorted(order[: self.kept])]
        if self.most_pixels is not None:
            on_note(f"of large pictures a window of {self.most_pixels / 1e6:.2g} megapixels is used, to fit memory_mib")
        return entries

    def window(self, height: int, width: int, name: str, multiple: int = 1) -> Window | None:
        """Return as much of a picture as there is room for, at a place that its name decides.

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
    except Exception:  # it will be said when it is read
        return 0


def read_picture(path: Path) -> Pixels:
    """Return a picture, uint8 (H, W, 1) or (H, W, 3), as `read_data` reads it; whatever Pillow raises may come."""
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    with path.open("rb") as stream:
        found = read_pictures(stream, frame=0, max_pixels=DEFAULT_LIMITS.pixels, strip=True)
    image = found.frames[0]
    pixels = np.asarray(image.convert("L" if image.mode in ("L", "LA") else "RGB"))
    if pixels.ndim == 2:
        return pixels[:, :, None]
    red, green, blue = (pixels[:, :, channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return red[:, :, None].copy()
    return pixels


def _of_idx(path: Path, memory_bytes: int, on_note: Callable[[str], None]) -> list[Pixels]:
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
        on_note(f"{kept:,} of {len(pictures):,} pictures are used: all would not fit into memory_mib")
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
    pictures: list[Pixels], keys: list[str], held_back: float, skipped: int, name: str, on_note: Callable[[str], None]
) -> Pictures:
    """Return pictures split by a hash of their keys, so that neither side is empty; see `read_data`."""
    if not held_back:
        return Pictures(pictures, [], len(pictures), skipped, name)
    if len(pictures) == 1:
        on_note("there is a single picture: what it is trained on is also what it is validated on")
        return Pictures(pictures, pictures, 1, skipped, name)
    fractions = [hash_fraction(key) for key in keys]
    held = {number for number, fraction in enumerate(fractions) if fraction < held_back}
    if not held:
        held = {min(range(len(keys)), key=fractions.__getitem__)}
    elif len(held) == len(keys):
        held.discard(max(range(len(keys)), key=fractions.__getitem__))
    training = [picture for number, picture in enumerate(pictures) if number not in held]
    validation = [pictures[number] for number in sorted(held)]
    return Pictures(training, validation, len(pictures), skipped, name)


def reason_of(error: BaseException) -> str:
    """Return why a picture cannot be read, in one line."""
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels; make it smaller first"  # no option of a training allows more
    return describe(error).split("\n")[0]
