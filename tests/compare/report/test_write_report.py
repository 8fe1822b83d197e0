"""From a comparison to a folder."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import pytest

import nncodec.compare.report as package
from nncodec._support.drawings import is_drawing
from nncodec.compare.report import check_report, write_report
from nncodec.compare.report.samples import Sample
from nncodec.compare.results import Comparison
from nncodec.errors import NncError


def test_the_folder_holds_page_plots_and_tables(report: Path) -> None:
    found = sorted(path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file())
    assert found == [
        "data/bd.csv",
        "data/codecs.csv",
        "data/means.csv",
        "data/measurements.csv",
        "data/pictures.csv",
        "data/pictures_nearest.csv",
        "data/pictures_nearest_means.csv",
        "data/ranking.csv",
        "data/samples.csv",
        "data/skipped.csv",
        "data/times.csv",
        "plots/pictures_nearest_psnr.png",
        "plots/pictures_nearest_ratio_raw.png",
        "plots/pictures_nearest_ssim.png",
        "plots/rate_psnr.png",
        "plots/rate_ssim.png",
        "plots/rate_ssimulacra2.png",
        "report.html",
    ]
    for path in report.glob("plots/*.png"):
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert is_drawing(path)  # the next comparison leaves it out
    assert (report / "report.html").stat().st_size < 4_000_000


def test_every_table_is_csv_with_as_many_cells_in_every_row(report: Path) -> None:
    for path in report.glob("data/*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            head, *rows = csv.reader(stream)
        assert rows, path
        assert {len(row) for row in rows} == {len(head)}
        assert all(head)


@pytest.mark.usefixtures("blank_plots")
def test_the_same_results_give_the_same_files(comparison: Comparison, samples: list[Sample], tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert write_report(comparison, tmp_path / name, samples=samples) == tmp_path / name / "report.html"
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]
    assert len(files) == 18
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_taken_folder_is_refused_before_any_work(comparison: Comparison, tmp_path: Path) -> None:
    def unexpected(done: int, total: int) -> None:
        pytest.fail("work was begun")

    with pytest.raises(NncError, match="already there"):
        write_report(comparison, tmp_path, on_progress=unexpected)
    assert list(tmp_path.iterdir()) == []
    check_report(tmp_path, overwrite=True)


@pytest.mark.usefixtures("blank_plots")
def test_progress_reaches_its_end_and_an_exception_in_it_leaves_nothing(comparison: Comparison, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_report(comparison, tmp_path / "out", on_progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(seen[-1][1] + 1))

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_report(comparison, tmp_path / "stopped", on_progress=stop)
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


@pytest.mark.parametrize("module", ["bjontegaard", "jinja2", "matplotlib"])
def test_a_missing_package_is_named_in_one_line(
    module: str, comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(NncError, match=rf"the report needs {module}.*\[compare\]"):
        write_report(comparison, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_pyplot_and_its_global_state_are_left_alone() -> None:
    sources = list(Path(package.__file__).parent.glob("*.py"))
    assert len(sources) > 5
    assert [
        path.name for path in sources if re.search(r"^\s*(from|import) .*pyplot", path.read_text("utf-8"), re.M)
    ] == []
