"""Results of a comparison as plain values: `measure` makes them, tables and reports read them, JSON stores them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from nncodec.compare.records import UnreadableError, plain, read
from nncodec.errors import NncError

SCHEMA = 1
"""Version of the stored form; readers refuse any other."""

MATCHED = ("psnr", "ssim", "bytes")
"""What codecs can be matched by."""

_T = TypeVar("_T")

_UNREADABLE = "not a stored comparison: {}; store one with 'nncodec compare ... -o FILE'"


@dataclass(frozen=True)
class Measurement:
    """One picture through one codec at one quality.

    Args:
        picture, codec: names, as in `PictureInfo` and `CodecInfo`.
        quality: on the codec's own scale; higher is better.
        bytes: of the whole file with its headers, without metadata.
        bpp: bits per pixel of that file.
        ratio_raw, ratio_png: how many times smaller it is than 8-bit samples and than the picture as PNG.
        psnr_db: over all samples; infinite if no sample changed.
        ssim: -1..1, see `nncodec.metrics.ssim`.
        ms_ssim: 0..1; None if the picture is too small or the package is not installed.
        ssimulacra2: at most 100; None if the package is not installed.
        encode_s, decode_s: medians of warm runs in seconds; None if not measured.
        colorvideovdp: just-objectionable differences, at most 10; None if it was not asked for.
    """

    picture: str
    codec: str
    quality: int
    bytes: int
    bpp: float
    ratio_raw: float
    ratio_png: float
    psnr_db: float
    ssim: float
    ms_ssim: float | None
    ssimulacra2: float | None
    encode_s: float | None
    decode_s: float | None
    colorvideovdp: float | None = None


@dataclass(frozen=True)
class PictureInfo:
    """A picture as the codecs got it.

    Args:
        name: unique within a comparison.
        width, height: pixels.
        mode: L or RGB.
        raw_bytes: 8-bit samples without any header.
        png_bytes: as an optimized PNG without metadata.
    """

    name: str
    width: int
    height: int
    mode: str
    raw_bytes: int
    png_bytes: int


@dataclass(frozen=True)
class CodecInfo:
    """A codec and its options.

    Args:
        name: as the user gave it: jpeg, avif-psnr, photo, conv/photo:effort=9.
        label: for plots and tables.
        options: the encoder's options, for people.
        learned: whether it is a model of this package.
    """

    name: str
    label: str
    options: str
    learned: bool


@dataclass(frozen=True)
class Skipped:
    """A measurement that failed.

    Args:
        picture: its name.
        codec: the codec that refused it; None if the picture could not be read.
        reason: one line.
    """

    picture: str
    codec: str | None
    reason: str


@dataclass(frozen=True)
class MeanPoint:
    """Means over pictures at one quality; fields as in `Measurement`, None if no picture has a value."""

    quality: int
    bpp: float
    bytes: float
    psnr_db: float
    ssim: float
    ms_ssim: float | None
    ssimulacra2: float | None
    ratio_raw: float
    ratio_png: float
    encode_s: float | None
    decode_s: float | None
    colorvideovdp: float | None = None


@dataclass(frozen=True)
class Match:
    """Every codec at the quality at which it comes nearest to a reference codec, picture by picture.

    Args:
        by: what is equal: psnr, ssim or bytes.
        reference: name of the reference codec.
        quality: the quality of the reference.
        measurements: one for each picture and codec, the reference included.
    """

    by: str
    reference: str
    quality: int
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True)
class Comparison:
    """All measurements of one run.

    Args:
        pictures, codecs: in the order given.
        measurements: by picture, then codec, then quality.
        skipped: the measurements that failed.
        command: command line that repeats the run.
        versions: of the programs and libraries used.
        matches: codecs at equal PSNR, SSIM or bytes, if asked for.
    """

    pictures: tuple[PictureInfo, ...]
    codecs: tuple[CodecInfo, ...]
    measurements: tuple[Measurement, ...]
    skipped: tuple[Skipped, ...]
    command: str
    versions: dict[str, str]
    matches: tuple[Match, ...] = ()

    def of_codec(self, name: str) -> tuple[Measurement, ...]:
        """Return a codec's measurements, in the order of pictures and qualities."""
        return tuple(point for point in self.measurements if point.codec == name)

    def shared_pictures(self) -> tuple[str, ...]:
        """Return the pictures that every codec has; codecs without any measurement do not count."""
        seen: dict[str, set[str]] = {}
        for point in self.measurements:
            seen.setdefault(point.codec, set()).add(point.picture)
        return tuple(
            picture.name for picture in self.pictures if seen and all(picture.name in s for s in seen.values())
        )

    def mean_curve(self, codec: str) -> list[MeanPoint]:
        """Return a codec's means, by rising quality.

        Means are over `shared_pictures`, so over the same ones for every codec, at the qualities that all of them
        have. PSNR is averaged in decibels, as in published curves.
        """
        shared = set(self.shared_pictures())
        by_quality: dict[int, list[Measurement]] = {}
        for point in self.of_codec(codec):
            if point.picture in shared:
                by_quality.setdefault(point.quality, []).append(point)
        return [mean_point(points) for _, points in sorted(by_quality.items()) if len(points) == len(shared)]

    def to_json(self, **derived: object) -> str:
        """Return the stored form.

        Args:
            **derived: further top-level entries for other programs; `from_json` ignores them.
        """
        document = {"schema": SCHEMA, **plain(self), **derived}
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Comparison:
        """Read the output of `to_json`.

        Raises:
            NncError: it is something else, has another schema, or contradicts itself; one line says where.
        """
        try:
            document = json.loads(text)
            if not isinstance(document, dict) or "schema" not in document:
                raise UnreadableError("it has no schema number")
            if document["schema"] != SCHEMA:
                raise UnreadableError(f"its schema is {document['schema']!r}, this version reads {SCHEMA}")
            known = {field.name for field in fields(cls)}
            comparison = read(cls, {key: value for key, value in document.items() if key in known})
            _check(comparison)
        except (ValueError, RecursionError):
            raise NncError(detail=_UNREADABLE.format("it is not JSON")) from None
        except UnreadableError as problem:
            raise NncError(detail=_UNREADABLE.format(problem)) from None
        return comparison


