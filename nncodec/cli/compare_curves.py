"""Curves by name, measured and published, and the differences that `nncodec compare` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from nncodec._support.text import count_of
from nncodec.cli.text import table

if TYPE_CHECKING:
    from nncodec.compare import BdDelta, Comparison, CurvePoint, MeanPoint

PUBLISHED = "published:"
"""Before the name of a published curve, where a measured one has the same."""

_USUAL_REFERENCE = "jpeg"
_LISTED = 20


@dataclass(frozen=True)
class Curves:
    """Every curve there is to compare.

    Args:
        measured: means over pictures, by the codec's name.
        published: of others, by their names.
    """

    measured: Mapping[str, Sequence[MeanPoint]] = field(default_factory=dict)
    published: Mapping[str, Sequence[CurvePoint]] = field(default_factory=dict)

    @classmethod
    def of(cls, comparison: Comparison | None, published: Mapping[str, Sequence[CurvePoint]]) -> Curves:
        """Take the mean curves of a comparison, if there is one."""
        codecs = () if comparison is None else comparison.codecs
        measured = {codec.name: comparison.mean_curve(codec.name) for codec in codecs} if comparison else {}
        return cls(measured, published)

    def names(self) -> list[str]:
        """Return all names, published ones marked where they are taken."""
        marked = [f"{PUBLISHED}{name}" if name in self.measured else name for name in self.published]
        return [*self.measured, *marked]

    def find(self, name: str) -> Sequence[MeanPoint] | Sequence[CurvePoint]:
        """Return a curve; raises click.UsageError where there is none."""
        if name in self.measured:
            return self.measured[name]
        plain = name.removeprefix(PUBLISHED)
        if plain in self.published:
            return self.published[plain]
        known = self.names()
        more = ", ..." if len(known) > _LISTED else ""
        raise click.UsageError(f"there is no curve {name!r}; there are {', '.join(known[:_LISTED])}{more}")

    def usual_reference(self) -> str | None:
        """Return the name of JPEG's curve, or of the first, or None where there is none."""
        names = self.names()
        return _USUAL_REFERENCE if _USUAL_REFERENCE in names else next(iter(names), None)


@dataclass(frozen=True)
class Difference:
    """How one curve lies to another, by PSNR and by MS-SSIM."""

    test: str
    reference: str
    psnr: BdDelta
    ms_ssim: BdDelta


def pairs_of(curves: Curves, reference: str | None, asked: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Return the pairs of test and reference to show: those that are asked for, or every curve with the reference.

    Raises:
        click.UsageError: there is no such curve.
    """
    chosen = reference or curves.usual_reference()
    for name in [name for pair in asked for name in pair] + ([reference] if reference else []):
        curves.find(name)
    return asked or [(name, chosen) for name in curves.names() if chosen is not None and name != chosen]


def differences(curves: Curves, pairs: Sequence[tuple[str, str]]) -> list[Difference]:
    """Return the differences of pairs of test and reference."""
    from nncodec.compare import bd_delta

    found = []
    for test, reference in pairs:
        ours, theirs = curves.find(test), curves.find(reference)
        found.append(Difference(test, reference, bd_delta(theirs, ours), bd_delta(theirs, ours, "ms_ssim")))
    return found


def json_of(one: Difference) -> dict[str, Any]:
    """Return a difference for programs."""
    shared = [one.psnr.low, one.psnr.high] if one.psnr.overlap > 0 else None
    return {
        "test": one.test,
        "reference": one.reference,
        "bd_rate_percent": one.psnr.rate_percent,
        "bd_psnr_db": one.psnr.gain,
        "bd_rate_ms_ssim_percent": one.ms_ssim.rate_percent,
        "shared_psnr_db": shared,
        "overlap": one.psnr.overlap,
        "dropped_points": one.psnr.dropped,
        "reason": one.psnr.reason,
    }


def table_of(found: Sequence[Difference]) -> str:
    """Return differences as a table, what is missing explained below it."""
    rows = [
        [
            one.test,
            one.reference,
            _signed(one.psnr.rate_percent, 1, "%"),
            _signed(one.psnr.gain, 2, " dB"),
            f"{one.psnr.low:.1f} to {one.psnr.high:.1f} dB" if one.psnr.overlap > 0 else "none",
            f"{one.psnr.overlap:.0%}",
            _signed(one.ms_ssim.rate_percent, 1, "%"),
        ]
        for one in found
    ]
    heads = ["CODEC", "AGAINST", "BD-RATE", "BD-PSNR", "SHARED PSNR", "OVERLAP", "BD-RATE, MS-SSIM"]
    remarks = []
    for one in found:
        left_out = f"{count_of(one.psnr.dropped, 'point')} left out, no better than a smaller one"
        reasons = [one.psnr.reason, left_out if one.psnr.dropped else ""]
        remarks += [f"{one.test} against {one.reference}: {reason}" for reason in reasons if reason]
    shown = table(heads, rows, right=range(2, len(heads)))
    return "\n".join([shown, *remarks])


def _signed(value: float | None, places: int, unit: str) -> str:
    return "-" if value is None else f"{value:+.{places}f}{unit}"
