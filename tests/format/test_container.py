"""The container: its bytes, literally, and what it does with damaged ones."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from forged import CHUNKS, crc, forge, header, small_file
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.errors import Corrupt, FormatError, NotNnc, Truncated
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType, CoderId, ColourMode, Header
from nncodec.format.samples import MAX_PLANES, SampleFormat
from nncodec.limits import Limits

PROPERTY = settings(deadline=None, max_examples=150)


# --- literal bytes ------------------------------------------------------------------------------------------------


def test_the_smallest_file_is_these_bytes() -> None:
    data = write(
        header(mode=ColourMode.L, coder=CoderId.STORED, quality=None, width=28, height=28), {}, [b"\xa0\x01\x02"]
    )
    assert data.hex(" ") == (
        "8e 4e 4e 43 01 00 00 ff 01 23 45 67 1c 1c 03 39 5a b9 62 "  # header
        "a0 01 02 1f d4 2c d1"  # the block
    )


def test_a_file_with_everything_is_these_bytes() -> None:
    data = write(
        header(
            coder=CoderId.ZSTD,
            quality=100,
            model_id=bytes(range(8)),
            width=300,
            height=128,
            display_size=(600, 255),
            frames=2,
            frames_per_block=1,
            block_edge_log2=8,
        ),
        {ChunkType.ALPHA: b"A", ChunkType.EXIF: b"exif", 0x7F: b""},
        [b"a", b"bb", b"c", b"d" * 128],
    )
    head = bytes.fromhex(
        "8e4e4e43 01 11 1f 64 0001020304050607"
        "ac02 8001  d804 ff01  02  01 08"  # coded size, display size, frames, grid
        "01 02 01 8001"  # block sizes
        "03  01 04 46f5b067  7f 00 00000000  81 01 8b9ed9d3"  # chunk table
    )
    body = b"".join(block + crc(block) for block in (b"a", b"bb", b"c", b"d" * 128))
    assert data == head + crc(head) + b"exif" + b"" + b"A" + body


def test_a_small_grey_file_costs_less_than_24_bytes_beyond_its_payload() -> None:
    grey = header(mode=ColourMode.L, quality=None, width=28, height=28)
    assert len(write(grey, {}, [b"x" * 100])) - 100 <= 24


def example_with(words: str) -> bytes:
    """Return the bytes of the example in docs/format.md whose explanations contain these words."""
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    (block,) = [block for rest in text.split("```hex\n")[1:] if words in (block := rest.split("```")[0])]
    return bytes.fromhex("".join(line[:36] for line in block.splitlines()))


def test_the_header_of_an_exact_picture_in_the_documentation_has_these_bytes() -> None:
    exact = header(mode=ColourMode.L, coder=CoderId.LOSSLESS, quality=None, samples=SampleFormat(12, 1, 200))
    example = example_with("12 bits, permitted error 200")
    assert write(exact, {}, [b"x"]) == example + crc(example) + b"x" + crc(b"x")


def test_the_written_example_in_the_documentation_is_a_file_with_these_contents() -> None:
    data = example_with("model name, 6 bytes")
    container = Container(data)
    container.check()
    expected = header(mode=ColourMode.L, coder=CoderId.STORED, quality=None, width=28, height=28)
    assert container.header == expected
    assert container.chunk(ChunkType.MODEL_NAME) == b"demo/x"
    assert write(expected, {ChunkType.MODEL_NAME: b"demo/x"}, [container.block(0)]) == data


# --- reading back what was written --------------------------------------------------------------------------------


@st.composite
def sample_formats(draw: st.DrawFn, mode: ColourMode) -> SampleFormat:
    bits = draw(st.sampled_from(mode.bits))
    exact_only = mode in (ColourMode.P, ColourMode.BILEVEL)
    max_error = 0 if exact_only else draw(st.integers(0, (1 << bits) - 1))
    return SampleFormat(bits, mode.planes or draw(st.integers(1, MAX_PLANES)), max_error)


@st.composite
def files(draw: st.DrawFn) -> tuple[Header, dict[int, bytes], list[bytes]]:
    size = st.integers(1, 300)
    frames = draw(st.integers(1, 9))
    per_block = draw(st.integers(1, frames))
    width, height = draw(size), draw(size)
    edge_log2 = draw(st.integers(6, 8)) if max(width, height) > 256 else 0
    coder = draw(st.sampled_from(CoderId))
    mode = draw(st.sampled_from(ColourMode if coder is CoderId.LOSSLESS else (ColourMode.L, ColourMode.RGB)))
    samples = draw(sample_formats(mode)) if coder is CoderId.LOSSLESS else None
    made = header(
        mode=mode,
        coder=coder,
        samples=samples,
        quality=None if samples else draw(st.none() | st.integers(0, 100)),
        model_id=draw(st.binary(min_size=4, max_size=4) | st.binary(min_size=8, max_size=8)),
        width=width,
        height=height,
        display_size=(width, height) if samples else draw(st.just((width, height)) | st.tuples(size, size)),
        frames=frames,
        frames_per_block=per_block,
        block_edge_log2=edge_log2,
    )
    count = math.prod(made.grid)
    blocks = draw(st.lists(st.binary(min_size=1, max_size=200), min_size=count, max_size=count))
    barred = {ChunkType.PALETTE}
    if mode > ColourMode.RGB or (samples and samples.bits > 8):
        barred.add(ChunkType.ALPHA)
    kinds = st.sampled_from([kind for kind in (*ChunkType, 0x00, 0x40, 0x7F) if kind not in barred])
    chunks = draw(st.dictionaries(kinds, st.binary(max_size=200), max_size=5))
    if mode is ColourMode.P:
        chunks[ChunkType.PALETTE] = draw(st.binary(max_size=200))
    return made, chunks, blocks


@PROPERTY
@given(files())
def test_what_was_written_is_read_back(written: tuple[Header, dict[int, bytes], list[bytes]]) -> None:
    made, chunks, blocks = written
    data = write(made, chunks, blocks)
    container = Container(data)
    container.check()
    assert container.header == made
    assert [entry.type for entry in container.chunk_table] == sorted(chunks)
    assert {kind: container.chunk(kind) for kind in chunks} == chunks
    assert [container.block(i) for i in range(container.block_count)] == blocks
    assert container.size_bytes == len(data)
    assert container.payload_bytes == sum(map(len, blocks))


def test_a_file_is_read_from_where_a_stream_stands() -> None:
    data = small_file()
    stream = io.BytesIO(b"before" + data)
    stream.seek(6)
    container = Container(stream)
    container.check()
    assert container.size_bytes == len(data)
    assert container.block(1) == b"second"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_file_is_read_from_any_bytes(kind: type) -> None:
    assert Container(kind(small_file())).block(0) == b"first"


def test_a_chunk_that_is_not_there_is_none() -> None:
    assert Container(small_file()).chunk(ChunkType.EXIF) is None


def test_blocks_are_ordered_by_frame_group_then_row_then_column() -> None:
    assert header(width=300, height=70, frames=5, frames_per_block=2, block_edge_log2=6).grid == (3, 2, 5)
    assert header(width=300, height=70, frames=5, frames_per_block=2).grid == (3, 1, 1)


# --- damage -------------------------------------------------------------------------------------------------------


def test_a_file_cut_anywhere_is_refused() -> None:
    data = small_file()
    for size in range(len(data)):
        with pytest.raises(NotNnc if size < 4 else Truncated):
            Container(data[:size]).check()


def test_every_flipped_bit_is_noticed() -> None:
    data = small_file()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError):
            Container(damaged).check()


@pytest.mark.parametrize("extra", [b"\0", b"more", small_file()])
def test_bytes_after_the_last_block_are_refused(extra: bytes) -> None:
    with pytest.raises(Corrupt, match="follow the last block"):
        Container(small_file() + extra).check()


def test_a_damaged_header_is_noticed_on_opening() -> None:
    data = bytearray(small_file())
    data[7] = 51  # another quality, plausible in itself
    with pytest.raises(Corrupt, match="header"):
        Container(data)


def test_damage_in_one_block_leaves_the_others_readable() -> None:
    data = small_file().replace(b"second", b"s3cond")
    container = Container(data)
    assert container.block(0) == b"first"
    with pytest.raises(Corrupt, match="block 1"):
        container.block(1)


def test_a_damaged_chunk_is_noticed_when_read_and_leaves_the_blocks_readable() -> None:
    container = Container(small_file().replace(b"meta", b"mEta"))
    assert container.block(0) == b"first"
    with pytest.raises(Corrupt, match="chunk 0x03"):
        container.chunk(ChunkType.XMP)


@PROPERTY
@given(st.binary(max_size=64), st.booleans())
def test_any_bytes_are_a_sound_file_or_a_format_error(data: bytes, with_magic: bool) -> None:
    try:
        Container((b"\x8eNNC\x01" if with_magic else b"") + data).check()
    except FormatError:
        return
    assert with_magic


@PROPERTY
@given(st.data())
def test_a_header_changed_by_someone_who_knows_the_checksum_gives_a_file_or_a_format_error(data: st.DataObject) -> None:
    original = small_file()
    body = original.index(b"meta")
    fields = bytearray(original[: body - 4])
    for place in data.draw(st.lists(st.integers(5, len(fields) - 1), min_size=1, max_size=3)):
        fields[place] = data.draw(st.integers(0, 255))
    try:
        container = Container(bytes(fields) + crc(fields) + original[body:])
        container.check()
    except FormatError:
        return
    assert container.size_bytes == len(original)


# --- threads ------------------------------------------------------------------------------------------------------


class _Interrupted(io.BytesIO):
    """A stream that lets other threads run between `seek` and `read`, as reading from a disk does."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        place = super().seek(offset, whence)
        time.sleep(0.0005)
        return place


