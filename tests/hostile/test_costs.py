"""What a hostile file costs is bounded before it is paid: memory of blocks, work of models, resampling, chunks."""

from __future__ import annotations

import dataclasses
import json
import re
import time
import tracemalloc
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from forged import CHUNKS, header
from PIL import Image

import nncodec
import nncodec_pillow
from nncodec.coding.grid import Grid
from nncodec.format.container import Container, write
from nncodec.format.entropy.base import Alphabet
from nncodec.format.entropy.layout import CLASSES, SortedReader
from nncodec.format.header import CHUNK_LIMITS, ChunkType, CoderId, Header, varint
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.plugin import registry
from nncodec.plugin.entropy import Tables

ROOT = Path(__file__).parents[2]


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the most memory that Python and NumPy held at once; work may raise a FormatError."""
    tracemalloc.start()
    try:
        work()
    except nncodec.FormatError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def photo_header(**changes: Any) -> Header:
    """Return the header of a file of the default photo model, with the default coder."""
    digest = registry.catalog().find("photo").id_bytes[:4]
    return header(coder=CoderId.RANS, model_id=digest, **changes)


# --- blocks -------------------------------------------------------------------------------------------------------


def all_escapes(count: int, width: int = 5) -> bytes:
    """Return a block whose symbols are all escapes, each a varint of so many bytes."""
    level = CLASSES - 1
    counts = bytes((0, CLASSES)) + bytes(level) + varint(count)
    return counts + b"\xff" * count + (b"\x81" * (width - 1) + b"\x01") * count


@pytest.mark.parametrize(
    "data", [bytes(194 + 6 * 300_000), all_escapes(100_000), all_escapes(1)[:-5] + b"\x81" * 500_000]
)
def test_a_block_takes_a_few_times_its_content_whatever_the_escapes(data: bytes) -> None:
    flat = Tables(np.full((1, 1 << 15), 1, np.uint32), 0, 15)
    alphabet = Alphabet(flat, 0, 0, 300_000)
    assert peak_bytes(lambda: SortedReader(data, alphabet)) < 4 * len(data) + 16_000_000


def test_escapes_are_the_same_in_one_part_and_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from nncodec.format.entropy import layout

    raw = np.frombuffer(b"".join(varint(n) for n in (0, 1, 127, 128, 300, 2**31, 2**32 - 2)) * 9, np.uint8)
    whole = layout._read_escapes(raw, 63)
    monkeypatch.setattr(layout, "_ESCAPE_BYTES_AT_ONCE", 7)
    np.testing.assert_array_equal(layout._read_escapes(raw, 63), whole)
    assert whole[:4].tolist() == [0, -1, -64, 64]
    for cut in (raw[:-1], raw[1:4]):
        with pytest.raises(nncodec.Corrupt, match="escape"):
            layout._read_escapes(cut, 63)


# --- work ---------------------------------------------------------------------------------------------------------


def test_many_tiny_frames_are_refused_for_what_they_cost_padded() -> None:
    data = write(photo_header(width=1, height=1, frames=8192, frames_per_block=8192), {}, [b"x"])
    assert len(data) < 95
    with pytest.raises(nncodec.LimitExceeded, match="computed pixels"):
        nncodec.decode(data, limits=Limits(pixels=10_000))
    with pytest.raises(nncodec.LimitExceeded, match="computed pixels"):
        list(nncodec.decode_frames(data, limits=Limits(pixels=10_000)))


def test_frames_that_padding_makes_many_times_larger_are_refused_by_default() -> None:
    per_block = DEFAULT_LIMITS.block_pixels // (32 * 192)
    frames = 1 << 20
    count = -(-frames // per_block)
    fields = photo_header(width=1, height=170, frames=frames, frames_per_block=per_block)
    with pytest.raises(nncodec.LimitExceeded, match="computed pixels"):
        nncodec.decode(write(fields, {}, [b"x"] * count))


def test_small_blocks_are_refused_for_their_halos() -> None:
    fields = photo_header(width=6400, height=6400, block_edge_log2=6)
    data = write(fields, {}, [b"x"] * 10_000)
    nncodec.inspect(data, limits=Limits(pixels=6400 * 6400))
    with pytest.raises(nncodec.LimitExceeded, match="computed pixels"):
        nncodec.decode(data, limits=Limits(pixels=6400 * 6400))


def test_pillow_refuses_a_group_of_frames_that_padding_makes_large(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    data = write(photo_header(width=1, height=1, frames=4000, frames_per_block=4000), {}, [b"x"])
    nncodec_pillow.register_nnc_opener(limits=Limits(pixels=10_000))
    try:
        with Image.open(io.BytesIO(data)) as image, pytest.raises(nncodec.LimitExceeded, match="computed pixels"):
            image.load()
    finally:
        nncodec_pillow.register_nnc_opener(limits=None)


@pytest.mark.parametrize(
    ("size", "edge_log2", "halo"),
    [((100, 80), 0, 16), ((3000, 700), 0, 16), ((600, 333), 6, 16), ((600, 333), 6, 64), ((2100, 1030), 10, 64)],
)
def test_computed_pixels_are_those_of_all_windows(size: tuple[int, int], edge_log2: int, halo: int) -> None:
    width, height = size
    grid = Grid(header(width=width, height=height, block_edge_log2=edge_log2), 16, halo)
    parts = [grid.completed(cell).within(grid.padded) for cell in grid.cells()]
    windows = [grid.window(tile) for part in parts if part.pixels for tile in grid.tiles(part)]
    assert grid.computed_pixels == sum(window.pixels for window in windows)


def test_the_largest_picture_of_this_encoder_is_within_the_limits_with_its_halos() -> None:
    edge = int(DEFAULT_LIMITS.pixels**0.5)
    grid = Grid(header(width=edge, height=edge, block_edge_log2=10), 32, 64)
    assert grid.computed_pixels <= DEFAULT_LIMITS.computed_pixels


# --- resampling ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("coded", "display"), [((1, 15_000), (15_000, 1)), ((15_000, 1), (1, 15_000))])
def test_the_intermediate_picture_of_resampling_counts(coded: tuple[int, int], display: tuple[int, int]) -> None:
    fields = header(width=coded[0], height=coded[1], display_size=display)
    with pytest.raises(nncodec.LimitExceeded, match="225000000 pixels"):
        Container(write(fields, {}, [b"x"]))


def test_coded_and_display_picture_count_together() -> None:
    fields = header(width=9000, height=9000, display_size=(10_000, 10_000))
    with pytest.raises(nncodec.LimitExceeded, match="181000000 pixels"):
        Container(write(fields, {}, [b"x"]))


def test_alpha_of_an_enlarged_picture_counts_as_a_quarter() -> None:
    fields = header(width=9, height=9, display_size=(13_000, 13_000))
    Container(write(fields, {}, [b"x"]))
    with pytest.raises(nncodec.LimitExceeded, match="211250081 pixels"):
        Container(write(fields, {ChunkType.ALPHA: b"x"}, [b"x"]))


def test_the_range_of_pillow_is_stated_where_people_look() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert "pillow>=12,<14" in config["options"]["install_requires"].split("\n")
    assert 12 <= int(PIL.__version__.split(".")[0]) < 14
    for page in ("README.md", "docs/pillow.md"):
        assert "Pillow 12 or 13" in (ROOT / page).read_text(encoding="utf-8")


def test_security_states_the_limits_and_names_tests_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for number in {*dataclasses.astuple(DEFAULT_LIMITS), DEFAULT_LIMITS.computed_pixels} - {
        DEFAULT_LIMITS.preview_pixels
    }:
        assert f"{number:,}" in text
    named = set(re.findall(r"`(tests/[^`]+\.py)", text))
    assert len(named) > 8
    assert all((ROOT / path).is_file() for path in named)


# --- chunks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CHUNK_LIMITS)
def test_each_kind_of_chunk_has_a_limit_of_its_own(kind: ChunkType) -> None:
    limit = getattr(DEFAULT_LIMITS, CHUNK_LIMITS[kind])
    from forged import forge

    for size, refused in ((limit, False), (limit + 1, True)):
        fields = b"\x03\x02\x01\x01" + bytes((kind,)) + varint(size) + bytes(4)
        data = forge(fields, flags=CHUNKS)
        if refused:
            with pytest.raises(nncodec.LimitExceeded, match=f"over the limit of {limit}"):
                Container(data)
        else:
            Container(data)


def test_settings_that_expand_take_a_few_megabytes() -> None:
    hostile = b"{" + b'"a":[' + b"[]," * 21_000 + b"[]]}"
    assert len(hostile) < DEFAULT_LIMITS.settings_bytes
    for chunk in (hostile, b"[" * DEFAULT_LIMITS.settings_bytes, b'{"a":' * 13_000):
        data = write(header(), {ChunkType.SETTINGS: chunk}, [b"x"])
        assert peak_bytes(lambda data=data: nncodec.inspect(data)) < 8_000_000  # type: ignore[misc]
        assert nncodec.inspect(data).settings == {}
    honest = json.dumps({"effort": 3}).encode()
    assert nncodec.inspect(write(header(), {ChunkType.SETTINGS: honest}, [b"x"])).settings == {"effort": 3}


def test_more_durations_than_frames_are_not_even_read() -> None:
    data = write(header(frames=2, frames_per_block=2), {ChunkType.ANIMATION: bytes(1 << 24)}, [b"x"])
    container = Container(data)
    start = time.process_time()
    assert nncodec.inspect(data).durations_ms is None
    assert time.process_time() - start < 1
    assert container.chunk(ChunkType.ANIMATION) == bytes(1 << 24)


def test_a_recommendation_without_sense_is_no_damage_to_any_reader() -> None:
    for chunk in (b"", b"\x00", b"\xff" * 40):
        data = write(header(), {ChunkType.ENHANCER: chunk}, [b"x"])
        assert nncodec.inspect(data).enhancer is None
        assert nncodec.check(data).enhancer is None
