"""A path that the system refuses to look at is one failed file: the others are done."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest

from nncodec.cli.files import Job

TINY = ("-m", "tiny/rgb")
TOO_LONG = "x" * 300
CLOSED = "closed"


@pytest.fixture(params=["too long", "in a closed folder"])
def bad(request, photo_nnc, photo_png, monkeypatch):
    """A name without suffix that cannot be looked at, and what the system says to it.

    Root may look into any folder, so that the functions of the system refuse here.
    """
    shutil.copy(photo_nnc, "good.nnc")
    shutil.copy(photo_png, "good.png")
    if request.param == "too long":
        return TOO_LONG, os.strerror(errno.ENAMETOOLONG)
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def refusing(function):
        def called(path, *arguments, **options):
            if not isinstance(path, int) and CLOSED in os.fspath(path):
                raise refused
            return function(path, *arguments, **options)

        return called

    Path(CLOSED).mkdir()
    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    monkeypatch.setattr("io.open", refusing(open))
    return f"{CLOSED}/file", os.strerror(errno.EACCES)


@pytest.mark.parametrize(
    ("arguments", "suffix", "done"),
    [
        (("encode", *TINY, "-o", "out"), ".png", "out/good.nnc"),
        (("decode", "-o", "out"), ".nnc", "out/good.png"),
        (("enhance", "-m", "tiny/keep"), ".png", "good-enhanced.png"),
        (("check",), ".nnc", None),
        (("info",), ".nnc", None),
    ],
)
def test_an_input_that_cannot_be_looked_at_fails_alone(run, bad, arguments, suffix, done):
    name, reason = bad
    command, *rest = arguments
    result = run(command, f"{name}{suffix}", f"good{suffix}", f"good{suffix}", *rest)
    assert result.exit_code == 1
    assert f"nncodec: {Path(name + suffix)}: {reason}" in result.stderr
    assert f"good{suffix}" in result.stdout if done is None else Path(done).is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="names as on POSIX")
@pytest.mark.parametrize("options", [(), ("-f",), ("--update",), ("--skip-existing",)])
def test_an_output_whose_name_is_too_long_fails_alone(run, photo_png, options):
    long = f"{'é' * 120}.png"  # 244 bytes, and 253 with -enhanced
    for name in (long, "b.png", "c.png"):
        shutil.copy(photo_png, name)
    result = run("enhance", "-m", "tiny/keep", "--scale", 1, "--keep-extension", long, "b.png", "c.png", *options)
    assert result.exit_code == 1
    assert os.strerror(errno.ENAMETOOLONG) in result.stderr
    assert Path("b.png-enhanced.png").is_file()
    assert Path("c.png-enhanced.png").is_file()


def test_an_input_that_is_gone_when_its_result_is_written_stops_nothing(run, photo_png, monkeypatch):
    for name in ("a.png", "b.png"):
        shutil.copy(photo_png, name)
    opened = Job.open

    def opened_and_removed(job):
        stream = opened(job)
        if job.name == "a.png":
            Path("a.png").unlink()
        return stream

    monkeypatch.setattr(Job, "open", opened_and_removed)
    result = run("encode", "a.png", "b.png", *TINY, "-o", "out", "--jobs", 1)
    assert result.exit_code == 0
    assert sorted(os.listdir("out")) == ["a.nnc", "b.nnc"]  # noqa: PTH208


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system that takes no files")
@pytest.mark.parametrize(
    "command",
    [
        "compare photo.png --codecs jpeg --qualities 50 --report /proc/x",
        "compare photo.png --codecs jpeg --qualities 50 -o /proc/x",
        "demo -o /proc/x.png",
        "batch encode in out --report /proc/x",
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(run, photo_png, monkeypatch, command):
    def work(*_, **__):
        pytest.fail("work was begun")

    for name in ("cli.compare.measure", "compare.measure.try_at_equal_bytes", "batch.Batch.run"):
        monkeypatch.setattr(f"nncodec.{name}", work)
    Path("in").mkdir()
    result = run(*command.split())
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"nncodec: {next(word for word in command.split() if word.startswith('/proc'))}: ")
