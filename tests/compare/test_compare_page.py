"""docs/compare.md lists what is there; tests/test_docs.py runs its example."""

from __future__ import annotations

import re
from pathlib import Path

from nncodec.compare import PEERS

PAGE = Path(__file__).parents[2] / "docs" / "compare.md"


def test_the_page_lists_every_peer() -> None:
    listed = re.findall(r"^\| (`.*?) \|", PAGE.read_text(encoding="utf-8"), re.M)
    names = {name for cell in listed for name in re.findall(r"`(.*?)`", cell)}
    assert PEERS.keys() <= names
