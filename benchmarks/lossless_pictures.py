"""Bytes and processor time of lossless coding on Kodak and on two drawn kinds of deep pictures, beside other codecs.

    python -m benchmarks.lossless_pictures

Kodak comes from $NNCODEC_DATA/kodak. The microscopy-like stack (12 bits, 4 planes) and the depth map (16 bits) are
drawn here with fixed seeds. Peers of the deep pictures are PNG with 16 bits, where a plane is a picture, and Zstandard
after a difference filter, which is what TIFF with Zstandard and a predictor stores. The record is
benchmarks/results/lossless_pictures.json.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pillow_jxl  # noqa: F401 (registers JPEG XL)
import torch
import zstandard
from PIL import Image

from benchmarks.measuring.data import kodak, open_rgb
from benchmarks.measuring.machine import machine, versions
from benchmarks.measuring.records import RESULTS, Record, command_line, read_record, write_record
from nncodec.plugin.lossless import Samples
from nncodec.plugin.registry import open_lossless

OWN = "nncodec"
PEERS: dict[str, dict[str, Any]] = {
    "jxl": {"format": "JXL", "lossless": True, "effort": 7},
    "png": {"format": "PNG", "optimize": True},
    "webp": {"format": "WEBP", "lossless": True, "method": 6, "quality": 100},
}
_EDGE = 512


def main() -> None:
    """Measure the codecs that are asked for, and write the record after each; the others keep what it has."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--codecs", default=",".join((OWN, *PEERS)))
    parser.add_argument("--output", type=Path, default=RESULTS / "lossless_pictures.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record: Record = read_record(options.output) if options.output.exists() else {"kodak": {}}
    record |= {"command": command_line("lossless_pictures", []), "machine": machine(), "versions": versions()}
    for codec in options.codecs.split(","):
        if codec == OWN:
            record["deep"] = {
                "microscopy, 12 bits": deep_results(microscopy(), 12),
                "depth map, 16 bits": deep_results(depth_map(), 16),
            }
        record["kodak"][codec] = kodak_results(codec)
        write_record(options.output, record)


def kodak_results(codec: str) -> dict[str, Any]:
    """Return bytes of each picture, and processor seconds a megapixel on one thread."""
    sizes: dict[str, int] = {}
    pixels, encoding, decoding = 0, 0.0, 0.0
    for name, path in kodak().items():
        picture = open_rgb(path)
        sizes[name], *seconds = coded_exactly(picture) if codec == OWN else saved(picture, PEERS[codec])
        encoding, decoding = encoding + seconds[0], decoding + seconds[1]
        pixels += picture.width * picture.height
    return {
        "total_bytes": sum(sizes.values()),
        "bits_per_sample": round(8 * sum(sizes.values()) / (3 * pixels), 4),
        "encode_s_per_megapixel": round(1e6 * encoding / pixels, 3),
        "decode_s_per_megapixel": round(1e6 * decoding / pixels, 3),
        "bytes": sizes,
    }


def coded_exactly(picture: Image.Image) -> tuple[int, float, float]:
    """Return bytes and processor seconds to encode and to decode with the bundled model."""
    codec = open_lossless("lossless")
    samples = np.asarray(picture)[None].astype(np.uint16)
    payload, encoding = timed(codec.encode, samples, 8, 0)
    decoded, decoding = timed(codec.decode, payload, samples.shape, 8)
    if not np.array_equal(decoded, samples):
        raise SystemExit("a picture does not come back")
    return len(payload), encoding, decoding


def saved(picture: Image.Image, options: Mapping[str, Any]) -> tuple[int, float, float]:
    """Return the same of a codec of Pillow."""
    buffer = io.BytesIO()
    _, encoding = timed(picture.save, buffer, **options)
    opened, first = timed(Image.open, buffer)
    return len(buffer.getvalue()), encoding, first + timed(opened.load)[1]


def deep_results(samples: Samples, bits: int) -> dict[str, int]:
    """Return the bytes of a deep picture with each codec."""
    codec = open_lossless("lossless")
    payload = codec.encode(samples, bits, 0)
    if not np.array_equal(codec.decode(payload, samples.shape, bits), samples):
        raise SystemExit("a deep picture does not come back")
    planes = np.moveaxis(samples, 3, 1).reshape(-1, *samples.shape[1:3])
    png = 0
    for plane in planes:
        buffer = io.BytesIO()
        Image.fromarray(plane).save(buffer, "PNG", optimize=True)
        png += len(buffer.getvalue())
    difference = np.diff(planes, axis=2, prepend=np.uint16(0))
    return {"nncodec": len(payload), "png": png, "zstd_predictor": len(zstandard.compress(difference.tobytes(), 19))}


def microscopy(seed: int = 0) -> Samples:
    """Return cells in four channels with shot noise and read noise, 12 bits, (1, 512, 512, 4)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:_EDGE, :_EDGE].astype(np.float64)
    channels = np.full((_EDGE, _EDGE, 4), 8.0)
    for _ in range(150):
        centre, radius, brightness = rng.uniform(0, _EDGE, 2), rng.uniform(6, 22), rng.gamma(2, 60)
        distance = np.hypot(y - centre[0], x - centre[1]) / radius
        cell = brightness / (1 + np.exp(np.minimum((distance - 1) * 8, 50)))
        channels += cell[..., None] * rng.uniform(0.1, 1, 4)
    noisy = 4 * rng.poisson(channels) + rng.normal(100, 3, channels.shape)
    samples: Samples = np.clip(np.rint(noisy), 0, 4095).astype(np.uint16)[None]
    return samples


def depth_map(seed: int = 0) -> Samples:
    """Return planes and balls with noise that grows with distance, in millimetres, 16 bits, (1, 512, 512, 1)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:_EDGE, :_EDGE].astype(np.float64)
    depth = 9000 - 12 * y + 2 * x
    for _ in range(40):
        centre, radius, near = rng.uniform(0, _EDGE, 2), rng.uniform(10, 60), rng.uniform(800, 6000)
        inside = radius**2 - (y - centre[0]) ** 2 - (x - centre[1]) ** 2
        surface = near - 5 * np.sqrt(np.maximum(inside, 0))
        depth = np.where((inside > 0) & (surface < depth), surface, depth)
    noisy = depth + rng.normal(0, 1, depth.shape) * (depth / 3000) ** 2
    samples: Samples = np.clip(np.rint(noisy), 0, 65535).astype(np.uint16)[None, ..., None]
    return samples


def timed(function: Callable[..., Any], *args: Any, **options: Any) -> tuple[Any, float]:
    """Return a function's result and the processor seconds it took."""
    start = time.process_time()
    result = function(*args, **options)
    return result, time.process_time() - start


if __name__ == "__main__":
    main()
