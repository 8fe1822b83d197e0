"""Exact pictures in the header: literal bytes, contradictions, limits; and the error that samples may have."""

from __future__ import annotations

import numpy as np
import pytest
from forged import CHUNKS, DISPLAY, crc, forge, header

from nncodec.errors import Corrupt, LimitExceeded
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType, CoderId, ColourMode
from nncodec.format.palette import Palette
from nncodec.format.samples import SampleFormat
from nncodec.limits import Limits

EXACT = 0x20


def exact(fields: bytes, kind: int = 0x30, flags: int = EXACT, quality: int = 255) -> bytes:
    return forge(fields, kind=kind, flags=flags, quality=quality)


# --- bytes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "samples", "fields"),
    [
        (ColourMode.L, SampleFormat(8, 1), b"\x08\x00"),
        (ColourMode.L, SampleFormat(12, 1, 200), b"\x0c\xc8\x01"),
        (ColourMode.RGB, SampleFormat(8, 3, 2), b"\x08\x02"),
        (ColourMode.LA, SampleFormat(8, 2), b"\x08\x00"),
        (ColourMode.RGBA, SampleFormat(8, 4), b"\x08\x00"),
        (ColourMode.BILEVEL, SampleFormat(1, 1), b"\x01\x00"),
        (ColourMode.CMYK, SampleFormat(8, 4), b"\x08\x00"),
        (ColourMode.PLANES, SampleFormat(16, 13), b"\x10\x00\x0d"),
    ],
)
def test_the_header_of_an_exact_picture_to_the_byte(mode: ColourMode, samples: SampleFormat, fields: bytes) -> None:
    head = b"\x8eNNC\x01" + bytes((0x30 | mode, EXACT, 0xFF)) + b"\x01\x23\x45\x67" + fields + b"\x03\x02\x01"
    expected = head + crc(head) + b"x" + crc(b"x")
    assert write(header(mode=mode, coder=CoderId.LOSSLESS, quality=None, samples=samples), {}, [b"x"]) == expected
    found = Container(expected).header
    assert (found.mode, found.samples, found.quality) == (mode, samples, None)


def test_a_palette_to_the_byte() -> None:
    palette = Palette(b"\xff\0\0\0\0\xff", b"\x80")
    data = b"\x01\xff\0\0\0\0\xff\x80"
    assert palette.to_bytes() == data
    assert Palette.of_bytes(data) == palette
    file = write(
        header(mode=ColourMode.P, coder=CoderId.LOSSLESS, quality=None, samples=SampleFormat(1, 1)),
        {ChunkType.PALETTE: data},
        [b"x"],
    )
    assert file[12:26] == b"\x01\x00\x03\x02\x01\x01\x82\x08" + crc(data) + file[24:26]


@pytest.mark.parametrize("data", [b"", b"\0", b"\0ab", b"\0abcde", bytes(1 + 256 * 4 + 1)])
def test_a_palette_of_the_wrong_size_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt, match="palette"):
        Palette.of_bytes(data)


# --- contradictions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (exact(b"\x03\x02\x01", flags=0), "do not go together"),
        (exact(b"\x08\x00\x03\x02\x01", kind=0x10), "do not go together"),
        (exact(b"\x03\x02\x01", kind=0x12, flags=0), "do not go together"),
        (exact(b"\x08\x00\x03\x02\x01", quality=50), "has a quality"),
        (exact(b"\x00\x00\x03\x02\x01"), "1 planes of 0 bits"),
        (exact(b"\x11\x00\x03\x02\x01"), "1 planes of 17 bits"),
        (exact(b"\x07\x00\x03\x02\x01", kind=0x31), "3 planes of 7 bits"),
        (exact(b"\x02\x00\x03\x02\x01", kind=0x35), "1 planes of 2 bits"),
        (exact(b"\x08\x00\x00\x03\x02\x01", kind=0x37), "0 planes"),
        (exact(b"\x08\x00\x21\x03\x02\x01", kind=0x37), "33 planes"),
        (exact(b"\x08\x80\x02\x03\x02\x01"), "permitted error of 256"),
        (exact(b"\x08\x80\x00\x03\x02\x01"), "shortest form"),
        (exact(b"\x01\x01\x03\x02\x01", kind=0x35), "numbers of colours"),
        (exact(b"\x08\x00\x03\x02\x06\x04\x01", flags=EXACT | DISPLAY), "stored reduced"),
        (exact(b"\x08\x00\x03\x02\x01", kind=0x34), "palette"),
        (exact(b"\x08\x00\x03\x02\x01\x01\x82\x01" + crc(b"a"), flags=EXACT | CHUNKS), "palette"),
        (forge(b"\x03\x02\x01\x01\x82\x01" + crc(b"a"), flags=CHUNKS), "palette"),
        (exact(b"\x08\x00\x03\x02\x01\x01\x81\x01" + crc(b"a"), kind=0x33, flags=EXACT | CHUNKS), "alpha beside"),
        (exact(b"\x09\x00\x03\x02\x01\x01\x81\x01" + crc(b"a"), flags=EXACT | CHUNKS), "alpha beside"),
    ],
)
def test_a_contradiction_is_corrupt(data: bytes, reason: str) -> None:
    with pytest.raises(Corrupt, match=reason):
        Container(data)


def test_more_than_four_bytes_count_as_several_pixels() -> None:
    data = exact(b"\x10\x00\x20\x03\x02\x01", kind=0x37)  # 3 x 2 pixels of 32 planes, 2 bytes each
    assert Container(data, Limits(pixels=96)).header.samples == SampleFormat(16, 32)
    with pytest.raises(LimitExceeded, match="96 pixels"):
        Container(data, Limits(pixels=95))


# --- permitted errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 16])
@pytest.mark.parametrize("max_error", [0, 1, 2, 5, 127, 32767, 65535])
def test_every_value_comes_back_within_the_error(bits: int, max_error: int) -> None:
    if max_error >> bits:
        return
    samples = SampleFormat(bits, 1, max_error)
    values = np.arange(1 << bits).astype(samples.dtype)
    coded = samples.quantized(values)
    assert coded.dtype == np.uint16
    assert int(coded.max()).bit_length() == samples.coded_bits if coded.any() else samples.coded_bits == 1
    restored = samples.restored(coded)
    assert restored.dtype == samples.dtype
    errors = np.abs(restored.astype(int) - values)
    assert errors.max() <= max_error
    assert max_error > (1 << bits) // 4 or errors.max() == max_error


@pytest.mark.parametrize(
    ("planes", "bits", "weight"), [(1, 1, 1), (4, 8, 1), (5, 8, 2), (2, 16, 1), (3, 9, 2), (32, 16, 16)]
)
def test_a_pixel_weighs_as_many_as_it_has_four_bytes(planes: int, bits: int, weight: int) -> None:
    assert SampleFormat(bits, planes).weight == weight
