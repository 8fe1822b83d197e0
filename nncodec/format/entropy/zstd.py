"""The Zstandard coder, the format's baseline for all models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import zstandard
from numpy.typing import NDArray

from nncodec.errors import Corrupt
from nncodec.format.entropy.base import Alphabet, Coder, StageSymbols, SymbolReader
from nncodec.format.entropy.layout import (
    PlanarReader,
    SortedReader,
    planar_bytes,
    planar_segments,
    sorted_bytes_bound,
    sorted_segments,
)
from nncodec.format.header import CoderId

# Higher levels take twice the time on such data and save nothing.
LEVEL = 17
# Quad limits to try: none, and tables with less than 1/16 or 1/4 of their mass off the peak.
_QUAD_LIMITS = (0, 12, 14)
_WINDOW_LOG_MAX = 24
# Approximate cost of a Zstandard block: its header, and the lengths of its Huffman code.
_BLOCK_COST_BYTES = 8.0
_BLOCK_COST_BYTES_PER_SYMBOL = 0.55
_MAX_SEGMENTS = 64


class ZstdCoder(Coder):
    """Writes symbols in the layout of `layout.py`, in one Zstandard frame.

    The frame declares its content size and has no checksum (the container has one) and no dictionary. Where pieces of
    different statistics meet, the frame may start a new block with its own Huffman code; decoders need not know.

    References:
        RFC 8878, "Zstandard Compression and the 'application/zstd' Media Type".
    """

    id = CoderId.ZSTD

    def encode(self, stages: Sequence[StageSymbols], alphabet: Alphabet) -> bytes:
        if alphabet.tables is None:
            return _compress(planar_segments(stages, alphabet))
        return min((_compress(sorted_segments(stages, alphabet, quads)) for quads in _QUAD_LIMITS), key=len)

    def reader(self, payload: bytes, alphabet: Alphabet) -> SymbolReader:
        if alphabet.tables is None:
            return PlanarReader(decompress(payload, planar_bytes(alphabet), exact=True), alphabet)
        return SortedReader(decompress(payload, sorted_bytes_bound(alphabet), exact=False), alphabet)


def compress(data: bytes) -> bytes:
    """Return data as one Zstandard frame that declares its size."""
    return zstandard.ZstdCompressor(compression_params=_parameters()).compress(data)


def decompress(payload: bytes, size: int, *, exact: bool) -> bytes:
    """Return the content of a Zstandard frame that must be of a known size.

    The size that the frame declares is checked before anything is allocated, because the library trusts it.

    Args:
        payload: exactly one frame.
        size: bytes of content, exact or at most.
        exact: whether `size` is the exact number.

    Raises:
        Corrupt: the frame declares another size or none, needs too large a window, or is damaged.
    """
    try:
        frame = zstandard.get_frame_parameters(payload)
        declared = frame.content_size
        if declared in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR):
            raise Corrupt(detail="a Zstandard frame does not declare its size")
        if declared > size or (exact and declared != size):
            raise Corrupt(detail=f"a Zstandard frame declares {declared} bytes where {size} are possible")
        if frame.window_size > max(1 << 10, 2 * declared, 1 << _WINDOW_LOG_MAX) or frame.dict_id:
            raise Corrupt(detail="a Zstandard frame wants a window or dictionary that it cannot need")
        content = zstandard.ZstdDecompressor().decompress(payload, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Corrupt(detail=f"Zstandard: {error}") from error
    if len(content) != declared:
        raise Corrupt(detail="a Zstandard frame holds less than it declares")
    return content


def _compress(segments: list[bytes]) -> bytes:
    whole = compress(b"".join(segments))
    merged = _merge(segments)
    if len(merged) == 1:
        return whole
    frame = zstandard.ZstdCompressor(compression_params=_parameters()).compressobj(size=sum(map(len, segments)))
    out = bytearray()
    for number, segment in enumerate(merged):
        out += frame.compress(segment)
        if number < len(merged) - 1:
            out += frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    out += frame.flush()
    return min(whole, bytes(out), key=len)


def _merge(segments: list[bytes]) -> list[bytes]:
    """Join neighbouring pieces while one Huffman code for both is estimated to be cheaper."""
    stride = -(-len(segments) // _MAX_SEGMENTS)
    pieces = [b"".join(segments[i : i + stride]) for i in range(0, len(segments), stride)]
    counts = [np.bincount(np.frombuffer(piece, np.uint8), minlength=256) for piece in pieces]
    costs = [_cost_bytes(count) for count in counts]
    while len(pieces) > 1:
        joined = [_cost_bytes(counts[i] + counts[i + 1]) for i in range(len(pieces) - 1)]
        savings = [costs[i] + costs[i + 1] - joined[i] for i in range(len(joined))]
        best = int(np.argmax(savings))
        if savings[best] <= 0:
            break
        pieces[best : best + 2] = [pieces[best] + pieces[best + 1]]
        counts[best : best + 2] = [counts[best] + counts[best + 1]]
        costs[best : best + 2] = [joined[best]]
    return pieces


def _cost_bytes(counts: NDArray[np.intp]) -> float:
    present = counts[counts > 0]
    total = present.sum()
    if len(present) < 2:
        return _BLOCK_COST_BYTES / 2
    entropy_bits = -(present * np.log2(present / total)).sum()
    return float(max(entropy_bits, total) / 8 + _BLOCK_COST_BYTES + _BLOCK_COST_BYTES_PER_SYMBOL * len(present))


def _parameters() -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters.from_level(
        LEVEL, window_log=_WINDOW_LOG_MAX - 4, write_content_size=True, write_checksum=False, write_dict_id=False
    )
