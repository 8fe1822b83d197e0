"""Pairs of pictures from two folders: good ones, and worse ones with the same names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from nncodec.plugin.latents import Pixels
from nncodec.training.data import in_mode, list_pictures, read_picture, reason_of
from nncodec.training.events import Note, OnEvent, Reading, ignore
from nncodec.training.training_set import MemoryBudget, TrainingSet, split

FACTORS = (1, 2, 4)
"""How many times larger along each edge the good pictures may be."""

PLANES = 6
"""Planes of a pair as one picture, see `paired`."""

_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class _Pair:
    """The files of a pair.

    Args:
        name: of both, relative to their folders and without extension.
        high, low: the good and the worse picture.
        size: of the good picture, (width, height); (0, 0) if a file is not a picture.
    """

    name: str
    high: Path
    low: Path
    size: tuple[int, int] = (0, 0)


def paired(high: Pixels, low: Pixels, factor: int) -> Pixels:
    """Return a pair as one picture of six planes.

    Args:
        high: the good picture, (factor * h, factor * w, 3).
        low: the worse one, (h, w, 3); each of its pixels is repeated `factor` x `factor` times.
        factor: of the pair.

    Returns:
        uint8 (factor * h, factor * w, 6).
    """
    repeated = low.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else low
    return np.concatenate([high, repeated], axis=2)


def read_pairs(
    low: Path,
    high: Path,
    *,
    held_back: float,
    crop: int,
    memory_bytes: int,
    on_event: OnEvent = ignore,
) -> TrainingSet:
    """Read pairs of pictures from two folders and the folders below.

    Pictures pair if they lie at the same place below their folders and have the same name except for the extension;
    every picture must have a partner. The good ones must be exactly 1, 2 or 4 times as large along each edge, all by
    the same factor. Names and sizes are compared before anything is decoded.

    Args:
        low: folder of the worse pictures.
        high: folder of the good ones.
        held_back, crop, memory_bytes, on_event: see `read_data`; a pair with an unreadable file is skipped. A pixel of
            the good pictures takes six bytes.

    Returns:
        The pairs, in colour, as `paired` makes them.

    Raises:
        ValueError: the folders do not pair, with the first mismatch; or there is nothing to train on.
        OSError: a folder cannot be read.
    """
    pairs, factor = _measured(_matched(low, high))
    areas = [pair.size[0] * pair.size[1] for pair in pairs]
    budget = MemoryBudget.of(areas, crop, memory_bytes // PLANES)
    pairs = budget.chosen(pairs, lambda pair: Path(pair.name).name, on_event)
    pictures, keys = [], []
    for done, pair in enumerate(pairs):
        on_event(Reading(done, len(pairs)))
        path = pair.high
        try:
            good = in_mode(read_picture(path), "RGB")
            path = pair.low
            worse = in_mode(read_picture(path), "RGB")
        except Exception as error:  # Pillow's decoders raise anything, and one picture must not stop the rest
            on_event(Note(f"{path} is skipped, and its partner: {reason_of(error)}"))
            continue
        _require_factor(pair, good.shape[1::-1], worse.shape[1::-1], factor)
        window = budget.window(good.shape[0], good.shape[1], Path(pair.name).name, factor)
        if window is not None:
            good, worse = good[window], worse[tuple(slice(s.start // factor, s.stop // factor) for s in window)]
        pictures.append(paired(good, worse, factor))
        keys.append(pair.high.name)
    on_event(Reading(len(pairs), len(pairs)))
    skipped = len(pairs) - len(pictures)
    if not pictures:
        raise ValueError(f"none of the {len(pairs):,} pairs of pictures below {low} and {high} can be read")
    if skipped:
        on_event(Note(f"{skipped:,} of {len(pairs):,} pairs cannot be read and are skipped"))
    pairs_in_memory = split(pictures, keys, held_back, skipped, high.resolve().name or "pictures", on_event)
    return replace(pairs_in_memory, factor=factor)


def _matched(low: Path, high: Path) -> list[_Pair]:
    files = {folder: _files(folder) for folder in (high, low)}
    for name in sorted(files[high].keys() | files[low].keys()):
        for folder, other in ((high, low), (low, high)):
            if name not in files[folder]:
                raise ValueError(f"the folders do not pair: {files[other][name]} has no partner in {folder}")
    return [_Pair(name, files[high][name], files[low][name]) for name in sorted(files[high])]


def _files(folder: Path) -> dict[str, Path]:
    """Return the pictures below a folder by their names there without extension."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; pairs come from two folders of pictures with the same names")
    files: dict[str, Path] = {}
    for path in list_pictures(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in files:
            raise ValueError(
                f"the folders do not pair: {files[name]} and {path} have the same name; remove one of them"
            )
        files[name] = path
    return files


def _measured(pairs: list[_Pair]) -> tuple[list[_Pair], int]:
    """Return the pairs with their sizes, and their factor; files that are not pictures are left to the reading."""
    factor, measured = 0, []
    for pair in pairs:
        high, low = _size(pair.high), _size(pair.low)
        if high is None or low is None:
            measured.append(pair)
            continue
        if not factor:
            factor = next((candidate for candidate in FACTORS if _fits(high, low, candidate)), 0)
        _require_factor(pair, high, low, factor)
        measured.append(replace(pair, size=high))
    return measured, factor or FACTORS[0]


def _require_factor(pair: _Pair, high: tuple[int, ...], low: tuple[int, ...], factor: int) -> None:
    if factor and _fits(high, low, factor):
        return
    sizes = f"{pair.high} has {high[0]} x {high[1]} pixels, and {pair.low} {low[0]} x {low[1]}"
    wanted = f"{factor} times as large, as those before" if factor else "exactly 1, 2 or 4 times as large"
    raise ValueError(f"the folders do not pair: {sizes}; the good picture must be {wanted}")


def _fits(high: tuple[int, ...], low: tuple[int, ...], factor: int) -> bool:
    return tuple(high) == tuple(factor * edge for edge in low)


def _size(path: Path) -> tuple[int, int] | None:
    """Return width and height of a picture turned upright, from its header; None if it cannot be read."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ExifTags.Base.Orientation) in _TURNED
    except Exception:  # reading it will report the problem
        return None
    return (height, width) if turned else (width, height)
