"""From a comparison to the files of its report, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nncodec.compare import tables
from nncodec.compare.curves import CurvePoint
from nncodec.compare.differences import all_differences, listed, matrices
from nncodec.compare.report.embed import embed
from nncodec.compare.report.folder import PAGE
from nncodec.compare.report.page import Drawing, Parts, PointPart, render
from nncodec.compare.report.plots import MOST_PUBLISHED, Plot, curve_plots, picture_plots
from nncodec.compare.report.points import matching_points
from nncodec.compare.report.ranking import rank_pictures, ranking_table
from nncodec.compare.report.samples import Sample, samples_table
from nncodec.compare.report.style import DARK, LIGHT
from nncodec.compare.results import Comparison


def contents(
    comparison: Comparison,
    samples: Sequence[Sample],
    *,
    reference: str | None = None,
    anchors: Mapping[str, Sequence[CurvePoint]],
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, bytes]:
    """Return the files of a report by name; arguments as for `write_report`."""
    points = matching_points(comparison)
    curves = list(curve_plots(comparison, anchors))
    by_point = [list(picture_plots(comparison, one.match, one.name, one.title)) for one in points]
    steps = len(curves) + sum(len(group) for group in by_point) + 2
    drawn: dict[str, Drawing] = {}

    def advance(done: int) -> None:
        if on_progress:
            on_progress(done, steps)

    def draw(plot: Plot) -> Drawing:
        advance(len(drawn))
        drawn[plot.name] = Drawing(plot.title, plot.wide, plot.png(LIGHT), plot.png(DARK))
        return drawn[plot.name]

    curve_drawings = [draw(plot) for plot in curves]
    point_parts = [
        PointPart(
            point,
            tables.matched_means(comparison, point.match, f"{point.name}_means"),
            [draw(plot) for plot in group],
        )
        for point, group in zip(points, by_point, strict=True)
    ]
    advance(steps - 2)
    embedded = embed([[sample.original, *(one.decoded for one in sample.coded)] for sample in samples])
    advance(steps - 1)
    ranking = rank_pictures(comparison, reference)
    differences = all_differences(comparison, anchors)
    shown = {
        "means": tables.means(comparison),
        "samples": samples_table(comparison, samples),
        "ranking": ranking_table(comparison, ranking),
        "times": tables.times(comparison),
        "skipped": tables.skipped(comparison),
        "pictures": tables.pictures(comparison),
    }
    page = render(
        Parts(
            comparison,
            curve_drawings,
            _curves_note(len(anchors)),
            point_parts,
            samples,
            embedded,
            ranking,
            list(matrices(comparison, differences, published=False)),
            list(matrices(comparison, differences, published=True)),
            shown,
        )
    )
    beside = [
        *shown.values(),
        listed(differences),
        tables.codecs(comparison),
        tables.measurements(comparison),
        *(part.means for part in point_parts),
        *(tables.matched_pictures(comparison, point.match, point.name) for point in points),
    ]
    files = {f"plots/{name}.png": drawing.light_png for name, drawing in drawn.items()}
    files |= {f"data/{table.name}.csv": _text(table.csv()) for table in beside}
    advance(steps)
    return files | {PAGE: _text(page)}


def _curves_note(published: int) -> str:
    if not published:
        return ""
    note = "Dashed: published curves"
    return f"{note}, at most {MOST_PUBLISHED} of {published} in a plot." if published > MOST_PUBLISHED else f"{note}."


def _text(text: str) -> bytes:
    # Names of files may hold bytes that are no text; they must not keep the report from being written.
    return text.encode("utf-8", "replace")
