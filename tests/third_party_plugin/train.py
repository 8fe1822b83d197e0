"""Train the codebook of `blockmean/four`: Lloyd's algorithm on the block means of two pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray

from nncodec.plugin import ModelFile, write_model

BLOCK = 4
LEVELS = 32
ROUNDS = 100
WEIGHTS = Path(__file__).parent / "nncodec_blockmean" / "weights" / "four.safetensors"


def block_mean_counts(pictures: list[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Return how often each rounded block mean 0..255 occurs."""
    counts = np.zeros(256, np.int64)
    for picture in pictures:
        rows, columns = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
        whole = picture[: rows * BLOCK, : columns * BLOCK]
        sums = whole.reshape(rows, BLOCK, columns, BLOCK, 3).sum(axis=(1, 3), dtype=np.int64)
        counts += np.bincount(((sums + BLOCK * BLOCK // 2) // (BLOCK * BLOCK)).ravel(), minlength=256)
    return counts


def codebook_for(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the levels that code these means with the least squared error, ascending."""
    values = np.arange(256)
    levels = np.linspace(0, 255, LEVELS)
    for _ in range(ROUNDS):
        nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, values)
        members = np.bincount(nearest, counts, LEVELS)
        sums = np.bincount(nearest, counts * values, LEVELS)
        levels = np.where(members > 0, sums / np.maximum(members, 1), levels)
    return np.unique(np.round(levels).astype(np.uint8))


def train(path: Path) -> ModelFile:
    """Train the model and write its file."""
    codebook = codebook_for(block_mean_counts([skimage.data.astronaut(), skimage.data.chelsea()]))
    card = {
        "summary": "mean colours of 4 x 4 blocks, an example",
        "licence": "CC0-1.0",
        "training_data": "astronaut and chelsea of scikit-image",
    }
    return write_model(
        path,
        architecture="blockmean",
        config={"block": BLOCK},
        name="blockmean/four",
        card=card,
        tensors={"codebook": codebook},
    )


if __name__ == "__main__":
    written = train(Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS)
    print(f"{written.name} {written.digest[:16]}")
