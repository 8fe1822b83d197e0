"""The container: its bytes, literally, and everything it refuses."""

from __future__ import annotations

import io
import math
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.errors import Corrupt, FormatError, LimitExceeded, NotNnc, Truncated, UnsupportedVersion
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType, CoderId, ColourMode, Header
from nncodec.limits import Limits

PROPERTY = settings(deadline=None, max_examples=150)

DISPLAY, FRAMES, GRID, CHUNKS = 0x02, 0x04, 0x08, 0x10


def crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def forge(
    fields: bytes,
    *,
    version: int = 1,
    kind: int = 0x10,
    flags: int = 0,
    quality: int = 50,
    model_id: bytes = b"\x01\x23\x45\x67",
    tail: bytes = b"x" + crc(b"x"),
) -> bytes:
    """Return a file with a sound header checksum around whatever fields follow the model id."""
    head = b"\x8eNNC" + bytes((version, kind, flags, quality)) + model_id + fields
    return head + crc(head) + tail


def header(**changes: Any) -> Header:
    facts: dict[str, Any] = {
        "mode": ColourMode.RGB,
        "coder": CoderId.ZSTD,
        "quality": 50,
        "model_id": b"\x01\x23\x45\x67",
        "width": 3,
        "height": 2,
    }
    facts.update(changes)
    facts.setdefault("display_size", (facts["width"], facts["height"]))
    return Header(**facts)


def small_file() -> bytes:
    """Every optional part in few bytes: display size, frames, grid, chunks."""
    return write(
        header(display_size=(6, 4), frames=3, frames_per_block=2),
        {ChunkType.XMP: b"meta", ChunkType.ALPHA: b"\x00\xff"},
        [b"first", b"second"],
    )


@pytest.mark.parametrize(
    ("display", "is_reduced"), [((3, 2), False), ((6, 4), True), ((3, 3), True), ((4, 1), True), ((2, 2), False)]
)
def test_a_picture_is_stored_reduced_where_decoders_return_a_larger_one(
    display: tuple[int, int], is_reduced: bool
) -> None:
    assert header(display_size=display).is_reduced == is_reduced


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


def test_the_written_example_in_the_documentation_is_a_file_with_these_contents() -> None:
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    block = text.split("```hex\n")[1].split("```")[0]
    data = bytes.fromhex("".join(line[:36] for line in block.splitlines()))
    container = Container(data)
    container.check()
    expected = header(mode=ColourMode.L, coder=CoderId.STORED, quality=None, width=28, height=28)
    assert container.header == expected
    assert container.chunk(ChunkType.MODEL_NAME) == b"demo/x"
    assert write(expected, {ChunkType.MODEL_NAME: b"demo/x"}, [container.block(0)]) == data


# --- reading back what was written --------------------------------------------------------------------------------


@st.composite
def files(draw: st.DrawFn) -> tuple[Header, dict[int, bytes], list[bytes]]:
    size = st.integers(1, 300)
    frames = draw(st.integers(1, 9))
    per_block = draw(st.integers(1, frames))
    width, height = draw(size), draw(size)
    edge_log2 = draw(st.integers(6, 8)) if max(width, height) > 256 else 0
    made = header(
        mode=draw(st.sampled_from(ColourMode)),
        coder=draw(st.sampled_from(CoderId)),
        quality=draw(st.none() | st.integers(0, 100)),
        model_id=draw(st.binary(min_size=4, max_size=4) | st.binary(min_size=8, max_size=8)),
        width=width,
        height=height,
        display_size=draw(st.just((width, height)) | st.tuples(size, size)),
        frames=frames,
        frames_per_block=per_block,
        block_edge_log2=edge_log2,
    )
    count = math.prod(made.grid)
    blocks = draw(st.lists(st.binary(min_size=1, max_size=200), min_size=count, max_size=count))
    kinds = st.sampled_from([*ChunkType, 0x00, 0x40, 0x7F])
    return made, draw(st.dictionaries(kinds, st.binary(max_size=200), max_size=5)), blocks


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


