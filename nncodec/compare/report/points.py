"""The matching points of a report, at which codecs are compared picture by picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nncodec.compare.results import Comparison, Match, Measurement

_SPELT = {"bytes": "bytes", "psnr": "PSNR", "ssim": "SSIM"}


@dataclass(frozen=True)
class Point:
    """A matching point with its texts in the report.

    Args:
        match: the codecs there, picture by picture.
        name: for file names.
        equal: what is equal, in a word or two.
        title: short, for plots: `at equal bytes, photo at quality 50`.
        explanation: how the qualities were chosen.
    """

    match: Match
    name: str
    equal: str
    title: str
    explanation: str


def matching_points(comparison: Comparison) -> list[Point]:
    """Return the matching points of the run; without any, return one made from the measured qualities."""
    labels = {codec.name: codec.label for codec in comparison.codecs}
    if comparison.matches:
        return list(_searched(comparison, labels))
    match = nearest_in_bytes(comparison)
    if match is None:
        return []
    reference = f"{labels[match.reference]} at quality {match.quality}"
    explanation = (
        f"The run has no --match, so every codec is shown, picture by picture, at the measured quality whose file is "
        f"nearest in bytes to that of {reference}. So sizes are only about equal; the ratios show how nearly."
    )
    return [Point(match, "pictures_nearest", "about equal bytes", f"at about the bytes of {reference}", explanation)]


def nearest_in_bytes(comparison: Comparison) -> Match | None:
    """Return, for each picture and codec, the measurement nearest in size to the reference at its middle quality.

    Nearest is meant as a ratio. The reference is the first learned codec, or else the first. None if nothing was
    measured.
    """
    measured = [codec for codec in comparison.codecs if comparison.of_codec(codec.name)]
    if not measured:
        return None
    reference = next((codec for codec in measured if codec.learned), measured[0]).name
    qualities = sorted({point.quality for point in comparison.of_codec(reference)})
    quality = qualities[len(qualities) // 2]
    targets = {point.picture: point.bytes for point in comparison.of_codec(reference) if point.quality == quality}
    nearest: dict[tuple[str, str], Measurement] = {}
    for point in comparison.measurements:
        if point.picture in targets and (point.codec != reference or point.quality == quality):
            known = nearest.get((point.picture, point.codec))
            if known is None or _apart(point, targets) < _apart(known, targets):
                nearest[point.picture, point.codec] = point
    return Match("bytes", reference, quality, tuple(nearest.values()))


def _apart(point: Measurement, targets: dict[str, int]) -> float:
    target = targets[point.picture]
    return max(point.bytes, target) / min(point.bytes, target)


def _searched(comparison: Comparison, labels: dict[str, str]) -> Iterator[Point]:
    for number, match in enumerate(comparison.matches, 1):
        matched = _SPELT.get(match.by, match.by)
        reference = f"{labels[match.reference]} at quality {match.quality}"
        explanation = (
            f"For every picture, each codec has the quality that comes nearest to the {matched} of {reference}."
        )
        yield Point(
            match, f"pictures_{match.by}_{number}", f"equal {matched}", f"at equal {matched}, {reference}", explanation
        )
