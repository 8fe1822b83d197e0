"""Tables say what was measured, and only that."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import pytest

from nncodec.compare.report import tables
from nncodec.compare.report.tables import Column, Table, decimals
from nncodec.compare.results import Comparison, Match


def rows(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.csv())))


def test_csv_holds_every_measurement_in_full_precision(comparison: Comparison) -> None:
    found = rows(tables.measurements(comparison))
    assert len(found) == len(comparison.measurements) == 55
    for row, one in zip(found, comparison.measurements, strict=True):
        assert (row["picture"], row["codec"], int(row["quality"])) == (one.picture, one.codec, one.quality)
        for name in ("bytes", "bpp", "ratio_raw", "ratio_png", "psnr_db", "ssim", "encode_s"):
            assert float(row[name]) == getattr(one, name)
        assert row["ms_ssim"] == ""


def test_names_with_separators_quotes_and_newlines_come_back_from_csv() -> None:
    names = ['a,"b"', "line\nbreak", " =1+1 ", "ünï"]
    table = Table("", "", (Column("picture", "Picture"),), tuple((name,) for name in names))
    assert [row["picture"] for row in rows(table)] == names


def test_means_are_the_comparison_s_own(comparison: Comparison) -> None:
    found = rows(tables.means(comparison))
    expected = [(codec.name, point) for codec in comparison.codecs for point in comparison.mean_curve(codec.name)]
    assert [(row["codec"], float(row["psnr_db"])) for row in found] == [(name, p.psnr_db) for name, p in expected]


def test_times_are_medians_and_pixels_over_seconds(comparison: Comparison) -> None:
    timed = replace(
        comparison,
        measurements=tuple(
            replace(one, encode_s=0.5 if one.codec == "jpeg" else None, decode_s=float(number + 1))
            for number, one in enumerate(comparison.measurements[:5])
        ),
    )
    # The first picture has 96 x 64 pixels, three measurements with AVIF and then two with JPEG.
    avif, jpeg = tables.times(timed).rows
    assert avif == ("avif", 3, None, None, 2.0, pytest.approx(3 * 96 * 64 / 1e6 / 6))
    assert jpeg == ("jpeg", 2, 0.5, pytest.approx(2 * 96 * 64 / 1e6 / 1), 4.5, pytest.approx(2 * 96 * 64 / 1e6 / 9))


def test_times_that_were_not_taken_make_no_rows(comparison: Comparison) -> None:
    untimed = tuple(replace(one, encode_s=None, decode_s=None) for one in comparison.measurements)
    assert tables.times(replace(comparison, measurements=untimed)).rows == ()


def test_means_at_a_matching_point_are_over_pictures_that_every_codec_has(comparison: Comparison) -> None:
    at = {(one.picture, one.codec): one for one in comparison.measurements}
    first, second = (one.name for one in comparison.pictures[:2])
    taken = [at[first, "avif"], at[first, "jpeg"], at[second, "avif"]]
    table = tables.matched_means(comparison, Match("bytes", "avif", 50, tuple(taken)), "name")
    assert [row[0] for row in table.rows] == ["avif", "jpeg"]
    assert table.rows[0][2] == at[first, "avif"].bytes
    numbered = tables.matched_pictures(comparison, Match("bytes", "avif", 50, tuple(taken)), "name")
    assert [row[:3] for row in numbered.rows] == [(1, first, "avif"), (1, first, "jpeg"), (2, second, "avif")]


def test_qualities_of_a_matching_point_are_shown_as_a_span(comparison: Comparison) -> None:
    jpeg = [one for one in comparison.of_codec("jpeg") if one.quality == 10 or one.picture.startswith("grey")]
    one_each = {one.picture: one for one in jpeg}
    table = tables.matched_means(comparison, Match("ssim", "jpeg", 10, tuple(one_each.values())), "name")
    assert [row[:2] for row in table.rows] == [("jpeg", "10–90")]


@pytest.mark.parametrize(
    ("value", "shown"), [(1234.5, "1,234.50"), (-0.5, "−0.50"), (math.inf, "∞"), (-math.inf, "−∞")]
)
def test_numbers_are_typeset(value: float, shown: str) -> None:
    assert decimals(2)(value) == shown


def test_missing_values_are_a_dash_on_the_page_and_empty_in_csv() -> None:
    table = Table("", "", (Column("psnr_db", "PSNR, dB", decimals(1)),), ((None,), (math.inf,)))
    assert table.shown() == [["–"], ["∞"]]
    assert table.csv() == 'psnr_db\n""\ninf\n'


def test_pictures_are_numbered_from_one_and_skipped_ones_have_reasons(comparison: Comparison) -> None:
    assert [row[0] for row in tables.pictures(comparison).rows] == [1, 2, 3, 4, 5]
    assert tables.skipped(comparison).rows[0] == ("broken.png", None, "not a picture that Pillow can read")
    assert [row[1] for row in tables.codecs(comparison).rows] == ["photo", "JPEG", "WebP"]
