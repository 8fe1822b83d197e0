"""Tables of a comparison. Terminal, page and CSV show the same rows; columns hold the units and the rounding."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nncodec.compare.results import Comparison, Match, MeanPoint, Measurement, mean_point

MISSING = "–"
"""A missing value in a table for people."""


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        key: head in CSV, with the unit in the name.
        title: head for people, without the unit.
        show: formats a value for people; it never gets None.
        unit: of the formatted values.
        right: align to the right.
        codec: the column holds names of codecs; the page shows them as labels in their colours.
        optional: leave the column out for people where no row has a value.
    """

    key: str
    title: str
    show: Callable[[Any], str] = str
    unit: str = ""
    right: bool = True
    codec: bool = False
    optional: bool = False

    @property
    def head(self) -> str:
        """Title with the unit, as in `PSNR, dB`."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


@dataclass(frozen=True)
class Table:
    """Rows of plain values under columns; None is a missing value.

    Args:
        name: of its CSV file, without the extension.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]

    def for_people(self) -> Table:
        """Return the table without optional columns that have no value in any row."""
        kept = [
            number
            for number, column in enumerate(self.columns)
            if not column.optional or any(row[number] is not None for row in self.rows)
        ]
        columns = tuple(self.columns[number] for number in kept)
        return dataclasses.replace(
            self, columns=columns, rows=tuple(tuple(row[number] for number in kept) for row in self.rows)
        )

    def shown(self) -> list[list[str]]:
        """Return the cells for people, without units."""
        return [
            [MISSING if value is None else column.show(value) for column, value in zip(self.columns, row, strict=True)]
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
    Column("psnr_db", "PSNR", decimals(2), "dB"),
    Column("ssim", "SSIM", decimals(4)),
    Column("ms_ssim", "MS-SSIM", decimals(4), optional=True),
    Column("ssimulacra2", "SSIMULACRA2", decimals(1), optional=True),
    Column("colorvideovdp", "ColorVideoVDP", decimals(2), "JOD", optional=True),
)
_TIMES = (
    Column("encode_s", "Encode", _milliseconds, "ms", optional=True),
    Column("decode_s", "Decode", _milliseconds, "ms", optional=True),
)
# How far a codec is from what it had to match: in bytes relative, otherwise in the metric's unit.
_FURTHEST = {
    "bytes": Column("furthest_off_percent", "Furthest off", decimals(1), "%"),
    "psnr": Column("furthest_off_db", "Furthest off", decimals(2), "dB"),
    "ssim": Column("furthest_off", "Furthest off", decimals(4)),
}


def means(comparison: Comparison) -> Table:
    """Return each codec's means over the pictures, by quality."""
    rows = [
        (codec.name, point.quality, *_values(point, _FIGURES + _TIMES))
        for codec in comparison.codecs
        for point in comparison.mean_curve(codec.name)
    ]
    return Table("means", "Means over pictures at every quality", (_CODEC, _QUALITY, *_FIGURES, *_TIMES), tuple(rows))


def matched_means(comparison: Comparison, match: Match, name: str) -> Table:
    """Return each codec's means at a matching point, over the pictures that every codec has there."""
    own = _by_codec(match)
    shared = shared_at(match)
    reference = own.get(match.reference, {})
    reference_bytes = sum(reference[picture].bytes for picture in shared if picture in reference)
    rows = []
    for codec in comparison.codecs:
        points = [point for picture, point in own.get(codec.name, {}).items() if picture in shared]
        if points:
            qualities = [point.quality for point in points]
            span = f"{min(qualities)}" if len(set(qualities)) == 1 else f"{min(qualities)}–{max(qualities)}"
            difference, furthest = None, None
            if reference_bytes:
                difference = 100 * sum(point.bytes for point in points) / reference_bytes - 100
                furthest = max(_distance(point, reference[point.picture], match.by) for point in points)
            values = _values(mean_point(points), _FIGURES + _TIMES)
            rows.append((codec.name, span, values[0], difference, *values[1:], furthest))
    columns = (
        _CODEC,
        _QUALITY,
        _FIGURES[0],
        Column("bytes_difference_percent", "Difference", decimals(1, signed=True), "%"),
        *_FIGURES[1:],
        *_TIMES,
        _FURTHEST[match.by],
    )
    return Table(name, "Means at the matching point", columns, tuple(rows))


def shared_at(match: Match) -> set[str]:
    """Return the pictures that every codec of a matching point has."""
    own = _by_codec(match)
    return set.intersection(*(set(points) for points in own.values())) if own else set()


