"""`nncodec batch`: its options, what it prints and its exit status; the work itself is in tests/batch."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from nncodec import batch
from nncodec.batch.work import Worker

QUICK = ("-m", "tiny/rgb", "--never-lossless")


class InProcess:
    restarts = 0

    def __init__(self, assignment, workers, pixels_in_flight):
        self.assignment = assignment

    def run(self, groups):
        worker = Worker(self.assignment)
        for group in groups:
            yield from worker.run(group, lambda pixels: None)


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    monkeypatch.setattr("nncodec.batch.run.LocalEngine", InProcess)


@pytest.fixture
def pictures(photo):
    Path("in/sub").mkdir(parents=True)
    for number in range(3):
        photo.rotate(90 * number).save(f"in/{'sub/' if number else ''}{number}.png")


def test_a_folder_is_encoded_checked_decoded_and_left_alone(run, pictures):
    result = run("batch", "encode", "in", "out", *QUICK, "-q", 30)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("3 files, ")
    assert "3 skipped" in run("batch", "encode", "in", "out", *QUICK, "-q", 30).stderr
    assert run("batch", "check", "in", "out").stderr.startswith("3 files, ")
    assert run("batch", "decode", "out", "back", "--format", "jpg", "-q", 80, "--quiet").output == ""
    assert sorted(path.name for path in Path("back").rglob("*.jpg")) == ["0.jpg", "1.jpg", "2.jpg"]


def test_a_failure_is_a_line_and_the_exit_status_1(run, pictures):
    Path("in/bad.png").write_text("none")
    result = run("batch", "encode", "in", "out", *QUICK)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "nncodec: bad.png: a text file, not a picture"
    assert result.stderr.splitlines()[-1] == "nncodec: 1 of 4 files failed"


def test_a_link_to_itself_fails_alone(run, pictures):
    Path("in/loop.png").symlink_to("loop.png")
    result = run("batch", "encode", "in", "out", *QUICK)
    assert result.exit_code == 1
    assert f"nncodec: loop.png: {os.strerror(errno.ELOOP)}" in result.stderr
    assert result.stderr.endswith("nncodec: 1 of 4 files failed\n")


def test_links_to_folders_are_counted_and_not_followed(run, pictures):
    Path("in/linked").symlink_to("sub")
    Path("in/sub/again").symlink_to("..")
    result = run("batch", "encode", "in", "out", *QUICK, "--report", "report.json")
    assert result.exit_code == 0
    assert result.stderr.startswith("3 files, ")
    assert "2 links to folders not followed" in result.stderr
    assert json.loads(Path("report.json").read_text())["links"] == 2


def test_what_is_not_kept_is_told_once_with_the_number_of_files(run, pictures, photo):
    for number in range(2):
        photo.rotate(5 * number).convert("CMYK").save(f"in/{number}.tif")
    photo.save("in/comment.jpg", comment="hello", quality=100, subsampling=0)
    options = ("--keep-extension", "-j", 1)
    result = run("batch", "encode", "in", "out", *QUICK, *options, "--report", "report.json")
    *notes, summary = result.stderr.splitlines()
    assert notes == ["nncodec: 2 files: mode CMYK is stored as RGB", "nncodec: 1 file: its comment is not kept"]
    assert summary.startswith("6 files, ")
    counted = {"mode CMYK is stored as RGB": 2, "its comment is not kept": 1}
    assert json.loads(Path("report.json").read_text())["notes"] == counted
    assert run("batch", "encode", "in", "quiet", *QUICK, *options, "--quiet").output == ""


def test_reports_are_for_programs(run, pictures):
    result = run("batch", "encode", "in", "out", *QUICK, "--json", "--report", "report.json")
    report = json.loads(result.stdout)
    assert (report["done"], report["failed"], report["operation"]) == (3, 0, "encode")
    assert json.loads(Path("report.json").read_text()) == report


def test_the_report_may_go_to_stdout(run, pictures):
    result = run("batch", "encode", "in", "out", *QUICK, "--report", "-")
    assert (json.loads(result.stdout)["done"], result.stderr) == (3, "")
    assert not Path("-").exists()


def test_a_report_replaces_an_earlier_one_and_nothing_else(run, pictures):
    command = ("batch", "encode", "in", "out", *QUICK, "--dry-run", "--report")
    assert run(*command, "report.json").exit_code == 0
    assert run(*command, "report.json").exit_code == 0
    for name, content in (("notes.txt", b"mine"), ("list.json", b"[1]"), ("deep.json", b"[" * 100_000)):
        Path(name).write_bytes(content)
        result = run(*command, name)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert Path(name).read_bytes() == content
        assert run(*command, name, "-f").exit_code == 0
    before = Path("in/0.png").read_bytes()
    result = run(*command, "in/0.png", "-f")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert Path("in/0.png").read_bytes() == before


def test_a_dry_run_writes_nothing(run, pictures):
    result = run("batch", "encode", "in", "out", *QUICK, "--dry-run", "--sample", 2)
    assert result.exit_code == 0
    assert result.stderr.startswith("3 files due, ")
    assert "by a sample of 2" in result.stderr
    assert not Path("out").exists()


def test_a_model_file_needs_no_installation(run, pictures, model_maker):
    mine = model_maker(Path("mine.safetensors"), "mine", extra=1)
    assert run("batch", "encode", "in", "out", "-m", mine, "--never-lossless").exit_code == 0
    assert run("batch", "decode", "out", "back", "-m", mine).exit_code == 0
    assert len(list(Path("back").rglob("*.png"))) == 3


def test_options_reach_the_batch(run, pictures, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        batch.Batch, "run", lambda self, _: seen.update(vars(self)) or batch.Report("encode", "", "", "")
    )
    options = ("--scheduler", "tcp://host:1", "-j", 3, "--shard", "2/5", "--retry-killed", "-f")
    assert run("batch", "encode", "in", "out", *QUICK, "-e", 3, "--preview", "--strip", *options).exit_code == 0
    run_options, settings = seen["_options"], seen["_operation"].settings
    assert run_options == batch.BatchOptions("local", "tcp://host:1", 3, "2/5", force=True, retry_killed=True)
    assert settings.strip
    chosen = {"lossless": False, "effort": 3, "preview": True}
    assert settings.options == {**chosen, "precision": "auto", "device": "cpu"}


def test_a_format_that_nobody_writes_is_wrong_usage(run, pictures):
    result = run("batch", "decode", "in", "out", "--format", "foo")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "Pillow writes no .foo files" in result.stderr


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("-v", "--quiet"), 2, "exclude each other"),
        (("--shard", "9"), 2, "1/4"),
        (("--shard", "0/2"), 2, "1/4"),
        (("-m", "no/such"), 2, "no/such"),
        (("--lossless", "-q", "3"), 2, "--lossless"),
        (("--engine", "spark"), 2, "spark"),
    ],
)
def test_wrong_options_are_one_line(run, pictures, options, status, said):
    result = run("batch", "encode", "in", "out", *options)
    assert (result.exit_code, result.stderr.count("\n")) == (status, 1)
    assert said in result.stderr
