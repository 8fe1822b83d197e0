"""Measure one picture: with one codec, with several at the same bytes, or with all codecs of a plan."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from PIL import Image

from nncodec import metrics
from nncodec._support.text import describe
from nncodec.compare.codecs import Codec, open_codec
from nncodec.compare.matching import in_mode_of_original, matched_quality
from nncodec.compare.pictures import Original, PictureSource, load
from nncodec.compare.results import Measurement, PictureInfo, Skipped
from nncodec.errors import InvalidOption

TIMED_RUNS = 3
"""A time is the median of this many runs, after a first one that is not counted."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Matching:
    """A matching of all codecs with a reference codec.

    Args:
        by: what to make equal: psnr, ssim or bytes.
        reference: name of the reference codec.
        quality: of the reference.
    """

    by: str
    reference: str
    quality: int


@dataclass(frozen=True)
class Plan:
    """How to measure every picture; arguments as for `study.compare`."""

    codecs: tuple[str, ...]
    qualities: Mapping[str, Sequence[int]]
    effort: int | None
    matchings: tuple[Matching, ...]
    timings: bool
    max_pixels: int
    colorvideovdp: bool = False


class Trial(NamedTuple):
    """One picture through one codec at one quality: the numbers, and the decoded picture in the original's mode."""

    measurement: Measurement
    decoded: Image.Image


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
            targets.append(_measure_for(plan, original, codec, matching.quality))
        except Exception as error:  # reported below, at that codec's turn
            targets.append(error)
    for name in plan.codecs:
        try:
            _measure_codec(original, open_codec(name, effort=plan.effort), plan, targets, result)
        except Exception as error:  # a codec may be anyone's code
            result.skipped.append(Skipped(source.name, name, describe(error)))
        advance()
    return result


def measure(
    original: Original, codec: Codec, quality: int, *, timings: bool = False, colorvideovdp: bool = False
) -> Measurement:
    """Encode and decode a picture; arguments and errors as for `try_codec`.

    Args:
        colorvideovdp: measure that, too; it takes about three seconds per megapixel.
    """
    trial = try_codec(original, codec, quality, timings=timings)
    if not colorvideovdp:
        return trial.measurement
    return replace(trial.measurement, colorvideovdp=metrics.colorvideovdp(original.image, trial.decoded))


def try_codec(original: Original, codec: Codec, quality: int, *, timings: bool = False, warm: bool = False) -> Trial:
    """Encode and decode a picture once, and `TIMED_RUNS` times more for `timings`.

    Metrics whose package is not installed are None.

    Args:
        warm: the codec has just encoded this picture, so the time of encoding needs no uncounted run.

    Raises:
        NncError, OSError, ValueError, ...: the codec refuses the picture, or returns one of another size.
    """
    image = original.image
    data, encode_s = _run(lambda: codec.encode(image, quality), timings, warm=warm)
    decoded, decode_s = _run(lambda: codec.decode(data), timings)
    decoded = in_mode_of_original(decoded, image)
    return Trial(measured(original, decoded, codec.info.name, quality, len(data), encode_s, decode_s), decoded)


def measured(
    original: Original,
    decoded: Image.Image,
    codec: str,
    quality: int,
    size_bytes: int,
    encode_s: float | None = None,
    decode_s: float | None = None,
    frames: int = 1,
) -> Measurement:
    """Return the numbers of a picture that was coded and decoded; metrics whose package is not installed are None.

    Args:
        decoded: in the original's mode and size.
        codec, quality: how it was coded.
        size_bytes: of the whole file.
        encode_s, decode_s: times in seconds, None if not measured.
        frames: how many the file holds; the picture is one of them, and stands for all.
    """
    image, info = original.image, original.info
    return Measurement(
        picture=info.name,
        codec=codec,
        quality=quality,
        bytes=size_bytes,
        bpp=8 * size_bytes / (frames * info.width * info.height),
        ratio_raw=frames * info.raw_bytes / size_bytes,
        ratio_png=frames * info.png_bytes / size_bytes,
        psnr_db=metrics.psnr(image, decoded),
        ssim=metrics.ssim(image, decoded),
        ms_ssim=None if "MS-SSIM" in metrics.not_installed() else metrics.ms_ssim(image, decoded),
        ssimulacra2=metrics.ssimulacra2(image, decoded),
        encode_s=encode_s,
        decode_s=decode_s,
    )


def _measure_for(plan: Plan, original: Original, codec: Codec, quality: int) -> Measurement:
    return measure(original, codec, quality, timings=plan.timings, colorvideovdp=plan.colorvideovdp)


def try_at_equal_bytes(
    original: Original, codecs: Sequence[Codec], quality: int, *, timings: bool = False
) -> list[Trial]:
    """Try the first codec at a quality, and every other where its file comes nearest to the first one's bytes.

    Args, Raises: see `try_codec`.
    """
    first = try_codec(original, codecs[0], quality, timings=timings)
    trials = [first]
    for codec in codecs[1:]:
        nearest = matched_quality(codec, original.image, "bytes", first.measurement.bytes)
        trials.append(try_codec(original, codec, nearest, timings=timings, warm=True))
    return trials


def value_of(measurement: Measurement, by: str) -> float:
    """Return the value that a matching makes equal."""
    return {"psnr": measurement.psnr_db, "ssim": measurement.ssim, "bytes": measurement.bytes}[by]


def _measure_codec(
    original: Original, codec: Codec, plan: Plan, targets: Sequence[Measurement | Exception], result: PictureResult
) -> None:
    """Add a codec's measurements, all or none."""
    name = codec.info.name
    own = {quality: _measure_for(plan, original, codec, quality) for quality in _qualities(codec, plan)}
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
        known = {quality: value_of(measured, matching.by) for quality, measured in own.items()}
        wanted = value_of(target, matching.by)
        quality = matched_quality(codec, original.image, matching.by, wanted, known)
        matched.append(own.get(quality) or _measure_for(plan, original, codec, quality))
    result.measurements += own.values()
    for group, measurement in zip(result.matched, matched, strict=True):
        if measurement is not None:
            group.append(measurement)


def _qualities(codec: Codec, plan: Plan) -> Sequence[int]:
    """Return the qualities asked for; a model without qualities ignores them and has one."""
    asked = plan.qualities.get(codec.info.name, codec.ladder)
    if codec.info.learned and len(codec.qualities) == 1:
        return codec.ladder
    if outside := [quality for quality in asked if quality not in codec.qualities]:
        span = f"{codec.qualities[0]} to {codec.qualities[-1]}"
        raise InvalidOption(option="qualities", reason=f"{codec.info.name} has qualities {span}, not {outside[0]}")
    return sorted(set(asked))


def _run(call: Callable[[], _T], timings: bool, *, warm: bool = False) -> tuple[_T, float | None]:
    """Return a call's result and, for `timings`, the median time of `TIMED_RUNS` warm runs in seconds."""
    if not timings:
        return call(), None
    if not warm:
        call()
    times_s = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        result = call()
        times_s.append(time.perf_counter() - start)
    return result, statistics.median(times_s)
