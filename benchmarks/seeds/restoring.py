"""The codec's pictures, plain and enhanced: rate against fidelity, structure and looks."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

import nncodec
from benchmarks.measuring.alternation import alternation_db
from benchmarks.measuring.machine import cores
from benchmarks.measuring.niqe import niqe
from benchmarks.seeds.enlarging import FACTOR, STRENGTHS, luma, mean_of
from nncodec import metrics
from nncodec._support.workers import each

RESTORED_MODEL = "photo"
"""The codec of whole pictures; `srgan/restore` is trained on its output."""
REDUCED_MODEL = "photo-psnr"
"""The codec of pictures stored reduced; it was `photo` when the stored record was made."""
QUALITIES = (0, 5, 10, 20, 30)
"""Of whole pictures, with and without the enhancer of factor 1."""
REDUCED_QUALITIES = (20, 40, 60, 80)
"""Of pictures stored at a quarter of each edge, with and without the enhancer of factor 4."""
LOWEST_QUALITIES = (0, 2, 4, 5, 6, 8, 10, 20)
"""Of whole pictures without an enhancer, beside those stored reduced."""
SHOWN_STRENGTHS = ("content", "gan")

Row = dict[str, Any]
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Way:
    """A way to store and decode pictures.

    Args:
        name: in results.
        model: the codec.
        options: of `nncodec.encode`, beside the quality.
        enhancer: name, or None for a plain decode.
        strength: the enhancer's.
    """

    name: str
    model: str
    options: Mapping[str, Any]
    enhancer: str | None = None
    strength: float = 0.0

    def encode(self, image: Image.Image, quality: int) -> bytes:
        """Return the file of a picture."""
        return nncodec.encode(image, self.model, quality=quality, **self.options)

    def decode(self, data: bytes) -> Image.Image:
        """Return the picture of a file."""
        if self.enhancer is None:
            return nncodec.decode(data)
        return nncodec.decode(data, enhancer=self.enhancer, strength=self.strength)


PLAIN = Way("photo", REDUCED_MODEL, {})
"""Whole pictures without an enhancer, beside those stored reduced."""


def restored_ways(restore: str) -> list[Way]:
    """Return a plain decode of whole pictures, and the enhancer at each of `SHOWN_STRENGTHS`."""
    return [Way("photo", RESTORED_MODEL, {}), *_enhanced("restore", RESTORED_MODEL, {}, restore)]


def reduced_ways(x4: str) -> list[Way]:
    """Return the same ways for pictures stored reduced; a plain decode enlarges them by Lanczos."""
    options = {"downscale": FACTOR}
    return [Way("reduced, lanczos", REDUCED_MODEL, options), *_enhanced("reduced, x4", REDUCED_MODEL, options, x4)]


def _enhanced(name: str, model: str, options: Mapping[str, Any], enhancer: str) -> list[Way]:
    return [Way(f"{name} {kind}", model, options, enhancer, STRENGTHS[kind]) for kind in SHOWN_STRENGTHS]


def measure_stored(
    pictures: Mapping[str, Image.Image], ways: Sequence[Way], qualities: Sequence[int], say: Callable[[Row], None]
) -> list[Row]:
    """Return a row for each quality and way, means over pictures; all ways decode the same files.

    Args:
        pictures: RGB, by name; several are measured at a time, each with one thread.
        ways: all with the same encoding options.
        qualities: of the model.
        say: called with every row.
    """
    work = [(quality, image) for quality in qualities for image in pictures.values()]
    figures: dict[int, list[list[Figures]]] = {quality: [] for quality in qualities}
    rows = []
    jobs = min(cores(), len(pictures))
    with contextlib.closing(each(functools.partial(_figures, ways), work, jobs, threads=1)) as results:
        for (quality, _), of_picture in results:
            figures[quality].append(of_picture)
    for quality, of_pictures in figures.items():
        for way, of_way in zip(ways, zip(*of_pictures, strict=True), strict=True):
            rows.append({"way": way.name, "quality": quality, **mean_of(of_way)})
            say(rows[-1])
    return rows


def _figures(ways: Sequence[Way], work: tuple[int, Image.Image]) -> list[Figures]:
    """Return the figures of (quality, picture) for each way."""
    quality, image = work
    data = ways[0].encode(image, quality)
    figures: list[Figures] = []
    for way in ways:
        decoded = way.decode(data)
        figures.append(
            {
                "rate_bpp": 8 * len(data) / (image.width * image.height),
                "psnr_db": metrics.psnr(image, decoded),
                "ms_ssim": metrics.ms_ssim(image, decoded),
                "ssimulacra2": metrics.ssimulacra2(image, decoded),
                "niqe": niqe(decoded),
                "alternation_db": alternation_db(luma(decoded)),
            }
        )
    return figures


def row_of(rows: Sequence[Row], way: str, quality: int) -> Row:
    """Return the row of a way at a quality; raises KeyError if there is none."""
    for row in rows:
        if (row["way"], row["quality"]) == (way, quality):
            return row
    raise KeyError(f"{way}, {quality}")


def at_rate(rows: Sequence[Row], way: str, rate_bpp: float) -> Row | None:
    """Return a way's figures at a rate, interpolated linearly between its points; None outside them."""
    points = sorted((row for row in rows if row["way"] == way), key=lambda row: float(row["rate_bpp"]))
    for low, high in itertools.pairwise(points):
        if low["rate_bpp"] <= rate_bpp <= high["rate_bpp"]:
            share = (rate_bpp - low["rate_bpp"]) / ((high["rate_bpp"] - low["rate_bpp"]) or 1)
            keys = [key for key in low if key not in ("way", "quality") and low[key] is not None]
            return {key: round(low[key] + share * (high[key] - low[key]), 5) for key in keys}
    return None
