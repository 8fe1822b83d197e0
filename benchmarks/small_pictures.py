"""Bytes and error of `dense/fashion` and `conv/digits` on their test sets, through real files, beside WebP and PNG.

    python benchmarks/small_pictures.py --output benchmarks/results/small_pictures.json

Reads $NNCODEC_DATA/fashion-mnist and $NNCODEC_DATA/mnist. Mean squared errors are on pixels in 0..1.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import nncodec
from nncodec.plugin.latents import Pixels
from nncodec.training.data import read_idx

SETS = {"dense/fashion": "fashion-mnist", "conv/digits": "mnist"}
WEBP_QUALITIES = (0, 10, 20, 40, 60)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results = {}
    for model, folder in SETS.items():
        path = Path(os.environ.get("NNCODEC_DATA", "")) / folder / "t10k-images-idx3-ubyte.gz"
        if not path.is_file():
            sys.exit(f"set NNCODEC_DATA to a folder that holds {folder}/")
        results[model] = measure(model, read_idx(path))
        print(model, json.dumps(results[model], indent=1))
    if options.output:
        record = {"command": " ".join(["python", *sys.argv]), "results": results}
        options.output.write_text(json.dumps(record, indent=1) + "\n")


def measure(model: str, pictures: Pixels) -> dict[str, object]:
    """Return bytes a picture and mean squared error for single files, one stacked file, and the peers."""
    images = [Image.fromarray(picture) for picture in pictures]
    files = nncodec.encode_batch(images, model)
    decoded = np.stack([np.asarray(image) for image in nncodec.decode_batch(files)])
    stacked = nncodec.encode(images, model)
    frames = np.stack([np.asarray(image) for image in nncodec.decode_frames(stacked)])
    sizes = [len(data) for data in files]
    overhead = [len(data) - nncodec.inspect(data).payload_bytes for data in files[:1000]]
    peers = {f"WebP quality {q}": peer(images, "WEBP", quality=q, method=6) for q in WEBP_QUALITIES}
    peers["PNG"] = peer(images, "PNG", optimize=True)
    return {
        "pictures": len(images),
        "mse": round(error(decoded, pictures), 6),
        "bytes_a_file": {"mean": round(float(np.mean(sizes)), 2), "largest": max(sizes)},
        "bytes_beyond_payload": max(overhead),
        "stacked": {"bytes_a_picture": round(len(stacked) / len(images), 3), "mse": round(error(frames, pictures), 6)},
        "peers": peers,
    }


def peer(images: list[Image.Image], name: str, **settings: object) -> dict[str, float]:
    """Return bytes a picture and mean squared error of a format that Pillow writes."""
    total, squared = 0, 0.0
    for image in images:
        buffer = io.BytesIO()
        image.save(buffer, name, **settings)
        total += len(buffer.getvalue())
        squared += error(np.asarray(Image.open(buffer).convert("L")), np.asarray(image))
    return {"bytes_a_file": round(total / len(images), 1), "mse": round(squared / len(images), 6)}


def error(decoded: Pixels, original: Pixels) -> float:
    """Return the mean squared error of pixels in 0..1."""
    return float(np.square((decoded.astype(float) - original) / 255).mean())


if __name__ == "__main__":
    main()
