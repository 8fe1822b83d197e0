"""Bjøntegaard's deltas between two rate-distortion curves, without extrapolation.

A curve is any sequence of points with a rate `bpp` and values such as `psnr_db`: measurements of one picture, means
over pictures, or published points.

References:
    G. Bjøntegaard, Calculation of average PSNR differences between RD-curves, ITU-T VCEG-M33, 2001.
    C. Herglotz et al., Beyond Bjøntegaard: limits of video compression performance comparisons, ICIP 2022; PCHIP and
    package `bjontegaard`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nncodec._support.extras import require
from nncodec.errors import InvalidOption

TITLES = {
    "psnr_db": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "ssimulacra2": "SSIMULACRA2",
    "colorvideovdp": "ColorVideoVDP",
}
"""The metrics in the field's spelling."""

METRICS = tuple(TITLES)
"""Values that a curve can have."""

_FEWEST_POINTS = 2


class RatePoint(Protocol):
    """A point of a curve; its other fields have the names in `METRICS`."""

    @property
    def bpp(self) -> float:
        """Rate, bits per pixel."""


@dataclass(frozen=True)
class CurvePoint:
    """A point of a published curve; fields as in `results.Measurement`, None where the source gives no value."""

    bpp: float
    psnr_db: float | None = None
    ms_ssim: float | None = None
    ssim: float | None = None
    ssimulacra2: float | None = None
    colorvideovdp: float | None = None


@dataclass(frozen=True)
class BdDelta:
    """Difference of a curve from a reference curve.

    Args:
        rate_percent: mean difference in rate at equal value (BD-rate), negative is smaller; None without a shared
            range of values.
        gain: mean difference in value at equal rate (BD-PSNR), positive is better; None without a shared range of
            rates.
        low, high: range of values that both curves reach, in dB for all metrics but SSIMULACRA2; only meaningful if
            `overlap` is above 0.
        overlap: that range as a share (0..1) of all values that either curve reaches.
        dropped: points left out because another is no worse at no higher rate.
        reason: why a delta is None, one line; empty if both exist.
    """

    rate_percent: float | None
    gain: float | None
    low: float
    high: float
    overlap: float
    dropped: int
    reason: str = ""

    @property
    def shared(self) -> tuple[float, float] | None:
        """The values that both curves reach, from `low` to `high`; None without a shared range."""
        return (self.low, self.high) if self.overlap > 0 else None


def bd_rate(reference: Sequence[RatePoint], test: Sequence[RatePoint], metric: str = "psnr_db") -> float | None:
    """Return how many percent more bits `test` takes than `reference` at equal value; None without a shared range.

    Arguments, errors: see `bd_delta`.
    """
    return bd_delta(reference, test, metric).rate_percent


def bd_psnr(reference: Sequence[RatePoint], test: Sequence[RatePoint]) -> float | None:
    """Return the gain in PSNR (dB) of `test` over `reference` at equal rate; None without a shared range.

    Arguments, errors: see `bd_delta`.
    """
    return bd_delta(reference, test).gain


def bd_delta(reference: Sequence[RatePoint], test: Sequence[RatePoint], metric: str = "psnr_db") -> BdDelta:
    """Compare two curves over the range that both reach, by monotone piecewise cubic interpolation (PCHIP).

    Nothing is extrapolated. SSIM and MS-SSIM are compared as -10 log10(1 - value), which spreads values near 1.

    Args:
        reference, test: points in any order. A point that costs at least as much as another and is no better is left
            out; the rest is monotone, and what a user of the codec would choose from.
        metric: one of `METRICS`.

    Raises:
        InvalidOption: unknown metric.
        NncError: the extra `compare` is not installed.
    """
    if metric not in METRICS:
        raise InvalidOption(option="metric", reason=f"there is no {metric!r}; the metrics are {', '.join(METRICS)}")
    package = require("bjontegaard", "compare", "BD-rate")
    known = [_known(points, metric) for points in (reference, test)]
    (rates, values), (test_rates, test_values) = (_frontier(points) for points in known)
    dropped = sum(len(points) for points in known) - len(rates) - len(test_rates)
    if min(len(rates), len(test_rates)) < _FEWEST_POINTS:
        counts = f"{len(rates)} and {len(test_rates)}"
        reason = f"a curve needs {_FEWEST_POINTS} points with {TITLES[metric]} at least, these have {counts}"
        return BdDelta(None, None, math.nan, math.nan, 0.0, dropped, reason)
    low, high = max(values[0], test_values[0]), min(values[-1], test_values[-1])
    overlap = max(high - low, 0.0) / (max(values[-1], test_values[-1]) - min(values[0], test_values[0]))
    # The package uses the shared range itself; `overlap` replaces its warning about a small one.
    settings: dict[str, Any] = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    reasons, percent, gain = [], None, None
    if high > low:
        percent = float(package.bd_rate(rates, values, test_rates, test_values, **settings))
    else:
        spans = f"{values[0]:.4g} to {values[-1]:.4g} and {test_values[0]:.4g} to {test_values[-1]:.4g}"
        reasons.append(f"no shared range of {TITLES[metric]} ({spans})")
    if min(rates[-1], test_rates[-1]) > max(rates[0], test_rates[0]):
        gain = float(package.bd_psnr(rates, values, test_rates, test_values, **settings))
    else:
        spans = f"{rates[0]:.3g} to {rates[-1]:.3g} and {test_rates[0]:.3g} to {test_rates[-1]:.3g}"
        reasons.append(f"no shared range of bits per pixel ({spans})")
    return BdDelta(percent, gain, low, high, overlap, dropped, "; ".join(reasons))


def _known(points: Sequence[RatePoint], metric: str) -> list[tuple[float, float]]:
    """Return rate and value of the points that have both, by rising rate, the best first at equal rates."""
    pairs = ((point.bpp, _spread(getattr(point, metric, None), metric)) for point in points)
    known = [(rate, value) for rate, value in pairs if value is not None and 0 < rate < math.inf]
    return sorted(known, key=lambda pair: (pair[0], -pair[1]))


def _frontier(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return rates and values of the points that no other point beats, both strictly rising."""
    rates: list[float] = []
    values: list[float] = []
    for rate, value in points:
        if not values or value > values[-1]:
            rates.append(rate)
            values.append(value)
    return rates, values


def _spread(value: float | None, metric: str) -> float | None:
    if value is not None and metric in ("ssim", "ms_ssim"):
        value = -10 * math.log10(1 - value) if value < 1 else None
    return value if value is not None and math.isfinite(value) else None
