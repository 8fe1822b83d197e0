"""Which pictures a codec does worst and best on, seen from another codec."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from nncodec.compare.curves import bd_rate
from nncodec.compare.report.points import nearest_in_bytes
from nncodec.compare.results import Comparison, Measurement
from nncodec.compare.tables import Column, Table, decimals


@dataclass(frozen=True)
class Ranking:
    """Pictures by how a codec fares on them, the worst first.

    Args:
        codec, reference: names; None for the reference where there is no other codec.
        measure, unit: what the scores are.
        lower_is_better: which way they count.
        scores: name and score of each picture that has one.
    """

    codec: str
    reference: str | None
    measure: str
    unit: str
    lower_is_better: bool
    scores: tuple[tuple[str, float], ...]

    def ends(self, each: int) -> list[tuple[str, str]]:
        """Return name and place (`Worst 1: BD-rate +3.1 %`) of the worst pictures, then of the best; none twice.

        Args:
            each: how many of either at most.
        """
        worst = min(each, (len(self.scores) + 1) // 2)
        best = min(each, len(self.scores) - worst)
        found = [("Worst", place, *one) for place, one in enumerate(self.scores[:worst], 1)]
        found += [("Best", place, *one) for place, one in enumerate(self.scores[::-1][:best], 1)]
        show = decimals(1 if self.unit == "%" else 2, signed=self.reference is not None)
        return [(name, f"{end} {place}: {self.measure} {show(score)} {self.unit}") for end, place, name, score in found]


def rank_pictures(comparison: Comparison, reference: str | None = None) -> Ranking | None:
    """Rank pictures by BD-rate of the first learned codec (or else the first) against a reference.

    Where no picture has a BD-rate, the difference in PSNR at the nearest measured sizes counts instead, and with a
    single codec its PSNR.

    Args:
        reference: name of a codec; where it is None or measured nothing, the first other one is taken, of those that
            are not learned if there are any.

    Returns:
        The ranking; None where nothing was measured.
    """
    match = nearest_in_bytes(comparison)
    if match is None:
        return None
    codec = match.reference
    others = [one for one in comparison.codecs if one.name != codec and comparison.of_codec(one.name)]
    if reference not in {one.name for one in others}:
        reference = min(others, key=lambda one: one.learned).name if others else None
    psnr_db = {(one.picture, one.codec): one.psnr_db for one in match.measurements}
    if reference is None:
        return _ranked(codec, None, "PSNR", "dB", False, ((picture, value) for (picture, _), value in psnr_db.items()))
    curves = {name: _by_picture(comparison.of_codec(name)) for name in (codec, reference)}
    pictures = [one.name for one in comparison.pictures if all(one.name in curve for curve in curves.values())]
    rates = [(name, bd_rate(curves[reference][name], curves[codec][name])) for name in pictures]
    found = [(name, rate) for name, rate in rates if rate is not None]
    if found:
        return _ranked(codec, reference, "BD-rate", "%", True, found)
    gains = ((name, psnr_db[name, codec] - psnr_db[name, reference]) for name in pictures if (name, codec) in psnr_db)
    return _ranked(codec, reference, "PSNR difference at about equal bytes", "dB", False, gains)


def ranking_table(comparison: Comparison, ranking: Ranking | None) -> Table:
    """Return all pictures that have a score, the worst first."""
    numbers = {one.name: number for number, one in enumerate(comparison.pictures, 1)}
    signed = ranking is not None and ranking.reference is not None
    measure, unit = (ranking.measure, ranking.unit) if ranking else ("Score", "")
    columns = (
        Column("number", "Number"),
        Column("picture", "Picture", right=False),
        Column("score", measure, decimals(2, signed=signed), unit),
        Column("measure", "Measure", right=False),
        Column("codec", "Codec", right=False, codec=True),
        Column("reference", "Against", right=False, codec=True),
    )
    rows = (
        (numbers[name], name, score, f"{ranking.measure}, {ranking.unit}", ranking.codec, ranking.reference)
        for name, score in (ranking.scores if ranking else ())
        if ranking is not None
    )
    return Table("ranking", "Pictures, worst first", columns, tuple(rows))


def _ranked(
    codec: str,
    reference: str | None,
    measure: str,
    unit: str,
    lower_is_better: bool,
    scores: Iterable[tuple[str, float]],
) -> Ranking:
    # Two pictures that came back unchanged have no difference in PSNR.
    known = [(name, score) for name, score in scores if not math.isnan(score)]
    known.sort(key=lambda one: one[1], reverse=lower_is_better)
    return Ranking(codec, reference, measure, unit, lower_is_better, tuple(known))


def _by_picture(measurements: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for one in measurements:
        found.setdefault(one.picture, []).append(one)
    return found
