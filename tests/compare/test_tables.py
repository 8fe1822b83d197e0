"""Tables say what was measured, and only that."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace

import pytest

from nncodec.cli.text import render
from nncodec.compare import tables
from nncodec.compare.results import Comparison, Match
from nncodec.compare.tables import Column, Table, decimals


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


def test_a_matching_point_tells_the_difference_in_bytes_and_who_is_furthest_off(comparison: Comparison) -> None:
    at = {(point.picture, point.codec): point for point in comparison.measurements if point.quality in (10, 20)}
    first, second = (picture.name for picture in comparison.pictures[:2])
    points = [at[name, codec] for name in (first, second) for codec in ("avif", "jpeg")]
    for by, unit, scale in (("bytes", "%", 100), ("psnr", "dB", 1), ("ssim", "", 1)):
        table = tables.matched_means(comparison, Match(by, "avif", 20, tuple(points)), "name")
        keys = [column.key for column in table.columns]
        assert table.columns[-1].unit == unit
        avif, jpeg = (dict(zip(keys, row, strict=True)) for row in table.rows)
        assert (avif["bytes_difference_percent"], avif[keys[-1]]) == (0, 0)
        total = {codec: sum(at[name, codec].bytes for name in (first, second)) for codec in ("avif", "jpeg")}
        assert jpeg["bytes_difference_percent"] == pytest.approx(100 * total["jpeg"] / total["avif"] - 100)
        assert jpeg["bytes"] == total["jpeg"] / 2
        field = {"bytes": "bytes", "psnr": "psnr_db", "ssim": "ssim"}[by]
        pairs = [(getattr(at[name, "jpeg"], field), getattr(at[name, "avif"], field)) for name in (first, second)]
        off = [abs(ours / theirs - 1) if by == "bytes" else abs(ours - theirs) for ours, theirs in pairs]
        assert jpeg[keys[-1]] == pytest.approx(scale * max(off))


def test_a_matching_point_without_its_reference_has_no_differences(comparison: Comparison) -> None:
    table = tables.matched_means(comparison, Match("psnr", "avif", 20, comparison.of_codec("jpeg")[:1]), "name")
    ((codec, _, _, difference, *_, furthest),) = table.rows
    assert (codec, difference, furthest) == ("jpeg", None, None)


def test_people_are_not_shown_optional_columns_without_values(comparison: Comparison) -> None:
    table = tables.means(comparison)
    left_out = {column.key for column in table.columns} - {column.key for column in table.for_people().columns}
    assert left_out == {"ms_ssim", "colorvideovdp"}
    assert [len(row) for row in table.for_people().rows] == [len(table.columns) - 2] * len(table.rows)
    assert "ms_ssim" in table.csv().splitlines()[0]


def test_terminal_page_and_csv_show_the_same_rows(comparison: Comparison) -> None:
    table = tables.means(comparison)
    heads, *lines = (re.split(r"\s{2,}", line) for line in render(table, {"jpeg": "JPEG"}).splitlines())
    assert heads == [column.title.upper() for column in table.for_people().columns]
    assert len(lines) == len(table.rows)
    for line, cells, values in zip(lines, table.for_people().shown(), rows(table), strict=True):
        assert line[0] == ("JPEG" if values["codec"] == "jpeg" else values["codec"])
        assert line[2:6] == cells[2:6]
        assert line[6] == f"{cells[6]} dB" == f"{float(values['psnr_db']):.2f} dB"
    typeset = Table(
        "", "", (Column("a", "a", decimals(1), "%"), Column("b", "b", right=False)), ((-1.5, "−"), (None, "x"))
    )
    assert render(typeset).splitlines() == ["    A  B", "-1.5%  −", "    -  x"]
