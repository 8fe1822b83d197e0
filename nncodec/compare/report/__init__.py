"""The report of a comparison: a page, its plots as PNG, and its tables as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nncodec._support import extras
from nncodec.compare.report.folder import PAGE, check_folder, write_folder

if TYPE_CHECKING:
    from nncodec.compare.curves import CurvePoint
    from nncodec.compare.report.samples import Sample
    from nncodec.compare.results import Comparison

__all__ = ["check_report", "write_report"]


def check_report(folder: Path, *, overwrite: bool = False) -> None:
    """Check cheaply that `write_report` can write; call it before a long comparison.

    Raises:
        NncError: the folder exists, or a package of the extra `compare` is not installed.
        OSError: the folder cannot be written.
    """
    check_folder(folder, overwrite=overwrite)
    for module in ("bjontegaard", "jinja2", "matplotlib"):
        extras.check(module, "compare", "the report")


def write_report(
    comparison: Comparison,
    folder: Path,
    *,
    samples: Sequence[Sample] = (),
    reference: str | None = None,
    anchors: Mapping[str, Sequence[CurvePoint]] | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the report of a comparison: `report.html`, `plots/*.png` and `data/*.csv`, all or nothing.

    The page needs neither network nor other files. The same results give the same files.

    Args:
        folder: a new folder.
        samples: pictures for the slider, see `samples.choose_samples`.
        reference: the codec that pictures are ranked against, as given to `choose_samples`.
        anchors: published curves by name, to compare with.
        overwrite: write into an existing folder; only files of an earlier report are replaced.
        on_progress: called with steps done and steps in total. If it raises, the work stops and nothing is written.

    Returns:
        The page.

    Raises:
        NncError: see `check_report`.
        OSError: the folder cannot be written.
    """
    check_report(folder, overwrite=overwrite)
    # Imported here, so that the command line starts without them.
    from nncodec.compare.report.contents import contents

    files = contents(comparison, samples, reference=reference, anchors=anchors or {}, on_progress=on_progress)
    write_folder(folder, files, overwrite=overwrite)
    return folder / PAGE
