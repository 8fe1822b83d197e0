"""Fit the statistics of photographs that `measuring.niqe` compares pictures with.

    NNCODEC_DATA=... python -m benchmarks.train.niqe_photographs
    NNCODEC_DATA=... python -m benchmarks.train.niqe_photographs --try    # on held-back photographs

NIQE is no model, so `nncodec train` cannot fit it. The statistics come from the sharp blocks of the photographs that
enhancers train on, without those that these trainings hold back.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks.measuring.data import open_rgb, split_photographs
from benchmarks.measuring.niqe import STATISTICS, fitted, niqe
from benchmarks.measuring.records import command_line

_DIGITS = 6
_TRIED = 5  # one in so many of the held-back photographs


def main() -> None:
    """Fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=STATISTICS)
    parser.add_argument("--try", action="store_true", dest="is_trial", help="print how well the stored statistics work")
    options = parser.parse_args()
    training, held_back = split_photographs()
    if options.is_trial:
        try_damages([open_rgb(path) for path in held_back[::_TRIED]])
        return
    statistics, blocks = fitted(open_rgb(path) for path in training)
    triangle = statistics.covariance[np.tril_indices(len(statistics.mean))]
    kept = {
        "command": command_line("train.niqe_photographs", []),
        "photographs": len(training),
        "blocks": blocks,
        "mean": _short(statistics.mean),
        "covariance_lower_triangle": _short(triangle),
    }
    options.output.write_text(json.dumps(kept) + "\n", encoding="utf-8")


def try_damages(photographs: Sequence[Image.Image]) -> None:
    """Print the mean NIQE of photographs after several kinds of damage, and the share that each makes worse."""
    plain = np.array([niqe(photograph) for photograph in photographs])
    print(f"{'plain':28} {plain.mean():6.2f}")
    for name, damage in DAMAGES.items():
        values = np.array([niqe(damage(photograph)) for photograph in photographs])
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


def _short(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]


if __name__ == "__main__":
    main()
