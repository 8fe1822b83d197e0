"""Small training sets for tests: exact pictures of noise in two folders, with what belongs to them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

import nncodec
from nncodec.plugin.latents import Pixels

SIZE = (24, 20)  # width, height


def write_set(folder: Path, count: int) -> dict[str, Pixels]:
    """Write pictures of noise to `cats` and `dogs`, with .json and .cls; return pixels (H, W, 3) by key, in order."""
    pixels = {}
    for number in range(count):
        name = "cats" if number % 2 else "dogs"
        path = folder / name / f"{number}.nnc"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels[f"{name}/{number}"] = np.random.default_rng(number).integers(0, 256, (*SIZE[::-1], 3), np.uint8)
        path.write_bytes(nncodec.encode(Image.fromarray(pixels[f"{name}/{number}"]), lossless=True))
        path.with_suffix(".json").write_text(json.dumps({"number": number}))
        path.with_suffix(".cls").write_text(str(number % 2))
    return dict(sorted(pixels.items()))
