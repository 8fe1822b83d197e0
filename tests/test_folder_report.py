"""The report on a folder of pictures: on a small one made here, and on the one that NNCODEC_PICTURES names."""

from __future__ import annotations

import os
from pathlib import Path

import folder_report
import pytest
import skimage.data
from PIL import Image

import nncodec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of several kinds, and files that are none."""
    nncodec.register()
    photo = Image.fromarray(skimage.data.chelsea()).resize((60, 40))
    exif = Image.Exif()
    exif[0x0110] = "A camera"
    photo.save(tmp_path / "photo.jpg", exif=exif, dpi=(72, 72))
    clear = photo.copy()
    clear.putalpha(photo.convert("L"))
    clear.save(tmp_path / "clear.png")
    photo.quantize(16).save(tmp_path / "palette.gif")
    photo.convert("CMYK").save(tmp_path / "four.tif")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.bmp").touch()
    (tmp_path / "notes.txt").write_text("left out")
    Image.new("L", (300, 300)).save(tmp_path / "large.png")
    return tmp_path


def test_the_report_says_what_became_of_each_file(folder: Path) -> None:
    reports = list(folder_report.report_on(folder, max_pixels=80_000))
    by_name = {report.path: {o.way: o for o in report.outcomes} for report in reports}
    assert by_name.keys() == {"clear.png", "empty.bmp", "four.tif", "palette.gif", "photo.jpg", "text.png"}
    assert folder_report.faults(reports) == []
    for outcome in by_name["clear.png"].values():
        assert (outcome.mode, outcome.alpha_exact, outcome.refused) == ("RGBA", True, "")
        assert outcome.worst_error
    assert {"exif"} <= set(by_name["photo.jpg"]["api"].kept)
    assert "mode P" in by_name["palette.gif"]["pillow"].refused
    assert by_name["four.tif"]["api"].notes
    assert all(outcome.refused for name in ("text.png", "empty.bmp") for outcome in by_name[name].values())
    assert "6 files" in folder_report.summary(reports)


def test_a_foreign_exception_is_a_fault(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise KeyError("x")

    monkeypatch.setattr(nncodec, "encode", fail)
    reports = list(folder_report.report_on(folder, max_pixels=80_000))
    assert "KeyError: 'x'" in folder_report.faults(reports)[0]
    assert "FAULT clear.png (RGBA), api: KeyError" in folder_report.summary(reports)


@pytest.mark.slow
def test_no_picture_of_a_folder_causes_a_fault() -> None:
    folder = os.environ.get("NNCODEC_PICTURES")
    if not folder:
        pytest.skip("NNCODEC_PICTURES names no folder")
    nncodec.register()
    reports = list(folder_report.report_on(Path(folder), max_pixels=4_000_000))
    assert reports
    assert folder_report.faults(reports) == []
