"""Standard streams that are closed, as cron and daemons leave them: commands do their work, and files stay whole."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

TINY = ("-m", "tiny/rgb")
CLOSED = ("2>&-", "2>&- <&-", "2>&- >&- <&-")


def status(command: tuple[str, ...], closed: str) -> int:
    line = f"exec {shlex.join([sys.executable, *command])} {closed}"
    return subprocess.run(["sh", "-c", line], stdout=subprocess.DEVNULL, check=False).returncode


@pytest.mark.parametrize("closed", CLOSED)
def test_commands_work_without_stderr(photo_png: Path, closed: str) -> None:
    for command in (
        ("encode", str(photo_png), *TINY, "-o", "one.nnc"),
        ("encode", str(photo_png), "missing.png", *TINY, "-o", "out"),
        ("decode", "one.nnc", "-o", "one.png"),
        ("check", "one.nnc"),
        ("info", "one.nnc"),
    ):
        expected = 1 if "missing.png" in command else 0
        assert status(("-m", "nncodec", *command), closed) == expected, command
    assert status(("-m", "nncodec", "encode", str(photo_png), *TINY, "-o", "open.nnc"), "") == 0
    assert Path("one.nnc").read_bytes() == Path("open.nnc").read_bytes()
    Image.open("one.png").load()


def test_a_fault_has_its_status_without_stderr(photo_png: Path) -> None:
    assert status(("-m", "nncodec", "decode", str(photo_png)), "2>&-") == 1
    assert status(("-m", "nncodec", "encode", "--no-such-option"), "2>&-") == 2


@pytest.mark.parametrize("closed", CLOSED)
def test_no_file_takes_the_number_of_a_closed_stream(closed: str) -> None:
    program = """
from nncodec.cli.standard_streams import open_closed_streams
open_closed_streams()
raise SystemExit(open(__file__, "rb").fileno() if __import__("sys").stderr.writable() else 1)
"""
    Path("numbers.py").write_text(program)
    assert status(("numbers.py",), closed) >= 3
