"""Data sets below $NNCODEC_DATA, and the photographs that scikit-image ships."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from nncodec.plugin.latents import Pixels
from nncodec.training.data import list_pictures, read_idx, split_by_name

HELD_BACK = 0.1
"""Share of photographs that `nncodec train` holds back by default; scripts that must not see these use it too."""

_SCIKIT_IMAGE = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle_left")


def find_data(name: str) -> Path | None:
    """Return a data set's folder below $NNCODEC_DATA, or None."""
    root = os.environ.get("NNCODEC_DATA")
    folder = Path(root, name) if root else None
    return folder if folder is not None and folder.is_dir() else None


def data_folder(name: str) -> Path:
    """Return a data set's folder below $NNCODEC_DATA.

    Raises:
        SystemExit: it does not exist; one line says what is missing.
    """
    folder = find_data(name)
    if folder is None:
        sys.exit(f"set NNCODEC_DATA to a folder that holds {name}/")
    return folder


def kodak() -> dict[str, Path]:
    """Return the Kodak pictures by name; raises SystemExit without the data."""
    return {path.name: path for path in sorted(data_folder("kodak").glob("*.png"))}


def scikit_image() -> dict[str, Path]:
    """Return the photographs of scikit-image by name."""
    folder = Path(skimage.data.__file__).parent
    return {name: next(folder.glob(f"{name}.*")) for name in _SCIKIT_IMAGE}


def split_photographs(held_back: float = HELD_BACK) -> tuple[list[Path], list[Path]]:
    """Return the photographs to train on and those held back; raises SystemExit without the data."""
    return split_by_name(list_pictures(data_folder("photos")), held_back)


def open_rgb(path: Path) -> Image.Image:
    """Return a picture file's pixels without its metadata."""
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    rgb.info.clear()  # metadata would count as payload
    return rgb


def middle(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the middle part of a picture."""
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def idx_pictures(name: str, part: str) -> Pixels:
    """Return the pictures of a set of the MNIST family, uint8 (n, 28, 28, 1); `part` is "train" or "t10k"."""
    return read_idx(idx_file(name, part))[..., None]


def idx_labels(name: str, part: str) -> NDArray[np.int64]:
    """Return the labels of a set of the MNIST family, int64 (n,)."""
    return read_idx(data_folder(name) / f"{part}-labels-idx1-ubyte.gz").astype(np.int64)


def idx_file(name: str, part: str) -> Path:
    """Return the file with the pictures of a set of the MNIST family."""
    return data_folder(name) / f"{part}-images-idx3-ubyte.gz"
