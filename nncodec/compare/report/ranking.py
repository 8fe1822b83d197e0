"""Ranks pictures by how well a codec does on them against another codec."""

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
    """Pictures by a codec's score on them, the worst first.

    Args:
        codec, reference: names; the reference is None if there is no other codec.
        measure, unit: of the scores.
        lower_is_better: whether a low score is good.
        scores: name and score of each picture that has a score.
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
            each: most pictures of either kind.
        """
        worst = min(each, (len(self.scores) + 1) // 2)
        best = min(each, len(self.scores) - worst)
        ends = [("Worst", place, *score) for place, score in enumerate(self.scores[:worst], 1)]
        ends += [("Best", place, *score) for place, score in enumerate(self.scores[::-1][:best], 1)]
        show = decimals(1 if self.unit == "%" else 2, signed=self.reference is not None)
        return [(name, f"{end} {place}: {self.measure} {show(score)} {self.unit}") for end, place, name, score in ends]


def rank_pictures(comparison: Comparison, reference: str | None = None) -> Ranking | None:
    """Rank pictures by BD-rate of the first learned codec (or else the first) against a reference.

    If no picture has a BD-rate, the difference in PSNR at the nearest measured sizes counts; a single codec is ranked
    by its PSNR.

    Args:
        reference: name of a codec. If it is None or measured nothing, the first other codec is used, preferably one
            that is not learned.

    Returns:
        The ranking; None if nothing was measured.
    """
    match = nearest_in_bytes(comparison)
    if match is None:
        return None
    codec = match.reference
    others = [info for info in comparison.codecs if info.name != codec and comparison.of_codec(info.name)]
    if reference not in {info.name for info in others}:
        reference = min(others, key=lambda info: info.learned).name if others else None
    psnr_db = {(point.picture, point.codec): point.psnr_db for point in match.measurements}
    if reference is None:
        return _ranked(codec, None, "PSNR", "dB", False, ((picture, value) for (picture, _), value in psnr_db.items()))
    curves = {name: _by_picture(comparison.of_codec(name)) for name in (codec, reference)}
    names = [picture.name for picture in comparison.pictures]
    pictures = [name for name in names if all(name in curve for curve in curves.values())]
    rates = [(name, bd_rate(curves[reference][name], curves[codec][name])) for name in pictures]
    compared = [(name, rate) for name, rate in rates if rate is not None]
    if compared:
        return _ranked(codec, reference, "BD-rate", "%", True, compared)
    gains = ((name, psnr_db[name, codec] - psnr_db[name, reference]) for name in pictures if (name, codec) in psnr_db)
    return _ranked(codec, reference, "PSNR difference at about equal bytes", "dB", False, gains)


def ranking_table(comparison: Comparison, ranking: Ranking | None) -> Table:
    """Return all pictures that have a score, the worst first."""
    numbers = {picture.name: number for number, picture in enumerate(comparison.pictures, 1)}
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
    # Two unchanged pictures have no difference in PSNR: infinity minus infinity.
    known = [(name, score) for name, score in scores if not math.isnan(score)]
    known.sort(key=lambda pair: pair[1], reverse=lower_is_better)
    return Ranking(codec, reference, measure, unit, lower_is_better, tuple(known))


def _by_picture(measurements: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    curves: dict[str, list[Measurement]] = {}
    for point in measurements:
        curves.setdefault(point.picture, []).append(point)
    return curves