def mean_point(points: Sequence[Measurement]) -> MeanPoint:
    """Return means over measurements; the quality is that of the first."""

    def mean(name: str) -> float | None:
        # Whether a metric or time exists depends on picture and run, so the same ones are missing for every codec.
        values = [value for value in (getattr(point, name) for point in points) if value is not None]
        return math.fsum(values) / len(values) if values else None

    means: dict[str, Any] = {field.name: mean(field.name) for field in fields(MeanPoint)}
    return MeanPoint(**means | {"quality": points[0].quality})


def _check(comparison: Comparison) -> None:
    """Raise UnreadableError if measurements contradict each other or the lists of pictures and codecs."""
    pictures = _unique((picture.name for picture in comparison.pictures), "pictures")
    codecs = _unique((codec.name for codec in comparison.codecs), "codecs")
    groups = [("measurements", comparison.measurements)]
    for number, match in enumerate(comparison.matches):
        groups.append((f"matches[{number}].measurements", match.measurements))
        if match.by not in MATCHED:
            raise UnreadableError(f"matches[{number}] is by {match.by!r}, expected one of {', '.join(MATCHED)}")
        if match.reference not in codecs:
            raise UnreadableError(f"matches[{number}] has a reference that is not listed")
    for place, measurements in groups:
        _unique(((point.picture, point.codec, point.quality) for point in measurements), place)
        for number, point in enumerate(measurements):
            if point.picture not in pictures or point.codec not in codecs:
                raise UnreadableError(f"{place}[{number}] is of a picture or codec that is not listed")
            if min(point.bytes, point.bpp, point.ratio_raw, point.ratio_png) <= 0:
                raise UnreadableError(f"{place}[{number}] has a size that is not positive")


def _unique(keys: Iterable[_T], place: str) -> set[_T]:
    seen: set[_T] = set()
    for key in keys:
        if key in seen:
            raise UnreadableError(f"{place} has {key!r} twice")
        seen.add(key)
    return seen
