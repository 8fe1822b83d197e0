"""Folders of small pictures for tests of batches, and what lies in a destination."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_pictures(folder: Path, count: int, start: int = 0) -> list[str]:
    """Write small pictures of noise, two thirds of them in a subfolder, and return their names."""
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    names = [f"{'sub/' if number % 3 else ''}{number:05}.png" for number in range(start, start + count)]
    for number, name in enumerate(names, start):
        noise = np.random.default_rng(number).integers(0, 255, (12, 12, 3), np.uint8)
        Image.fromarray(noise).save(folder / name, compress_level=0)
    return names


def results_below(folder: Path) -> dict[str, bytes]:
    """Return all files of a destination that are not hidden, with their contents."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(".nncodec-batch/")}
