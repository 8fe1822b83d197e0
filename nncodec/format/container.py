"""The `.nnc` container: header, chunks and blocks to bytes, and back.

    header           see `header.py`
    chunks' data     in the order of the chunk table
    blocks           in file order: data, then 4 bytes CRC-32 of the data

Nothing follows the last block. `docs/format.md` specifies the same in prose, with the contents of chunks and blocks.
"""

from __future__ import annotations

import io
import os
import threading
import zlib
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from nncodec._support.files import end_of, path_of, seekable, stream_of
from nncodec.errors import Corrupt, InvalidOption, NotNnc, Truncated
from nncodec.format.header import CRC_BYTES, Header, crc_of, pack_header, read_exactly, read_header
from nncodec.limits import DEFAULT_LIMITS, Limits, checked_limits

NncSource = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""Where a file comes from: a path, its bytes, or a binary stream."""


def write(header: Header, chunks: Mapping[int, bytes], blocks: Sequence[bytes]) -> bytes:
    """Return the bytes of a file.

    Args:
        header: all fields valid (the caller is this package).
        chunks: chunk type to data.
        blocks: one payload for each cell of `header.grid`, in order, none empty.
    """
    ordered = sorted(chunks.items())
    out = bytearray(pack_header(header, ordered, [len(block) for block in blocks]))
    for _, data in ordered:
        out += data
    for block in blocks:
        out += block + crc_of(block)
    return bytes(out)


class Container:
    """An open file: the header is read and checked at once, chunks and blocks on request, by any number of threads.

    Args:
        source: path of the file, which is read whole; its bytes; or a binary stream positioned at its beginning, which
            is read whole if it cannot seek.
        limits: bounds checked before anything is allocated.

    Raises:
        NotNnc, UnsupportedVersion, Truncated, Corrupt, LimitExceeded: see errors.py.
        InvalidOption: the source or the limits are something else, or a stream is at its end.
        ValueError: the stream is closed, as Python's own streams say it; methods that read raise it too.
    """

    def __init__(self, source: NncSource, limits: Limits = DEFAULT_LIMITS) -> None:
        limits = checked_limits(limits)
        if isinstance(source, str | os.PathLike):
            source = path_of(source).read_bytes()
        stream = stream_of(source) if isinstance(source, bytes | bytearray | memoryview) else source
        if not hasattr(stream, "read"):
            kind = type(source).__name__
            raise InvalidOption(option="data", reason=f"expected a path, bytes or a binary stream, got {kind}")
        if isinstance(stream, io.TextIOBase):
            raise InvalidOption(option="data", reason="the file is open as text; open it with mode 'rb'")
        stream = seekable(stream)
        self._stream = stream
        # Another thread must not move the stream between `seek` and `read`.
        self._moving = threading.Lock()
        self.limits = limits
        self._start = stream.tell()
        try:
            self.header, block_sizes, self.chunk_table, header_bytes = read_header(stream, limits)
        except NotNnc:
            if self._start and end_of(stream) == self._start:
                reason = "the stream stands at its end; go to the beginning of the file with seek(0)"
                raise InvalidOption(option="data", reason=reason) from None
            raise
        offset = self._start + header_bytes
        self._chunk_offsets: dict[int, int] = {}
        for entry in self.chunk_table:
            self._chunk_offsets[entry.type] = offset
            offset += entry.size_bytes
        self._blocks: list[tuple[int, int]] = []
        for size in block_sizes:
            self._blocks.append((offset, size))
            offset += size + CRC_BYTES
        self._end = offset

    @property
    def block_count(self) -> int:
        """Number of blocks in the file: the product of `header.grid`."""
        return len(self._blocks)

    @property
    def payload_bytes(self) -> int:
        """Stored bytes of all blocks, without their checksums."""
        return sum(size for _, size in self._blocks)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole file, according to its header."""
        return self._end - self._start

    def chunk(self, kind: int) -> bytes | None:
        """Return a chunk's data, or None if the file has no such chunk; raises Truncated or Corrupt."""
        for entry in self.chunk_table:
            if entry.type == kind:
                return self._read(self._chunk_offsets[kind], entry.size_bytes, entry.crc, f"chunk {kind:#04x}")
        return None

    def block(self, index: int) -> bytes:
        """Return a block's payload; raises Truncated or Corrupt."""
        offset, size = self._blocks[index]
        part = f"block {index}"
        stored = self._read(offset + size, CRC_BYTES, None, part)
        return self._read(offset, size, int.from_bytes(stored, "little"), part)

    def check_end(self) -> None:
        """Raise Truncated or Corrupt unless the file ends exactly after the last block."""
        with self._moving:
            end = end_of(self._stream)
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

    def copy(self) -> bytes:
        """Return the whole file; raises Truncated or Corrupt if a checksum does not match."""
        self.check()
        return self._read(self._start, self.size_bytes, None, "blocks")

    def _read(self, offset: int, size: int, crc: int | None, part: str) -> bytes:
        with self._moving:
            self._stream.seek(offset)
            data = read_exactly(self._stream, size, part)
        if crc is not None and zlib.crc32(data) != crc:
            raise Corrupt(detail=f"{part} does not match its checksum")
        return data