def test_threads_read_blocks_and_chunks_of_one_stream() -> None:
    blocks = [bytes([number]) * (number + 1) for number in range(16)]
    fields = header(width=256, height=256, display_size=(256, 256), block_edge_log2=6)
    container = Container(_Interrupted(write(fields, {ChunkType.XMP: b"<x/>"}, blocks)))
    reads: list[Callable[[], bytes | None]] = [partial(container.block, number) for number in range(16)]
    reads += [partial(container.chunk, ChunkType.XMP), container.check_end] * 4
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda read: read(), reads)) == [*blocks, *[b"<x/>", None] * 4]


# --- sizes and streams that cannot be trusted ----------------------------------------------------------------------


class _Frugal(io.BytesIO):
    """A stream that minds how much is asked of it at once."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, -1 if size is None else size)
        return super().read(size)


def test_a_chunk_that_claims_gigabytes_is_not_asked_for_at_once() -> None:
    fields = b"\x03\x02\x01" + b"\x01\x03\xff\xff\xff\xff\x7f" + bytes(4)
    stream = _Frugal(forge(fields, flags=CHUNKS, tail=bytes(100)))
    container = Container(stream, Limits(chunk_bytes=1 << 40, xmp_bytes=1 << 40))
    with pytest.raises(Truncated):
        container.chunk(ChunkType.XMP)
    assert 0 < stream.largest <= 1 << 20


def test_a_block_that_claims_gigabytes_is_truncated() -> None:
    container = Container(forge(b"\x03\x02\xff\xff\xff\xff\x7f", tail=bytes(100)))
    with pytest.raises(Truncated):
        container.block(0)
    with pytest.raises(Truncated):
        container.check()


def test_a_closed_stream_is_a_value_error_and_no_bad_bytes() -> None:
    stream = io.BytesIO(small_file())
    container = Container(stream)
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        container.block(0)
    with pytest.raises(ValueError, match="closed"):
        container.check()
    with pytest.raises(ValueError, match="closed"):
        Container(stream)
