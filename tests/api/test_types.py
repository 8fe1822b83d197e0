"""What type checkers conclude from the signatures of the Python API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USES = """
from typing import assert_type

import nncodec
from nncodec.format.samples import SampleArray
from PIL import Image


def uses(data: bytes, flag: bool) -> None:
    assert_type(nncodec.decode(data), Image.Image)
    assert_type(nncodec.decode(data, as_array=False), Image.Image)
    assert_type(nncodec.decode(data, as_array=True), SampleArray)
    assert_type(nncodec.decode(data, frame=1, as_array=flag), Image.Image | SampleArray)
"""


@pytest.mark.slow
def test_decode_returns_what_as_array_says(tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(USES, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", str(tmp_path / "uses.py")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
