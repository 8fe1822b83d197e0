"""Bytes and processor time of lossless coding on Kodak and on two drawn kinds of deep pictures, beside other codecs.

    python -m benchmarks.lossless_pictures

Kodak comes from $NNCODEC_DATA/kodak. The microscopy-like stack (12 bits, 4 planes) and the depth map (16 bits) are
drawn here with fixed seeds. Peers of the deep pictures are PNG with 16 bits and Pillow's TIFF with Zstandard or Deflate
and a predictor, where a plane is a picture. "tuned" is the bundled model after a short training on other pictures of
the same kind, as by

    nncodec train lossless FOLDER --from lossless --steps 600 --batch-size 2 --set held_back=0

"floor" is the code length of the microscopy for a coder that knows its brightness before the noise: no training gets
below it. "near" takes three pictures of Kodak with errors of at most 1 and 2. JPEG XL cannot bound errors, so the least
quality that reaches the same PSNR stands beside. The record is benchmarks/results/lossless_pictures.json.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pillow_jxl  # noqa: F401 (registers JPEG XL)
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.special import ndtr
from scipy.stats import poisson

import nncodec
from benchmarks.measuring.data import kodak, open_rgb
from benchmarks.measuring.machine import machine, versions
from benchmarks.measuring.records import RESULTS, Record, command_line, read_record, write_record
from nncodec.plugin import registry
from nncodec.plugin.lossless import LosslessModel, Samples
from nncodec.plugin.model_file import read_model
from nncodec.plugin.registry import open_lossless
from nncodec.training.engine import Run, train

OWN = "nncodec"
PEERS: dict[str, dict[str, Any]] = {
    "jxl": {"format": "JXL", "lossless": True, "effort": 7},
    "png": {"format": "PNG", "optimize": True},
    "webp": {"format": "WEBP", "lossless": True, "method": 6, "quality": 100},
}
TIFF = {"tiff_zstd": "zstd", "tiff_deflate": "tiff_adobe_deflate"}
_PREDICTOR = {317: 2}
_NEAR_PICTURES = 3
_TRAINING_PICTURES = 6
_EDGE = 512
# The camera of the microscopy.
_LEVELS_A_PHOTON, _OFFSET, _READ_NOISE = 4, 100, 3


def main() -> None:
    """Measure the parts that are asked for, and write the record after each; the others keep what it has."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", default=",".join((*PARTS, OWN, *PEERS)), help="codecs on Kodak, and other parts")
    parser.add_argument("--output", type=Path, default=RESULTS / "lossless_pictures.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record: Record = read_record(options.output) if options.output.exists() else {"kodak": {}}
    record |= {"command": command_line("lossless_pictures", []), "machine": machine(), "versions": versions()}
    for part in options.parts.split(","):
        if part in PARTS:
            record[part] = PARTS[part]()
        else:
            record["kodak"][part] = kodak_results(part)
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
    planes = np.moveaxis(samples, 3, 1).reshape(-1, *samples.shape[1:3])
    found = {OWN: own_bytes(open_lossless("lossless"), samples, bits), "png": 0} | dict.fromkeys(TIFF, 0)
    for plane in map(Image.fromarray, planes):
        found["png"] += saved(plane, {"format": "PNG", "optimize": True})[0]
        for name, compression in TIFF.items():
            options = {"format": "TIFF", "compression": compression, "tiffinfo": _PREDICTOR}
            found[name] += saved(plane, options)[0]
    return found


def own_bytes(codec: LosslessModel, samples: Samples, bits: int) -> int:
    """Return the bytes of a block."""
    payload = codec.encode(samples, bits, 0)
    if not np.array_equal(codec.decode(payload, samples.shape, bits), samples):
        raise SystemExit("a deep picture does not come back")
    return len(payload)


def tuned_results(draw: Callable[[int], Samples], bits: int, steps: int) -> dict[str, float]:
    """Train on other pictures of a kind, and return the bytes of the first before and after."""
    general = registry.catalog().find("lossless")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "pictures")
        data.mkdir()
        for seed in range(1, 1 + _TRAINING_PICTURES):
            np.save(data / f"{seed}.npy", draw(seed))
        settings = {"steps": steps, "batch_size": 2, "held_back": 0}
        output = Path(folder, "tuned.safetensors")
        run = Run("lossless", data, output, "tuned", Path(folder, "run"), [settings], read_model(general.path))
        _, seconds = timed(train, run)
        tuned = cast(LosslessModel, registry.build_model(read_model(output)))
    before = own_bytes(open_lossless("lossless"), draw(0), bits)
    after = own_bytes(tuned, draw(0), bits)
    share = round(1 - after / before, 4)
    return {"steps": steps, "processor_s": round(seconds, 1), "general": before, "tuned": after, "saved_share": share}


