"""The plots of a report, drawn without pyplot, so they need no screen and leave no global state."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from nncodec._support.filtered_warnings import filtered_warnings
from nncodec.compare.curves import CurvePoint
from nncodec.compare.report.style import LIGHT, Stroke, Theme, strokes
from nncodec.compare.results import Comparison, Match, MeanPoint, Measurement

MOST_PUBLISHED = len(LIGHT.published)
"""Most published curves in a plot; nobody can tell more apart."""

_DPI = 160
# Small figures, so that their text stays readable on a page as narrow as a telephone.
_CURVE_INCHES, _WIDE_INCHES = (5.2, 4.2), (12.0, 3.9)
_MOST_MARKED = 60


@dataclass(frozen=True)
class Plot:
    """A plot that can be drawn in any theme.

    Args:
        name: of its file, without the extension.
        wide: whether it takes the whole width of the page.
        draw: makes the figure.
    """

    name: str
    title: str
    wide: bool
    draw: Callable[[Theme], Figure]

    def png(self, theme: Theme) -> bytes:
        """Return the plot as PNG."""
        buffer = io.BytesIO()
        # The font may lack the letters of a name and draw boxes; the page shows the name in full.
        with filtered_warnings("ignore", "Glyph .* missing from font"):
            # Without the program's name, so that the same results give the same bytes.
            self.draw(theme).savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()


@dataclass(frozen=True)
class _Measure:
    """How to plot a field of the results."""

    field: str
    title: str
    axis: str
    scaled: Callable[[float], float] = float


def _decibels(ms_ssim: float) -> float:
    return -10 * math.log10(1 - ms_ssim) if ms_ssim < 1 else math.inf


_CURVES = (
    _Measure("psnr_db", "PSNR", "PSNR, dB"),
    _Measure("ssim", "SSIM", "SSIM (1 is identical)"),
    _Measure("ms_ssim", "MS-SSIM", "MS-SSIM, dB: −10 log10(1 − MS-SSIM)", _decibels),
    _Measure("ssimulacra2", "SSIMULACRA2", "SSIMULACRA2 (100 is identical)"),
    _Measure("colorvideovdp", "ColorVideoVDP", "ColorVideoVDP, JOD (10 is no visible difference)"),
)
_BY_PICTURE = (
    _Measure("psnr_db", "PSNR", "PSNR, dB"),
    _Measure("ssim", "SSIM", "SSIM (1 is identical)"),
    _Measure("ratio_raw", "Compression ratio", "raw bytes / file bytes"),
)


def curve_plots(comparison: Comparison, published: Mapping[str, Sequence[CurvePoint]]) -> Iterator[Plot]:
    """Yield the means of each metric over the rate, one plot for each metric that was measured.

    Args:
        published: drawn dashed; the first `MOST_PUBLISHED` that have the metric.
    """
    means = {codec.name: comparison.mean_curve(codec.name) for codec in comparison.codecs}
    count = len(comparison.shared_pictures())
    over = f"mean of {count} pictures" if count > 1 else "one picture"
    for measure in _CURVES:
        if any(_known(points, measure) for points in means.values()):
            title = f"{measure.title} over rate, {over}"
            draw = functools.partial(_draw_curves, comparison, means, published, measure, title)
            yield Plot(f"rate_{measure.field.removesuffix('_db')}", title, False, draw)


def picture_plots(comparison: Comparison, match: Match, name: str, point: str) -> Iterator[Plot]:
    """Yield PSNR, SSIM and compression ratio by picture number, all codecs in each plot.

    Args:
        name: start of the file names.
        point: the matching point in words, for the titles.
    """
    for measure in _BY_PICTURE:
        title = f"{measure.title} by picture, {point}"
        draw = functools.partial(_draw_pictures, comparison, match, measure, title)
        yield Plot(f"{name}_{measure.field.removesuffix('_db')}", title, True, draw)


def _draw_curves(
    comparison: Comparison,
    means: Mapping[str, Sequence[MeanPoint]],
    published: Mapping[str, Sequence[CurvePoint]],
    measure: _Measure,
    title: str,
    theme: Theme,
) -> Figure:
    figure, axes = _frame(_CURVE_INCHES, title, theme)
    axes.set_xscale("log")
    axes.set_xlabel("bits per pixel (log scale)", color=theme.ink)
    axes.set_ylabel(measure.axis, color=theme.ink)
    lines: list[Line2D] = []
    labels: list[str] = []
    for codec, stroke in zip(comparison.codecs, strokes([c.name for c in comparison.codecs]).values(), strict=True):
        if points := _known(means[codec.name], measure):
            lines += axes.plot(*zip(*points, strict=True), **_codec_look(stroke, theme))
            labels.append(codec.label)
    # Only the measured curves set the axes: published ones may reach far beyond them.
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    drawn = [(key, points) for key, curve in published.items() if (points := _known(curve, measure))]
    dashed: list[Line2D] = []
    for (_, points), colour in zip(drawn, theme.published, strict=False):
        dashed += axes.plot(
            *zip(*points, strict=True), color=colour, linewidth=0.9, linestyle=(0, (5, 2.5)), zorder=1.5
        )
    axes.set_xlim(low, high)
    axes.set_ylim(bottom, top)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if high < 50 * low else (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    _legend(figure, lines, labels, theme)
    if dashed:
        _published_legend(axes, dashed, [key for key, _ in drawn[: len(dashed)]], theme)
    return figure


def _draw_pictures(comparison: Comparison, match: Match, measure: _Measure, title: str, theme: Theme) -> Figure:
    figure, axes = _frame(_WIDE_INCHES, title, theme)
    axes.set_xlabel("picture number", color=theme.ink)
    axes.set_ylabel(measure.axis, color=theme.ink)
    count = len(comparison.pictures)
    numbers = range(1, count + 1)
    lines: list[Line2D] = []
    labels: list[str] = []
    for codec, stroke in zip(comparison.codecs, strokes([c.name for c in comparison.codecs]).values(), strict=True):
        by_picture = {
            point.picture: _value(point, measure) for point in match.measurements if point.codec == codec.name
        }
        if not by_picture:
            continue
        # A missing picture breaks the line.
        values = [_finite(by_picture.get(picture.name)) for picture in comparison.pictures]
        look = _codec_look(stroke, theme) | ({"marker": ""} if count > _MOST_MARKED else {})
        lines += axes.plot(numbers, values, **look)
        labels.append(codec.label)
    axes.set_xlim(0.5, count + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=24, integer=True, min_n_ticks=1))
    _legend(figure, lines, labels, theme)
    return figure


def _known(points: Sequence[MeanPoint] | Sequence[CurvePoint], measure: _Measure) -> list[tuple[float, float]]:
    """Return rate and value of the points with a finite value, by rising rate."""
    values = [(point.bpp, _finite(_value(point, measure))) for point in points]
    return sorted((bpp, value) for bpp, value in values if not math.isnan(value) and bpp > 0)


def _value(point: Measurement | MeanPoint | CurvePoint, measure: _Measure) -> float | None:
    value = getattr(point, measure.field, None)
    return None if value is None else measure.scaled(value)


def _finite(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else math.nan


def _codec_look(stroke: Stroke, theme: Theme) -> dict[str, Any]:
    return {
        "color": theme.codecs[stroke.colour],
        "marker": stroke.marker,
        "linestyle": stroke.line,
        "linewidth": 1.6,
        "markersize": 5.5,
        "markeredgecolor": theme.surface,
        "markeredgewidth": 0.6,
    }


def _frame(inches: tuple[float, float], title: str, theme: Theme) -> tuple[Figure, Axes]:
    """Return a figure with one set of axes in the theme's colours."""
    figure = Figure(figsize=inches, dpi=_DPI, layout="constrained", facecolor=theme.surface)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=theme.surface)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=theme.ink, parse_math=False)
    axes.grid(color=theme.faint, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=theme.ink, labelsize=9.5)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.ink)
    return figure, axes


def _legend(figure: Figure, lines: Sequence[Line2D], labels: Sequence[str], theme: Theme) -> None:
    """Put the legend below the axes, where it hides no points, in as few rows as fit."""
    for rows in range(1, len(labels) + 1):
        columns = math.ceil(len(labels) / rows)
        legend = figure.legend(
            lines,
            labels,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=9.5,
            labelcolor=theme.ink,
            handlelength=2.2,
            columnspacing=1.5,
        )
        _as_written(legend)
        if columns == 1 or legend.get_window_extent().width < 0.98 * figure.bbox.width:
            break
        legend.remove()


def _published_legend(axes: Axes, lines: Sequence[Line2D], labels: Sequence[str], theme: Theme) -> None:
    legend = axes.legend(
        lines,
        labels,
        title="published",
        title_fontsize=8.5,
        fontsize=8.5,
        labelspacing=0.25,
        labelcolor=theme.ink,
        facecolor=theme.surface,
        edgecolor=theme.faint,
    )
    legend.get_title().set_color(theme.ink)
    _as_written(legend)


def _as_written(legend: Legend) -> None:
    for text in legend.get_texts():
        text.set_parse_math(False)  # a dollar sign in a name is a dollar sign
