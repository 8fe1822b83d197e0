"""What each part of the photo model contributes: coders, hyper-latents, phases, bfloat16.

    python -m benchmarks.photo_model --output benchmarks/results/photo_model.json

The pictures are $NNCODEC_DATA/kodak, or scikit-image's photographs without it. Times use all cores and want an idle
machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm  # type: ignore[import-untyped]

import nncodec
from benchmarks.measuring.data import find_data, kodak, open_rgb, scikit_image
from benchmarks.measuring.records import Record, command_line, write_record
from nncodec import metrics
from nncodec.coding.decoder import block_latents, open_file_model
from nncodec.format.container import Container
from nncodec.format.entropy.ideal import stage_bits

QUALITIES = (10, 30, 50, 70, 90)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hyperprior/photo")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    paths = kodak() if find_data("kodak") else scikit_image()
    pictures = [open_rgb(path) for path in paths.values()]
    record: Record = {"command": command_line("photo_model"), "pictures": len(pictures)}
    of_quality = tqdm(QUALITIES, desc="parts", leave=False)
    record["by_quality"] = {q: parts(options.model, q, pictures) for q in of_quality}
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
            "default_psnr_db": metrics.psnr(picture, reduced),  # bfloat16 where the processor multiplies it
        }
        for phase in range(4):
            row[f"phase_{phase}_share"] = sum(by_stage[1 + phase :: 4]) / bits
        rows.append(row)
    return {key: round(float(np.mean([row[key] for row in rows])), 5) for key in rows[0]}


if __name__ == "__main__":
    main()