def near_results() -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return bytes, PSNR and largest error by largest error allowed, of this model and of JPEG XL."""
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    for bound in (1, 2):
        rows = results[str(bound)] = {OWN: [], "jxl": []}
        for path in list(kodak().values())[:_NEAR_PICTURES]:
            picture = open_rgb(path)
            data = nncodec.encode(picture, "lossless", max_error=bound)
            own = near_row(picture, len(data), nncodec.decode(data))
            rows[OWN].append(own)
            low, high = 90.0, 99.9
            for _ in range(5):
                middle = (low + high) / 2
                low, high = (low, middle) if jxl_row(picture, middle)["psnr_db"] >= own["psnr_db"] else (middle, high)
            rows["jxl"].append(jxl_row(picture, high))
    return results


def jxl_row(picture: Image.Image, quality: float) -> dict[str, float]:
    """Return the results of lossy JPEG XL."""
    buffer = io.BytesIO()
    picture.save(buffer, "JXL", quality=quality, effort=7)
    return near_row(picture, len(buffer.getvalue()), Image.open(buffer)) | {"quality": round(quality, 2)}


def near_row(picture: Image.Image, size: int, decoded: Image.Image) -> dict[str, float]:
    """Return bytes, PSNR and largest error of a decoded picture."""
    difference = np.asarray(picture).astype(np.int32) - np.asarray(decoded.convert("RGB"))
    psnr = 10 * np.log10(255**2 / np.square(difference).mean())
    return {"bytes": size, "psnr_db": round(float(psnr), 2), "largest_error": int(np.abs(difference).max())}


def microscopy(seed: int = 0) -> Samples:
    """Return cells in four channels with shot noise and read noise, 12 bits, (1, 512, 512, 4)."""
    rng = np.random.default_rng(seed)
    channels = cells(rng)
    noisy = _LEVELS_A_PHOTON * rng.poisson(channels) + rng.normal(_OFFSET, _READ_NOISE, channels.shape)
    samples: Samples = np.clip(np.rint(noisy), 0, 4095).astype(np.uint16)[None]
    return samples


def known_brightness_bytes(seed: int = 0) -> float:
    """Return the ideal bytes of `microscopy` for a coder that knows the mean photons of each sample, and the noise."""
    values = microscopy(seed)[0].astype(np.float64)
    photons = cells(np.random.default_rng(seed))
    nearest = np.floor((values - _OFFSET) / _LEVELS_A_PHOTON)
    chances = np.zeros(values.shape)
    for away in range(-7, 9):  # counts of photons that read noise can bring to a value
        count = nearest + away
        distance = values - _OFFSET - _LEVELS_A_PHOTON * count
        mass = ndtr((distance + 0.5) / _READ_NOISE) - ndtr((distance - 0.5) / _READ_NOISE)
        chances += np.where(count < 0, 0, poisson.pmf(count, photons) * mass)
    return float(-np.log2(chances).sum() / 8)


def cells(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the mean photons of each sample, (512, 512, 4)."""
    y, x = np.mgrid[:_EDGE, :_EDGE].astype(np.float64)
    channels = np.full((_EDGE, _EDGE, 4), 8.0)
    for _ in range(150):
        centre, radius, brightness = rng.uniform(0, _EDGE, 2), rng.uniform(6, 22), rng.gamma(2, 60)
        distance = np.hypot(y - centre[0], x - centre[1]) / radius
        cell = brightness / (1 + np.exp(np.minimum((distance - 1) * 8, 50)))
        channels += cell[..., None] * rng.uniform(0.1, 1, 4)
    return channels


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


DEEP: dict[str, tuple[Callable[[int], Samples], int, int]] = {
    "microscopy, 12 bits": (microscopy, 12, 200),
    "depth map, 16 bits": (depth_map, 16, 600),
}
"""How a picture of each kind is drawn from a seed, its bits, and steps of training on it."""
PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "deep": lambda: {name: deep_results(draw(0), bits) for name, (draw, bits, _) in DEEP.items()},
    "tuned": lambda: {name: tuned_results(*kind) for name, kind in DEEP.items()},
    "floor": lambda: {"microscopy, 12 bits": round(known_brightness_bytes())},
    "near": near_results,
}


def timed(function: Callable[..., Any], *args: Any, **options: Any) -> tuple[Any, float]:
    """Return a function's result and the processor seconds it took."""
    start = time.process_time()
    result = function(*args, **options)
    return result, time.process_time() - start


if __name__ == "__main__":
    main()
