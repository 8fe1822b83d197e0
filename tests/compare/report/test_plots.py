"""Plots have what a reader needs: a title, units, a legend, and every codec told apart."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from nncodec.compare.curves import CurvePoint
from nncodec.compare.report.plots import MOST_PUBLISHED, Plot, curve_plots, picture_plots
from nncodec.compare.report.points import matching_points
from nncodec.compare.report.style import DARK, LIGHT, strokes
from nncodec.compare.results import Comparison


@pytest.fixture(scope="module")
def plots(comparison: Comparison) -> dict[str, Plot]:
    (point,) = matching_points(comparison)
    found = [*curve_plots(comparison, {}), *picture_plots(comparison, point.match, point.name, point.title)]
    return {plot.name: plot for plot in found}


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_there_is_a_plot_for_each_metric_that_was_measured(plots: dict[str, Plot]) -> None:
    # Without MS-SSIM, since the pictures are too small for it.
    assert list(plots) == [
        "rate_psnr",
        "rate_ssim",
        "rate_ssimulacra2",
        "pictures_nearest_psnr",
        "pictures_nearest_ssim",
        "pictures_nearest_ratio_raw",
    ]


def test_every_plot_has_title_units_and_legend(plots: dict[str, Plot]) -> None:
    units = {"psnr": "PSNR, dB", "ssim": "SSIM (1 is identical)", "ratio_raw": "raw bytes / file bytes"}
    units["ssimulacra2"] = "SSIMULACRA2 (100 is identical)"
    for name, plot in plots.items():
        figure = plot.draw(LIGHT)
        (axes,) = figure.axes
        assert axes.get_title(loc="left") == plot.title
        assert axes.get_ylabel() == next(unit for key, unit in units.items() if name.endswith(f"_{key}"))
        assert axes.get_xlabel() == ("bits per pixel (log scale)" if name.startswith("rate") else "picture number")
        assert legend(figure) == ["photo", "JPEG", "WebP"]
        assert min(text.get_fontsize() for text in figure.legends[0].get_texts()) >= 9


def test_codecs_keep_colour_and_marker_over_all_plots(plots: dict[str, Plot]) -> None:
    looks = set()
    for plot in plots.values():
        lines = plot.draw(LIGHT).axes[0].get_lines()
        looks.add(tuple((to_hex(line.get_color()), line.get_marker()) for line in lines))
    assert looks == {tuple(zip(LIGHT.codecs[:3], ("o", "s", "^"), strict=True))}


def test_lines_hold_the_means_in_order_of_rate(comparison: Comparison, plots: dict[str, Plot]) -> None:
    for line, codec in zip(plots["rate_psnr"].draw(LIGHT).axes[0].get_lines(), comparison.codecs, strict=True):
        points = comparison.mean_curve(codec.name)
        assert list(line.get_xdata()) == sorted(point.bpp for point in points)
        assert list(line.get_ydata()) == [p.psnr_db for p in sorted(points, key=lambda point: point.bpp)]


def test_lines_by_picture_break_where_a_codec_has_no_finite_value(comparison: Comparison) -> None:
    (point,) = matching_points(comparison)
    changed = [
        replace(one, psnr_db=math.inf) if (one.picture, one.codec) == ("grey.png", "jpeg") else one
        for one in point.match.measurements
        if (one.picture, one.codec) != ("cup.png", "webp")
    ]
    plot = next(picture_plots(comparison, replace(point.match, measurements=tuple(changed)), "x", "here"))
    lines = plot.draw(LIGHT).axes[0].get_lines()
    gaps = [
        [n for n, value in zip(line.get_xdata(), line.get_ydata(), strict=True) if math.isnan(value)] for line in lines
    ]
    assert gaps == [[], [4], [5]]


def test_published_curves_are_thin_dashed_few_and_inside_the_window(comparison: Comparison) -> None:
    published = {f"c{n}": [CurvePoint(0.01, 20.0 + n), CurvePoint(90.0, 60.0)] for n in range(MOST_PUBLISHED + 3)}
    plain = next(curve_plots(comparison, {})).draw(LIGHT)
    figure = next(curve_plots(comparison, published)).draw(LIGHT)
    assert legend(figure) == ["photo", "JPEG", "WebP"]
    inside = figure.axes[0].get_legend()
    assert inside is not None
    assert inside.get_title().get_text() == "published"
    assert [text.get_text() for text in inside.get_texts()] == [f"c{n}" for n in range(MOST_PUBLISHED)]
    dashed = figure.axes[0].get_lines()[3:]
    assert len({line.get_color() for line in dashed}) == MOST_PUBLISHED
    assert all(line.is_dashed() and line.get_linewidth() < 1 for line in dashed)
    assert figure.axes[0].get_xlim() == plain.axes[0].get_xlim()
    assert figure.axes[0].get_ylim() == plain.axes[0].get_ylim()


def test_a_published_curve_without_the_metric_is_left_out(comparison: Comparison) -> None:
    plots = {plot.name: plot for plot in curve_plots(comparison, {"paper": [CurvePoint(0.5, 30.0)]})}
    inside = {name: plots[name].draw(LIGHT).axes[0].get_legend() for name in ("rate_psnr", "rate_ssim")}
    assert inside["rate_ssim"] is None
    assert inside["rate_psnr"] is not None
    assert [text.get_text() for text in inside["rate_psnr"].get_texts()] == ["paper"]


def test_long_labels_fold_the_legend_instead_of_leaving_the_figure(comparison: Comparison) -> None:
    codecs = tuple(
        replace(codec, label=f"{codec.label} with a label that takes much room") for codec in comparison.codecs
    )
    figure = next(curve_plots(replace(comparison, codecs=codecs), {})).draw(LIGHT)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    assert box.y0 >= 0
    assert box.y1 <= figure.axes[0].get_window_extent().y0


def test_ms_ssim_is_drawn_in_decibels(comparison: Comparison) -> None:
    some = replace(
        comparison,
        measurements=tuple(
            replace(one, ms_ssim=0.99 if one.codec == "jpeg" else 1.0) for one in comparison.measurements
        ),
    )
    figure = {plot.name: plot for plot in curve_plots(some, {})}["rate_ms_ssim"].draw(LIGHT)
    assert legend(figure) == ["JPEG"]  # of identical pictures there is nothing finite to draw
    assert list(figure.axes[0].get_lines()[0].get_ydata()) == pytest.approx([20.0] * 4)


@pytest.mark.parametrize("label", [r"$\bad{$", "_hidden", "写真"])
def test_labels_are_no_formulas_and_may_be_in_any_script(label: str, comparison: Comparison) -> None:
    codecs = tuple(replace(codec, label=label) for codec in comparison.codecs)
    plot = next(curve_plots(replace(comparison, codecs=codecs), {}))
    assert len(plot.png(LIGHT)) > 10_000
    if label.isascii():  # for other scripts the font lacks letters, which only `png` passes over
        assert legend(plot.draw(LIGHT)) == [label] * 3


def test_no_picture_in_common_gives_no_curve(comparison: Comparison) -> None:
    apart = tuple(one for one in comparison.measurements if (one.picture == "grey.png") == (one.codec == "avif"))
    assert list(curve_plots(replace(comparison, measurements=apart), {})) == []


def test_a_single_point_and_a_single_picture_can_be_drawn(comparison: Comparison) -> None:
    alone = replace(comparison, pictures=comparison.pictures[:1], measurements=comparison.measurements[:1])
    (point,) = matching_points(alone)
    curve, by_picture = next(curve_plots(alone, {})), next(picture_plots(alone, point.match, "x", "here"))
    assert curve.title.endswith("one picture")
    for plot in (curve, by_picture):
        assert plot.png(LIGHT).startswith(b"\x89PNG")


def test_pngs_are_large_enough_and_equal_for_equal_results(plots: dict[str, Plot]) -> None:
    for name, size in (("rate_psnr", (832, 672)), ("pictures_nearest_psnr", (1920, 624))):
        png = plots[name].png(LIGHT)
        assert Image.open(io.BytesIO(png)).size == size
        assert png == plots[name].png(LIGHT)


def test_themes_differ_in_colour_only(plots: dict[str, Plot]) -> None:
    light, dark = (plots["rate_psnr"].draw(theme).axes[0] for theme in (LIGHT, DARK))
    assert to_hex(light.get_facecolor()) == LIGHT.surface
    assert to_hex(dark.get_facecolor()) == DARK.surface
    assert [line.get_xydata().tolist() for line in light.get_lines()] == [
        line.get_xydata().tolist() for line in dark.get_lines()
    ]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_lines_stand_out_from_the_background(theme: object) -> None:
    assert isinstance(theme, type(LIGHT))
    for colour in (*theme.codecs, theme.ink):
        assert contrast(colour, theme.surface) >= (4.5 if colour == theme.ink else 2.4), colour


def test_more_codecs_than_colours_still_look_different() -> None:
    looks = strokes([str(n) for n in range(20)])
    assert len(set(looks.values())) == 20


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        levels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
