"""A second reader of containers, written from docs/format.md with Python integers; it reads no exact pictures.

It returns what a file holds, or raises `Refused` with the name of the reason: NotNnc, UnsupportedVersion, Truncated,
Corrupt or LimitExceeded.
"""

from __future__ import annotations

import zlib
from typing import Any

LIMIT_PIXELS = 178_956_970
CHUNK_BYTES = {0x01: 1 << 24, 0x02: 1 << 24, 0x03: 1 << 24, 0x05: 1 << 20, 0x06: 1 << 16}


class Refused(Exception):
    """The file breaks a rule; the argument is the name of the exception."""


class PageReader:
    """Reads a file from its first byte to its last."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def read(self) -> dict[str, Any]:
        """Return the fields of the header, and the sizes of chunks and blocks."""
        if self.data[:4] != b"\x8eNNC":
            raise Refused("NotNnc")
        self.place = 4
        if self.byte() != 1:
            raise Refused("UnsupportedVersion")
        kind, flags, quality = self.byte(), self.byte(), self.byte()
        if flags & ~0x3F:
            raise Refused("UnsupportedVersion")
        model_id = self.take(8 if flags & 0x01 else 4)
        if kind >> 4 == 3 and not flags & 0x20:
            raise Refused("Corrupt")  # the coder of exact pictures, and the picture is not exact
        if kind & 0x0F > 1 or kind >> 4 > 2:
            raise Refused("UnsupportedVersion")
        if flags & 0x20:
            raise Refused("Corrupt")  # these coders code no exact pictures
        width, height = self.v(1), self.v(1)
        shown = [width, height]
        if flags & 0x02:
            shown = [self.v(1), self.v(1)]
            if shown == [width, height]:
                raise Refused("Corrupt")
        frames = self.v(2) if flags & 0x04 else 1
        both = shown[0] * shown[1] if flags & 0x02 else 0
        if frames > 1 << 20 or width * height * frames > LIMIT_PIXELS:
            raise Refused("LimitExceeded")
        per_block, edge_log2 = frames, 0
        if flags & 0x08:
            per_block, edge_log2 = self.v(1), self.byte()
            if edge_log2 > 24 or per_block > frames:
                raise Refused("Corrupt")
        if 100 < quality < 255:
            raise Refused("Corrupt")
        if max(width * height + both, shown[0] * height, width * shown[1]) * frames > LIMIT_PIXELS:
            raise Refused("LimitExceeded")
        edge = 1 << edge_log2 if edge_log2 else max(width, height)
        count = -(-frames // per_block) * -(-height // edge) * -(-width // edge)
        if count > 1 << 18:
            raise Refused("LimitExceeded")
        if bool(flags & 0x08) != (count > 1):
            raise Refused("Corrupt")
        blocks = [self.v(1) for _ in range(count)]
        table = self.table() if flags & 0x10 else []
        if zlib.crc32(self.data[: self.place]) != self.number(4):
            raise Refused("Corrupt")
        self.parts(table, blocks)
        return {
            "mode": kind & 0x0F,
            "coder": kind >> 4,
            "quality": None if quality == 255 else quality,
            "model_id": model_id.hex(),
            "size": [width, height],
            "display_size": shown,
            "frames": frames,
            "frames_per_block": per_block,
            "block_edge_log2": edge_log2,
            "chunks": {f"{kind:02x}": size for kind, size, _ in table},
            "blocks": blocks,
        }

    def table(self) -> list[tuple[int, int, int]]:
        count, entries = self.byte(), []
        if not count:
            raise Refused("Corrupt")
        for _ in range(count):
            kind, size = self.byte(), self.v(0)
            checksum = self.number(4)
            if entries and kind <= entries[-1][0]:
                raise Refused("Corrupt")
            if kind >= 0x80 and kind not in (0x81, 0x82):
                raise Refused("UnsupportedVersion")
            if kind != 0x81 and size > CHUNK_BYTES.get(kind, 1 << 24):
                raise Refused("LimitExceeded")
            entries.append((kind, size, checksum))
        return entries

    def parts(self, table: list[tuple[int, int, int]], blocks: list[int]) -> None:
        """Check that the file ends where it must, and every checksum."""
        end = self.place + sum(size for _, size, _ in table) + sum(size + 4 for size in blocks)
        if end != len(self.data):
            raise Refused("Truncated" if end > len(self.data) else "Corrupt")
        for _, size, checksum in table:
            if zlib.crc32(self.take(size)) != checksum:
                raise Refused("Corrupt")
        for size in blocks:
            if zlib.crc32(self.take(size)) != self.number(4):
                raise Refused("Corrupt")

    def take(self, size: int) -> bytes:
        part = self.data[self.place : self.place + size]
        if len(part) < size:
            raise Refused("Truncated")
        self.place += size
        return part

    def byte(self) -> int:
        return self.number(1)

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def v(self, least: int) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value += (byte & 0x7F) << shift
            if byte < 0x80:
                if (byte == 0 and shift) or value < least:
                    raise Refused("Corrupt")
                return value
        raise Refused("Corrupt")
