"""A user's pictures: found, read within bounded memory, and split into those to train and those to validate on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nncodec.cli.pictures import is_picture, read_pictures
from nncodec.cli.text import describe
from nncodec.limits import DEFAULT_LIMITS
from nncodec.training.data import Pixels, hash_fraction, list_pictures, read_idx
from nncodec.training.recipe import DataFacts

# Pictures that do not fit are cut to windows of at least this many crops along each edge: enough to draw from.
_WINDOW_CROPS = 2


@dataclass(frozen=True)
class Pictures:
    """Pictures in memory, split.

    Args:
        training, validation: uint8 (H, W, 1) or (H, W, 3); neither is empty, unless no validation is wanted.
        count: how many there are; a single one may be on both sides.
        skipped: how many could not be read.
        name: of the folder or file they came from.
    """

    training: list[Pixels]
    validation: list[Pixels]
    count: int
    skipped: int
    name: str

    @property
    def facts(self) -> DataFacts:
        """What a recipe is told."""
        every = [*self.training, *self.validation]
        sizes = {one.shape[:2] for one in every}
        height, width = sizes.pop() if len(sizes) == 1 else (None, None)
        return DataFacts(len(self.training), width, height, all(one.shape[2] == 1 for one in every))

    def converted(self, mode: str) -> Pictures:
        """Return the pictures in a colour mode, "L" or "RGB"."""
        training, validation = ([in_mode(one, mode) for one in side] for side in (self.training, self.validation))
        return Pictures(training, validation, self.count, self.skipped, self.name)


def read_data(
    source: Path,
    *,
    held_back: float,
    crop: int,
    memory_bytes: int,
    on_note: Callable[[str], None],
    on_read: Callable[[int, int], None] = lambda done, total: None,
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

    Returns:
        The pictures; a single one is on both sides.

    Raises:
        ValueError: there is nothing to train on; one line.
        OSError: the folder or file cannot be read.
    """
    name = source.resolve().name or "pictures"
    if source.is_file() and not is_picture(source):
        pictures = _of_idx(source, memory_bytes, on_note)
        keys = [str(number) for number in range(len(pictures))]
        return _split(pictures, keys, held_back, 0, name, on_note)
    if not source.exists():
        raise ValueError(f"{source} does not exist; give a folder of pictures or an IDX file")
    paths = [source] if source.is_file() else _listed(source)
    total = len(paths)
    room = _Room.for_pictures(paths, crop, memory_bytes)
    if room.kept < total:
        paths = sorted(sorted(paths, key=lambda path: hash_fraction(str(path.name), "kept"))[: room.kept])
        on_note(f"{room.kept:,} of {total:,} pictures are used: all would not fit into memory_mib")
    elif room.most_pixels is not None:
        on_note(f"of large pictures a window of {room.most_pixels / 1e6:.2g} megapixels is used, to fit memory_mib")
    pictures, keys = [], []
    for done, path in enumerate(paths):
        on_read(done, len(paths))
        try:
            pictures.append(room.window(_read(path), path.name))
            keys.append(path.name)
        except Exception as error:  # Pillow's decoders raise anything, and one picture must not stop the rest
            on_note(f"{path} is skipped: {_first_line(error)}")
    on_read(len(paths), len(paths))
    skipped = len(paths) - len(pictures)
    if not pictures:
        raise ValueError(f"none of the {len(paths):,} pictures below {source} can be read")
    if skipped:
        on_note(f"{skipped:,} of {len(paths):,} pictures cannot be read and are skipped")
    return _split(pictures, keys, held_back, skipped, name, on_note)


def in_mode(pixels: Pixels, mode: str) -> Pixels:
    """Return a picture (H, W, C) with the channels of a mode: grey by Pillow's weights, or three equal channels."""
    channels = {"L": 1, "RGB": 3}[mode]
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]


@dataclass(frozen=True)
class _Room:
    """What fits into memory.

    Args:
        kept: how many of the pictures.
        most_pixels: of each; None where all fit whole.
    """

    kept: int
    most_pixels: int | None

    @classmethod
    def for_pictures(cls, paths: Sequence[Path], crop: int, memory_bytes: int) -> _Room:
        budget = max(1, memory_bytes // 3)  # pixels, were all of them in colour
        areas = sorted(_area(path) for path in paths)
        if sum(areas) <= budget:
            return cls(len(paths), None)
        # The level at which cutting off what is above it makes them fit.
        left, level = budget, 0
        for number, area in enumerate(areas):
            level = left // (len(areas) - number)
            if area > level:
                break
            left -= area
        least = (_WINDOW_CROPS * crop) ** 2
        if level >= least:
            return cls(len(paths), level)
        mean = sum(min(area, least) for area in areas) / len(areas)
        return cls(max(1, min(len(paths), int(budget / mean))), least)

    def window(self, pixels: Pixels, name: str) -> Pixels:
        """Return a picture, or as much of it as there is room for."""
        height, width = pixels.shape[:2]
        if self.most_pixels is None or height * width <= self.most_pixels:
            return pixels
        scale = math.sqrt(self.most_pixels / (height * width))
        rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
        top = int(hash_fraction(name, "top") * (height - rows + 1))
        left = int(hash_fraction(name, "left") * (width - columns + 1))
        return pixels[top : top + rows, left : left + columns].copy()


def _area(path: Path) -> int:
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except Exception:  # it will be said when it is read
        return 0


def _read(path: Path) -> Pixels:
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


def _split(
    pictures: list[Pixels], keys: list[str], held_back: float, skipped: int, name: str, on_note: Callable[[str], None]
) -> Pictures:
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


def _first_line(error: BaseException) -> str:
    return describe(error).split("\n")[0]
