"""What each part of the photo model contributes: coders, hyper-latents, phases, effort, bfloat16.

    python -m benchmarks.photo_model --output benchmarks/results/photo_model.json

The pictures are $NNCODEC_DATA/kodak, or scikit-image's photographs without it. Times use all cores and want an idle
machine. `--no-effort` leaves out the slowest part, `--only-effort` measures that part alone and keeps the rest of the
stored record.
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
from benchmarks.measuring.data import find_data, kodak, open_rgb, scikit_image
from benchmarks.measuring.records import Record, command_line, read_record, write_record
from nncodec import metrics
from nncodec.coding.decoder import block_latents, open_file_model
from nncodec.compare import CurvePoint, bd_rate
from nncodec.format.container import Container
from nncodec.format.entropy.ideal import stage_bits
from nncodec.plugin import registry

QUALITIES = (10, 30, 50, 70, 90)
EFFORT_QUALITIES = (20, 40, 60, 80)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hyperprior/photo")
    parser.add_argument("--effort-pictures", type=int, default=4)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--no-effort", action="store_true")
    which.add_argument("--only-effort", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    paths = kodak() if find_data("kodak") else scikit_image()
    pictures = [open_rgb(path) for path in paths.values()]
    command = command_line("photo_model")
    if options.only_effort and options.output and options.output.exists():
        record: Record = read_record(options.output) | {"effort_command": command}
    else:
        record = {"command": command, "pictures": len(pictures)}
    if not options.only_effort:
        of_quality = tqdm(QUALITIES, desc="parts", leave=False)
        record["by_quality"] = {q: parts(options.model, q, pictures) for q in of_quality}
    if not options.no_effort:
        chosen = pictures[:: max(1, len(pictures) // options.effort_pictures)][: options.effort_pictures]
        record["effort"] = efforts(options.model, chosen)
    print(json.dumps(record, indent=1))
    if options.output:
        write_record(options.output, record)


def parts(model: str, quality: int, pictures: Sequence[Image.Image]) -> dict[str, float]:
    """Return means over pictures at one quality: rates in bits per pixel, PSNR in dB, shares of the ideal bits."""
    rows = []
    for picture in pictures:
        data = nncodec.encode(picture, model, quality)
        zstd = nncodec.encode(picture, model, quality, coder="zstd")
        pixels = picture.width * picture.height
        container = Container(data)
        codec = open_file_model(container)
        latents = block_latents(container, codec, 0)
        entropy, specs = codec.entropy(quality), codec.traits.latents
        by_stage = stage_bits(latents, entropy, specs)
        bits = sum(by_stage)
        reduced = nncodec.decode(data)
        row = {
            "rans_bpp": 8 * len(data) / pixels,
            "zstd_bpp": 8 * len(zstd) / pixels,
            "ideal_bpp": bits / pixels,
            "hyper_share": by_stage[0] / bits,
            "psnr_db": metrics.psnr(picture, nncodec.decode(data, precision="float32")),
            "bfloat16_psnr_db": metrics.psnr(picture, reduced),
        }
        for phase in range(4):
            row[f"phase_{phase}_share"] = sum(by_stage[1 + phase :: 4]) / bits
        rows.append(row)
    return {key: round(float(np.mean([row[key] for row in rows])), 5) for key in rows[0]}


def efforts(model: str, pictures: Sequence[Image.Image]) -> dict[str, Any]:
    """Return rate, PSNR and time of every effort level, and its BD-rate against effort 0."""
    levels = registry.open_model(registry.catalog().find(model)).traits.efforts
    megapixels = sum(p.width * p.height for p in pictures) / 1e6
    figures: dict[int, dict[str, Any]] = {}
    for level in tqdm(levels, desc="efforts", leave=False):
        points, seconds = [], 0.0
        for quality in EFFORT_QUALITIES:
            started = time.perf_counter()
            files = [nncodec.encode(picture, model, quality, effort=level) for picture in pictures]
            seconds += time.perf_counter() - started
            rates = [8 * len(f) / (p.width * p.height) for f, p in zip(files, pictures, strict=True)]
            psnrs = [metrics.psnr(p, nncodec.decode(f)) for f, p in zip(files, pictures, strict=True)]
            points.append(CurvePoint(float(np.mean(rates)), float(np.mean(psnrs))))
        figures[level] = {
            "encode_seconds_per_megapixel": round(seconds / len(EFFORT_QUALITIES) / megapixels, 3),
            "points": [[round(p.bpp, 5), round(float(p.psnr_db or 0), 4)] for p in points],
        }
    plain = [CurvePoint(*point) for point in figures[levels[0]]["points"]]
    for level in levels:
        change = bd_rate(plain, [CurvePoint(*point) for point in figures[level]["points"]])
        figures[level]["bd_rate_percent_against_effort_0"] = round(change or 0.0, 2)
    return {"pictures": len(pictures), "qualities": EFFORT_QUALITIES, "levels": figures}


if __name__ == "__main__":
    main()
