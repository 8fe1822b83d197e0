"""Photographs of any size to measure speed and memory on, of Kodak's or of scikit-image's pictures.

Large pictures are mosaics of small ones. Every cell is another crop, enlarged by up to two, half of them mirrored, with
noise of two grey levels as cameras add it, so that no cell repeats another and the pictures look at pixel level like
photographs of their size: JPEG at quality 75 spends 1.1 to 1.2 bits a pixel on them and 1.3 on Kodak's own. Ours
and others' speed depends on that, and a tiling with exact repeats would flatter whatever searches for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

Photograph = NDArray[np.uint8]

SOURCES = {
    "skimage": "scikit-image's photographs: astronaut, chelsea, coffee, rocket, stereo_motorcycle (left)",
    "kodak": "the Kodak pictures",
}

_CELL = 512
_NOISE_LEVELS = 2.0


def photographs(source: str) -> list[Photograph]:
    """Return the photographs of a set, (H, W, 3).

    Args:
        source: one of `SOURCES`; "kodak" is read from $NNCODEC_DATA/kodak.

    Raises:
        SystemExit: with one line, where there is no such folder.
    """
    if source == "skimage":
        data: Any = skimage.data
        return [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), data.stereo_motorcycle()[0]]
    folder = Path(os.environ.get("NNCODEC_DATA", "")) / source
    files = sorted(folder.glob("*.png"))
    if not files:
        sys.exit(f"set NNCODEC_DATA to a folder that holds {source}/")
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


def fitted(photograph: Photograph, width: int, height: int) -> Image.Image:
    """Return the largest middle part of this shape, resampled to this size; upright pictures get the size turned."""
    tall, wide = photograph.shape[:2]
    if (tall > wide) != (height > width) and tall != wide:
        width, height = height, width
    scale = min(wide / width, tall / height)
    left, top = (wide - scale * width) / 2, (tall - scale * height) / 2
    box = (left, top, left + scale * width, top + scale * height)
    return Image.fromarray(photograph).resize((width, height), Image.Resampling.LANCZOS, box=box)


def centre(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the middle of a picture, not resampled."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def mosaic(sources: Sequence[Photograph], megapixels: float, seed: int = 0) -> Image.Image:
    """Return a 4:3 picture made of parts of photographs, as the module says; the same for the same seed."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    random = np.random.default_rng(seed)
    out = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _CELL):
        for left in range(0, width, _CELL):
            cell = _cell(sources[int(random.integers(len(sources)))], random)
            out[top : top + _CELL, left : left + _CELL] = cell[: height - top, : width - left]
    return Image.fromarray(out)


def write(folder: Path, name: str, images: Iterable[Image.Image]) -> tuple[Path, ...]:
    """Write pictures as PPM, which is read without working memory of its own, and return the paths."""
    paths = []
    for number, image in enumerate(images):
        paths.append(folder / f"{name} {number}.ppm")
        image.save(paths[-1])
    return tuple(paths)


def write_png(folder: Path) -> Path:
    """Write a photograph of 451 x 300 pixels as PNG, as a user would have it, and return its path."""
    path = folder / "cat.png"
    data: Any = skimage.data
    Image.fromarray(data.chelsea()).save(path)
    return path


def _cell(photograph: Photograph, random: np.random.Generator) -> Photograph:
    shortest = min(photograph.shape[:2])
    edge = int(random.integers(min(_CELL // 2, shortest), min(_CELL, shortest) + 1))
    top, left = (int(random.integers(size - edge + 1)) for size in photograph.shape[:2])
    part = Image.fromarray(photograph[top : top + edge, left : left + edge])
    enlarged = np.asarray(part.resize((_CELL, _CELL), Image.Resampling.LANCZOS))
    if random.random() < 0.5:
        enlarged = enlarged[:, ::-1]
    noisy = enlarged + random.normal(0, _NOISE_LEVELS, enlarged.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
