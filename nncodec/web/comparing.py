"""What the page shows of a comparison: tables and plots of `nncodec.compare`, and its report."""

from __future__ import annotations

import io
import shlex
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nncodec.api import DEFAULT_MODEL, DEFAULT_QUALITY
from nncodec.compare import MATCHED, PEERS, Comparison, Matching, compare, tables
from nncodec.compare.report import check_report, write_report
from nncodec.compare.report.points import Point, matching_points
from nncodec.compare.report.samples import choose_samples
from nncodec.compare.tables import Table
from nncodec.errors import InvalidOption
from nncodec.web.compressing import chosen_files, text_of, whole_of
from nncodec.web.files import Files
from nncodec.web.jobs import Report

_OTHERS = ("jpeg", "webp", "avif", "jxl")


def other_codecs() -> dict[str, str]:
    """Return the installed codecs that the page compares with, and their labels."""
    return {name: PEERS[name].label for name in _OTHERS if PEERS[name].installed}


def compare_pictures(files: Files, asked: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Compare a model with other codecs at equal bytes, PSNR or SSIM, picture by picture."""
    study = _Study(files, asked)
    qualities = {name: [PEERS[name].ladder[len(PEERS[name].ladder) // 2]] for name in study.others}
    comparison = study.compare(qualities | {study.model: [study.quality]}, asked.get("timings") is True, report)
    labels = {codec.name: codec.label for codec in comparison.codecs}
    shown = []
    plots = []
    for point in matching_points(comparison):
        shown.append(_rows(tables.matched_means(comparison, point.match, point.name), labels))
        shown.append(_rows(tables.matched_pictures(comparison, point.match, point.name), labels))
        plots += _plots(files, study.source, comparison, point)
    shown.append(_rows(tables.times(comparison), labels))
    shown.append(_rows(tables.skipped(comparison), labels))
    return {"tables": [table for table in shown if table["rows"]], "plots": plots}


def make_report(files: Files, asked: Mapping[str, Any], report: Report) -> dict[str, str]:
    """Make the report of `nncodec compare` at each codec's usual qualities; return the ids of page and archive."""
    study = _Study(files, asked)
    with tempfile.TemporaryDirectory(prefix="nncodec-ui-") as temporary:
        folder = Path(temporary, "report")
        check_report(folder)
        comparison = study.compare(None, False, report)
        samples = choose_samples(comparison, study.pictures, on_progress=report)
        page = write_report(comparison, folder, samples=samples, on_progress=report)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(folder.rglob("*")):
                packed.write(path, path.relative_to(folder.parent))
        return {
            "page": files.add("report.html", page.read_bytes(), study.source).id,
            "archive": files.add("report.zip", archive.getvalue(), study.source).id,
        }


class _Study:
    """The comparison that the page asks for; raises InvalidOption for what it cannot be."""

    def __init__(self, files: Files, asked: Mapping[str, Any]) -> None:
        self.model = text_of(asked, "model", DEFAULT_MODEL)
        self.quality = whole_of(asked, "quality", DEFAULT_QUALITY, 0, 100) or 0
        self.by = text_of(asked, "by", "bytes")
        if self.by not in MATCHED:
            raise InvalidOption(option="by", reason=f"codecs are matched by {', '.join(MATCHED)}")
        self.others = [name for name in other_codecs() if name in (asked.get("codecs") or _OTHERS)]
        self.pictures: dict[str, Path] = {}
        chosen = chosen_files(files, asked)
        self.source = chosen[0].id  # what is made goes when this picture is removed
        for number, file in enumerate(chosen, 1):
            name = f"{file.name} ({number})" if file.name in self.pictures else file.name
            self.pictures[name] = file.path

    def compare(self, qualities: Mapping[str, Any] | None, timings: bool, report: Report) -> Comparison:
        codecs = [self.model, *self.others]
        command = ["nncodec", "compare", *self.pictures, "--codecs", ",".join(codecs), "--match", self.by]
        command += ["--reference", self.model, "--at", str(self.quality)]
        return compare(
            self.pictures,
            codecs,
            qualities=qualities,
            match=[Matching(self.by, self.model, self.quality)],
            timings=timings,
            command=shlex.join(command),
            on_progress=report,
        )


def _plots(files: Files, source: str, comparison: Comparison, point: Point) -> list[dict[str, str]]:
    # Drawing needs matplotlib, which takes a second to import.
    from nncodec.compare.report.plots import picture_plots
    from nncodec.compare.report.style import DARK, LIGHT

    return [
        {
            "title": plot.title,
            "light": files.add(f"{plot.name}.png", plot.png(LIGHT), source).id,
            "dark": files.add(f"{plot.name}-dark.png", plot.png(DARK), source).id,
        }
        for plot in picture_plots(comparison, point.match, point.name, point.title)
    ]


def _rows(table: Table, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a table as the page shows it: heads and cells as text, and which columns are numbers."""
    one = table.for_people()
    rows = [
        [labels.get(cell, cell) if column.codec else cell for column, cell in zip(one.columns, row, strict=True)]
        for row in one.shown()
    ]
    heads = [column.head for column in one.columns]
    return {"title": one.title, "heads": heads, "right": [column.right for column in one.columns], "rows": rows}
