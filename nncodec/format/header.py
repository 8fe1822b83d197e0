"""The header of an `.nnc` file: bytes to header, block sizes and chunk table, and back.

All integers are little-endian; `v` is an unsigned LEB128 of at most 5 bytes, shortest form only. Version 1:

    offset size
    0      4    magic 8E 4E 4E 43
    4      1    version, 1
    5      1    low nibble: colour mode; high nibble: coder (0 stored, 1 zstd, 2 rans, 3 the lossless model's own)
    6      1    flags: 01 long model id, 02 display size, 04 frames, 08 block grid, 10 chunks, 20 exact; others are 0
    7      1    quality 0..100, or FF if the model has none
    8      4    model id: first bytes of the model's digest (8 bytes with the flag)
           1 v  bits a sample, permitted error (with the flag "exact"); then 1, planes (in colour mode 7)
           v v  width, height of the coded picture, 1 or more
           v v  width, height to return (with the flag)
           v    frames, 2 or more (with the flag)
           v 1  frames per block, log2 of the block edge in pixels or 0 for undivided pictures (with the flag)
           v .. stored bytes of each block, 1 or more, in order (frame group, row, column)
           1    number of chunks, then for each, types ascending: 1 type, v stored bytes, 4 CRC-32 (with the flag)
           4    CRC-32 of everything above

The chunks' data and the blocks follow, see `container.py`. `docs/format.md` specifies the same in prose.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np

from nncodec.errors import Corrupt, NotNnc, Truncated, UnsupportedVersion
from nncodec.format.samples import MAX_BITS, MAX_PLANES, SampleFormat
from nncodec.limits import Limits
from nncodec.plugin.model_file import LONG_ID_BYTES, SHORT_ID_BYTES

MAGIC = b"\x8eNNC"
MIME = "image/x-nnc"
VERSION = 1
NO_QUALITY = 0xFF
CRC_BYTES = 4

_LONG_ID, _DISPLAY, _FRAMES, _GRID, _CHUNKS, _EXACT = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_KNOWN_FLAGS = _LONG_ID | _DISPLAY | _FRAMES | _GRID | _CHUNKS | _EXACT
_CRITICAL = 0x80
_VARINT_MAX_BYTES = 5
_MAX_EDGE_LOG2 = 24

_ANY_BITS = range(1, MAX_BITS + 1)

_E = TypeVar("_E", bound=IntEnum)


class ColourMode(IntEnum):
    """Planes that the model codes. Those from 2 on are of exact pictures only; beside L and RGB, alpha is a chunk."""

    L = 0
    RGB = 1
    LA = 2
    RGBA = 3
    P = 4
    BILEVEL = 5
    CMYK = 6
    PLANES = 7

    @property
    def planes(self) -> int:
        """Samples of a pixel; 0 if the file says it."""
        return {"RGB": 3, "LA": 2, "RGBA": 4, "CMYK": 4, "PLANES": 0}.get(self.name, 1)

    @property
    def bits(self) -> range:
        """Bits that a sample may have."""
        return {"L": _ANY_BITS, "PLANES": _ANY_BITS, "P": range(1, 9), "BILEVEL": range(1, 2)}.get(
            self.name, range(8, 9)
        )


class CoderId(IntEnum):
    """Entropy coder of the blocks."""

    STORED = 0
    ZSTD = 1
    RANS = 2
    LOSSLESS = 3


class ChunkType(IntEnum):
    """Chunks; those from 80h on are critical: a reader that does not know one must refuse the file."""

    EXIF = 0x01
    ICC = 0x02
    XMP = 0x03
    MODEL_NAME = 0x04
    PREVIEW = 0x05
    SETTINGS = 0x06
    ENHANCER = 0x07
    RESOLUTION = 0x08
    ANIMATION = 0x09
    LATENT_CHECKSUMS = 0x0A
    ALPHA = 0x81
    PALETTE = 0x82


CHUNK_LIMITS: dict[int, str] = {
    ChunkType.EXIF: "exif_bytes",
    ChunkType.ICC: "icc_bytes",
    ChunkType.XMP: "xmp_bytes",
    ChunkType.PREVIEW: "preview_bytes",
    ChunkType.SETTINGS: "settings_bytes",
}
"""Chunks with a further limit of their own, by its name in `Limits`."""


class ChunkEntry(NamedTuple):
    """An entry of the chunk table."""

    type: int
    size_bytes: int
    crc: int


@dataclass(frozen=True)
class Header:
    """The header's fields, without block sizes and chunk table.

    Args:
        mode: planes that the model codes.
        coder: entropy coder of the blocks.
        quality: 0..100, or None for a model without qualities.
        model_id: first 4 or 8 bytes of the model's digest.
        width, height: size of the coded picture, pixels.
        display_size: (width, height) that decoders return; equal to the coded size unless stored reduced.
        frames: pictures in the file.
        frames_per_block: frames coded together.
        block_edge_log2: log2 of the edge of a block in pixels; 0 codes whole pictures.
        samples: how an exact picture is stored; None for one that a codec approximates.
    """

    mode: ColourMode
    coder: CoderId
    quality: int | None
    model_id: bytes
    width: int
    height: int
    display_size: tuple[int, int]
    frames: int = 1
    frames_per_block: int = 1
    block_edge_log2: int = 0
    samples: SampleFormat | None = None

    @property
    def is_reduced(self) -> bool:
        """Whether decoders return a larger picture than the coded one."""
        return self.display_size[0] > self.width or self.display_size[1] > self.height

    @property
    def frame_pixels(self) -> int:
        """Pixels that a frame takes while it is decoded: of the coded picture, and with a display size of both.

        Resampling works along one axis first, and Pillow's versions differ in which. Its intermediate picture counts
        instead if it is larger.
        """
        coded, (width, height) = self.width * self.height, self.display_size
        if (width, height) == (self.width, self.height):
            return coded
        return max(coded + width * height, width * self.height, self.width * height)

    @property
    def grid(self) -> tuple[int, int, int]:
        """Blocks along (frames, height, width)."""
        groups = math.ceil(self.frames / self.frames_per_block)
        if not self.block_edge_log2:
            return groups, 1, 1
        edge = 1 << self.block_edge_log2
        return groups, math.ceil(self.height / edge), math.ceil(self.width / edge)


class HeaderTables(NamedTuple):
    """A header as read from a file.

    Args:
        header: its fields.
        block_sizes: stored bytes of each block, in file order.
        chunk_table: the chunks, types ascending.
        size_bytes: of the header with its checksum.
    """

    header: Header
    block_sizes: list[int]
    chunk_table: tuple[ChunkEntry, ...]
    size_bytes: int


def pack_header(header: Header, chunks: Sequence[tuple[int, bytes]], block_sizes: Sequence[int]) -> bytes:
    """Return the bytes of a header, checksum included.

    Args:
        header: all fields valid (the caller is this package).
        chunks: types, ascending, and data.
        block_sizes: stored bytes of each block, in file order.
    """
    displays = header.display_size != (header.width, header.height)
    divided = math.prod(header.grid) > 1
    flags = (
        (_LONG_ID if len(header.model_id) == LONG_ID_BYTES else 0)
        | (_DISPLAY if displays else 0)
        | (_FRAMES if header.frames > 1 else 0)
        | (_GRID if divided else 0)
        | (_CHUNKS if chunks else 0)
        | (_EXACT if header.samples else 0)
    )
    quality = NO_QUALITY if header.quality is None else header.quality
    out = bytearray(MAGIC)
    out += bytes((VERSION, header.mode | header.coder << 4, flags, quality)) + header.model_id
    if header.samples:
        out += bytes((header.samples.bits,)) + varint(header.samples.max_error)
        if header.mode is ColourMode.PLANES:
            out.append(header.samples.planes)
    out += varint(header.width) + varint(header.height)
    if displays:
        out += varint(header.display_size[0]) + varint(header.display_size[1])
    if header.frames > 1:
        out += varint(header.frames)
    if divided:
        out += varint(header.frames_per_block) + bytes((header.block_edge_log2,))
    for size in block_sizes:
        out += varint(size)
    if chunks:
        out.append(len(chunks))
        for kind, data in chunks:
            out += bytes((kind,)) + varint(len(data)) + crc_of(data)
    return bytes(out) + crc_of(bytes(out))


def read_header(stream: BinaryIO, limits: Limits) -> HeaderTables:
    """Read a header from a stream that is positioned at the beginning of a file.

    Raises:
        NotNnc, UnsupportedVersion, Truncated, Corrupt, LimitExceeded: see errors.py.
    """
    reader = _HeaderReader(stream)
    try:
        if reader.take(len(MAGIC)) != MAGIC:
            raise NotNnc
    except Truncated:
        raise NotNnc from None
    version = reader.byte()
    if version != VERSION:
        raise UnsupportedVersion(found=f"version {version} of the format")
    kind, flags, quality = reader.byte(), reader.byte(), reader.byte()
    # An unknown flag may also be damage. Only the checksum could tell, and it cannot be found: an unknown flag changes
    # the layout of the header.
    if flags & ~_KNOWN_FLAGS:
        raise UnsupportedVersion(found=f"flags {flags & ~_KNOWN_FLAGS:#04x}")
    model_id = reader.take(LONG_ID_BYTES if flags & _LONG_ID else SHORT_ID_BYTES)
    mode, coder = _known(ColourMode, kind & 0x0F, "colour mode"), _known(CoderId, kind >> 4, "coder")
    samples = _read_samples(reader, mode, flags) if flags & _EXACT else None
    if (coder is CoderId.LOSSLESS) != (samples is not None) or (samples is None and mode > ColourMode.RGB):
        raise Corrupt(detail="its colour mode and coder do not go together")
    width, height = reader.varint("the width", 1), reader.varint("the height", 1)
    display = (width, height)
    if flags & _DISPLAY:
        display = (reader.varint("the display width", 1), reader.varint("the display height", 1))
        if display == (width, height):
            raise Corrupt(detail="it repeats its size as display size")
    frames = reader.varint("the number of frames", 2) if flags & _FRAMES else 1
    limits.check("frames", frames)
    limits.check("pixels", width * height * frames * (samples.weight if samples else 1))
    frames_per_block, edge_log2 = frames, 0
    if flags & _GRID:
        frames_per_block, edge_log2 = reader.varint("the number of frames a block", 1), reader.byte()
        if edge_log2 > _MAX_EDGE_LOG2 or frames_per_block > frames:
            raise Corrupt(detail="its block grid is impossible")
    header = Header(
        mode,
        coder,
        None if quality == NO_QUALITY else quality,
        model_id,
        width,
        height,
        display,
        frames,
        frames_per_block,
        edge_log2,
        samples,
    )
    if samples and quality != NO_QUALITY:
        raise Corrupt(detail="an exact picture has a quality")
    if quality > 100 and quality != NO_QUALITY:
        raise Corrupt(detail=f"its quality is {quality}")
    limits.check("pixels", header.frame_pixels * frames)
    blocks = math.prod(header.grid)
    limits.check("blocks", blocks)
    if bool(flags & _GRID) != (blocks > 1):
        raise Corrupt(detail="its block grid is a single block")
    sizes = [reader.varint("the size of a block", 1) for _ in range(blocks)]
    chunk_table = _read_chunk_table(reader, limits) if flags & _CHUNKS else ()
    kinds = {entry.type for entry in chunk_table}
    _check_chunks(header, kinds)
    if ChunkType.ALPHA in kinds and header.display_size != (width, height):
        # The enlarged picture takes 4 bytes a pixel, and its alpha one more.
        limits.check("pixels", (header.frame_pixels + math.prod(display) // 4) * frames)
    reader.check_crc()
    return HeaderTables(header, sizes, chunk_table, reader.size_bytes)


def _read_samples(reader: _HeaderReader, mode: ColourMode, flags: int) -> SampleFormat:
    bits, max_error = reader.byte(), reader.varint("the permitted error")
    planes = mode.planes or reader.byte()
    if bits not in mode.bits or not 1 <= planes <= MAX_PLANES or max_error >> bits:
        raise Corrupt(detail=f"it claims {planes} planes of {bits} bits with a permitted error of {max_error}")
    if max_error and mode in (ColourMode.P, ColourMode.BILEVEL):
        raise Corrupt(detail="it permits errors in the numbers of colours")
    if flags & _DISPLAY:
        raise Corrupt(detail="an exact picture is stored reduced")
    return SampleFormat(bits, planes, max_error)


def _check_chunks(header: Header, kinds: set[int]) -> None:
    if (ChunkType.PALETTE in kinds) != (header.mode is ColourMode.P):
        raise Corrupt(detail="its colour mode and its chunks disagree on whether there is a palette")
    is_deep = header.samples is not None and header.samples.dtype is not np.uint8
    if ChunkType.ALPHA in kinds and (header.mode > ColourMode.RGB or is_deep):
        raise Corrupt(detail="it has alpha beside samples that cannot have any")


def _read_chunk_table(reader: _HeaderReader, limits: Limits) -> tuple[ChunkEntry, ...]:
    count = reader.byte()
    if count == 0:
        raise Corrupt(detail="its chunk table is empty")
    table: list[ChunkEntry] = []
    for _ in range(count):
        kind, size = reader.byte(), reader.varint("the size of a chunk")
        entry = ChunkEntry(kind, size, int.from_bytes(reader.take(CRC_BYTES), "little"))
        if table and entry.type <= table[-1].type:
            raise Corrupt(detail="its chunks are not in order")
        if entry.type & _CRITICAL and entry.type not in ChunkType.__members__.values():
            raise UnsupportedVersion(found=f"chunk {entry.type:#04x}")
        # Alpha grows with the picture; its size is checked when it is decompressed.
        if kind != ChunkType.ALPHA:
            limits.check("chunk_bytes", size)
            limits.check(CHUNK_LIMITS.get(kind, "chunk_bytes"), size)
        table.append(entry)
    return tuple(table)


def _known(kind: type[_E], value: int, what: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise UnsupportedVersion(found=f"{what} {value}") from None


class _HeaderReader:
    """Reads header fields and keeps the bytes for their checksum."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._seen = bytearray()

    @property
    def size_bytes(self) -> int:
        return len(self._seen)

    def take(self, size: int) -> bytes:
        data = read_exactly(self._stream, size, "header")
        self._seen += data
        return data

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self, what: str, minimum: int = 0) -> int:
        value = 0
        for position in range(_VARINT_MAX_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                if byte == 0 and position > 0:
                    raise Corrupt(detail=f"{what} is not written in its shortest form")
                if value < minimum:
                    raise Corrupt(detail=f"{what} is {value}")
                return value
        raise Corrupt(detail=f"{what} is too large a number")

    def check_crc(self) -> None:
        expected = zlib.crc32(self._seen)
        if int.from_bytes(self.take(CRC_BYTES), "little") != expected:
            raise Corrupt(detail="the header does not match its checksum")


def read_exactly(stream: BinaryIO, size: int, part: str) -> bytes:
    """Return so many bytes of a stream; raises Truncated, naming `part`, if it has fewer."""
    # Read in pieces: a declared size is untrusted until that many bytes have been read.
    pieces = []
    remaining = size
    while remaining:
        piece = stream.read(min(remaining, 1 << 20))
        if not piece:
            raise Truncated(part=part)
        pieces.append(piece)
        remaining -= len(piece)
    return b"".join(pieces)


def varint(value: int) -> bytes:
    """Return a number of 0 or more as unsigned LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def read_varints(data: bytes, most: int) -> list[int] | None:
    """Return the numbers that make up some bytes.

    Args:
        data: whole numbers in shortest form.
        most: the most numbers that are possible; the cost of more data is not paid.

    Returns:
        The numbers, or None if the bytes are something else, or too many.
    """
    if len(data) > most * _VARINT_MAX_BYTES:
        return None
    numbers: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte >= 0x80:
            if shift == 7 * _VARINT_MAX_BYTES:
                return None
            continue
        if byte == 0 and shift > 7:
            return None
        numbers.append(value)
        value = shift = 0
    return numbers if shift == 0 and len(numbers) <= most else None


def crc_of(data: bytes) -> bytes:
    """Return the CRC-32 of data as it is stored."""
    return zlib.crc32(data).to_bytes(CRC_BYTES, "little")
