"""Bytes and error of `dense/fashion` and `conv/digits` on their test sets, through real files, beside WebP and PNG.

    python -m benchmarks.small_pictures --output benchmarks/results/small_pictures.json

Reads $NNCODEC_DATA/fashion-mnist and $NNCODEC_DATA/mnist. Mean squared errors are of pixels in 0..1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import nncodec
from benchmarks.measuring.data import idx_pictures
from benchmarks.measuring.pillow_codec import PillowCodec
from benchmarks.measuring.records import command_line, write_record
from benchmarks.measuring.small_sets import by_model, by_pillow, stacked
from nncodec.plugin.latents import Pixels

SETS = {"dense/fashion": "fashion-mnist", "conv/digits": "mnist"}
PEERS = (
    *(PillowCodec(f"WebP quality {q}", "WEBP", {"quality": q, "method": 6}) for q in (0, 10, 20, 40, 60)),
    PillowCodec("PNG", "PNG", {"optimize": True}),
)
_INSPECTED = 1000  # files whose overhead is looked at


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results = {}
    for model, name in SETS.items():
        results[model] = measure(model, idx_pictures(name, "t10k"))
        print(model, json.dumps(results[model], indent=1))
    if options.output:
        write_record(options.output, {"command": command_line("small_pictures"), "results": results})


def measure(model: str, pictures: Pixels) -> dict[str, Any]:
    """Return bytes a picture and mean squared error for single files, one stacked file, and the peers."""
    each, together = by_model(pictures, model), stacked(pictures, model)
    overhead = [len(data) - nncodec.inspect(data).payload_bytes for data in each.files[:_INSPECTED]]
    peers = {codec.name: by_pillow(pictures, codec) for codec in PEERS}
    return {
        "pictures": len(pictures),
        "mse": round(each.mse, 6),
        "bytes_a_file": {"mean": round(each.bytes_a_picture, 2), "largest": max(map(len, each.files))},
        "bytes_beyond_payload": max(overhead),
        "stacked": {"bytes_a_picture": round(together.bytes_a_picture, 3), "mse": round(together.mse, 6)},
        "peers": {
            name: {"bytes_a_file": round(coded.bytes_a_picture, 1), "mse": round(coded.mse, 6)}
            for name, coded in peers.items()
        },
    }


if __name__ == "__main__":
    main()
