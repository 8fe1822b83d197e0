"""The `.nnc` container: bytes to header, chunks and blocks, and back.

All integers are little-endian; `v` is an unsigned LEB128 of at most 5 bytes, shortest form only. Version 1:

    offset size
    0      4    magic 8E 4E 4E 43
    4      1    version, 1
    5      1    low nibble: colour mode (0 L, 1 RGB); high nibble: coder (0 stored, 1 zstd, 2 rans)
    6      1    flags: 01 long model id, 02 display size, 04 frames, 08 block grid, 10 chunks; others are 0
    7      1    quality 0..100, or FF if the model has none
    8      4    model id: first bytes of the model's digest (8 bytes with the flag)
           v v  width, height of the coded picture, 1 or more
           v v  width, height to return (with the flag)
           v    frames, 2 or more (with the flag)
           v 1  frames per block, log2 of the block edge in pixels or 0 for undivided pictures (with the flag)
           v .. stored bytes of each block, 1 or more, in order (frame group, row, column)
           1    number of chunks, then for each, types ascending: 1 type, v stored bytes, 4 CRC-32 (with the flag)
           4    CRC-32 of everything above
           ...  the chunks' data, in order
           ...  the blocks, in order: data, then 4 CRC-32 of the data

Nothing follows the last block. `docs/format.md` says the same in prose, with what chunks and blocks hold.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, NamedTuple, TypeVar

from nncodec.errors import Corrupt, FormatError, InvalidOption, NotNnc, Truncated, UnsupportedVersion
from nncodec.limits import DEFAULT_LIMITS, Limits
from nncodec.plugin.model_file import LONG_ID_BYTES, SHORT_ID_BYTES

MAGIC = b"\x8eNNC"
VERSION = 1
NO_QUALITY = 0xFF

_LONG_ID, _DISPLAY, _FRAMES, _GRID, _CHUNKS = 0x01, 0x02, 0x04, 0x08, 0x10
_KNOWN_FLAGS = _LONG_ID | _DISPLAY | _FRAMES | _GRID | _CHUNKS
_CRITICAL = 0x80
_CRC_BYTES = 4
_VARINT_MAX_BYTES = 5
_MAX_EDGE_LOG2 = 24

_E = TypeVar("_E", bound=IntEnum)


class ColourMode(IntEnum):
    """Planes that the model codes; alpha is a chunk."""

    L = 0
    RGB = 1


class CoderId(IntEnum):
    """How block payloads are coded."""

    STORED = 0
    ZSTD = 1
    RANS = 2


class ChunkType(IntEnum):
    """Chunks; from 80h on they are critical: a reader that does not know one must refuse the file."""

    EXIF = 0x01
    ICC = 0x02
    XMP = 0x03
    MODEL_NAME = 0x04
    PREVIEW = 0x05
    SETTINGS = 0x06
    ENHANCER = 0x07
    ALPHA = 0x81


class ChunkEntry(NamedTuple):
    """A row of the chunk table."""

    type: int
    size_bytes: int
    crc: int


@dataclass(frozen=True)
class Header:
    """What a file says of itself, apart from the tables that the container keeps.

    Args:
        mode: planes the model codes.
        coder: how blocks are coded.
        quality: 0..100, or None for a model without qualities.
        model_id: first 4 or 8 bytes of the model's digest.
        width, height: of the coded picture, pixels.
        display_size: (width, height) that decoders return; equal to the coded size unless stored reduced.
        frames: pictures in the file.
        frames_per_block: frames coded together; a single group by default.
        block_edge_log2: log2 of the edge of a block in pixels; 0 codes whole pictures.
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

    @property
    def is_reduced(self) -> bool:
        """Whether decoders return larger pictures than are coded."""
        return self.display_size[0] > self.width or self.display_size[1] > self.height

    @property
    def grid(self) -> tuple[int, int, int]:
        """Blocks along (frames, height, width)."""
        groups = math.ceil(self.frames / self.frames_per_block)
        if not self.block_edge_log2:
            return groups, 1, 1
        edge = 1 << self.block_edge_log2
        return groups, math.ceil(self.height / edge), math.ceil(self.width / edge)


