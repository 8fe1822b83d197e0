"""Standard streams that are closed, as cron and daemons leave them: commands do their work, and files stay whole."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toys
from click.testing import Result
from PIL import Image

from nncodec.plugin.model_file import ModelFile

Run = Callable[..., Result]

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
    Path("first_file.py").write_text(program)
    assert status(("first_file.py",), closed) >= 3


def test_what_a_plugin_prints_is_no_part_of_a_result(
    run: Run, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = run("encode", photo_png, *TINY, "-o", "-").stdout_bytes
    analysis = toys.BlockMeans.analysis

    def printing(*arguments: Any) -> Any:
        print("a word of the plugin's own")
        return analysis(*arguments)

    monkeypatch.setattr(toys.BlockMeans, "analysis", printing)
    result = run("encode", photo_png, *TINY, "-o", "-")
    assert result.stdout_bytes == quiet
    assert "a word of the plugin's own" in result.stderr
    assert run("encode", "--help").stdout.startswith("Usage")


def test_what_a_model_prints_while_it_opens_is_no_part_of_a_result(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from_file = toys.BlockMeans.from_file

    def printing(model_file: ModelFile) -> toys.BlockMeans:
        print("a word of the plugin's own")
        return from_file(model_file)

    monkeypatch.setattr(toys.BlockMeans, "from_file", printing)
    result = run("plugins", "--check", "--json")
    assert json.loads(result.stdout)
    assert "a word of the plugin's own" in result.stderr
