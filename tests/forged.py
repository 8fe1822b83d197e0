"""`.nnc` files made byte by byte, sound or with any field changed."""

from __future__ import annotations

import zlib
from typing import Any

from nncodec.format.container import write
from nncodec.format.header import ChunkType, CoderId, ColourMode, Header

DISPLAY, FRAMES, GRID, CHUNKS, EXACT = 0x02, 0x04, 0x08, 0x10, 0x20


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
    fields: dict[str, Any] = {
        "mode": ColourMode.RGB,
        "coder": CoderId.ZSTD,
        "quality": 50,
        "model_id": b"\x01\x23\x45\x67",
        "width": 3,
        "height": 2,
    }
    fields.update(changes)
    fields.setdefault("display_size", (fields["width"], fields["height"]))
    return Header(**fields)


def small_file() -> bytes:
    """Every optional part in few bytes: display size, frames, grid, chunks."""
    return write(
        header(display_size=(6, 4), frames=3, frames_per_block=2),
        {ChunkType.XMP: b"meta", ChunkType.ALPHA: b"\x00\xff"},
        [b"first", b"second"],
    )
