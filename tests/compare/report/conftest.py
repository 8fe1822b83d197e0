"""The report of the small comparison, and what its tests need."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from nncodec.compare.report import write_report
from nncodec.compare.report.plots import Plot
from nncodec.compare.report.samples import Sample, choose_samples
from nncodec.compare.results import Comparison


@pytest.fixture(scope="session")
def samples(comparison: Comparison, images: dict[str, Image.Image]) -> list[Sample]:
    """All pictures, the worst three first."""
    return choose_samples(comparison, images, each=3)


@pytest.fixture(scope="session")
def report(comparison: Comparison, samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole report."""
    folder = tmp_path_factory.mktemp("reports") / "report"
    write_report(comparison, folder, samples=samples)
    return folder


@pytest.fixture
def blank_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave plots empty, where a test is about something else: drawing takes most of a report's time."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    monkeypatch.setattr(Plot, "png", lambda plot, theme: buffer.getvalue())
