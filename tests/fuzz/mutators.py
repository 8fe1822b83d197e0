"""Changes inputs of the fuzz targets at random: bytes, and `.nnc` files part by part, with checksums that match."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from nncodec.errors import FormatError
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType, CoderId, Header, crc_of
from nncodec.limits import Limits

Mutator = Callable[[random.Random, bytes], bytes]

_BYTES = (0, 1, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
_NUMBERS = (0, 1, 2, 3, 7, 8, 16, 17, 28, 63, 64, 100, 127, 128, 255, 1000, 1 << 14, 1 << 16, 1 << 20, (1 << 35) - 1)
_LONGEST = 4096
# Only what cannot be written back is refused here; targets set limits of their own.
_ANY = Limits(pixels=1 << 110, frames=1 << 40, blocks=64, chunk_bytes=_LONGEST)


def change_bytes(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with one random change, at most 4 KB."""
    out = bytearray(data or b"\0")
    start, size = rng.randrange(len(out)), rng.choice((1, 1, 2, 4, 16))
    kind = rng.randrange(7)
    if kind == 0:
        out[start] ^= 1 << rng.randrange(8)
    elif kind == 1:
        out[start] = rng.choice(_BYTES)
    elif kind == 2:
        out[start] = rng.randrange(256)
    elif kind == 3:
        del out[start : start + size]
    elif kind == 4:
        out[start:start] = out[start : start + size] * rng.choice((1, 2, 50))
    elif kind == 5:
        out[start:start] = rng.randbytes(size)
    else:
        other = rng.randrange(len(out))
        out[start : start + size] = out[other : other + size]
    return bytes(out[:_LONGEST])


def change_file(rng: random.Random, data: bytes) -> bytes:
    """Return an `.nnc` file with one part changed and all checksums recomputed; other bytes are changed as bytes."""
    try:
        container = Container(data, _ANY)
        chunks = {entry.type: container.chunk(entry.type) or b"" for entry in container.chunk_table}
        blocks = [container.block(number) for number in range(container.block_count)]
    except FormatError:
        return sealed(change_bytes(rng, data))
    header, kind = container.header, rng.randrange(6)
    if kind == 0:
        return sealed(change_bytes(rng, data))
    if kind in (1, 2):
        header = _change_header(rng, header)
        blocks = (blocks * 64)[: min(64, _blocks_of(header))] or blocks
    elif kind in (3, 4):
        chosen = rng.choice([int(member) for member in ChunkType] + [0x33])
        if rng.randrange(4) == 0:
            chunks.pop(chosen, None)
        else:
            chunks[chosen] = change_bytes(rng, chunks.get(chosen, rng.choice([*chunks.values(), b"\0"])))
    else:
        number = rng.randrange(len(blocks))
        blocks[number] = change_bytes(rng, blocks[number]) or b"\0"
    try:
        return write(header, chunks, blocks)
    except (ValueError, OverflowError, ZeroDivisionError):  # a field that has no place in a file
        return data


def sealed(data: bytes) -> bytes:
    """Return a file whose header ends with the right checksum, wherever a checksum may stand."""
    # A header has no length field: the place is where the checksum of the unchanged file was, or nowhere.
    for end in range(12, min(len(data), 80)):
        if crc_of(data[:end]) == data[end : end + 4]:
            return data
    end = min(max(12, len(data) - 8), 40)
    return data[:end] + crc_of(data[:end]) + data[end + 4 :]


def spliced(rng: random.Random, mutate: Mutator, seeds: Sequence[bytes]) -> bytes:
    """Return a seed after a few changes."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        data = mutate(rng, data)
    return data


def _change_header(rng: random.Random, header: Header) -> Header:
    number = rng.choice(_NUMBERS)
    edges = (header.width, number), (number, header.height)
    changes: list[dict[str, Any]] = [
        {"width": number, "display_size": (number, header.display_size[1])},
        {"height": number, "display_size": (header.display_size[0], number)},
        {"display_size": rng.choice(edges)},
        {"frames": number, "frames_per_block": min(max(1, number), header.frames_per_block)},
        {"frames_per_block": number},
        {"block_edge_log2": rng.choice((0, 1, 3, 5, 10, 24, 25))},
        {"quality": rng.choice((None, 0, 50, 100, 101, 254))},
        {"coder": rng.choice(list(CoderId))},
        {"model_id": header.model_id[:3] + rng.randbytes(1)},
        {"model_id": header.model_id + bytes(4) if len(header.model_id) == 4 else header.model_id[:4]},
    ]
    return replace(header, **rng.choice(changes))


def _blocks_of(header: Header) -> int:
    try:
        groups, rows, columns = header.grid
    except ZeroDivisionError:
        return 1
    return groups * rows * columns
