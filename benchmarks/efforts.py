"""What the efforts of a model gain: bytes at equal PSNR and at equal SSIMULACRA2 against effort 0, and their time.

    python -m benchmarks.efforts --output benchmarks/results/efforts.json

The pictures are the middles of $NNCODEC_DATA/kodak, or of scikit-image's photographs without it: high efforts take a
minute and more for a million pixels. Times use all cores and want an idle machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm  # type: ignore[import-untyped]

import nncodec
from benchmarks.measuring.data import find_data, kodak, middle, open_rgb, scikit_image
from benchmarks.measuring.machine import IdleWatch, machine, versions
from benchmarks.measuring.records import Record, command_line, write_record
from nncodec import metrics
from nncodec.compare import CurvePoint, bd_rate
from nncodec.plugin import registry

QUALITIES = (20, 40, 60, 80)
CROP = (384, 256)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hyperprior/photo")
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--qualities", type=int, nargs="+", default=QUALITIES)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    watch = IdleWatch()
    paths = list((kodak() if find_data("kodak") else scikit_image()).values())
    chosen = paths[:: max(1, len(paths) // options.pictures)][: options.pictures]
    levels = registry.open_model(registry.catalog().find(options.model)).traits.efforts
    figures = measure(options.model, levels, [middle(open_rgb(path), *CROP) for path in chosen], options.qualities)
    record: Record = {"command": command_line("efforts"), "machine": machine() | watch.finish(), "versions": versions()}
    record |= {"pictures": [path.stem for path in chosen], "size": CROP, "qualities": options.qualities}
    record |= {"model": options.model, "levels": figures}
    print(json.dumps(record, indent=1))
    if options.output:
        write_record(options.output, record)


def measure(
    model: str, levels: Sequence[int], pictures: Sequence[Image.Image], qualities: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Return the points of every effort, its seconds a megapixel, and its BD-rates against the first one."""
    megapixels = sum(picture.width * picture.height for picture in pictures) / 1e6
    curves: dict[int, list[CurvePoint]] = {}
    figures: dict[int, dict[str, Any]] = {}
    nncodec.encode(pictures[0], model, qualities[0])  # opens the model
    for level in tqdm(levels, desc="efforts", leave=False):
        started = time.perf_counter()
        files = [[nncodec.encode(p, model, q, effort=level, lossless=False) for p in pictures] for q in qualities]
        seconds = time.perf_counter() - started
        curves[level] = [_point(pictures, of_quality) for of_quality in files]
        figures[level] = {
            "encode_seconds_per_megapixel": round(seconds / len(qualities) / megapixels, 3),
            "points": [{"bpp": p.bpp, "psnr_db": p.psnr_db, "ssimulacra2": p.ssimulacra2} for p in curves[level]],
        }
    for level in levels:
        for metric in ("psnr_db", "ssimulacra2"):
            change = bd_rate(curves[levels[0]], curves[level], metric)
            figures[level][f"bd_rate_percent_{metric}"] = None if change is None else round(change, 2)
    return figures


def _point(pictures: Sequence[Image.Image], files: Sequence[bytes]) -> CurvePoint:
    """Return means over pictures at one quality."""
    decoded = [nncodec.decode(data) for data in files]
    rates = [8 * len(data) / (p.width * p.height) for data, p in zip(files, pictures, strict=True)]
    psnrs = [metrics.psnr(p, d) for p, d in zip(pictures, decoded, strict=True)]
    scores = [metrics.ssimulacra2(p, d) or 0.0 for p, d in zip(pictures, decoded, strict=True)]
    means = [round(float(np.mean(values)), 5) for values in (rates, psnrs, scores)]
    return CurvePoint(means[0], means[1], ssimulacra2=means[2])


if __name__ == "__main__":
    main()
