"""Training data: pictures held in memory, IDX files, and samplers that draw the same batch for the same step."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec.picture.reading import is_picture
from nncodec.plugin.latents import Pixels

_IDX_UNSIGNED_BYTE = 0x08
# IDX files hold small pictures; anything beyond this is not one of the sets they are used for.
_IDX_MAX_BYTES = 2**31


@dataclass(frozen=True)
class DataFacts:
    """What is known of the pictures before a network is built.

    Args:
        count: how many there are to train on.
        width, height: of every picture, pixels; None where sizes differ.
        grey: no picture has colour.
        factor: they come as pairs of a good picture and a worse one, so many times smaller along each edge: 1, 2 or 4;
            None where they do not.
    """

    count: int
    width: int | None
    height: int | None
    grey: bool
    factor: int | None = None


class Sampler(Protocol):
    """Where batches come from. Stateless: resuming at a step needs nothing but its number."""

    def batch(self, step: int) -> Pixels:
        """Return the batch of this step, uint8 (N, H, W, C)."""


def read_idx(path: Path) -> Pixels:
    """Read an IDX file of unsigned bytes, gzip-compressed or not.

    Args:
        path: a file of the MNIST family: pictures (n, H, W) or labels (n,).

    Returns:
        The array, uint8, with the shape the file declares.

    Raises:
        ValueError: the file is not IDX, holds another element type, or its size does not match its header.

    References:
        Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", section "File formats".
    """
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as stream:
                raw = stream.read(_IDX_MAX_BYTES + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is not whole: {error}") from error
    if len(raw) < 4 or len(raw) > _IDX_MAX_BYTES or raw[:2] != b"\0\0" or raw[2] != _IDX_UNSIGNED_BYTE:
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    dimensions = raw[3]
    header_bytes = 4 + 4 * dimensions
    if len(raw) < header_bytes:
        raise ValueError(f"{path} ends inside its IDX header")
    shape = struct.unpack(f">{dimensions}I", raw[4:header_bytes])
    if math.prod(shape) != len(raw) - header_bytes:
        raise ValueError(f"{path} declares {shape} but holds {len(raw) - header_bytes} bytes")
    return np.frombuffer(raw, np.uint8, offset=header_bytes).reshape(shape)


def list_pictures(folder: Path) -> list[Path]:
    """Return every picture below a folder, in a stable order: by extension, whatever Pillow reads, and not hidden.

    Raises:
        ValueError: there is none.
        OSError: the folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        if error.filename == str(folder):
            raise error

    found = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if not name.startswith("."))
        found += [path for path in paths if is_picture(path) and path.is_file()]
    if not found:
        raise ValueError(f"there are no pictures below {folder}, or none whose extension Pillow knows")
    return sorted(found)


def split_by_name(paths: Iterable[Path], held_back: float) -> tuple[list[Path], list[Path]]:
    """Split pictures into training and validation by a hash of each file name.

    A picture stays on its side when others come and go, so a resumed or repeated training never sees what it is
    validated on.

    Args:
        paths: the pictures.
        held_back: share to hold back for validation, 0..1.

    Returns:
        (training, validation), each in the order given.
    """
    training: list[Path] = []
    validation: list[Path] = []
    for path in paths:
        (validation if hash_fraction(path.name) < held_back else training).append(path)
    return training, validation


def hash_fraction(name: str, purpose: str = "") -> float:
    """Return a number in 0..1, below 1, that a name decides; another for another purpose."""
    digest = hashlib.sha256((name + "\0" + purpose if purpose else name).encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:4], "little") / 2**32


def load_pictures(paths: Sequence[Path], mode: str = "RGB") -> list[Pixels]:
    """Decode pictures to uint8 arrays (H, W, C), all in one colour mode.

    Raises:
        ValueError: a file is not a readable picture.
    """
    pictures = []
    for path in paths:
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert(mode))
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"cannot read the picture {path}: {error}") from error
        pictures.append(pixels if pixels.ndim == 3 else pixels[:, :, None])
    return pictures


class CropSampler:
    """Random square crops of pictures in memory, mirrored and sometimes reduced.

    Args:
        pictures: uint8 arrays (H, W, C). Where they end inside a crop, it is filled with their last row and column, as
            the encoder pads pictures.
        batch_size: crops a batch.
        crop: edge of a crop, pixels.
        seed: with the step number, it determines a batch completely.
        reduce_share: share of crops taken from a picture reduced by a random factor. Reducing hides the smoothing
            of whatever codec the training pictures came through, and varies the scale of detail.
        reduce_range: the factors, below 1 is smaller.
        grey_share: share of crops made colourless.
        mirror: turn half of the crops left to right, and half upside down.
        multiple: crops may reach beyond a picture's lower and right edges as far as the encoder pads it, to a multiple
            of this; at most `crop`.
        align: windows begin at multiples of this, and end there where pictures do.
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
        """Batches that hold about as many crops as there are pictures."""
        return max(1, round(len(self._pictures) / self._batch_size))

    def batch(self, step: int) -> Pixels:
        """Return the crops of this step, uint8 (N, crop, crop, C)."""
        rng = np.random.default_rng([self._seed, step])
        return np.stack([self._one(rng) for _ in range(self._batch_size)])

    def _one(self, rng: np.random.Generator) -> Pixels:
        # What Generator.choice does with probabilities, without adding them up each time.
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
        return padded(cut, self._crop, self._crop)


class ArraySampler:
    """Shuffled batches of equally sized pictures, one epoch after another.

    Args:
        pictures: uint8 (n, H, W, C).
        batch_size: pictures a batch, at most n.
        seed: with the epoch number, it determines the order.
        flip: mirror half of the pictures left to right.
    """

    def __init__(self, pictures: Pixels, batch_size: int, seed: int, *, flip: bool = False) -> None:
        self._pictures = pictures
        self._batch_size = min(batch_size, len(pictures))
        self._seed = seed
        self._flip = flip
        self._order: tuple[int, NDArray[np.intp]] = (-1, np.empty(0, np.intp))

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the pictures."""
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


def padded(picture: Pixels, height: int, width: int) -> Pixels:
    """Return a picture (H, W, C) of at least this size, its last row and column repeated as the encoder does."""
    short = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
    return np.pad(picture, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge") if any(short) else picture


def _random_window(picture: Pixels, edge: int, rng: np.random.Generator, multiple: int = 1, align: int = 1) -> Pixels:
    """Return a window of the picture with its padding, without the padding: smaller where it lies at an edge."""
    height, width = (max(edge, math.ceil(n / multiple) * multiple) for n in picture.shape[:2])
    top = align * int(rng.integers((height - edge) // align + 1))
    left = align * int(rng.integers((width - edge) // align + 1))
    return picture[top : top + edge, left : left + edge]
