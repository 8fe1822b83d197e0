"""Measured and published curves by name, and the pairs of them that `nncodec compare` compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nncodec.compare import Comparison, CurvePoint, MeanPoint
    from nncodec.compare.differences import Difference

PUBLISHED = "published:"
"""Prefix of a published curve whose name a measured one has, too."""

_USUAL_REFERENCE = "jpeg"
_LISTED = 20


@dataclass(frozen=True)
class Curves:
    """All curves that can be compared.

    Args:
        measured: means over pictures, by codec.
        published: published curves, by name.
    """

    measured: Mapping[str, Sequence[MeanPoint]] = field(default_factory=dict)
    published: Mapping[str, Sequence[CurvePoint]] = field(default_factory=dict)

    @classmethod
    def of(cls, comparison: Comparison | None, published: Mapping[str, Sequence[CurvePoint]]) -> Curves:
        """Return the mean curves of a comparison, if there is one, and published ones."""
        codecs = () if comparison is None else comparison.codecs
        measured = {codec.name: comparison.mean_curve(codec.name) for codec in codecs} if comparison else {}
        return cls(measured, published)

    def names(self) -> list[str]:
        """Return all names; published ones get the prefix where a measured curve has the same name."""
        marked = [f"{PUBLISHED}{name}" if name in self.measured else name for name in self.published]
        return [*self.measured, *marked]

    def find(self, name: str) -> Sequence[MeanPoint] | Sequence[CurvePoint]:
        """Return a curve; raises click.UsageError for an unknown name."""
        if name in self.measured:
            return self.measured[name]
        plain = name.removeprefix(PUBLISHED)
        if plain in self.published:
            return self.published[plain]
        known = self.names()
        more = ", ..." if len(known) > _LISTED else ""
        raise click.UsageError(f"there is no curve {name!r}; there are {', '.join(known[:_LISTED])}{more}")

    def is_published(self, name: str) -> bool:
        """Whether `find` takes a published curve for this name."""
        return name not in self.measured

    def usual_reference(self) -> str | None:
        """Return the name of JPEG's curve, or else of the first; None without curves."""
        names = self.names()
        return _USUAL_REFERENCE if _USUAL_REFERENCE in names else next(iter(names), None)


def pairs_of(curves: Curves, reference: str | None, asked: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Return the pairs of test and reference to show: those asked for, or else every curve with the reference.

    Raises:
        click.UsageError: a name is unknown.
    """
    chosen = reference or curves.usual_reference()
    for name in [name for pair in asked for name in pair] + ([reference] if reference else []):
        curves.find(name)
    return asked or [(name, chosen) for name in curves.names() if chosen is not None and name != chosen]


def differences(curves: Curves, pairs: Sequence[tuple[str, str]]) -> list[Difference]:
    """Return the differences of pairs of test and reference, by PSNR and by MS-SSIM."""
    from nncodec.compare import bd_delta
    from nncodec.compare.differences import Difference

    return [
        Difference(test, reference, curves.is_published(reference), metric, bd_delta(theirs, ours, metric))
        for test, reference in pairs
        for ours, theirs in [(curves.find(test), curves.find(reference))]
        for metric in ("psnr_db", "ms_ssim")
    ]


def to_json(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    """Return differences for other programs, one entry per pair."""
    from nncodec.compare.differences import deltas_by_pair

    return [
        {
            "test": test,
            "reference": reference,
            "bd_rate_percent": deltas["psnr_db"].rate_percent,
            "bd_psnr_db": deltas["psnr_db"].gain,
            "bd_rate_ms_ssim_percent": deltas["ms_ssim"].rate_percent,
            "shared_psnr_db": list(deltas["psnr_db"].shared or ()) or None,
            "overlap": deltas["psnr_db"].overlap,
            "dropped_points": deltas["psnr_db"].dropped,
            "reason": deltas["psnr_db"].reason,
        }
        for (test, reference), deltas in deltas_by_pair(differences).items()
    ]
