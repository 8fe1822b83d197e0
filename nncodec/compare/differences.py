"""Bjøntegaard differences of named curves, and their tables: all of them, as matrices, and in short by pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nncodec._support.text import count_of
from nncodec.compare.curves import METRICS, TITLES, BdDelta, CurvePoint, RatePoint, bd_delta
from nncodec.compare.results import Comparison
from nncodec.compare.tables import Column, Table, decimals

_GAIN_UNITS = {"psnr_db": "dB", "ssim": "dB", "ms_ssim": "dB", "ssimulacra2": "points", "colorvideovdp": "JOD"}
_CODEC = Column("codec", "Codec", right=False, codec=True)
_RATE_FORMAT, _GAIN_FORMAT = decimals(1, signed=True), decimals(2, signed=True)


@dataclass(frozen=True)
class Difference:
    """Difference of one curve from a reference, by one metric.

    Args:
        codec: name of the curve that is judged: a codec's mean curve, or a published one.
        reference: name of the curve that it is compared with.
        published: whether the reference is a published curve.
    """

    codec: str
    reference: str
    published: bool
    metric: str
    delta: BdDelta


def all_differences(comparison: Comparison, published: Mapping[str, Sequence[CurvePoint]]) -> list[Difference]:
    """Compare every codec's mean curve with every other and every published one, by every metric that both have."""
    means: dict[str, Sequence[RatePoint]] = {
        codec.name: comparison.mean_curve(codec.name) for codec in comparison.codecs
    }
    references: list[tuple[str, Sequence[RatePoint], bool]] = [
        *((name, points, False) for name, points in means.items()),
        *((name, points, True) for name, points in published.items()),
    ]
    return [
        Difference(codec, reference, is_published, metric, bd_delta(points, own, metric))
        for metric in METRICS
        for reference, points, is_published in references
        for codec, own in means.items()
        if (is_published or codec != reference) and _has(points, metric) and _has(own, metric)
    ]


def listed(differences: Sequence[Difference]) -> Table:
    """Return all differences, one per row."""
    columns = (
        _CODEC,
        Column("reference", "Reference", right=False, codec=True),
        Column("published", "Published", right=False),
        Column("metric", "Metric", right=False),
        Column("bd_rate_percent", "BD-rate", _RATE_FORMAT, "%"),
        Column("bd_gain", "Gain", _GAIN_FORMAT),
        Column("shared_low", "Shared from"),
        Column("shared_high", "to"),
        Column("overlap_share", "Overlap"),
        Column("points_left_out", "Points left out"),
        Column("reason", "Reason", right=False),
    )
    rows = [
        (
            difference.codec,
            difference.reference,
            int(difference.published),
            difference.metric,
            difference.delta.rate_percent,
            difference.delta.gain,
            *(difference.delta.shared or (None, None)),
            difference.delta.overlap,
            difference.delta.dropped,
            difference.delta.reason,
        )
        for difference in differences
    ]
    return Table("bd", "Bjøntegaard differences", columns, tuple(rows))


def matrices(comparison: Comparison, differences: Sequence[Difference], *, published: bool) -> Iterator[Table]:
    """Yield tables with a column for each codec and a row for each reference: first BD-rate, then gain, by metric.

    Args:
        published: whether the references are the published curves or the codecs.
    """
    for metric in METRICS:
        own = [
            difference
            for difference in differences
            if difference.metric == metric and difference.published is published
        ]
        if own:
            title, unit = TITLES[metric], _GAIN_UNITS[metric]
            yield _matrix(comparison, own, f"BD-rate by {title}, %", lambda delta: delta.rate_percent, _RATE_FORMAT)
            yield _matrix(comparison, own, f"BD-{title}, {unit}", lambda delta: delta.gain, _GAIN_FORMAT)


def by_pair(differences: Sequence[Difference]) -> Table:
    """Return the differences by PSNR and MS-SSIM, one row per pair of curves."""
    columns = (
        _CODEC,
        Column("reference", "Against", right=False, codec=True),
        Column("bd_rate_percent", "BD-rate", _RATE_FORMAT, "%"),
        Column("bd_psnr_db", "BD-PSNR", _GAIN_FORMAT, "dB"),
        Column("shared_psnr_db", "Shared PSNR", lambda span: f"{span[0]:.1f} to {span[1]:.1f}", "dB"),
        Column("overlap_percent", "Overlap", decimals(0), "%"),
        Column("bd_rate_ms_ssim_percent", "BD-rate, MS-SSIM", _RATE_FORMAT, "%"),
    )
    rows = []
    for (codec, reference), deltas in deltas_by_pair(differences).items():
        psnr, ms_ssim = deltas["psnr_db"], deltas["ms_ssim"]
        overlap = 100 * psnr.overlap
        rows.append((codec, reference, psnr.rate_percent, psnr.gain, psnr.shared, overlap, ms_ssim.rate_percent))
    return Table("bd_pairs", "Bjøntegaard differences", columns, tuple(rows))


def remarks(differences: Sequence[Difference]) -> list[str]:
    """Return a line for each pair whose difference by PSNR has no number, or leaves points out."""
    lines = []
    for (codec, reference), deltas in deltas_by_pair(differences).items():
        psnr = deltas["psnr_db"]
        left_out = f"{count_of(psnr.dropped, 'point')} left out, no better than a smaller one" if psnr.dropped else ""
        lines += [f"{codec} against {reference}: {reason}" for reason in (psnr.reason, left_out) if reason]
    return lines


def deltas_by_pair(differences: Sequence[Difference]) -> dict[tuple[str, str], dict[str, BdDelta]]:
    """Return the deltas by codec and reference, then by metric."""
    pairs: dict[tuple[str, str], dict[str, BdDelta]] = {}
    for difference in differences:
        pairs.setdefault((difference.codec, difference.reference), {})[difference.metric] = difference.delta
    return pairs


def _matrix(
    comparison: Comparison,
    differences: Sequence[Difference],
    title: str,
    value: Callable[[BdDelta], float | None],
    show: Callable[[float], str],
) -> Table:
    cells = {(difference.reference, difference.codec): value(difference.delta) for difference in differences}
    codecs = [info for info in comparison.codecs if any(codec == info.name for _, codec in cells)]
    references = dict.fromkeys(reference for reference, _ in cells)
    columns = (
        Column("reference", "Against", right=False, codec=not differences[0].published),
        *(Column(codec.name, codec.label, show) for codec in codecs),
    )
    rows = [(name, *(cells.get((name, codec.name)) for codec in codecs)) for name in references]
    return Table("", title, columns, tuple(rows))


def _has(points: Sequence[RatePoint], metric: str) -> bool:
    return any(getattr(point, metric, None) is not None for point in points)
