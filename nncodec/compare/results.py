"""What a comparison found, as plain values: made by `measure`, stored as JSON, read by tables and reports."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from nncodec.compare.records import UnreadableError, plain, read
from nncodec.errors import NncError

SCHEMA = 1
"""Version of the stored form; a reader refuses any other."""

MATCHED = ("psnr", "ssim", "bytes")
"""What codecs can be matched by."""

_T = TypeVar("_T")

_UNREADABLE = "not a stored comparison: {}; store one with 'nncodec compare ... -o FILE'"


@dataclass(frozen=True)
class Measurement:
    """One picture through one codec at one quality.

    Args:
        picture, codec: names, as in `PictureInfo` and `CodecInfo`.
        quality: in the codec's own scale; higher is better.
        bytes: of the whole file, headers included, metadata left out.
        bpp: bits per pixel of that file.
        ratio_raw, ratio_png: how many times smaller it is than 8-bit samples and than the picture as PNG.
        psnr_db: over all samples; infinite where every sample came back unchanged.
        ssim: -1..1, see `nncodec.metrics.ssim`.
        ms_ssim: 0..1; None where the picture is too small for it.
        ssimulacra2: at most 100; None where its package is not installed.
        encode_s, decode_s: medians of warm runs in seconds; None where they were not taken.
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


@dataclass(frozen=True)
class PictureInfo:
    """A picture as it was handed to the codecs.

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
    """A codec and how it was used.

    Args:
        name: what the user called it: jpeg, avif-psnr, photo, conv/photo:effort=9.
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
    """What could not be measured, and why.

    Args:
        picture: its name.
        codec: the codec that refused it; None where the picture could not be read at all.
        reason: one line.
    """

    picture: str
    codec: str | None
    reason: str


@dataclass(frozen=True)
class MeanPoint:
    """Means over pictures at one quality; fields as in `Measurement`, None where no picture has a value."""

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


@dataclass(frozen=True)
class Match:
    """Every codec at the quality at which it comes nearest to a reference codec, picture by picture.

    Args:
        by: what was made equal: psnr, ssim or bytes.
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
    """All that was measured in one run.

    Args:
        pictures, codecs: in the order in which they were given.
        measurements: by picture, then codec, then quality.
        skipped: what is missing from the measurements.
        command: how to make it again.
        versions: of the programs and libraries that took part.
        matches: codecs at equal PSNR, SSIM or bytes, where that was asked for.
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
        return tuple(one for one in self.measurements if one.codec == name)

    def shared_pictures(self) -> tuple[str, ...]:
        """Return the pictures that no codec is missing, apart from codecs that measured nothing at all."""
        seen: dict[str, set[str]] = {}
        for one in self.measurements:
            seen.setdefault(one.codec, set()).add(one.picture)
        return tuple(
            picture.name for picture in self.pictures if seen and all(picture.name in s for s in seen.values())
        )

    def mean_curve(self, codec: str) -> list[MeanPoint]:
        """Return a codec's means, by rising quality.

        They are taken over `shared_pictures`, so that every codec answers for the same ones, and at those qualities
        that all of these have. PSNR is averaged in decibels, as published curves do.
        """
        shared = set(self.shared_pictures())
        by_quality: dict[int, list[Measurement]] = {}
        for one in self.of_codec(codec):
            if one.picture in shared:
                by_quality.setdefault(one.quality, []).append(one)
        return [mean_point(points) for _, points in sorted(by_quality.items()) if len(points) == len(shared)]

    def to_json(self, **derived: object) -> str:
        """Return the stored form.

        Args:
            **derived: further top-level entries for other programs; `from_json` passes over them.
        """
        document = {"schema": SCHEMA, **plain(self), **derived}
        return json.dumps(document, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Comparison:
        """Read what `to_json` wrote.

        Raises:
            NncError: it is something else, of another schema, or contradicts itself; one line says where.
        """
        try:
            document = json.loads(text)
            if not isinstance(document, dict) or "schema" not in document:
                raise UnreadableError("it has no schema number")
            if document["schema"] != SCHEMA:
                raise UnreadableError(f"its schema is {document['schema']!r}, this version reads {SCHEMA}")
            known = {field.name for field in fields(cls)}
            found = read(cls, {key: value for key, value in document.items() if key in known})
            _check(found)
        except (ValueError, RecursionError):
            raise NncError(detail=_UNREADABLE.format("it is not JSON")) from None
        except UnreadableError as problem:
            raise NncError(detail=_UNREADABLE.format(problem)) from None
        return found


def mean_point(points: Sequence[Measurement]) -> MeanPoint:
    """Return means over measurements; the quality is that of the first."""

    def mean(name: str) -> float | None:
        # Whether a metric or time exists depends on the picture and the run, so all codecs miss the same ones.
        values = [value for value in (getattr(point, name) for point in points) if value is not None]
        return math.fsum(values) / len(values) if values else None

    means: dict[str, Any] = {one.name: mean(one.name) for one in fields(MeanPoint)}
    return MeanPoint(**means | {"quality": points[0].quality})


def _check(found: Comparison) -> None:
    """Raise UnreadableError where measurements contradict each other or the lists of pictures and codecs."""
    pictures = _unique((one.name for one in found.pictures), "pictures")
    codecs = _unique((one.name for one in found.codecs), "codecs")
    groups = [("measurements", found.measurements)]
    for number, match in enumerate(found.matches):
        groups.append((f"matches[{number}].measurements", match.measurements))
        if match.by not in MATCHED:
            raise UnreadableError(f"matches[{number}] is by {match.by!r}, expected one of {', '.join(MATCHED)}")
        if match.reference not in codecs:
            raise UnreadableError(f"matches[{number}] has a reference that is not listed")
    for place, measurements in groups:
        _unique(((one.picture, one.codec, one.quality) for one in measurements), place)
        for number, one in enumerate(measurements):
            if one.picture not in pictures or one.codec not in codecs:
                raise UnreadableError(f"{place}[{number}] is of a picture or codec that is not listed")
            if min(one.bytes, one.bpp, one.ratio_raw, one.ratio_png) <= 0:
                raise UnreadableError(f"{place}[{number}] has a size that is not positive")


def _unique(keys: Iterable[_T], place: str) -> set[_T]:
    seen: set[_T] = set()
    for key in keys:
        if key in seen:
            raise UnreadableError(f"{place} has {key!r} twice")
        seen.add(key)
    return seen
