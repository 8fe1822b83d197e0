"""A second reader of containers, written from docs/format.md with Python integers.

It returns what a file holds, or raises `Refused` with the name of the reason: NotNnc, UnsupportedVersion, Truncated,
Corrupt or LimitExceeded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

BlockDecoder = Callable[[bytes, tuple[int, ...], int], NDArray[np.int64]]

# Bits and planes of the colour modes of exact pictures; planes of 0 are in the header.
MODES = (
    *((range(1, 17), 1), (range(8, 9), 3), (range(8, 9), 2), (range(8, 9), 4)),
    *((range(1, 9), 1), (range(1, 2), 1), (range(8, 9), 4), (range(1, 17), 0)),
)
GREY, RGB, PALETTE, BILEVEL = 0, 1, 4, 5
LIMIT_PIXELS = 178_956_970
CHUNK_BYTES = {0x01: 1 << 24, 0x02: 1 << 24, 0x03: 1 << 24, 0x05: 1 << 20, 0x06: 1 << 16}


class Refused(Exception):
    """The file breaks a rule; the argument is the name of the exception."""


class PageReader:
    """Reads a file from its first byte to its last, and keeps its chunks and payloads."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0
        self.chunks: dict[int, bytes] = {}
        self.payloads: list[bytes] = []

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
        if kind & 0x0F > 7 or kind >> 4 > 3:
            raise Refused("UnsupportedVersion")
        mode, samples, weight = kind & 0x0F, self.samples(kind & 0x0F, flags) if flags & 0x20 else None, 1
        if (kind >> 4 == 3) != (samples is not None) or (samples is None and mode > RGB):
            raise Refused("Corrupt")
        if samples:
            weight = -(-samples["planes"] * (1 if samples["bits"] <= 8 else 2) // 4)
        width, height = self.v(1), self.v(1)
        shown = [width, height]
        if flags & 0x02:
            shown = [self.v(1), self.v(1)]
            if shown == [width, height]:
                raise Refused("Corrupt")
        frames = self.v(2) if flags & 0x04 else 1
        both = shown[0] * shown[1] if flags & 0x02 else 0
        if frames > 1 << 20 or width * height * frames * weight > LIMIT_PIXELS:
            raise Refused("LimitExceeded")
        per_block, edge_log2 = frames, 0
        if flags & 0x08:
            per_block, edge_log2 = self.v(1), self.byte()
            if edge_log2 > 24 or per_block > frames:
                raise Refused("Corrupt")
        if 100 < quality < 255 or (samples and quality != 255):
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
        kinds = {kind for kind, _, _ in table}
        if (0x82 in kinds) != (mode == PALETTE) or (
            0x81 in kinds and (mode > RGB or (samples or {}).get("bits", 8) > 8)
        ):
            raise Refused("Corrupt")
        if zlib.crc32(self.data[: self.place]) != self.number(4):
            raise Refused("Corrupt")
        self.parts(table, blocks)
        return {
            "mode": mode,
            "coder": kind >> 4,
            "quality": None if quality == 255 else quality,
            "model_id": model_id.hex(),
            "samples": samples,
            "size": [width, height],
            "display_size": shown,
            "frames": frames,
            "frames_per_block": per_block,
            "block_edge_log2": edge_log2,
            "chunks": {f"{kind:02x}": size for kind, size, _ in table},
            "blocks": blocks,
        }

    def samples(self, mode: int, flags: int) -> dict[str, int]:
        """Return the fields that only exact pictures have."""
        bits, error = self.byte(), self.v(0)
        planes = MODES[mode][1] or self.byte()
        if bits not in MODES[mode][0] or not 1 <= planes <= 32 or error >> bits:
            raise Refused("Corrupt")
        if (error and mode in (PALETTE, BILEVEL)) or flags & 0x02:
            raise Refused("Corrupt")
        return {"bits": bits, "planes": planes, "max_error": error}

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
        for kind, size, checksum in table:
            self.chunks[kind] = self.take(size)
            if zlib.crc32(self.chunks[kind]) != checksum:
                raise Refused("Corrupt")
        for size in blocks:
            self.payloads.append(self.take(size))
            if zlib.crc32(self.payloads[-1]) != self.number(4):
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


def exact_pictures(data: bytes, decode: BlockDecoder) -> list[NDArray[np.int64]]:
    """Return the frames of an exact file, (rows, columns, planes) each.

    Args:
        data: the file.
        decode: returns the samples of a payload, given its shape and the bits of a sample.
    """
    reader = PageReader(data)
    fields = reader.read()
    (width, height), samples, step = fields["size"], fields["samples"], 2 * fields["samples"]["max_error"] + 1
    top = (1 << samples["bits"]) - 1
    coded_bits = max(1, ((top + samples["max_error"]) // step).bit_length())
    edge = 1 << fields["block_edge_log2"] if fields["block_edge_log2"] else max(width, height)
    whole = np.empty((fields["frames"], height, width, samples["planes"]), np.int64)
    payloads = iter(reader.payloads)
    for frame in range(0, len(whole), fields["frames_per_block"]):
        for y in range(0, height, edge):
            for x in range(0, width, edge):
                part = whole[frame : frame + fields["frames_per_block"], y : y + edge, x : x + edge]
                part[:] = np.minimum(decode(next(payloads), part.shape, coded_bits) * step, top)
    if 0x81 in reader.chunks:
        whole = np.concatenate([whole, alpha_of(reader.chunks[0x81], whole.shape[:3], decode)], axis=3)
    return list(whole)


def alpha_of(chunk: bytes, shape: tuple[int, ...], decode: BlockDecoder) -> NDArray[np.int64]:
    """Return the alpha of all frames, (frames, rows, columns, 1)."""
    if chunk.startswith(b"\x8eNNC"):
        return np.stack(exact_pictures(chunk, decode))
    content = zstandard.ZstdDecompressor().decompress(chunk)
    return np.cumsum(np.frombuffer(content, np.uint8).reshape(shape).astype(np.int64), axis=1)[..., None] % 256
