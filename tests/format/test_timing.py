"""The chunks for resolution and animation, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncodec.format.animation import Animation
from nncodec.format.resolution import pack_resolution, unpack_resolution


def test_a_resolution_is_these_bytes() -> None:
    # 300 and 72 dots per inch in thousandths: 300,000 and 72,000 as LEB128.
    assert pack_resolution((300, 72)) == bytes.fromhex("e0a712 c0b204")
    assert unpack_resolution(bytes.fromhex("e0a712 c0b204")) == (300, 72)


def test_whole_dots_per_metre_survive() -> None:
    for per_metre in (1, 2835, 3937, 11811, 23622, 1_000_003):
        chunk = pack_resolution((per_metre * 0.0254,) * 2)
        assert chunk is not None
        (dpi, _) = unpack_resolution(chunk) or (0, 0)
        assert round(dpi / 0.0254) == per_metre


@pytest.mark.parametrize("dpi", [(0, 72), (-1, 72), (1e30, 72), (float("nan"), 72), (0.0001, 1)])
def test_a_resolution_that_has_no_bytes(dpi: tuple[float, float]) -> None:
    assert pack_resolution(dpi) is None


@pytest.mark.parametrize("chunk", ["", "01", "01 01 01", "00 01", "81 00 01", "ff", "ff ff ff ff ff ff 01 01"])
def test_a_malformed_resolution_is_ignored(chunk: str) -> None:
    assert unpack_resolution(bytes.fromhex(chunk)) is None


@pytest.mark.parametrize(
    ("animation", "chunk"),
    [
        (Animation((100, 100, 100), 0), "01 00 64"),
        (Animation((100, 100, 100)), "00 64"),
        (Animation((40, 1000, 0), 3), "01 03 28 e807 00"),
        (Animation((0, 50, 50), None, first_is_still=True), "02 00 32 32"),
        (Animation((1, 2, 3), 300, first_is_still=True), "03 ac02 01 02 03"),
    ],
)
def test_an_animation_is_these_bytes(animation: Animation, chunk: str) -> None:
    assert animation.to_bytes() == bytes.fromhex(chunk)
    assert Animation.of_bytes(bytes.fromhex(chunk), 3) == animation


@pytest.mark.parametrize("chunk", ["", "00", "01 00", "04 64", "00 01 02", "01 00 01 02", "00 81 00", "01"])
def test_a_malformed_animation_is_ignored(chunk: str) -> None:
    assert Animation.of_bytes(bytes.fromhex(chunk), 3) is None


def test_the_bytes_in_the_documentation_are_these() -> None:
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    assert "`E0 A7 12 C0 B2 04` are\n300 and 72 dots per inch" in text
    assert pack_resolution((300, 72)) == bytes.fromhex("E0 A7 12 C0 B2 04")
    assert "`01 03 28 E8 07 00` shows three frames\nfor 40, 1000 and 0 milliseconds, with a loop count of 3" in text
    assert Animation.of_bytes(bytes.fromhex("01 03 28 E8 07 00"), 3) == Animation((40, 1000, 0), 3)
