"""Which pictures are worst and best."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nncodec.compare.curves import bd_rate
from nncodec.compare.report.ranking import Ranking, rank_pictures, ranking_table
from nncodec.compare.results import Comparison


def test_pictures_are_ranked_by_bd_rate_of_the_learned_codec_against_the_first_other(comparison: Comparison) -> None:
    ranking = rank_pictures(comparison)
    assert ranking is not None
    assert (ranking.codec, ranking.reference, ranking.measure, ranking.unit) == ("avif", "jpeg", "BD-rate", "%")
    scores = dict(ranking.scores)
    assert scores.keys() == {one.name for one in comparison.pictures}
    for name, score in scores.items():
        own, other = ([one for one in comparison.of_codec(codec) if one.picture == name] for codec in ("avif", "jpeg"))
        assert score == bd_rate(other, own)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    table = ranking_table(comparison, ranking)
    assert [row[2] for row in table.rows] == list(scores.values())
    assert {comparison.pictures[row[0] - 1].name: row[1] for row in table.rows} == {name: name for name in scores}


def test_another_reference_can_be_named(comparison: Comparison) -> None:
    ranking = rank_pictures(comparison, "webp")
    assert ranking is not None
    assert ranking.reference == "webp"
    assert ranking.scores != getattr(rank_pictures(comparison), "scores", None)


def test_one_quality_gives_differences_in_psnr(comparison: Comparison) -> None:
    few = tuple(one for one in comparison.measurements if one.quality in (50, 40))
    ranking = rank_pictures(replace(comparison, measurements=few))
    assert ranking is not None
    assert (ranking.unit, ranking.lower_is_better) == ("dB", False)
    psnr_db = {(one.picture, one.codec): one.psnr_db for one in few}
    assert dict(ranking.scores) == {
        one.name: psnr_db[one.name, "avif"] - psnr_db[one.name, "jpeg"] for one in comparison.pictures
    }
    assert ranking.scores[0][1] == min(score for _, score in ranking.scores)


def test_unchanged_pictures_have_no_difference(comparison: Comparison) -> None:
    few = tuple(
        replace(one, psnr_db=math.inf) if one.picture == "grey.png" else one
        for one in comparison.measurements
        if one.quality in (50, 40)
    )
    ranking = rank_pictures(replace(comparison, measurements=few))
    assert ranking is not None
    assert "grey.png" not in dict(ranking.scores)
    assert len(ranking.scores) == 4


def test_a_single_codec_is_ranked_by_its_psnr(comparison: Comparison) -> None:
    alone = replace(comparison, codecs=comparison.codecs[1:2], measurements=comparison.of_codec("jpeg"))
    ranking = rank_pictures(alone)
    assert ranking is not None
    assert (ranking.codec, ranking.reference, ranking.measure) == ("jpeg", None, "PSNR")
    assert len(ranking.scores) == 5


def test_nothing_measured_gives_no_ranking(comparison: Comparison) -> None:
    assert rank_pictures(replace(comparison, measurements=())) is None
    assert ranking_table(comparison, None).rows == ()


@pytest.mark.parametrize(
    ("count", "names"), [(0, ""), (1, "a"), (2, "ab"), (3, "abc"), (4, "abdc"), (5, "abed"), (9, "abih")]
)
def test_the_ends_of_a_ranking_hold_no_picture_twice(count: int, names: str) -> None:
    ranking = Ranking("x", "y", "BD-rate", "%", True, tuple((chr(97 + n), 10.0 - n) for n in range(count)))
    assert "".join(name for name, _ in ranking.ends(2)) == names


def test_places_are_reported(comparison: Comparison) -> None:
    ranking = Ranking("x", "y", "BD-rate", "%", True, (("a", 3.14), ("b", -2.0)))
    assert ranking.ends(3) == [("a", "Worst 1: BD-rate +3.1 %"), ("b", "Best 1: BD-rate −2.0 %")]
