"""Changes inputs of the fuzz targets at random: bytes, and `.nnc` files part by part, with checksums that match."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import zstandard
from safetensors.numpy import load

from nncodec.errors import FormatError
from nncodec.format.container import Container, write
from nncodec.format.header import ChunkType, CoderId, ColourMode, Header, crc_of
from nncodec.format.samples import SampleFormat
from nncodec.limits import Limits
from nncodec.plugin.model_file import digest_of

Mutator = Callable[[random.Random, bytes], bytes]

_BYTES = (0, 1, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
_NUMBERS = (0, 1, 2, 3, 7, 8, 16, 17, 28, 63, 64, 100, 127, 128, 255, 1000, 1 << 14, 1 << 16, 1 << 20, (1 << 35) - 1)
_LONGEST = 4096
_VALUES = (None, True, -1, 0, 3, 1 << 70, 1e400, "x", "0" * 64, [], [1, 2], {}, {"a": 1}, {"shape": [3]})
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
        header, stored_chunks, stored_blocks = _parts(data)
    except FormatError:
        return sealed(change_bytes(rng, data))
    chunks, blocks, kind = dict(stored_chunks), list(stored_blocks), rng.randrange(6)
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
            chunks[chosen] = change_frame(rng, chunks.get(chosen, rng.choice([*chunks.values(), b"\0"])))
    else:
        number = rng.randrange(len(blocks))
        blocks[number] = change_frame(rng, blocks[number]) or b"\0"
    try:
        return write(header, chunks, blocks)
    except (ValueError, OverflowError, ZeroDivisionError):  # a field that has no place in a file
        return data


@lru_cache(maxsize=256)
def _parts(data: bytes) -> tuple[Header, dict[int, bytes], tuple[bytes, ...]]:
    """Return the header, the chunks and the blocks of a file; raises FormatError."""
    container = Container(data, _ANY)
    chunks = {entry.type: container.chunk(entry.type) or b"" for entry in container.chunk_table}
    return container.header, chunks, tuple(container.block(number) for number in range(container.block_count))


def change_model(rng: random.Random, data: bytes) -> bytes:
    """Change a model file: its bytes, or its header, whose size is kept right."""
    if rng.randrange(4) == 0:
        return change_bytes(rng, data)
    size = int.from_bytes(data[:8], "little")
    header = _with_digest(change_json(rng, data[8 : 8 + size]), data[8 + size :])
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def _with_digest(header: bytes, values: bytes) -> bytes:
    """Return the header of a model file with the right digest, if it can be told."""
    try:
        parsed = json.loads(header)
        metadata = parsed["__metadata__"]
        whole = len(header).to_bytes(8, "little") + header + values
        config = json.loads(metadata["nncodec.config"])
        metadata["nncodec.digest"] = digest_of(metadata["nncodec.architecture"], config, load(whole))
        return json.dumps(parsed).encode()
    except Exception:  # it may be damaged in any way
        return header


def change_json(rng: random.Random, data: bytes) -> bytes:
    """Change JSON: its bytes, or a value in it; texts that hold JSON themselves are changed likewise."""
    if rng.randrange(4) == 0:
        return change_bytes(rng, data)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return change_bytes(rng, data)
    return json.dumps(_changed(rng, value)).encode()[:_LONGEST]


def _changed(rng: random.Random, value: Any) -> Any:
    if rng.randrange(4) == 0:
        return rng.choice(_VALUES)
    if isinstance(value, dict) and value:
        key = rng.choice(sorted(value))
        if rng.randrange(8) == 0:
            return {other: kept for other, kept in value.items() if other != key}
        return {**value, rng.choice((key, key, key, key + "x")): _changed(rng, value[key])}
    if isinstance(value, list) and value:
        place = rng.randrange(len(value))
        return [*value[:place], _changed(rng, value[place]), *value[place + 1 :]]
    if isinstance(value, str) and value:
        return change_json(rng, value.encode(errors="replace")).decode(errors="replace")
    return rng.choice(_VALUES)


def change_frame(rng: random.Random, data: bytes) -> bytes:
    """Change bytes that end in a Zstandard frame: them, or the frame's content."""
    start = data.find(zstandard.FRAME_HEADER)
    if start < 0 or rng.randrange(3) == 0:
        return change_bytes(rng, data)
    try:
        content = zstandard.ZstdDecompressor().decompress(data[start:], max_output_size=_LONGEST)
    except (zstandard.ZstdError, MemoryError):
        return change_bytes(rng, data)
    return data[:start] + zstandard.ZstdCompressor(level=1).compress(change_bytes(rng, content))


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
        {"mode": rng.choice(list(ColourMode))},
        {"samples": SampleFormat(rng.choice((1, 2, 8, 9, 12, 16, 17)), rng.choice((1, 2, 3, 4, 5, 32, 33)), number)},
        {"samples": replace(header.samples, max_error=number) if header.samples else None},
        {"model_id": header.model_id + bytes(4) if len(header.model_id) == 4 else header.model_id[:4]},
    ]
    return replace(header, **rng.choice(changes))


def _blocks_of(header: Header) -> int:
    try:
        groups, rows, columns = header.grid
    except ZeroDivisionError:
        return 1
    return groups * rows * columns
