"""The header: newer files, fields that contradict the format, and limits."""

from __future__ import annotations

import pytest
from forged import CHUNKS, DISPLAY, FRAMES, GRID, crc, forge, header

from nncodec.errors import Corrupt, LimitExceeded, NotNnc, UnsupportedVersion
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType
from nncodec.limits import Limits


@pytest.mark.parametrize(
    ("display", "is_reduced"), [((3, 2), False), ((6, 4), True), ((3, 3), True), ((4, 1), True), ((2, 2), False)]
)
def test_a_picture_is_stored_reduced_where_decoders_return_a_larger_one(
    display: tuple[int, int], is_reduced: bool
) -> None:
    assert header(display_size=display).is_reduced == is_reduced


# --- foreign and newer files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\x8e", b"\x8eNN", b"\x89PNG\r\n\x1a\n" + bytes(40), b"NNC\x01" + bytes(40)])
def test_a_foreign_file_is_not_nnc(data: bytes) -> None:
    with pytest.raises(NotNnc):
        Container(data)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_refused_whatever_follows(version: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"version {version} "):
        Container(b"\x8eNNC" + bytes((version,)))


@pytest.mark.parametrize("flag", [0x40, 0x80])
def test_an_unknown_flag_needs_a_newer_reader(flag: int) -> None:
    with pytest.raises(UnsupportedVersion, match=f"flags {flag:#x}"):
        Container(forge(b"\x03\x02\x01", flags=flag))


@pytest.mark.parametrize("kind", [0x18, 0x1F])
def test_an_unknown_colour_mode_needs_a_newer_reader(kind: int) -> None:
    with pytest.raises(UnsupportedVersion, match="colour mode"):
        Container(forge(b"\x03\x02\x01", kind=kind))


@pytest.mark.parametrize("kind", [0x40, 0xF0])
def test_an_unknown_coder_needs_a_newer_reader(kind: int) -> None:
    with pytest.raises(UnsupportedVersion, match="coder"):
        Container(forge(b"\x03\x02\x01", kind=kind))


@pytest.mark.parametrize("kind", [0x80, 0x84, 0xFF])
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
