"""Tables of Bjøntegaard differences: every codec against every other, and against published curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nncodec.compare.curves import METRICS, BdDelta, CurvePoint, RatePoint, bd_delta
from nncodec.compare.report.tables import Column, Table, decimals
from nncodec.compare.results import Comparison

TITLES = {"psnr_db": "PSNR", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "ssimulacra2": "SSIMULACRA2"}
"""The metrics of the report in the field's spelling."""

_GAIN_UNITS = {"psnr_db": "dB", "ssim": "dB", "ms_ssim": "dB", "ssimulacra2": "points"}


@dataclass(frozen=True)
class Difference:
    """How a codec's mean curve lies to a reference's, by one metric.

    Args:
        codec: name of a codec.
        reference: name of another codec or of a published curve.
        published: which of the two the reference is.
    """

    codec: str
    reference: str
    published: bool
    metric: str
    delta: BdDelta


def differences(comparison: Comparison, published: Mapping[str, Sequence[CurvePoint]]) -> list[Difference]:
    """Return every codec's mean curve against every other and every published one, by every metric that both have."""
    means: dict[str, Sequence[RatePoint]] = {one.name: comparison.mean_curve(one.name) for one in comparison.codecs}
    found = []
    for metric in METRICS:
        for reference, points, is_published in [
            *((name, points, False) for name, points in means.items()),
            *((name, points, True) for name, points in published.items()),
        ]:
            for codec, own in means.items():
                if (is_published or codec != reference) and _has(points, metric) and _has(own, metric):
                    found.append(Difference(codec, reference, is_published, metric, bd_delta(points, own, metric)))
    return found


def listed(found: Sequence[Difference]) -> Table:
    """Return all differences, one to a row."""
    columns = (
        Column("codec", "Codec", right=False, codec=True),
        Column("reference", "Reference", right=False, codec=True),
        Column("published", "Published", right=False),
        Column("metric", "Metric", right=False),
        Column("bd_rate_percent", "BD-rate, %"),
        Column("bd_gain", "Gain"),
        Column("shared_low", "Shared from"),
        Column("shared_high", "to"),
        Column("overlap_share", "Overlap"),
        Column("points_left_out", "Points left out"),
        Column("reason", "Reason", right=False),
    )
    rows = [
        (
            one.codec,
            one.reference,
            int(one.published),
            one.metric,
            one.delta.rate_percent,
            one.delta.gain,
            *((one.delta.low, one.delta.high) if one.delta.overlap > 0 else (None, None)),
            one.delta.overlap,
            one.delta.dropped,
            one.delta.reason,
        )
        for one in found
    ]
    return Table("bd", "Bjøntegaard differences", columns, tuple(rows))


def matrices(comparison: Comparison, found: Sequence[Difference], *, published: bool) -> Iterator[Table]:
    """Yield tables with a column for each codec and a row for each reference: first BD-rate, then gain, by metric.

    Args:
        published: whether the references are the published curves or the codecs.
    """
    for metric in METRICS:
        own = [one for one in found if one.metric == metric and one.published is published]
        if own:
            title, unit = TITLES[metric], _GAIN_UNITS[metric]
            yield _matrix(comparison, own, f"BD-rate by {title}, %", _rate, decimals(1, signed=True))
            yield _matrix(comparison, own, f"BD-{title}, {unit}", _gain, decimals(2, signed=True))


def _rate(delta: BdDelta) -> float | None:
    return delta.rate_percent


def _gain(delta: BdDelta) -> float | None:
    return delta.gain


def _matrix(
    comparison: Comparison,
    found: Sequence[Difference],
    title: str,
    value: Callable[[BdDelta], float | None],
    show: Callable[[float], str],
) -> Table:
    cells = {(one.reference, one.codec): value(one.delta) for one in found}
    codecs = [one for one in comparison.codecs if any(codec == one.name for _, codec in cells)]
    references = dict.fromkeys(reference for reference, _ in cells)
    columns = (
        Column("reference", "Against", right=False, codec=not found[0].published),
        *(Column(codec.name, codec.label, show) for codec in codecs),
    )
    rows = [(name, *(cells.get((name, codec.name)) for codec in codecs)) for name in references]
    return Table("", title, columns, tuple(rows))


def _has(points: Sequence[RatePoint], metric: str) -> bool:
    return any(getattr(point, metric, None) is not None for point in points)
