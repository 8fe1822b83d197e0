"""One picture through every codec: what `study` has done for each picture, in this process or another."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from nncodec import metrics
from nncodec._support.text import describe
from nncodec.compare.codecs import Codec, open_codec
from nncodec.compare.matching import alike, matched_quality
from nncodec.compare.pictures import Original, PictureSource, load
from nncodec.compare.results import Measurement, PictureInfo, Skipped
from nncodec.errors import InvalidOption

TIMED_RUNS = 3
"""Runs that a time is the median of, after one that is not counted."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Matching:
    """What is to be made equal.

    Args:
        by: psnr, ssim or bytes.
        reference: name of the codec that the others are to meet.
        quality: of the reference.
    """

    by: str
    reference: str
    quality: int


@dataclass(frozen=True)
class Plan:
    """What is to be done with every picture; arguments as for `study.compare`."""

    codecs: tuple[str, ...]
    qualities: Mapping[str, Sequence[int]]
    effort: int | None
    matchings: tuple[Matching, ...]
    timings: bool
    max_pixels: int


@dataclass
class PictureResult:
    """All measurements of one picture.

    Args:
        info: None if the picture could not be read.
        measurements: by codec, then quality.
        matched: one list for each of the plan's matchings.
        notes: conversions of the picture, for people.
    """

    info: PictureInfo | None = None
    measurements: list[Measurement] = field(default_factory=list)
    matched: list[list[Measurement]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def measure_picture(source: PictureSource, plan: Plan, advance: Callable[[], None] = lambda: None) -> PictureResult:
    """Measure a picture with every codec of a plan; failures are listed in `skipped`.

    Args:
        advance: called once for each codec.
    """
    result = PictureResult(matched=[[] for _ in plan.matchings])
    try:
        original = load(source, max_pixels=plan.max_pixels)
    except Exception as error:  # one picture must not stop the others, whatever is wrong with it
        result.skipped.append(Skipped(source.name, None, describe(error)))
        for _ in plan.codecs:
            advance()
        return result
    result.info = original.info
    result.notes += original.notes
    if min(original.image.size) < metrics.MS_SSIM_EDGE:
        result.notes.append(f"an edge is below {metrics.MS_SSIM_EDGE} pixels, so there is no MS-SSIM")
    targets: list[Measurement | Exception] = []
    for matching in plan.matchings:
        try:
            codec = open_codec(matching.reference, effort=plan.effort)
            targets.append(measure(original, codec, matching.quality, timings=plan.timings))
        except Exception as error:  # it is told below, where that codec has its turn
            targets.append(error)
    for name in plan.codecs:
        try:
            _measure_codec(original, open_codec(name, effort=plan.effort), plan, targets, result)
        except Exception as error:  # a codec may be anyone's code
            result.skipped.append(Skipped(source.name, name, describe(error)))
        advance()
    return result


def measure(original: Original, codec: Codec, quality: int, *, timings: bool = False) -> Measurement:
    """Encode and decode a picture once, and several times more where times are wanted.

    Raises:
        NncError, OSError, ValueError, ...: the codec refuses the picture, or gives back one of another size.
    """
    image, info = original.image, original.info
    data, encode_s = _run(lambda: codec.encode(image, quality), timings)
    decoded, decode_s = _run(lambda: codec.decode(data), timings)
    decoded = alike(decoded, image)
    return Measurement(
        picture=info.name,
        codec=codec.info.name,
        quality=quality,
        bytes=len(data),
        bpp=8 * len(data) / (info.width * info.height),
        ratio_raw=info.raw_bytes / len(data),
        ratio_png=info.png_bytes / len(data),
        psnr_db=metrics.psnr(image, decoded),
        ssim=metrics.ssim(image, decoded),
        ms_ssim=metrics.ms_ssim(image, decoded),
        ssimulacra2=metrics.ssimulacra2(image, decoded),
        encode_s=encode_s,
        decode_s=decode_s,
    )


def value_of(measurement: Measurement, by: str) -> float:
    """Return what a matching compares."""
    return {"psnr": measurement.psnr_db, "ssim": measurement.ssim, "bytes": measurement.bytes}[by]


def _measure_codec(
    original: Original, codec: Codec, plan: Plan, targets: Sequence[Measurement | Exception], result: PictureResult
) -> None:
    """Add a codec's measurements, all or none."""
    name = codec.info.name
    own = {quality: measure(original, codec, quality, timings=plan.timings) for quality in _qualities(codec, plan)}
    matched: list[Measurement | None] = []
    for matching, target in zip(plan.matchings, targets, strict=True):
        if isinstance(target, Exception):
            if name == matching.reference:
                raise target
            matched.append(None)
            continue
        if name == matching.reference:
            matched.append(target)
            continue
        known = {quality: value_of(one, matching.by) for quality, one in own.items()}
        wanted = value_of(target, matching.by)
        quality = matched_quality(codec, original.image, matching.by, wanted, known)
        matched.append(own.get(quality) or measure(original, codec, quality, timings=plan.timings))
    result.measurements += own.values()
    for group, one in zip(result.matched, matched, strict=True):
        if one is not None:
            group.append(one)


def _qualities(codec: Codec, plan: Plan) -> Sequence[int]:
    """Return the qualities asked for; a model without qualities has one, whatever was asked."""
    asked = plan.qualities.get(codec.info.name, codec.ladder)
    if codec.info.learned and len(codec.qualities) == 1:
        return codec.ladder
    if outside := [quality for quality in asked if quality not in codec.qualities]:
        span = f"{codec.qualities[0]} to {codec.qualities[-1]}"
        raise InvalidOption(option="qualities", reason=f"{codec.info.name} has qualities {span}, not {outside[0]}")
    return sorted(set(asked))


def _run(call: Callable[[], _T], timings: bool) -> tuple[_T, float | None]:
    """Return a call's result, and the median time of further, warm runs in seconds."""
    result = call()
    if not timings:
        return result, None
    taken = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return result, statistics.median(taken)
