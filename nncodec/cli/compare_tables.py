"""A comparison on the terminal: its tables under a line that says what they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nncodec._support.text import count_of
from nncodec.cli.text import render

if TYPE_CHECKING:
    from nncodec.compare import Comparison, Match
    from nncodec.compare.differences import Difference

_MATCHED_NAMES = {"psnr": "PSNR", "ssim": "SSIM", "bytes": "bytes"}


def text_of(comparison: Comparison | None, differences: Sequence[Difference]) -> str:
    """Return what `nncodec compare` prints: means, matching points, differences, and how much is missing."""
    from nncodec.compare.differences import by_pair, remarks

    parts = []
    if comparison is not None:
        parts.append(_means(comparison))
        parts += [_matched(comparison, match) for match in comparison.matches]
    if differences:
        parts.append("\n".join([render(by_pair(differences)), *remarks(differences)]))
    if comparison is not None and comparison.skipped:
        parts.append(f"{count_of(len(comparison.skipped), 'measurement')} missing, see above")
    return "\n\n".join(parts)


def _means(comparison: Comparison) -> str:
    from nncodec.compare import tables

    table = tables.means(comparison)
    if not table.rows:
        return "No picture was measured with every codec." if comparison.measurements else "Nothing was measured."
    shared = len(comparison.shared_pictures())
    title = "Means" if shared == len(comparison.pictures) else "Means over those that every codec took"
    return f"{count_of(shared, 'picture')}. {title}:\n\n{render(table)}"


def _matched(comparison: Comparison, match: Match) -> str:
    from nncodec.compare import tables

    name = _MATCHED_NAMES[match.by]
    title = f"At equal {name}, picture by picture, to {match.reference} at quality {match.quality}"
    shared = len(tables.shared_at(match))
    if not shared:
        return f"{title}: no picture was measured with every codec"
    return f"{title}, {count_of(shared, 'picture')}:\n\n{render(tables.matched_means(comparison, match, ''))}"
