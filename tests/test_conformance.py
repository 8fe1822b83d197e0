"""The conformance vectors hold for this reader, and for the one written from docs/format.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from container_reference import PageReader, Refused

from nncodec.errors import FormatError
from nncodec.format.container import Container

GOLDEN = Path(__file__).parent / "golden"
VECTORS = json.loads((GOLDEN / "conformance.json").read_text())
LOSSLESS = 3


def refusal(data: bytes) -> str | None:
    try:
        PageReader(data).read()
    except Refused as reason:
        return str(reason)
    return None


@pytest.mark.parametrize("name", VECTORS["valid"])
def test_a_reader_written_from_the_page_finds_the_same_fields(name: str) -> None:
    expected: dict[str, Any] = VECTORS["valid"][name]
    if expected["coder"] == LOSSLESS:
        pytest.skip("this second reader reads no exact pictures")
    found = PageReader((GOLDEN / "v1" / f"{name}.nnc").read_bytes()).read()
    assert found.items() <= expected.items()


def test_invalid_files_are_refused_for_the_same_reason_by_both_readers() -> None:
    assert len(VECTORS["invalid"]) >= 200
    differing = []
    for entry in VECTORS["invalid"]:
        data = bytes.fromhex(entry["file"])
        with pytest.raises(FormatError) as caught:
            Container(data).check()
        if type(caught.value).__name__ != entry["exception"] or refusal(data) != entry["exception"]:
            differing.append((entry["file"], entry["exception"], type(caught.value).__name__, refusal(data)))
    assert not differing


def test_every_golden_file_has_a_vector() -> None:
    assert VECTORS["valid"].keys() == {path.stem for path in (GOLDEN / "v1").glob("*.nnc")}
