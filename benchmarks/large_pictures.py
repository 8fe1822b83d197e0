"""Time and peak memory of encoding and decoding by the size of the picture, whole codec, in fresh processes.

    python benchmarks/large_pictures.py --output benchmarks/results/large_pictures.json

Pictures are mirrored tilings of a photograph that scikit-image ships. Memory is the peak of the process less its peak
after the model was loaded and the input made; times are of the second of two runs. AVIF by Pillow runs in the same
processes for comparison. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

import nncodec

MEGAPIXELS = (0.25, 1, 4, 12, 30)
QUALITY = 50


def main() -> None:
    """Measure every size in a process of its own and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="photo")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--one", type=float, help="measure this size only, in this process")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.model)))
        return
    rows = []
    for megapixels in MEGAPIXELS:
        command = [sys.executable, __file__, "--one", str(megapixels), "--model", options.model]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(rows[-1], flush=True)
    if options.output:
        record = {"command": " ".join(["python", *sys.argv]), "quality": QUALITY, "rows": rows}
        options.output.write_text(json.dumps(record, indent=1) + "\n")


def measure(megapixels: float, model: str) -> dict[str, float]:
    """Return speed in MP/s and memory in MiB for one size."""
    image = picture(megapixels)
    size = image.width * image.height / 1e6
    nncodec.decode(nncodec.encode(image.crop((0, 0, 64, 64)), model))
    before = peak_mib()
    data = nncodec.encode(image, model, QUALITY)
    encoding_mib = peak_mib() - before
    nncodec.decode(data)
    decoding_mib = peak_mib() - before
    start = time.perf_counter()
    nncodec.encode(image, model, QUALITY)
    middle = time.perf_counter()
    nncodec.decode(data)
    end = time.perf_counter()
    buffer = io.BytesIO()
    image.save(buffer, "AVIF", quality=60, speed=6)
    avif_middle = time.perf_counter()
    Image.open(buffer).load()
    return {
        "megapixels": round(size, 2),
        "encode_mp_per_s": round(size / (middle - start), 2),
        "decode_mp_per_s": round(size / (end - middle), 2),
        "avif_encode_mp_per_s": round(size / (avif_middle - end), 2),
        "avif_decode_mp_per_s": round(size / (time.perf_counter() - avif_middle), 2),
        "peak_encoding_mib": round(encoding_mib),
        "peak_encoding_and_decoding_mib": round(decoding_mib),
        "pixels_mib": round(3 * size * 1e6 / 2**20),
    }


def picture(megapixels: float) -> Image.Image:
    """Return a picture of about this size, 4:3."""
    tile = skimage.data.astronaut()
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    repeat = [-(-height // tile.shape[0]), -(-width // tile.shape[1])]
    rows = np.concatenate([tile[:: (-1) ** n] for n in range(repeat[0])])
    return Image.fromarray(np.concatenate([rows[:, :: (-1) ** n] for n in range(repeat[1])], axis=1)[:height, :width])


def peak_mib() -> float:
    """Return the peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
