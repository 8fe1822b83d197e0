"""The chunk of latent checksums: whether a machine decodes a sound file to what its maker encoded.

For each block in file order, 4 bytes: the CRC-32 of its latents, array after array as the model declares them, each
value as 4 bytes little-endian in the order frame, channel, row, column.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np

from nncodec.format.header import CRC_BYTES
from nncodec.plugin.latents import IntArray


def latents_checksum(arrays: Iterable[IntArray]) -> bytes:
    """Return the checksum of the latents of a block, its arrays in the order in which the model declares them."""
    crc = 0
    for array in arrays:
        crc = zlib.crc32(np.ascontiguousarray(array, "<i4").tobytes(), crc)
    return crc.to_bytes(CRC_BYTES, "little")


def split_checksums(chunk: bytes | None, blocks: int) -> list[bytes] | None:
    """Return the checksums of a chunk, one for each block; None without the chunk, or if it is malformed."""
    if chunk is None or len(chunk) != CRC_BYTES * blocks:
        return None
    return [chunk[start : start + CRC_BYTES] for start in range(0, len(chunk), CRC_BYTES)]
