"""Photographs of any size for measuring speed and memory, made from Kodak's or scikit-image's pictures.

Large pictures are mosaics. Every cell is another crop, enlarged up to twofold, half of them mirrored, with noise of two
grey levels as cameras add it, so no cell repeats another and pixels look as in photographs of that size: JPEG at
quality 75 spends 1.1 to 1.2 bits per pixel on them and 1.3 on Kodak's own. The speed of codecs depends on that, and
exact repeats would flatter those that search for repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measuring.data import kodak, open_rgb, scikit_image

Photograph = NDArray[np.uint8]

SOURCES = {
    "skimage": "scikit-image's photographs: astronaut, chelsea, coffee, rocket, stereo_motorcycle (left)",
    "kodak": "the Kodak pictures",
}

_CELL = 512
_NOISE_LEVELS = 2.0


def photographs(source: str) -> list[Photograph]:
    """Return the photographs of one of `SOURCES`, (H, W, 3).

    Raises:
        SystemExit: the data set is missing; one line says which.
    """
    paths = kodak() if source == "kodak" else scikit_image()
    return [np.asarray(open_rgb(path)) for path in paths.values()]


def fitted(photograph: Photograph, width: int, height: int) -> Image.Image:
    """Return the largest middle part of this shape, resampled to this size; portraits swap width and height."""
    tall, wide = photograph.shape[:2]
    if (tall > wide) != (height > width) and tall != wide:
        width, height = height, width
    scale = min(wide / width, tall / height)
    left, top = (wide - scale * width) / 2, (tall - scale * height) / 2
    box = (left, top, left + scale * width, top + scale * height)
    return Image.fromarray(photograph).resize((width, height), Image.Resampling.LANCZOS, box=box)


def mosaic(sources: Sequence[Photograph], megapixels: float, seed: int = 0) -> Image.Image:
    """Return a 4:3 mosaic of photographs; the same seed gives the same picture."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    rng = np.random.default_rng(seed)
    out = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _CELL):
        for left in range(0, width, _CELL):
            cell = _cell(sources[int(rng.integers(len(sources)))], rng)
            out[top : top + _CELL, left : left + _CELL] = cell[: height - top, : width - left]
    return Image.fromarray(out)


def write(folder: Path, name: str, images: Iterable[Image.Image]) -> tuple[Path, ...]:
    """Write pictures as PPM, which Pillow reads without extra memory, and return the paths."""
    paths = []
    for number, image in enumerate(images):
        paths.append(folder / f"{name} {number}.ppm")
        image.save(paths[-1])
    return tuple(paths)


def write_png(folder: Path) -> Path:
    """Write a photograph of 451 x 300 pixels as PNG and return its path."""
    path = folder / "cat.png"
    open_rgb(scikit_image()["chelsea"]).save(path)
    return path


def _cell(photograph: Photograph, rng: np.random.Generator) -> Photograph:
    shortest = min(photograph.shape[:2])
    edge = int(rng.integers(min(_CELL // 2, shortest), min(_CELL, shortest) + 1))
    top, left = (int(rng.integers(size - edge + 1)) for size in photograph.shape[:2])
    part = Image.fromarray(photograph[top : top + edge, left : left + edge])
    enlarged = np.asarray(part.resize((_CELL, _CELL), Image.Resampling.LANCZOS))
    if rng.random() < 0.5:
        enlarged = enlarged[:, ::-1]
    noisy = enlarged + rng.normal(0, _NOISE_LEVELS, enlarged.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
