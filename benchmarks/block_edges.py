"""How much of a grid of blocks a codec leaves in photographs at low rates.

    python -m benchmarks.block_edges --output benchmarks/results/block_edges.json

The figure is the mean absolute step between neighbouring pixels across the lines where blocks of 16 pixels meet, over
that across the lines where none of 8 meet, divided by the same of the original: 1 means that no grid is there.
The pictures are $NNCODEC_DATA/kodak, or scikit-image's photographs without it. Each codec comes as near to a rate as
its qualities allow.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm  # type: ignore[import-untyped]

from benchmarks.measuring.data import find_data, kodak, open_rgb, scikit_image
from benchmarks.measuring.records import command_line, write_record
from nncodec.compare import code_at_bytes

CODECS = ("hyperprior/photo", "avif", "jxl", "webp", "jpeg")
RATES_BPP = (0.15, 0.3, 0.6)
_BLOCK = 16


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    paths = kodak() if find_data("kodak") else scikit_image()
    pictures = [open_rgb(path) for path in tqdm(paths.values(), desc="reading", leave=False)]
    record = {
        "command": command_line("block_edges"),
        "pictures": len(pictures),
        "rates": {rate_bpp: measure(CODECS, rate_bpp, pictures) for rate_bpp in RATES_BPP},
    }
    print(json.dumps(record, indent=1))
    if options.output:
        write_record(options.output, record)


def measure(codecs: Sequence[str], rate_bpp: float, pictures: Sequence[Image.Image]) -> Mapping[str, dict[str, float]]:
    """Return the mean rate of each codec's files, in bits per pixel, and the mean of their `grid`."""
    figures = {}
    for codec in codecs:
        rows = []
        for picture in tqdm(pictures, desc=f"{codec} at {rate_bpp} bpp", leave=False):
            pixels = picture.width * picture.height
            coded = code_at_bytes(codec, picture, round(rate_bpp * pixels / 8))
            rows.append((8 * len(coded.data) / pixels, grid(np.asarray(coded.image), np.asarray(picture))))
        bpp, ratio = np.mean(rows, axis=0)
        figures[codec] = {"bpp": round(float(bpp), 4), "grid": round(float(ratio), 3)}
    return figures


def grid(decoded: NDArray[np.uint8], original: NDArray[np.uint8]) -> float:
    """Return how much larger steps across the edges of blocks are than others, as a multiple of the original's.

    Args:
        decoded, original: (H, W, C), larger than a block along both axes.
    """
    return _steps_at_edges(decoded) / _steps_at_edges(original)


def _steps_at_edges(pixels: NDArray[np.uint8]) -> float:
    at_edges, elsewhere = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(pixels.astype(np.int16), axis=axis)).mean(axis=(1 - axis, 2))
        after = np.arange(1, len(steps) + 1)
        at_edges.append(steps[after % _BLOCK == 0])
        elsewhere.append(steps[after % (_BLOCK // 2) != 0])
    return float(np.concatenate(at_edges).mean() / np.concatenate(elsewhere).mean())


if __name__ == "__main__":
    main()
