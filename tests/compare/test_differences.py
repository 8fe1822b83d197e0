"""Tables of Bjøntegaard differences."""

from __future__ import annotations

import pytest

from nncodec.compare.curves import CurvePoint, bd_psnr, bd_rate
from nncodec.compare.differences import all_differences, listed, matrices
from nncodec.compare.results import Comparison

PAPER = {"paper": [CurvePoint(0.5, 28.0), CurvePoint(1.0, 31.0), CurvePoint(2.0, 35.0)]}


def test_every_pair_is_compared_by_every_metric_that_both_have(comparison: Comparison) -> None:
    found = all_differences(comparison, PAPER)
    pairs = {(one.codec, one.reference) for one in found if not one.published}
    assert pairs == {(a.name, b.name) for a in comparison.codecs for b in comparison.codecs if a != b}
    assert {one.metric for one in found if not one.published} == {"psnr_db", "ssim", "ssimulacra2"}
    assert {(one.reference, one.metric) for one in found if one.published} == {("paper", "psnr_db")}


def test_matrices_have_a_column_for_each_codec_and_a_row_for_each_reference(comparison: Comparison) -> None:
    found = all_differences(comparison, PAPER)
    rate, gain, *_ = matrices(comparison, found, published=False)
    assert (rate.title, gain.title) == ("BD-rate by PSNR, %", "BD-PSNR, dB")
    assert [column.title for column in rate.columns] == ["Against", "photo", "JPEG", "WebP"]
    avif, jpeg = comparison.mean_curve("avif"), comparison.mean_curve("jpeg")
    (row,) = [row for row in rate.rows if row[0] == "jpeg"]
    assert row[1:3] == (bd_rate(jpeg, avif), None)
    (row,) = [row for row in gain.rows if row[0] == "jpeg"]
    assert row[1] == bd_psnr(jpeg, avif)
    assert row[1] * bd_rate(jpeg, avif) < 0
    (published, _) = matrices(comparison, found, published=True)
    assert published.rows == (
        ("paper", *(bd_rate(PAPER["paper"], comparison.mean_curve(c.name)) for c in comparison.codecs)),
    )


def test_a_pair_without_a_shared_range_has_a_reason_instead(comparison: Comparison) -> None:
    far = {"far": [CurvePoint(50.0, 80.0), CurvePoint(60.0, 90.0)]}
    table = listed([one for one in all_differences(comparison, far) if one.published])
    keys = [column.key for column in table.columns]
    row = dict(zip(keys, table.rows[0], strict=True))
    assert (row["bd_rate_percent"], row["bd_gain"], row["shared_low"]) == (None, None, None)
    assert "no shared range" in row["reason"]
    with_range = dict(zip(keys, listed(all_differences(comparison, {})).rows[0], strict=True))
    assert with_range["shared_low"] < with_range["shared_high"]
    assert with_range["bd_rate_percent"] == pytest.approx(
        bd_rate(comparison.mean_curve(with_range["reference"]), comparison.mean_curve(with_range["codec"]))
    )
