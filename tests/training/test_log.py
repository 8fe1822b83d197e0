"""CSV logs that survive interruption."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncodec.training.log import CsvLog


def test_rows_are_appended_under_one_head_and_new_figures_get_a_column(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "below" / "log.csv")
    log.append({"step": 10, "loss": 0.123456789})
    log.append({"step": 20, "loss": 1e-9, "psnr_db": 30.0})
    CsvLog(log.path).append({"step": 30, "loss": 2.0})
    assert log.path.read_text() == "step,loss,psnr_db\n10,0.123457,\n20,1e-09,30\n30,2,\n"
    assert log.rows()[0] == {"step": 10, "loss": 0.123457}


def test_rows_after_a_step_and_rows_cut_off_are_dropped(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "log.csv")
    log.cut(5)
    assert not log.path.exists()
    for step in (5, 10, 15):
        log.append({"step": step, "loss": 1 / step})
    with log.path.open("a") as stream:
        stream.write("2")  # a row that a kill or a full disk cut off
    log.cut(10)
    assert [row["step"] for row in log.rows()] == [5, 10]
    log.append({"step": 15, "loss": 0.5})
    assert log.path.read_text().splitlines()[-2:] == ["10,0.1", "15,0.5"]
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize("content", [b"step,loss\n1," + b"x" * 200_000 + b"\n", b"step\n\xff\xfe\n"])
def test_a_file_that_is_no_log_ends_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "log.csv")
    log.path.write_bytes(content)
    with pytest.raises(ValueError, match=r"log.csv is not the log of a run; delete it"):
        log.cut(3)
    assert log.path.read_bytes() == content