def write(header: Header, chunks: Mapping[int, bytes], blocks: Sequence[bytes]) -> bytes:
    """Return the bytes of a file.

    Args:
        header: all fields valid (the caller is this package).
        chunks: chunk type to data.
        blocks: one payload for each cell of `header.grid`, in order, none empty.
    """
    ordered = sorted(chunks.items())
    displays = header.display_size != (header.width, header.height)
    divided = math.prod(header.grid) > 1
    flags = (
        (_LONG_ID if len(header.model_id) == LONG_ID_BYTES else 0)
        | (_DISPLAY if displays else 0)
        | (_FRAMES if header.frames > 1 else 0)
        | (_GRID if divided else 0)
        | (_CHUNKS if ordered else 0)
    )
    quality = NO_QUALITY if header.quality is None else header.quality
    out = bytearray(MAGIC)
    out += bytes((VERSION, header.mode | header.coder << 4, flags, quality)) + header.model_id
    out += varint(header.width) + varint(header.height)
    if displays:
        out += varint(header.display_size[0]) + varint(header.display_size[1])
    if header.frames > 1:
        out += varint(header.frames)
    if divided:
        out += varint(header.frames_per_block) + bytes((header.block_edge_log2,))
    for block in blocks:
        out += varint(len(block))
    if ordered:
        out.append(len(ordered))
        for kind, data in ordered:
            out += bytes((kind,)) + varint(len(data)) + _crc(data)
    out += _crc(bytes(out))
    for _, data in ordered:
        out += data
    for block in blocks:
        out += block + _crc(block)
    return bytes(out)


class Container:
    """An open file: header and tables are read and checked, chunks and blocks come on request.

    Args:
        source: the file as bytes, or a seekable binary stream positioned at its beginning.
        limits: bounds checked before anything is allocated.

    Raises:
        NotNnc, UnsupportedVersion, Truncated, Corrupt, LimitExceeded: see errors.py.
    """

    def __init__(self, source: bytes | bytearray | memoryview | BinaryIO, limits: Limits = DEFAULT_LIMITS) -> None:
        stream = io.BytesIO(source) if isinstance(source, bytes | bytearray | memoryview) else source
        if not hasattr(stream, "read"):
            kind = type(source).__name__
            raise InvalidOption(
                option="data", reason=f"expected bytes or a binary stream, got {kind}; open the file first"
            )
        self._stream = stream
        self.limits = limits
        self._start = _seek(stream, 0, io.SEEK_CUR)
        reader = _HeaderReader(stream)
        self.header, block_sizes, self.chunk_table = _read_header(reader, limits)
        reader.check_crc()
        offset = self._start + reader.size_bytes
        self._chunk_offsets: dict[int, int] = {}
        for entry in self.chunk_table:
            self._chunk_offsets[entry.type] = offset
            offset += entry.size_bytes
        self._blocks: list[tuple[int, int]] = []
        for size in block_sizes:
            self._blocks.append((offset, size))
            offset += size + _CRC_BYTES
        self._end = offset

    @property
    def block_count(self) -> int:
        """Blocks in the file: the product of `header.grid`."""
        return len(self._blocks)

    @property
    def payload_bytes(self) -> int:
        """Stored bytes of all blocks, without their checksums."""
        return sum(size for _, size in self._blocks)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole file, as its tables say."""
        return self._end - self._start

    def chunk(self, kind: int) -> bytes | None:
        """Return a chunk's data, or None where the file has none; raises Truncated or Corrupt."""
        for entry in self.chunk_table:
            if entry.type == kind:
                return self._read(self._chunk_offsets[kind], entry.size_bytes, entry.crc, f"chunk {kind:#04x}")
        return None

    def block(self, index: int) -> bytes:
        """Return a block's payload; raises Truncated or Corrupt."""
        offset, size = self._blocks[index]
        part = f"block {index}"
        stored = self._read(offset + size, _CRC_BYTES, None, part)
        return self._read(offset, size, int.from_bytes(stored, "little"), part)

    def check_end(self) -> None:
        """Raise Truncated or Corrupt unless the file ends exactly after the last block."""
        end = _seek(self._stream, 0, io.SEEK_END)
        if end < self._end:
            raise Truncated(part="blocks")
        if end > self._end:
            raise Corrupt(detail=f"{end - self._end} bytes follow the last block")

    def check(self) -> None:
        """Read everything and compare every checksum, without the model; raises Truncated or Corrupt."""
        self.check_end()
        for entry in self.chunk_table:
            self.chunk(entry.type)
        for index in range(self.block_count):
            self.block(index)

    def _read(self, offset: int, size: int, crc: int | None, part: str) -> bytes:
        _seek(self._stream, offset)
        data = _read_exactly(self._stream, size, part)
        if crc is not None and zlib.crc32(data) != crc:
            raise Corrupt(detail=f"{part} does not match its checksum")
        return data


