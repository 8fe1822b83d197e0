"""docs/compare.md says what is there, and its example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from nncodec.compare import PEERS

PAGE = Path(__file__).parents[2] / "docs" / "compare.md"


def test_the_page_lists_every_peer() -> None:
    listed = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.M)
    names = {name for cell in listed for name in re.findall(r"`(.*?)`", cell)}
    assert PEERS.keys() <= names


def test_the_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
