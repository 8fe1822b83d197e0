"""Where codecs are compared picture by picture."""

from __future__ import annotations

from dataclasses import replace

from nncodec.compare.report.points import matching_points, nearest_in_bytes
from nncodec.compare.results import Comparison, Match


def test_without_matching_the_nearest_measured_sizes_are_taken(comparison: Comparison) -> None:
    match = nearest_in_bytes(comparison)
    assert match is not None
    assert (match.reference, match.quality) == ("avif", 50)
    assert len(match.measurements) == 15
    targets = {one.picture: one.bytes for one in match.measurements if one.codec == "avif"}
    assert {one.quality for one in match.measurements if one.codec == "avif"} == {50}
    for one in match.measurements:
        if one.codec != "avif":
            own = [m.bytes for m in comparison.of_codec(one.codec) if m.picture == one.picture]
            target = targets[one.picture]
            assert one.bytes == min(own, key=lambda size: max(size, target) / min(size, target))
    (point,) = matching_points(comparison)
    assert point.title == "at about the bytes of photo at quality 50"
    assert "only about equal" in point.explanation


def test_without_a_learned_codec_the_first_is_the_reference(comparison: Comparison) -> None:
    codecs = tuple(replace(codec, learned=False) for codec in comparison.codecs[::-1])
    match = nearest_in_bytes(replace(comparison, codecs=codecs))
    assert match is not None
    assert match.reference == "webp"


def test_a_picture_that_the_reference_lacks_has_no_matching_point(comparison: Comparison) -> None:
    rest = tuple(m for m in comparison.measurements if (m.picture, m.codec) != ("grey.png", "avif"))
    match = nearest_in_bytes(replace(comparison, measurements=rest))
    assert match is not None
    assert "grey.png" not in {one.picture for one in match.measurements}
    assert len(match.measurements) == 12


def test_searched_points_are_taken_as_they_are(comparison: Comparison) -> None:
    matches = (
        Match("ssim", "avif", 50, comparison.measurements[:2]),
        Match("bytes", "jpeg", 70, comparison.measurements[2:3]),
    )
    points = matching_points(replace(comparison, matches=matches))
    assert [point.match for point in points] == list(matches)
    assert [point.title for point in points] == [
        "at equal SSIM, photo at quality 50",
        "at equal bytes, JPEG at quality 70",
    ]
    assert [point.name for point in points] == ["pictures_ssim_1", "pictures_bytes_2"]


def test_nothing_measured_gives_no_point(comparison: Comparison) -> None:
    assert matching_points(replace(comparison, measurements=())) == []