class _HeaderReader:
    """Reads header fields and remembers the bytes, for the checksum over them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._seen = bytearray()

    @property
    def size_bytes(self) -> int:
        return len(self._seen)

    def take(self, size: int) -> bytes:
        data = _read_exactly(self._stream, size, "header")
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
        if int.from_bytes(self.take(_CRC_BYTES), "little") != expected:
            raise Corrupt(detail="the header does not match its checksum")


def _read_header(reader: _HeaderReader, limits: Limits) -> tuple[Header, list[int], tuple[ChunkEntry, ...]]:
    try:
        if reader.take(len(MAGIC)) != MAGIC:
            raise NotNnc
    except Truncated:
        raise NotNnc from None
    version = reader.byte()
    if version != VERSION:
        raise UnsupportedVersion(found=f"version {version} of the format")
    kind, flags, quality = reader.byte(), reader.byte(), reader.byte()
    # Anything unknown below may equally be damage, which only the checksum at the end of a header of known shape can
    # tell; so an unknown flag, which changes that shape, is reported as what it most likely is.
    if flags & ~_KNOWN_FLAGS:
        raise UnsupportedVersion(found=f"flags {flags & ~_KNOWN_FLAGS:#04x}")
    model_id = reader.take(LONG_ID_BYTES if flags & _LONG_ID else SHORT_ID_BYTES)
    width, height = reader.varint("the width", 1), reader.varint("the height", 1)
    display = (width, height)
    if flags & _DISPLAY:
        display = (reader.varint("the display width", 1), reader.varint("the display height", 1))
        if display == (width, height):
            raise Corrupt(detail="it repeats its size as display size")
    frames = reader.varint("the number of frames", 2) if flags & _FRAMES else 1
    limits.check("frames", frames)
    limits.check("pixels", width * height * frames)
    limits.check("pixels", display[0] * display[1] * frames)
    frames_per_block, edge_log2 = frames, 0
    if flags & _GRID:
        frames_per_block, edge_log2 = reader.varint("the number of frames a block", 1), reader.byte()
        if edge_log2 > _MAX_EDGE_LOG2 or frames_per_block > frames:
            raise Corrupt(detail="its block grid is impossible")
    header = Header(
        _known(ColourMode, kind & 0x0F, "colour mode"),
        _known(CoderId, kind >> 4, "coder"),
        None if quality == NO_QUALITY else quality,
        model_id,
        width,
        height,
        display,
        frames,
        frames_per_block,
        edge_log2,
    )
    if quality > 100 and quality != NO_QUALITY:
        raise Corrupt(detail=f"its quality is {quality}")
    blocks = math.prod(header.grid)
    limits.check("blocks", blocks)
    if bool(flags & _GRID) != (blocks > 1):
        raise Corrupt(detail="its block grid is a single block")
    sizes = [reader.varint("the size of a block", 1) for _ in range(blocks)]
    return header, sizes, _read_chunk_table(reader, limits) if flags & _CHUNKS else ()


def _read_chunk_table(reader: _HeaderReader, limits: Limits) -> tuple[ChunkEntry, ...]:
    count = reader.byte()
    if count == 0:
        raise Corrupt(detail="its chunk table is empty")
    table: list[ChunkEntry] = []
    for _ in range(count):
        kind, size = reader.byte(), reader.varint("the size of a chunk")
        entry = ChunkEntry(kind, size, int.from_bytes(reader.take(_CRC_BYTES), "little"))
        if table and entry.type <= table[-1].type:
            raise Corrupt(detail="its chunks are not in order")
        if entry.type & _CRITICAL and entry.type not in ChunkType.__members__.values():
            raise UnsupportedVersion(found=f"chunk {entry.type:#04x}")
        # Alpha is as large as the picture is; its size is checked against that when it is decompressed.
        if kind != ChunkType.ALPHA:
            limits.check("chunk_bytes", size)
        table.append(entry)
    return tuple(table)


def _known(kind: type[_E], value: int, what: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise UnsupportedVersion(found=f"{what} {value}") from None


def _seek(stream: BinaryIO, offset: int, whence: int = io.SEEK_SET) -> int:
    try:
        return stream.seek(offset, whence)
    except ValueError as error:  # a closed file
        raise FormatError(detail=str(error)) from error


def _read_exactly(stream: BinaryIO, size: int, part: str) -> bytes:
    # Read in pieces: a declared size is not worth an allocation until the bytes are seen to be there.
    pieces = []
    remaining = size
    while remaining:
        try:
            piece = stream.read(min(remaining, 1 << 20))
        except ValueError as error:  # a closed file
            raise FormatError(detail=str(error)) from error
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


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CRC_BYTES, "little")