# --- foreign and newer files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\x8e", b"\x8eNN", b"\x89PNG\r\n\x1a\n" + bytes(40), b"NNC\x01" + bytes(40)])
def test_a_foreign_file_is_not_nnc(data: bytes) -> None:
    with pytest.raises(NotNnc):
        Container(data)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_refused_whatever_follows(version: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"version {version} "):
        Container(b"\x8eNNC" + bytes((version,)))


@pytest.mark.parametrize("flag", [0x20, 0x40, 0x80])
def test_an_unknown_flag_needs_a_newer_reader(flag: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"flags {flag:#x}"):
        Container(forge(b"\x03\x02\x01", flags=flag))


@pytest.mark.parametrize("kind", [0x12, 0x1F])
def test_an_unknown_colour_mode_needs_a_newer_reader(kind: int) -> None:
    with pytest.raises(UnsupportedVersion, match="colour mode"):
        Container(forge(b"\x03\x02\x01", kind=kind))


@pytest.mark.parametrize("kind", [0x30, 0xF0])
def test_an_unknown_coder_needs_a_newer_reader(kind: int) -> None:
    with pytest.raises(UnsupportedVersion, match="coder"):
        Container(forge(b"\x03\x02\x01", kind=kind))


@pytest.mark.parametrize("kind", [0x80, 0x82, 0xFF])
def test_an_unknown_critical_chunk_needs_a_newer_reader(kind: int) -> None:
    table = bytes((1, kind, 2)) + crc(b"ab")
    with pytest.raises(UnsupportedVersion, match=f"chunk {kind:#x}"):
        Container(forge(b"\x03\x02\x01" + table, flags=CHUNKS))


@pytest.mark.parametrize("kind", [0x00, 0x07, 0x7F])
def test_an_unknown_ancillary_chunk_is_skipped_and_still_under_its_checksum(kind: int) -> None:
    data = write(header(), {kind: b"news"}, [b"pixels"])
    container = Container(data)
    container.check()
    assert container.block(0) == b"pixels"
    with pytest.raises(Corrupt):
        Container(data.replace(b"news", b"nEws")).check()


# --- fields that contradict the format ----------------------------------------------------------------------------


def test_the_forged_file_that_the_next_tests_change_is_sound() -> None:
    container = Container(forge(b"\x03\x02\x01"))
    container.check()
    assert (container.header.width, container.header.height, container.block_count) == (3, 2, 1)


@pytest.mark.parametrize("width", [b"\x83\x00", b"\x80\x00", b"\x83\x80\x00", b"\x83\x80\x80\x80\x00"])
def test_a_number_not_in_its_shortest_form_is_refused(width: bytes) -> None:
    with pytest.raises(Corrupt, match="shortest form"):
        Container(forge(width + b"\x02\x01"))


def test_a_number_of_six_bytes_is_refused() -> None:
    with pytest.raises(Corrupt, match="too large"):
        Container(forge(b"\x83\x80\x80\x80\x80\x01\x02\x01"))


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        (b"\x00\x02\x01", 0),  # width
        (b"\x03\x00\x01", 0),  # height
        (b"\x03\x02\x00\x04\x01", DISPLAY),
        (b"\x03\x02\x06\x00\x01", DISPLAY),
        (b"\x03\x02\x00\x01", FRAMES),
        (b"\x03\x02\x01\x01", FRAMES),  # one frame is written without the flag
        (b"\x03\x02\x00", 0),  # an empty block
    ],
)
def test_a_size_or_count_below_its_least_value_is_refused(fields: bytes, flags: int) -> None:
    with pytest.raises(Corrupt, match=r" is [01]\b"):
        Container(forge(fields, flags=flags))


@pytest.mark.parametrize(
    ("grid", "sizes", "reason"),
    [
        (b"\x00\x00", b"\x01", "number of frames a block is 0"),
        (b"\x05\x01", b"\x01\x01", "impossible"),  # more frames a block than there are
        (b"\x02\x19", b"\x01\x01", "impossible"),  # blocks of 2^25 pixels
        (b"\x02\xff", b"\x01\x01", "impossible"),
        (b"\x04\x00", b"\x01", "single block"),
        (b"\x04\x02", b"\x01", "single block"),
    ],
)
def test_an_impossible_block_grid_is_refused(grid: bytes, sizes: bytes, reason: str) -> None:
    with pytest.raises(Corrupt, match=reason):
        Container(forge(b"\x03\x02\x04" + grid + sizes, flags=FRAMES | GRID))


