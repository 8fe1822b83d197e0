"""Take the statistics of photographs that `measuring.niqe` compares pictures with.

    NNCODEC_DATA=... python benchmarks/train/niqe_photographs.py
    NNCODEC_DATA=... python benchmarks/train/niqe_photographs.py --try    # on photographs that are held back

From the sharp blocks of the photographs that enhancers train on; those held back there are left out here too.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from common import data_folder
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from nncodec.training.data import list_pictures, split_by_name

sys.path.insert(0, str(Path(__file__).parents[1]))
from measuring.niqe import STATISTICS, fitted, niqe

HELD_BACK = 0.1
_DIGITS = 6
_TRIED = 5  # one in so many of those held back


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=STATISTICS)
    parser.add_argument("--try", action="store_true", dest="is_trial", help="print what the statistics kept are worth")
    options = parser.parse_args()
    training, held_back = split_by_name(list_pictures(data_folder("photos")), HELD_BACK)
    if options.is_trial:
        tried([_opened(path) for path in held_back[::_TRIED]])
        return
    statistics, blocks = fitted(_opened(path) for path in training)
    triangle = statistics.covariance[np.tril_indices(len(statistics.mean))]
    kept = {
        "command": "python benchmarks/train/niqe_photographs.py",
        "photographs": len(training),
        "blocks": blocks,
        "mean": _short(statistics.mean),
        "covariance_lower_triangle": _short(triangle),
    }
    options.output.write_text(json.dumps(kept) + "\n", encoding="utf-8")


def tried(photographs: Sequence[Image.Image]) -> None:
    """Print the mean NIQE of photographs after damage of several kinds, and for how many of them it is above plain."""
    plain = np.array([niqe(one) for one in photographs])
    print(f"{'plain':28} {plain.mean():6.2f}")
    for name, damage in DAMAGES.items():
        values = np.array([niqe(damage(one)) for one in photographs])
        print(f"{name:28} {values.mean():6.2f}  worse in {(values > plain).mean():.0%}", flush=True)


def _noisy(image: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, deviation, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def _enlarged(image: Image.Image) -> Image.Image:
    small = image.resize((image.width // 4, image.height // 4), Image.Resampling.BICUBIC)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def _blurred(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


DAMAGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "blurred by 1": lambda image: _blurred(image, 1),
    "blurred by 2": lambda image: _blurred(image, 2),
    "noise of 5": lambda image: _noisy(image, 5),
    "noise of 15": lambda image: _noisy(image, 15),
    "JPEG, quality 40": lambda image: _jpeg(image, 40),
    "JPEG, quality 10": lambda image: _jpeg(image, 10),
    "enlarged fourfold, bicubic": _enlarged,
    "the same, noise of 3": lambda image: _noisy(_enlarged(image), 3),
    "the same, sharpened": lambda image: _enlarged(image).filter(ImageFilter.UnsharpMask(2, 200, 0)),
}


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _short(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]


if __name__ == "__main__":
    main()
