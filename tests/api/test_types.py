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
import numpy as np
from numpy.typing import NDArray
from nncodec.format.samples import SampleArray
from PIL import Image


def uses(data: bytes, flag: bool) -> None:
    assert_type(nncodec.decode(data), Image.Image)
    assert_type(nncodec.decode(data, as_array=False), Image.Image)
    assert_type(nncodec.decode(data, as_array=True), SampleArray)
    assert_type(nncodec.decode(data, frame=1, as_array=flag), Image.Image | SampleArray)


def takes(data: bytes, deep: NDArray[np.uint16], flags: NDArray[np.bool_], frames: list[NDArray[np.uint8]]) -> None:
    pixels = nncodec.decode(data, as_array=True)
    nncodec.encode(255 - pixels)
    nncodec.encode(pixels[::2])
    nncodec.encode(frames)
    nncodec.encode([deep, deep], lossless=True)
    nncodec.encode(flags, lossless=True)
    nncodec.encode_batch([pixels])
    nncodec.enhance(pixels)
"""


@pytest.mark.slow
def test_calls_that_work_check(tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(USES, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", str(tmp_path / "uses.py")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
