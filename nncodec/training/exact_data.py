"""Reads training pictures of any depth and number of planes as they are: arrays, deep pictures and stacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec.format.samples import MAX_PLANES
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.reading import is_picture, read_picture_file
from nncodec.plugin.latents import Pixels
from nncodec.training.data import hash_fraction, list_pictures, reason_of
from nncodec.training.events import Note, OnEvent, Reading
from nncodec.training.training_set import TrainingSet, split

_ARRAY = ".npy"
_DIRECT_MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "I;16")


def read_exact(source: Path, *, held_back: float, memory_bytes: int, on_event: OnEvent) -> TrainingSet | None:
    """Read the pictures of a folder and the folders below, or a single file, without changing a sample.

    Files are pictures and NumPy arrays (.npy) of uint8 or uint16: (H, W), (H, W, C) or (N, H, W, C). Frames of a stack
    count as pictures. All must have the same number of planes, and the same 8 or 16 bits.

    Args:
        source: folder or file.
        held_back: share to validate on, chosen by a hash of the file's name and the frame's number.
        memory_bytes: bound on the samples of all pictures; those that do not fit are left out, with a note.
        on_event: receives `Reading`, and a `Note` for each skipped file.

    Returns:
        The training set; None if no file is an array, a stack or deeper than 8 bits: `read_data` reads such pictures.

    Raises:
        ValueError: no picture can be read, or they are of several kinds; one line.
        OSError: the folder cannot be read.
    """
    paths = _listed(source)
    if not any(_is_exact(path) for path in paths):
        return None
    # The order of a hash, so that what fits into memory is spread over the folder.
    paths.sort(key=lambda path: hash_fraction(path.name, "kept"))
    found: dict[tuple[str, int], NDArray[np.uint8 | np.uint16]] = {}
    kind, skipped, room = "", 0, memory_bytes
    for done, path in enumerate(paths):
        on_event(Reading(done, len(paths)))
        try:
            for number, picture in enumerate(_frames(path)):
                own = f"{8 * picture.itemsize} bits and {picture.shape[2]} planes"
                if kind and own != kind:
                    raise _SeveralKinds(
                        f"{path} has {own}, others have {kind}; give a folder with pictures of one kind"
                    )
                kind, room = own, room - picture.nbytes
                if room < 0 and found:
                    break
                found[str(path), number] = np.array(picture)
        except _SeveralKinds:
            raise
        except Exception as error:  # decoders raise anything, and one picture must not stop the rest
            skipped += 1
            on_event(Note(f"{path} is skipped: {reason_of(error)}"))
        if room < 0:
            on_event(Note(f"{len(found):,} pictures are used; all would not fit into memory_mib"))
            break
    on_event(Reading(len(paths), len(paths)))
    if not found:
        raise ValueError(f"none of the {len(paths):,} pictures below {source} can be read")
    keys = sorted(found)
    names = [f"{Path(path).name} {number}" for path, number in keys]
    pictures = [cast(Pixels, found[key]) for key in keys]
    read = split(pictures, names, held_back, skipped, source.resolve().name or "pictures", on_event)
    return replace(read, exact=True)


class _SeveralKinds(ValueError):
    """Pictures of one folder differ in depth or planes."""


def _is_wanted(path: Path) -> bool:
    return path.suffix.lower() == _ARRAY or is_picture(path)


def _listed(source: Path) -> list[Path]:
    if source.is_dir():
        try:
            return list_pictures(source, _is_wanted)
        except ValueError:  # there may be IDX files
            return []
    return [source] if source.is_file() and _is_wanted(source) else []


def _is_exact(path: Path) -> bool:
    if path.suffix.lower() == _ARRAY:
        return True
    try:
        with Image.open(path) as image:
            return image.mode.startswith("I") or (image.format == "TIFF" and getattr(image, "n_frames", 1) > 1)
    except Exception:  # reading it will report the problem
        return False


def _frames(path: Path) -> Iterator[NDArray[np.uint8 | np.uint16]]:
    """Yield the pictures of a file, (H, W, C) each."""
    if path.suffix.lower() == _ARRAY:
        yield from _stack_of(np.load(path, mmap_mode="r", allow_pickle=False))
        return
    with path.open("rb") as stream:
        file = read_picture_file(stream, frame=None, max_pixels=DEFAULT_LIMITS.pixels, strip=True, max_error=0)
    for image in file.frames:
        if image.mode not in _DIRECT_MODES:
            raise ValueError(f"it has mode {image.mode}; convert it to one of {', '.join(_DIRECT_MODES)}")
        samples = np.asarray(image)
        yield samples if samples.ndim == 3 else samples[:, :, None]


def _stack_of(array: NDArray[np.uint8 | np.uint16]) -> NDArray[np.uint8 | np.uint16]:
    """Return an array as (N, H, W, C)."""
    if array.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ValueError(f"the array has the type {array.dtype}, not uint8 or uint16")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or not array.size or array.shape[3] > MAX_PLANES:
        raise ValueError(
            f"the array has the shape {array.shape}, not (H, W), (H, W, up to {MAX_PLANES}) or (N, H, W, C)"
        )
    return array
