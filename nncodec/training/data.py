"""Finds and decodes training pictures: folders, single files and IDX files."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nncodec._support.drawings import is_drawing
from nncodec._support.text import describe
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.reading import is_picture, read_picture_file
from nncodec.plugin.latents import Pixels

_IDX_UNSIGNED_BYTE = 0x08
# IDX files hold small pictures; a larger file is not one of the sets they are used for.
_IDX_MAX_BYTES = 2**31


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
            raise ValueError(f"{path} is incomplete: {error}") from error
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


def list_pictures(folder: Path, wanted: Callable[[Path], bool] = is_picture) -> list[Path]:
    """Return every picture below a folder, in a stable order: files with an extension that Pillow reads, not hidden.

    Plots and samples that an earlier run has drawn are left out.

    Args:
        folder: to look into.
        wanted: whether a file's name is that of a picture.

    Raises:
        ValueError: there is none.
        OSError: the folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        if error.filename == str(folder):
            raise error

    pictures = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if not name.startswith("."))
        pictures += [path for path in paths if wanted(path) and path.is_file() and not is_drawing(path)]
    if not pictures:
        raise ValueError(f"there are no pictures below {folder}, or none with an extension that Pillow knows")
    return sorted(pictures)


def split_by_name(paths: Iterable[Path], held_back: float) -> tuple[list[Path], list[Path]]:
    """Split pictures into training and validation by a hash of each file name.

    A picture stays on its side when others are added or removed, so a resumed or repeated training never sees its
    validation pictures.

    Args:
        paths: the pictures.
        held_back: share held back for validation, 0..1.

    Returns:
        (training, validation), each in the order given.
    """
    training: list[Path] = []
    validation: list[Path] = []
    for path in paths:
        (validation if hash_fraction(path.name) < held_back else training).append(path)
    return training, validation


def hash_fraction(name: str, purpose: str = "") -> float:
    """Return a number from 0 to below 1 that depends only on the name and the purpose."""
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


def read_picture(path: Path) -> Pixels:
    """Return a picture, uint8 (H, W, 1) or (H, W, 3), read as `read_data` says; may raise whatever Pillow raises."""
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    with path.open("rb") as stream:
        file = read_picture_file(stream, frame=0, max_pixels=DEFAULT_LIMITS.pixels, strip=True)
    image = file.frames[0]
    pixels = np.asarray(image.convert("L" if image.mode in ("L", "LA") else "RGB"))
    if pixels.ndim == 2:
        return pixels[:, :, None]
    red, green, blue = (pixels[:, :, channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return red[:, :, None].copy()
    return pixels


def in_mode(pixels: Pixels, mode: str) -> Pixels:
    """Return a picture (H, W, C) with the channels of a mode: grey by Pillow's weights, or three equal channels."""
    channels = {"L": 1, "RGB": 3}[mode]
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]


def reason_of(error: BaseException) -> str:
    """Return in one line why a picture cannot be read."""
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels; make it smaller first"  # no training option raises this limit
    return describe(error).split("\n")[0].removeprefix("ValueError: ")  # which openers of ours and of Pillow raise
