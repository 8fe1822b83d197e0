"""What was measured, as tables for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nncodec._support.text import count_of
from nncodec.cli.text import table

if TYPE_CHECKING:
    from nncodec.compare import Comparison, Match, MeanPoint, Measurement

_MADE_EQUAL = {"psnr": "PSNR", "ssim": "SSIM", "bytes": "bytes"}


def means(comparison: Comparison) -> str:
    """Return every codec's means at every quality."""
    shared = len(comparison.shared_pictures())
    rows = [
        [codec.name, str(point.quality), *_figures(point)]
        for codec in comparison.codecs
        for point in comparison.mean_curve(codec.name)
    ]
    if not rows:
        return "No picture was measured with every codec." if comparison.measurements else "Nothing was measured."
    title = "Means" if shared == len(comparison.pictures) else "Means over those that every codec took"
    heads = ["CODEC", "QUALITY", *_HEADS]
    return f"{count_of(shared, 'picture')}. {title}:\n\n" + _without_empty(heads, rows, 2)


def matched(comparison: Comparison, match: Match) -> str:
    """Return every codec's means where it meets the reference."""
    own: dict[str, dict[str, Measurement]] = {}
    for one in match.measurements:
        own.setdefault(one.codec, {})[one.picture] = one
    shared = set.intersection(*(set(found) for found in own.values())) if own else set()
    title = f"At equal {_MADE_EQUAL[match.by]}, picture by picture, to {match.reference} at quality {match.quality}"
    if not shared:
        return f"{title}: no picture was measured with every codec"
    reference_bytes = sum(own[match.reference][picture].bytes for picture in shared)
    rows = []
    for codec in comparison.codecs:
        found = [one for picture, one in own.get(codec.name, {}).items() if picture in shared]
        if found:
            low, high = min(one.quality for one in found), max(one.quality for one in found)
            total = sum(one.bytes for one in found)
            off = max(_distance(one, own[match.reference][one.picture], match.by) for one in found)
            rows.append(
                [
                    codec.name,
                    f"{low}" if low == high else f"{low}-{high}",
                    f"{total:,}",
                    f"{100 * total / reference_bytes - 100:+.1f}%",
                    *_means_of(found),
                    _off(off, match.by),
                ]
            )
    heads = ["CODEC", "QUALITY", "BYTES", "DIFFERENCE", *_HEADS, "FURTHEST OFF"]
    return f"{title}, {count_of(len(shared), 'picture')}:\n\n" + _without_empty(heads, rows, 4)


_HEADS = ("BITS/PIXEL", "RATIO", "RATIO TO PNG", "PSNR", "SSIM", "MS-SSIM", "SSIMULACRA2", "ENCODE", "DECODE")


def _figures(point: MeanPoint | Measurement) -> list[str]:
    return [
        f"{point.bpp:.3f}",
        f"{point.ratio_raw:.1f}",
        f"{point.ratio_png:.1f}",
        f"{point.psnr_db:.2f} dB",
        f"{point.ssim:.4f}",
        _shown(point.ms_ssim, ".4f"),
        _shown(point.ssimulacra2, ".1f"),
        _milliseconds(point.encode_s),
        _milliseconds(point.decode_s),
    ]


def _means_of(found: Sequence[Measurement]) -> list[str]:
    from nncodec.compare.results import mean_point

    return _figures(mean_point(found))


def _shown(value: float | None, places: str) -> str:
    return "-" if value is None else format(value, places)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.{0 if seconds >= 0.01 else 2}f} ms"


def _without_empty(heads: Sequence[str], rows: Sequence[Sequence[str]], first: int) -> str:
    """Return a table without those of the columns from `first` on that have no value in any row."""
    kept = [n for n in range(len(heads)) if n < first or any(row[n] != "-" for row in rows)]
    shown = [[row[n] for n in kept] for row in rows]
    return table([heads[n] for n in kept], shown, right=range(1, len(kept)))


def _distance(one: Measurement, reference: Measurement, by: str) -> float:
    """Return how far a codec stays from what it was to meet: a share of the bytes, dB or SSIM."""
    if by == "bytes":
        return abs(one.bytes / reference.bytes - 1)
    ours, theirs = (one.psnr_db, reference.psnr_db) if by == "psnr" else (one.ssim, reference.ssim)
    return 0.0 if ours == theirs else abs(ours - theirs)


def _off(distance: float, by: str) -> str:
    if by == "bytes":
        return f"{100 * distance:.1f}%"
    if math.isinf(distance):
        return "unlike"
    return f"{distance:.2f} dB" if by == "psnr" else f"{distance:.4f}"
