"""Rate and distortion of a photo model beside Pillow's JPEG, WebP and AVIF, through real files.

    python benchmarks/rate_distortion.py --set kodak --output benchmarks/results/conv_photo_kodak.json

`--set kodak` reads $NNCODEC_DATA/kodak; `--set skimage` takes the photographs that scikit-image ships. Rates are file
bytes, PSNR is on RGB, both averaged over pictures; BD-rates are PCHIP (package bjontegaard) over the shared range.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import bjontegaard
import numpy as np
import skimage.data
from PIL import Image
from tqdm import tqdm

import nncodec

QUALITIES = tuple(range(0, 101, 10))
PEERS: dict[str, tuple[dict[str, object], Sequence[int]]] = {
    "JPEG": (
        {"optimize": True, "progressive": True, "subsampling": "4:2:0"},
        (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95),
    ),
    "WEBP": ({"method": 6}, (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)),
    "AVIF": ({"speed": 6, "subsampling": "4:2:0"}, (10, 20, 30, 40, 50, 60, 70, 80, 90)),
}
SKIMAGE_PICTURES = ("astronaut", "cat", "chelsea", "coffee", "rocket")
Codec = Callable[[Image.Image, int], tuple[bytes, Image.Image]]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=("kodak", "skimage"), default="skimage")
    parser.add_argument("--model", default="conv/photo")
    parser.add_argument("--coder", default="zstd")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    pictures = load(options.set)

    def ours(image: Image.Image, quality: int) -> tuple[bytes, Image.Image]:
        data = nncodec.encode(image, options.model, quality, coder=options.coder)
        return data, nncodec.decode(data)

    curves = {options.model: curve(ours, QUALITIES, pictures)}
    for name, (settings, qualities) in PEERS.items():
        curves[name] = curve(pillow_codec(name, settings), qualities, pictures)
    bd_rates = {name: bd_rate(curves[name], curves[options.model]) for name in PEERS}
    for name, points in curves.items():
        print(name, " ".join(f"{p['bpp']:.3f}:{p['psnr_db']:.2f}" for p in points))
    print("BD-rate", {name: f"{value:+.1f}%" for name, value in bd_rates.items()})
    if options.output:
        record = {
            "command": " ".join(["python", *sys.argv]),
            "pictures": len(pictures),
            "peers": {name: settings for name, (settings, _) in PEERS.items()},
            "bd_rate_percent_against": {name: round(value, 2) for name, value in bd_rates.items()},
            "curves": curves,
        }
        options.output.write_text(json.dumps(record, indent=1) + "\n")


def load(name: str) -> list[Image.Image]:
    """Return the pictures of a set."""
    if name == "skimage":
        return [Image.fromarray(getattr(skimage.data, picture)()) for picture in SKIMAGE_PICTURES]
    folder = Path(os.environ.get("NNCODEC_DATA", "")) / name
    if not folder.is_dir():
        sys.exit(f"set NNCODEC_DATA to a folder that holds {name}/")
    return [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]


def pillow_codec(name: str, settings: dict[str, object]) -> Codec:
    """Return a codec that Pillow writes and reads."""

    def code(image: Image.Image, quality: int) -> tuple[bytes, Image.Image]:
        buffer = io.BytesIO()
        image.save(buffer, name, quality=quality, **settings)
        return buffer.getvalue(), Image.open(buffer)

    return code


def curve(codec: Codec, qualities: Sequence[int], pictures: Sequence[Image.Image]) -> list[dict[str, float]]:
    """Return mean rate and PSNR over the pictures at each quality."""
    points = []
    for quality in tqdm(qualities, leave=False):
        rates, psnrs = [], []
        for picture in pictures:
            data, decoded = codec(picture, quality)
            error = np.asarray(decoded.convert("RGB"), float) - np.asarray(picture, float)
            rates.append(8 * len(data) / (picture.width * picture.height))
            psnrs.append(10 * np.log10(255**2 / np.square(error).mean()))
        point = {"quality": quality, "bpp": round(float(np.mean(rates)), 5), "psnr_db": round(float(np.mean(psnrs)), 4)}
        points.append(point)
    return points


def bd_rate(anchor: list[dict[str, float]], test: list[dict[str, float]]) -> float:
    """Return the mean difference in rate at equal PSNR, percent; negative is smaller than the anchor."""
    (anchor_rate, anchor_psnr), (test_rate, test_psnr) = (
        ([p["bpp"] for p in points], [p["psnr_db"] for p in points]) for points in (anchor, test)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the ranges overlap in part; the mean is over the part they share
        value = bjontegaard.bd_rate(
            anchor_rate, anchor_psnr, test_rate, test_psnr, method="pchip", require_matching_points=False, min_overlap=0
        )
    return float(value)


if __name__ == "__main__":
    main()
