"""The matching points of a report: where codecs are compared picture by picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nncodec.compare.results import Comparison, Match, Measurement

_SPELT = {"bytes": "bytes", "psnr": "PSNR", "ssim": "SSIM"}


@dataclass(frozen=True)
class Point:
    """A matching point with what the report calls it.

    Args:
        match: the codecs there, picture by picture.
        name: for file names.
        equal: what was made equal, in a word or two.
        title: short, for plots: `at equal bytes, photo at quality 50`.
        explanation: sentences that say how the qualities were chosen.
    """

    match: Match
    name: str
    equal: str
    title: str
    explanation: str


def matching_points(comparison: Comparison) -> list[Point]:
    """Return the matching points of the run, or where there are none, one chosen among the measured qualities."""
    labels = {codec.name: codec.label for codec in comparison.codecs}
    if comparison.matches:
        return list(_searched(comparison, labels))
    match = nearest_in_bytes(comparison)
    if match is None:
        return []
    reference = f"{labels[match.reference]} at quality {match.quality}"
    explanation = (
        f"No matching was asked for, so for every picture each codec is shown at that one of its measured qualities "
        f"whose file is nearest in bytes to that of {reference}. Sizes are therefore only about equal; the ratios show "
        f"how nearly."
    )
    return [Point(match, "pictures_nearest", "about equal bytes", f"at about the bytes of {reference}", explanation)]


def nearest_in_bytes(comparison: Comparison) -> Match | None:
    """Return each codec's measurement whose size is nearest, in proportion, to the reference codec's at its middle.

    The reference is the first learned codec, or the first of all. None where nothing was measured.
    """
    measured = [codec for codec in comparison.codecs if comparison.of_codec(codec.name)]
    if not measured:
        return None
    reference = next((codec for codec in measured if codec.learned), measured[0]).name
    qualities = sorted({one.quality for one in comparison.of_codec(reference)})
    quality = qualities[len(qualities) // 2]
    targets = {one.picture: one.bytes for one in comparison.of_codec(reference) if one.quality == quality}
    nearest: dict[tuple[str, str], Measurement] = {}
    for one in comparison.measurements:
        if one.picture in targets and (one.codec != reference or one.quality == quality):
            known = nearest.get((one.picture, one.codec))
            if known is None or _apart(one, targets) < _apart(known, targets):
                nearest[one.picture, one.codec] = one
    return Match("bytes", reference, quality, tuple(nearest.values()))


def _apart(one: Measurement, targets: dict[str, int]) -> float:
    target = targets[one.picture]
    return max(one.bytes, target) / min(one.bytes, target)


def _searched(comparison: Comparison, labels: dict[str, str]) -> Iterator[Point]:
    for number, match in enumerate(comparison.matches, 1):
        matched = _SPELT.get(match.by, match.by)
        reference = f"{labels[match.reference]} at quality {match.quality}"
        explanation = (
            f"For every picture each codec is at that quality where it comes nearest to the {matched} of {reference}."
        )
        yield Point(
            match, f"pictures_{match.by}_{number}", f"equal {matched}", f"at equal {matched}, {reference}", explanation
        )
