"""Pictures reduced fourfold and enlarged again, measured as in the super-resolution literature."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

import nncodec
from benchmarks.measuring.alternation import alternation_db
from benchmarks.measuring.niqe import niqe
from nncodec import metrics

FACTOR = 4
"""How many times larger along each edge."""
BORDER = FACTOR
"""Pixels along every edge that are left out, as in published figures."""
STRENGTHS = {"content": 0.0, "half": 0.5, "gan": 1.0}
"""Names of an enhancer's strengths."""

Enlarge = Callable[[Image.Image], Image.Image]

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Of R, G and B in 0..255 to luma in 16..235.
_LUMA_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
_DECIMALS = {"psnr_y_db": 3, "ssim_y": 5, "ssimulacra2": 2, "ms_ssim": 5, "niqe": 3, "alternation_db": 2}


def read(path: Path) -> Image.Image:
    """Return a picture, RGB or grey, cropped at the lower right to multiples of `FACTOR`."""
    with Image.open(path) as opened:
        image = opened.convert("L" if opened.mode in ("1", "L", "LA") else "RGB")
    return image.crop((0, 0, image.width // FACTOR * FACTOR, image.height // FACTOR * FACTOR))


def reduced(image: Image.Image) -> Image.Image:
    """Return a picture reduced to a quarter of each edge by the bicubic filter that Pillow and MATLAB share."""
    return image.resize((image.width // FACTOR, image.height // FACTOR), Image.Resampling.BICUBIC)


def methods(enhancer: str | None) -> dict[str, Enlarge]:
    """Return the ways to enlarge by `FACTOR`: Pillow's filters, and an enhancer at each of `STRENGTHS`."""
    ways: dict[str, Enlarge] = {name: _by_filter(kind) for name, kind in _FILTERS.items()}
    if enhancer is not None:
        ways |= {name: by_enhancer(enhancer, strength) for name, strength in STRENGTHS.items()}
    return ways


def by_enhancer(enhancer: str, strength: float) -> Enlarge:
    """Return the enhancer at a strength as a way to enlarge (or to restore)."""
    return lambda image: nncodec.enhance(image, enhancer=enhancer, strength=strength)


def _by_filter(kind: Image.Resampling) -> Enlarge:
    return lambda image: image.resize((FACTOR * image.width, FACTOR * image.height), kind)


def measure_enlarged(pictures: Mapping[str, Image.Image], ways: Mapping[str, Enlarge]) -> dict[str, Any]:
    """Return the figures of every way to enlarge, means and of each picture, and the figures of the originals."""
    rows = {
        way: {name: figures(image, enlarge(reduced(image))) for name, image in pictures.items()}
        for way, enlarge in ways.items()
    }
    originals = [
        {
            "niqe": niqe(_middle(image)),
            "alternation_db": alternation_db(luma(_middle(image))),
            "checkerboard_levels": checkerboard(image, image),
        }
        for image in pictures.values()
    ]
    return {
        "pictures": len(pictures),
        "original": mean_of(originals),
        "mean": {way: mean_of(list(row.values())) for way, row in rows.items()},
        "each": {way: {name: _rounded(values) for name, values in row.items()} for way, row in rows.items()},
    }


def figures(original: Image.Image, enlarged: Image.Image) -> dict[str, float | None]:
    """Return the figures of an enlarged picture against its original, without borders."""
    before, after = (_middle(image) for image in (original, enlarged))
    return {
        "psnr_y_db": psnr_y(before, after),
        "ssim_y": ssim_y(before, after),
        "ms_ssim": metrics.ms_ssim(before, after),
        "ssimulacra2": metrics.ssimulacra2(before, after),
        "niqe": niqe(after),
        "alternation_db": alternation_db(luma(after)),
        "colour_shift_levels": float(np.abs(_mean_colour(after) - _mean_colour(before)).max()),
        "checkerboard_levels": checkerboard(original, enlarged),
    }


def checkerboard(original: Image.Image, enlarged: Image.Image) -> float:
    """Return the strength of a pattern that repeats with every pixel of the reduced picture, grey levels.

    It is the standard deviation over the `FACTOR`^2 places within such a pixel; each place has the mean of what the
    enlarged picture adds to bicubic interpolation.
    """
    plain = _by_filter(Image.Resampling.BICUBIC)(reduced(original))
    added = luma(enlarged) - luma(plain)
    height, width = added.shape
    places = added.reshape(height // FACTOR, FACTOR, width // FACTOR, FACTOR).mean(axis=(0, 2))
    return float(places.std())


def luma(image: Image.Image) -> NDArray[np.float64]:
    """Return Y of BT.601 in 16..235, not rounded; of grey pictures their own levels, 0..255, as in the literature."""
    pixels = np.asarray(image, np.float64)
    return pixels if pixels.ndim == 2 else 16 + pixels @ _LUMA_WEIGHTS


def psnr_y(original: Image.Image, enlarged: Image.Image) -> float:
    """Return the peak signal-to-noise ratio on luma in dB, peak 255; infinite for equal pictures."""
    error = float(np.mean((luma(original) - luma(enlarged)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim_y(original: Image.Image, enlarged: Image.Image) -> float:
    """Return SSIM on luma: Gaussian windows of 11 x 11 with sigma 1.5, range 255."""
    return float(
        structural_similarity(
            luma(original),
            luma(enlarged),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def _mean_colour(image: Image.Image) -> NDArray[np.float64]:
    colour: NDArray[np.float64] = np.asarray(image, np.float64).reshape(image.width * image.height, -1).mean(axis=0)
    return colour


def mean_of(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Return the mean of each figure over the rows that have it, rounded."""
    columns = {key: [value for row in rows if (value := row[key]) is not None] for key in rows[0]}
    return _rounded({key: statistics.fmean(values) if values else None for key, values in columns.items()})


def _rounded(row: Mapping[str, float | None]) -> dict[str, float | None]:
    return {key: None if value is None else round(value, _DECIMALS.get(key, 4)) for key, value in row.items()}


def _middle(image: Image.Image) -> Image.Image:
    return image.crop((BORDER, BORDER, image.width - BORDER, image.height - BORDER))
