"""The conformance vectors hold for this reader, and for the one written from docs/format.md."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from container_reference import PageReader, Refused, exact_pictures
from exact_reference import decode_block

from nncodec.errors import FormatError
from nncodec.format.container import Container
from nncodec.plugin.registry import open_lossless
from nncodec_lossless.codec import LosslessCodec

GOLDEN = Path(__file__).parent / "golden"
VECTORS = json.loads((GOLDEN / "conformance.json").read_text())
LOSSLESS = 3
# First bytes of the blocks, where they are not that of natural pictures alone.
CODERS = {
    **{name: {0} for name in ("exact-plain-planes", "exact-one-pixel")},
    **{name: {2} for name in ("exact-bilevel", "exact-blocks", "exact-colours", "exact-palette")},
    **{name: {3} for name in ("exact-filtered", "exact-grey-alpha")},
    "exact-near-alpha": {1, 3},
    "exact-insets": {4},
    **{name: {5} for name in ("exact-colour-map", "exact-gaps")},
    "exact-enlarged": {6},
    **{name: {7} for name in ("exact-animation", "exact-tiles")},
}


def refusal(data: bytes) -> str | None:
    try:
        PageReader(data).read()
    except Refused as reason:
        return str(reason)
    return None


@pytest.mark.parametrize("name", VECTORS["valid"])
def test_a_reader_written_from_the_page_finds_the_same_fields(name: str) -> None:
    found = PageReader((GOLDEN / "v1" / f"{name}.nnc").read_bytes()).read()
    assert found.items() <= VECTORS["valid"][name].items()


@pytest.mark.parametrize("name", [name for name, entry in VECTORS["valid"].items() if entry["coder"] == LOSSLESS])
def test_a_reader_written_from_the_page_finds_the_same_samples(name: str) -> None:
    model = open_lossless("lossless")
    assert isinstance(model, LosslessCodec)
    expected = VECTORS["valid"][name]
    coders = set()

    def decode(payload: bytes, shape: tuple[int, ...], bits: int) -> Any:
        coders.add(payload[0])
        return decode_block(payload, shape, bits, model.networks)

    frames = exact_pictures((GOLDEN / "v1" / f"{name}.nnc").read_bytes(), decode)
    kind = "<u1" if expected["samples"]["bits"] <= 8 else "<u2"
    assert [hashlib.sha256(frame.astype(kind).tobytes()).hexdigest() for frame in frames] == expected["samples_sha256"]
    # Each block coder has its files.
    assert coders == CODERS.get(name, {1})


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
