"""Bjøntegaard's deltas: exact cases, a second implementation, and what is refused."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nncodec.compare import CurvePoint, bd_delta, bd_psnr, bd_rate, read_anchors
from nncodec.errors import InvalidOption, NncError

REFERENCE = [
    CurvePoint(bpp, db, ms) for bpp, db, ms in ((0.2, 28, 0.9), (0.5, 31, 0.95), (1.1, 35, 0.98), (2, 40, 0.99))
]


def scaled(points: Sequence[CurvePoint], by: float) -> list[CurvePoint]:
    return [CurvePoint(by * point.bpp, point.psnr_db, point.ms_ssim) for point in points]


@pytest.mark.parametrize("factor", [0.64, 1.0, 1.5])
def test_the_same_curve_at_a_share_of_the_rate(factor: float) -> None:
    delta = bd_delta(REFERENCE, scaled(REFERENCE, factor))
    assert delta.rate_percent == pytest.approx(100 * factor - 100, abs=1e-9)
    assert (delta.low, delta.high, delta.overlap, delta.dropped, delta.reason) == (28, 40, 1, 0, "")
    assert bd_rate(REFERENCE, scaled(REFERENCE, factor), "ms_ssim") == pytest.approx(100 * factor - 100, abs=1e-9)


def test_the_same_rates_at_a_higher_value() -> None:
    better = [CurvePoint(point.bpp, (point.psnr_db or 0) + 1.25) for point in REFERENCE]
    assert bd_psnr(REFERENCE, better) == pytest.approx(1.25, abs=1e-9)
    assert (bd_rate(REFERENCE, better) or 0) < 0
    assert (bd_rate(better, REFERENCE) or 0) > 0


def test_the_order_of_the_points_does_not_matter() -> None:
    test = scaled(REFERENCE, 0.7)
    assert bd_delta(REFERENCE[::-1], [test[2], test[0], test[3], test[1]]) == bd_delta(REFERENCE, test)


def independent_bd_rate(reference: Sequence[CurvePoint], test: Sequence[CurvePoint]) -> float:
    """Return the BD-rate by SciPy's interpolation and numerical integration; the curves must be monotone."""
    from scipy.integrate import quad  # takes a second to import, and every worker imports this file
    from scipy.interpolate import PchipInterpolator

    log_rate = []
    for points in (reference, test):
        values = np.array([point.psnr_db for point in points], float)
        assert np.all(np.diff(values) > 0)
        log_rate.append((PchipInterpolator(values, np.log([point.bpp for point in points])), values[0], values[-1]))
    (ours, *span), (theirs, *other_span) = log_rate[1], log_rate[0]
    low, high = max(span[0], other_span[0]), min(span[1], other_span[1])
    area, _ = quad(lambda value: float(ours(value) - theirs(value)), low, high, limit=500)
    return float(100 * np.expm1(area / (high - low)))


def test_curves_that_overlap_in_part_agree_with_a_second_implementation() -> None:
    test = [CurvePoint(0.3, 30.5), CurvePoint(0.6, 33.2), CurvePoint(0.9, 36.9), CurvePoint(1.5, 41), CurvePoint(3, 46)]
    delta = bd_delta(REFERENCE, test)
    assert delta.rate_percent == pytest.approx(independent_bd_rate(REFERENCE, test), abs=1e-6)
    assert (delta.low, delta.high) == (30.5, 40)
    assert delta.overlap == pytest.approx(9.5 / 18)


def test_published_webp_against_published_jpeg_agrees_with_a_second_implementation() -> None:
    path = Path(os.environ.get("NNCODEC_DATA", "nowhere"), "..", "anchors", "kodak_published.json")
    if not path.is_file():
        pytest.skip("there is no anchors/kodak_published.json beside the data folder")
    published = read_anchors(path)
    value = bd_rate(published["jpeg"], published["webp"])
    assert value == pytest.approx(independent_bd_rate(published["jpeg"], published["webp"]), abs=0.01)
    assert value == pytest.approx(-36.2, abs=0.1)


# --- no extrapolation ---------------------------------------------------------------------------------------------


def test_nothing_is_extrapolated() -> None:
    far = [CurvePoint(3, 41), CurvePoint(5, 44)]
    delta = bd_delta(REFERENCE, far)
    assert (delta.rate_percent, delta.gain, delta.overlap) == (None, None, 0)
    assert "no shared range of PSNR (28 to 40 and 41 to 44)" in delta.reason
    assert "no shared range of bits per pixel (0.2 to 2 and 3 to 5)" in delta.reason
    assert bd_rate(REFERENCE, far) is None
    assert bd_psnr(REFERENCE, far) is None


def test_curves_that_only_touch_share_nothing() -> None:
    assert bd_rate(REFERENCE, [CurvePoint(1, 40), CurvePoint(2, 42)]) is None


def test_a_shared_range_of_rates_alone_gives_a_gain_alone() -> None:
    delta = bd_delta(REFERENCE, [CurvePoint(0.2, 41), CurvePoint(2, 44)])
    assert delta.rate_percent is None
    assert delta.gain is not None
    assert delta.gain > 4


# --- points that are no part of a curve ---------------------------------------------------------------------------


def test_points_that_another_beats_are_left_out_and_counted() -> None:
    test = scaled(REFERENCE, 0.7)
    worse = [CurvePoint(0.5, 30), CurvePoint(test[1].bpp, 29.5), CurvePoint(1.4, test[3].psnr_db)]
    delta = bd_delta(REFERENCE, [*worse, *test])
    assert delta.dropped == 3
    assert delta.rate_percent == pytest.approx(-30, abs=1e-9)


def test_points_without_a_finite_value_are_passed_over() -> None:
    test = [*scaled(REFERENCE, 0.7), CurvePoint(2.5, math.inf), CurvePoint(3, None)]
    assert bd_delta(REFERENCE, test) == bd_delta(REFERENCE, scaled(REFERENCE, 0.7))
    perfect = [*REFERENCE, CurvePoint(4, 50, ms_ssim=1.0)]
    assert bd_rate(REFERENCE, perfect, "ms_ssim") == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("points", [[], REFERENCE[:1]])
def test_too_few_points_have_no_delta(points: list[CurvePoint]) -> None:
    delta = bd_delta(REFERENCE, points)
    assert (delta.rate_percent, delta.gain) == (None, None)
    assert f"needs 2 points with PSNR at least, these have 4 and {len(points)}" in delta.reason
    assert bd_delta(points, REFERENCE).rate_percent is None


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(InvalidOption, match="psnr_db, ssim, ms_ssim, ssimulacra2"):
        bd_rate(REFERENCE, REFERENCE, "vmaf")


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(NncError, match=r'BD-rate needs bjontegaard, .*pip install "nncodec-image\[compare\]"$'):
        bd_rate(REFERENCE, REFERENCE)