def matched_pictures(comparison: Comparison, match: Match, name: str) -> Table:
    """Return what each codec gives for each picture at a matching point, pictures numbered from 1 as in the plots."""
    numbers = {picture.name: number for number, picture in enumerate(comparison.pictures, 1)}
    rows = [
        (numbers[point.picture], point.picture, point.codec, point.quality, *_values(point, _FIGURES))
        for point in sorted(match.measurements, key=lambda point: numbers[point.picture])
    ]
    columns = (Column("number", "Number"), _PICTURE, _CODEC, _QUALITY, *_FIGURES)
    return Table(name, "Pictures at the matching point", columns, tuple(rows))


def measurements(comparison: Comparison) -> Table:
    """Return every measurement."""
    rows = [
        (point.picture, point.codec, point.quality, *_values(point, _FIGURES + _TIMES))
        for point in comparison.measurements
    ]
    columns = (_PICTURE, _CODEC, _QUALITY, *_FIGURES, *_TIMES)
    return Table("measurements", "Every measurement", columns, tuple(rows))


def times(comparison: Comparison) -> Table:
    """Return how fast each codec is: the median time of a file, and pixels over seconds for all files together."""
    megapixels = {picture.name: picture.width * picture.height / 1e6 for picture in comparison.pictures}
    rows = []
    for codec in comparison.codecs:
        timed = [p for p in comparison.of_codec(codec.name) if p.encode_s is not None or p.decode_s is not None]
        if timed:
            encode = [(point.encode_s, megapixels[point.picture]) for point in timed if point.encode_s is not None]
            decode = [(point.decode_s, megapixels[point.picture]) for point in timed if point.decode_s is not None]
            rows.append((codec.name, len(timed), *_speed(encode), *_speed(decode)))
    columns = (
        _CODEC,
        Column("files", "Files timed"),
        Column("encode_median_s", "Encode, median", _milliseconds, "ms"),
        Column("encode_mp_per_s", "Encode", decimals(2), "MP/s"),
        Column("decode_median_s", "Decode, median", _milliseconds, "ms"),
        Column("decode_mp_per_s", "Decode", decimals(2), "MP/s"),
    )
    return Table("times", "Times", columns, tuple(rows))


def pictures(comparison: Comparison) -> Table:
    """Return the pictures and their numbers, which the plots by picture show."""
    rows = [
        (number, picture.name, picture.width, picture.height, picture.mode, picture.raw_bytes, picture.png_bytes)
        for number, picture in enumerate(comparison.pictures, 1)
    ]
    columns = (
        Column("number", "Number"),
        _PICTURE,
        Column("width_px", "Width", _whole, "px"),
        Column("height_px", "Height", _whole, "px"),
        Column("mode", "Mode", right=False),
        Column("raw_bytes", "Raw", _whole, "bytes"),
        Column("png_bytes", "PNG", _whole, "bytes"),
    )
    return Table("pictures", "Pictures", columns, tuple(rows))


def codecs(comparison: Comparison) -> Table:
    """Return the codecs and their options."""
    rows = [(codec.name, codec.label, codec.options) for codec in comparison.codecs]
    columns = (_CODEC, Column("label", "Label", right=False), Column("options", "Options", right=False))
    return Table("codecs", "Codecs", columns, tuple(rows))


def skipped(comparison: Comparison) -> Table:
    """Return the pictures and codecs that are missing, with the reasons."""
    rows = [(skip.picture, skip.codec, skip.reason) for skip in comparison.skipped]
    return Table("skipped", "Skipped", (_PICTURE, _CODEC, Column("reason", "Reason", right=False)), tuple(rows))


def _values(point: Measurement | MeanPoint, columns: Iterable[Column]) -> tuple[float | None, ...]:
    return tuple(getattr(point, column.key) for column in columns)


def _by_codec(match: Match) -> Mapping[str, Mapping[str, Measurement]]:
    """Return a match's measurements by codec and picture."""
    own: dict[str, dict[str, Measurement]] = {}
    for point in match.measurements:
        own.setdefault(point.codec, {})[point.picture] = point
    return own


def _distance(point: Measurement, reference: Measurement, by: str) -> float:
    """Return how far a codec is from what it had to match: percent of the bytes, dB or SSIM."""
    if by == "bytes":
        return 100 * abs(point.bytes / reference.bytes - 1)
    ours, theirs = (point.psnr_db, reference.psnr_db) if by == "psnr" else (point.ssim, reference.ssim)
    return 0.0 if ours == theirs else abs(ours - theirs)


def _speed(timed: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Return the median of seconds, and megapixels per second."""
    if not timed:
        return None, None
    seconds = math.fsum(s for s, _ in timed)
    return statistics.median(s for s, _ in timed), math.fsum(mp for _, mp in timed) / seconds if seconds else None
