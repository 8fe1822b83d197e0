"""The codec's own pictures, plain and enhanced: rate against fidelity, structure, and looks."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from enlarging import FACTOR, STRENGTHS, luma, mean_of
from measuring.alternation import alternation_db
from measuring.machine import cores
from measuring.niqe import niqe
from PIL import Image

import nncodec
from nncodec import metrics
from nncodec._support.workers import start_worker

MODEL = "photo"
QUALITIES = (5, 10, 20, 30, 40)
"""Of whole pictures, with and without the enhancer of factor 1."""
REDUCED_QUALITIES = (20, 40, 60, 80)
"""Of pictures stored at a quarter of each edge, with and without the enhancer of factor 4."""
LOWEST_QUALITIES = (0, 2, 4, 6, 8)
"""Of whole pictures without an enhancer, beside those stored reduced."""
SHOWN_STRENGTHS = ("content", "gan")

Row = dict[str, Any]


@dataclass(frozen=True)
class Way:
    """How pictures are stored and decoded.

    Args:
        name: what it is called in results.
        options: of `nncodec.encode`, beyond the quality.
        enhancer: name, or None for a plain decode.
        strength: the enhancer's.
    """

    name: str
    options: Mapping[str, Any]
    enhancer: str | None = None
    strength: float = 0.0

    def encode(self, image: Image.Image, quality: int) -> bytes:
        """Return the file of a picture."""
        return nncodec.encode(image, MODEL, quality=quality, **self.options)

    def decode(self, data: bytes) -> Image.Image:
        """Return the picture of a file."""
        if self.enhancer is None:
            return nncodec.decode(data)
        return nncodec.decode(data, enhancer=self.enhancer, strength=self.strength)


def whole_ways(restore: str) -> list[Way]:
    """Return a plain decode, and the enhancer at the strengths that are shown."""
    return [Way("photo", {}), *_enhanced("restore", {}, restore)]


def reduced_ways(x4: str) -> list[Way]:
    """Return the same for pictures stored reduced; a plain decode enlarges them by Lanczos."""
    options = {"downscale": FACTOR}
    return [Way("reduced, lanczos", options), *_enhanced("reduced, x4", options, x4)]


def _enhanced(name: str, options: Mapping[str, Any], enhancer: str) -> list[Way]:
    return [Way(f"{name} {kind}", options, enhancer, STRENGTHS[kind]) for kind in SHOWN_STRENGTHS]


def measure_stored(
    pictures: Mapping[str, Image.Image], ways: Sequence[Way], qualities: Sequence[int], say: Callable[[Row], None]
) -> list[Row]:
    """Return one row a quality and way, means over pictures; ways that store alike decode the same files.

    Args:
        pictures: RGB, by name; several are measured at a time, each with one thread.
        ways: all with the same options of encoding.
        qualities: of the model.
        say: is told of every row.
    """
    rows = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(cores(), len(pictures)), spawn, start_worker, (1,)) as pool:
        for quality in qualities:
            figures = list(pool.map(_figures, pictures.values(), itertools.repeat(ways), itertools.repeat(quality)))
            for number, way in enumerate(ways):
                mean = mean_of([of_picture[number] for of_picture in figures])
                rows.append({"way": way.name, "quality": quality, **mean})
                say(rows[-1])
    return rows


def _figures(image: Image.Image, ways: Sequence[Way], quality: int) -> list[dict[str, float | None]]:
    """Return the figures of a picture, in each of the ways."""
    data = ways[0].encode(image, quality)
    found: list[dict[str, float | None]] = []
    for way in ways:
        decoded = way.decode(data)
        found.append(
            {
                "rate_bpp": 8 * len(data) / (image.width * image.height),
                "psnr_db": metrics.psnr(image, decoded),
                "ms_ssim": metrics.ms_ssim(image, decoded),
                "ssimulacra2": metrics.ssimulacra2(image, decoded),
                "niqe": niqe(decoded),
                "alternation_db": alternation_db(luma(decoded)),
            }
        )
    return found


def row_of(rows: Sequence[Row], way: str, quality: int) -> Row:
    """Return the row of a way at a quality; raises KeyError where there is none."""
    for row in rows:
        if (row["way"], row["quality"]) == (way, quality):
            return row
    raise KeyError(f"{way}, {quality}")


def at_rate(rows: Sequence[Row], way: str, rate_bpp: float) -> Row | None:
    """Return a way's figures at a rate, along straight lines between its points; None outside of them."""
    points = sorted((row for row in rows if row["way"] == way), key=lambda row: float(row["rate_bpp"]))
    for low, high in itertools.pairwise(points):
        if low["rate_bpp"] <= rate_bpp <= high["rate_bpp"]:
            share = (rate_bpp - low["rate_bpp"]) / ((high["rate_bpp"] - low["rate_bpp"]) or 1)
            keys = [key for key in low if key not in ("way", "quality") and low[key] is not None]
            return {key: round(low[key] + share * (high[key] - low[key]), 5) for key in keys}
    return None
