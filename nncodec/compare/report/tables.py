"""The tables of a report: each is shown on the page and written as CSV from the same rows."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nncodec.compare.results import Comparison, Match, MeanPoint, Measurement

_MISSING = "–"


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        key: its head in CSV, with the unit in the name.
        title: its head on the page.
        show: a value as text for people; None is never passed.
        right: whether it is aligned to the right.
        codec: whether it holds names of codecs, which the page shows as labels with their colours.
    """

    key: str
    title: str
    show: Callable[[Any], str] = str
    right: bool = True
    codec: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of plain values under columns; None is a missing value.

    Args:
        name: of its file, without the extension.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    def shown(self) -> list[list[str]]:
        """Return the cells as the page shows them."""
        return [
            [_MISSING if value is None else column.show(value) for column, value in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]

    def csv(self) -> str:
        """Return the table as CSV: units in the heads, full precision, missing values empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        writer.writerows(self.rows)
        return text.getvalue()


def decimals(places: int, *, signed: bool = False) -> Callable[[float], str]:
    """Return a formatter of numbers with so many decimals."""

    def show(value: float) -> str:
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        return f"{value:{'+' if signed else ''},.{places}f}".replace("-", "−")

    return show


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.{0 if seconds >= 0.1 else 1 if seconds >= 0.01 else 2}f}"


_PICTURE = Column("picture", "Picture", right=False)
_CODEC = Column("codec", "Codec", right=False, codec=True)
_QUALITY = Column("quality", "Quality")
_FIGURES = (
    Column("bytes", "Bytes", _whole),
    Column("bpp", "Bits per pixel", decimals(3)),
    Column("ratio_raw", "Ratio to raw", decimals(1)),
    Column("ratio_png", "Ratio to PNG", decimals(1)),
    Column("psnr_db", "PSNR, dB", decimals(2)),
    Column("ssim", "SSIM", decimals(4)),
    Column("ms_ssim", "MS-SSIM", decimals(4)),
    Column("ssimulacra2", "SSIMULACRA2", decimals(1)),
)
_TIMES = (
    Column("encode_s", "Encode, ms", _milliseconds),
    Column("decode_s", "Decode, ms", _milliseconds),
)


def means(comparison: Comparison) -> Table:
    """Return each codec's means over the pictures, by quality."""
    rows = [
        (codec.name, point.quality, *_figures(point), point.encode_s, point.decode_s)
        for codec in comparison.codecs
        for point in comparison.mean_curve(codec.name)
    ]
    columns = (_CODEC, _QUALITY, *_FIGURES, *_TIMES)
    return Table("means", "Means over pictures at every quality", columns, tuple(rows))


def matched_means(comparison: Comparison, match: Match, name: str) -> Table:
    """Return each codec's means at a matching point, over the pictures that every codec has there."""
    own: dict[str, dict[str, Measurement]] = {}
    for one in match.measurements:
        own.setdefault(one.codec, {})[one.picture] = one
    shared = set.intersection(*(set(found) for found in own.values())) if own else set()
    rows = []
    for codec in comparison.codecs:
        found = [one for picture, one in own.get(codec.name, {}).items() if picture in shared]
        if found:
            mean = tuple(_mean(values) for values in zip(*(_figures(one) for one in found), strict=True))
            qualities = [one.quality for one in found]
            span = f"{min(qualities)}" if len(set(qualities)) == 1 else f"{min(qualities)}–{max(qualities)}"
            rows.append((codec.name, span, *mean))
    return Table(name, "Means at the matching point", (_CODEC, _QUALITY, *_FIGURES), tuple(rows))


def matched_pictures(comparison: Comparison, match: Match, name: str) -> Table:
    """Return what each codec gives for each picture at a matching point, pictures numbered from 1 as in the plots."""
    numbers = {picture.name: number for number, picture in enumerate(comparison.pictures, 1)}
    rows = [
        (numbers[one.picture], one.picture, one.codec, one.quality, *_figures(one))
        for one in sorted(match.measurements, key=lambda one: numbers[one.picture])
    ]
    columns = (Column("number", "Number"), _PICTURE, _CODEC, _QUALITY, *_FIGURES)
    return Table(name, "Pictures at the matching point", columns, tuple(rows))


def measurements(comparison: Comparison) -> Table:
    """Return everything that was measured."""
    rows = [
        (one.picture, one.codec, one.quality, *_figures(one), one.encode_s, one.decode_s)
        for one in comparison.measurements
    ]
    columns = (_PICTURE, _CODEC, _QUALITY, *_FIGURES, *_TIMES)
    return Table("measurements", "Every measurement", columns, tuple(rows))


def times(comparison: Comparison) -> Table:
    """Return how fast each codec is: the median time of a file, and pixels over seconds for all files together."""
    megapixels = {one.name: one.width * one.height / 1e6 for one in comparison.pictures}
    rows = []
    for codec in comparison.codecs:
        taken = [one for one in comparison.of_codec(codec.name) if one.encode_s is not None or one.decode_s is not None]
        if taken:
            encode = [(one.encode_s, megapixels[one.picture]) for one in taken if one.encode_s is not None]
            decode = [(one.decode_s, megapixels[one.picture]) for one in taken if one.decode_s is not None]
            rows.append((codec.name, len(taken), *_speed(encode), *_speed(decode)))
    columns = (
        _CODEC,
        Column("files", "Files timed"),
        Column("encode_median_s", "Encode, median ms", _milliseconds),
        Column("encode_mp_per_s", "Encode, MP/s", decimals(2)),
        Column("decode_median_s", "Decode, median ms", _milliseconds),
        Column("decode_mp_per_s", "Decode, MP/s", decimals(2)),
    )
    return Table("times", "Times", columns, tuple(rows))


def pictures(comparison: Comparison) -> Table:
    """Return the pictures and their numbers, which the plots by picture show."""
    rows = [
        (number, one.name, one.width, one.height, one.mode, one.raw_bytes, one.png_bytes)
        for number, one in enumerate(comparison.pictures, 1)
    ]
    columns = (
        Column("number", "Number"),
        _PICTURE,
        Column("width_px", "Width, px", _whole),
        Column("height_px", "Height, px", _whole),
        Column("mode", "Mode", right=False),
        Column("raw_bytes", "Raw, bytes", _whole),
        Column("png_bytes", "PNG, bytes", _whole),
    )
    return Table("pictures", "Pictures", columns, tuple(rows))


def codecs(comparison: Comparison) -> Table:
    """Return the codecs and their options."""
    rows = [(one.name, one.label, one.options) for one in comparison.codecs]
    columns = (_CODEC, Column("label", "Label", right=False), Column("options", "Options", right=False))
    return Table("codecs", "Codecs", columns, tuple(rows))


def skipped(comparison: Comparison) -> Table:
    """Return what is missing, and why."""
    rows = [(one.picture, one.codec, one.reason) for one in comparison.skipped]
    return Table("skipped", "Skipped", (_PICTURE, _CODEC, Column("reason", "Reason", right=False)), tuple(rows))


def _figures(one: Measurement | MeanPoint) -> tuple[float | None, ...]:
    return tuple(getattr(one, column.key) for column in _FIGURES)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def _speed(taken: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Return the median of seconds, and megapixels a second."""
    if not taken:
        return None, None
    seconds = math.fsum(one for one, _ in taken)
    return statistics.median(one for one, _ in taken), math.fsum(mp for _, mp in taken) / seconds if seconds else None