@pytest.mark.parametrize("quality", [101, 200, 254])
def test_a_quality_over_100_is_refused(quality: int) -> None:
    with pytest.raises(Corrupt, match=f"quality is {quality}"):
        Container(forge(b"\x03\x02\x01", quality=quality))


def test_an_empty_chunk_table_is_refused() -> None:
    with pytest.raises(Corrupt, match="chunk table is empty"):
        Container(forge(b"\x03\x02\x01\x00", flags=CHUNKS))


@pytest.mark.parametrize("kinds", [(3, 1), (1, 1)])
def test_chunks_out_of_order_or_repeated_are_refused(kinds: tuple[int, int]) -> None:
    table = b"\x02" + b"".join(bytes((kind, 0)) + crc(b"") for kind in kinds)
    with pytest.raises(Corrupt, match="order"):
        Container(forge(b"\x03\x02\x01" + table, flags=CHUNKS))


# --- limits: refused from the header alone ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "fields", "flags"),
    [
        ("pixels", b"\x80\x80\x01\x80\x80\x01", 0),  # 16384 x 16384
        ("pixels", b"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\x7f", 0),
        ("pixels", b"\x80\x20\x80\x20\x0b", FRAMES),  # 4096 x 4096 x 11
        ("pixels", b"\x01\x01\x80\x80\x01\x80\x80\x01", DISPLAY),
        ("frames", b"\x01\x01\x81\x80\x40", FRAMES),  # 2^20 + 1
        ("blocks", b"\x80\x10\x80\x10\x01\x01", GRID),  # 2048 x 2048 in blocks of 2 x 2
        ("chunk bytes", b"\x03\x02\x01\x01\x01\x81\x80\x80\x20" + bytes(4), CHUNKS),  # 2^26 + 1
    ],
)
def test_more_than_the_limits_allow_is_refused_before_anything_further_is_read(
    quantity: str, fields: bytes, flags: int
) -> None:
    head = b"\x8eNNC\x01\x10" + bytes((flags, 50)) + b"\x01\x23\x45\x67" + fields
    with pytest.raises(LimitExceeded, match=quantity) as caught:
        Container(head)  # ends here: had anything more been wanted first, it would be Truncated
    assert caught.value.value > caught.value.limit


def test_limits_are_the_callers() -> None:
    data = write(header(frames=4, frames_per_block=2), {ChunkType.XMP: b"12345"}, [b"a", b"b"])
    Container(data, Limits(pixels=24, frames=4, blocks=2, chunk_bytes=5)).check()
    for tighter in (Limits(pixels=23), Limits(frames=3), Limits(blocks=1), Limits(chunk_bytes=4)):
        with pytest.raises(LimitExceeded):
            Container(data, tighter)


class _Frugal(io.BytesIO):
    """A stream that minds how much is asked of it at once."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, -1 if size is None else size)
        return super().read(size)


def test_a_chunk_that_claims_gigabytes_is_not_asked_for_at_once() -> None:
    fields = b"\x03\x02\x01" + b"\x01\x03\xff\xff\xff\xff\x7f" + bytes(4)
    stream = _Frugal(forge(fields, flags=CHUNKS, tail=bytes(100)))
    container = Container(stream, Limits(chunk_bytes=1 << 40))
    with pytest.raises(Truncated):
        container.chunk(ChunkType.XMP)
    assert 0 < stream.largest <= 1 << 20


def test_a_block_that_claims_gigabytes_is_truncated() -> None:
    container = Container(forge(b"\x03\x02\xff\xff\xff\xff\x7f", tail=bytes(100)))
    with pytest.raises(Truncated):
        container.block(0)
    with pytest.raises(Truncated):
        container.check()


def test_a_closed_stream_is_a_format_error() -> None:
    stream = io.BytesIO(small_file())
    container = Container(stream)
    stream.close()
    with pytest.raises(FormatError, match="closed"):
        container.block(0)
    with pytest.raises(FormatError, match="closed"):
        container.check()
    with pytest.raises(FormatError, match="closed"):
        Container(stream)
