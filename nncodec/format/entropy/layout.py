"""The order and packing of symbols before Zstandard.

Zstandard codes literals with one Huffman code for each of its blocks and at least one bit for each byte. So symbols
with similar statistics are placed side by side, and several small ones share a byte:

- Without probability tables ("planar"): stage by stage, within a stage by table index (that is, by channel), each
  symbol minus the alphabet's minimum in 1, 2 or 4 bytes, the low bytes of a stage first.
- With tables ("sorted"): each table belongs to one of 32 classes, from peaked to flat. The block consists of the quad
  limit (1 byte), the number of symbols in each class up to the last non-empty one (varints, preceded by their count),
  the symbols class by class in coding order, and the escapes. In classes up to the quad limit four symbols share a
  byte, two bits each (-1, 0, 1, escape; first symbol lowest). In the others each symbol has a byte, symbol + 127,
  escape 255. An escape is a varint: the zigzag of the symbol.

`docs/adr/0002-latent-layout.md` has the measurements behind this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncodec.errors import Corrupt
from nncodec.format.entropy.base import Alphabet, StageSymbols, SymbolReader
from nncodec.format.header import varint
from nncodec.plugin.entropy import Tables
from nncodec.plugin.latents import IntArray

CLASSES = 32
_BYTE_LIMIT = 126  # largest magnitude that fits a byte
_BYTE_ESCAPE = 255
_QUAD_LIMIT = 1
_QUAD_ESCAPE = 3
_VARINT_MAX_BYTES = 5
_ESCAPE_BYTES_AT_ONCE = 1 << 18


# --- planar -------------------------------------------------------------------------------------------------------


def planar_segments(stages: Sequence[StageSymbols], alphabet: Alphabet) -> list[bytes]:
    """Return the planar layout in pieces of similar statistics (one for each table index and byte)."""
    segments = []
    for stage in stages:
        order = np.argsort(stage.tables, kind="stable")
        bounds = np.flatnonzero(np.diff(stage.tables[order])) + 1
        values = (stage.symbols[order] - alphabet.minimum).astype(_planar_type(alphabet))
        for low_to_high in _byte_planes(values):
            segments += [piece.tobytes() for piece in np.split(low_to_high, bounds)]
    return segments


def planar_bytes(alphabet: Alphabet) -> int:
    """Return the exact size of the planar layout."""
    return alphabet.symbols * np.dtype(_planar_type(alphabet)).itemsize


class PlanarReader(SymbolReader):
    """Reads the planar layout from data of `planar_bytes` bytes."""

    def __init__(self, data: bytes, alphabet: Alphabet) -> None:
        self._data = np.frombuffer(data, np.uint8)
        self._alphabet = alphabet
        self._position = 0

    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        kind = np.dtype(_planar_type(self._alphabet))
        size = tables.size * kind.itemsize
        planes = self._data[self._position : self._position + size].reshape(kind.itemsize, tables.size)
        self._position += size
        values = np.ascontiguousarray(planes.T).view(kind)[:, 0]
        symbols = np.empty(tables.size, np.int64)
        symbols[np.argsort(tables, kind="stable")] = values
        symbols += self._alphabet.minimum
        if symbols.size and symbols.max() > self._alphabet.maximum:
            raise Corrupt(detail="a symbol lies outside its alphabet")
        return symbols.astype(np.int32)

    def finish(self) -> None:
        """Do nothing: the size was checked before."""


def _planar_type(alphabet: Alphabet) -> type[np.unsignedinteger[Any]]:
    span = alphabet.maximum - alphabet.minimum
    return np.uint8 if span < 1 << 8 else np.uint16 if span < 1 << 16 else np.uint32


def _byte_planes(values: NDArray[np.unsignedinteger[Any]]) -> list[NDArray[np.uint8]]:
    little = values.astype(values.dtype.newbyteorder("<"))
    return [little.view(np.uint8)[byte :: values.itemsize] for byte in range(values.itemsize)]


# --- sorted -------------------------------------------------------------------------------------------------------


def table_classes(tables: Tables) -> NDArray[np.uint8]:
    """Return the class 0..31 of each table, from peaked to flat, by integer arithmetic.

    With F the largest frequency and 2^p the total: bit_length(2^p - F) scaled to p = 16 while F is more than half,
    then 16 plus the number of further halvings of F.
    """
    total = 1 << tables.precision
    classes = []
    for peak in tables.frequencies.max(axis=1).tolist():
        rest = total - peak
        if rest < total // 2:
            level = max(0, rest.bit_length() + 16 - tables.precision)
        else:
            level = 16 + tables.precision - peak.bit_length()
        classes.append(min(level, CLASSES - 1))
    return np.array(classes, np.uint8)


def sorted_segments(stages: Sequence[StageSymbols], alphabet: Alphabet, quad_limit: int) -> list[bytes]:
    """Return the sorted layout in pieces of similar statistics: the counts, each class, the escapes."""
    assert alphabet.tables is not None
    symbols = np.concatenate([stage.symbols for stage in stages])
    classes = table_classes(alphabet.tables)[np.concatenate([stage.tables for stage in stages])]
    order = np.argsort(classes, kind="stable")
    counts = np.trim_zeros(np.bincount(classes, minlength=CLASSES), "b").tolist()
    counted = bytes((quad_limit, len(counts))) + b"".join(varint(n) for n in counts)
    pieces, escapes = [counted], []
    for level, members in enumerate(np.split(symbols[order], np.cumsum(counts)[:-1])):
        limit = _QUAD_LIMIT if level <= quad_limit else _BYTE_LIMIT
        escaped = np.abs(members) > limit
        escapes.append(members[escaped])
        if level <= quad_limit:
            digits = np.where(escaped, _QUAD_ESCAPE, members + _QUAD_LIMIT)
            digits = np.append(digits, np.full(-len(digits) % 4, _QUAD_LIMIT)).reshape(-1, 4)
            pieces.append((digits << np.array([0, 2, 4, 6])).sum(axis=1).astype(np.uint8).tobytes())
        else:
            pieces.append(np.where(escaped, _BYTE_ESCAPE, members + 127).astype(np.uint8).tobytes())
    zigzag = [2 * abs(value) - (value < 0) for value in np.concatenate(escapes).tolist()]
    pieces.append(b"".join(varint(value) for value in zigzag))
    return [piece for piece in pieces if piece]


def sorted_bytes_bound(alphabet: Alphabet) -> int:
    """Return an upper bound on the size of the sorted layout."""
    return 2 + CLASSES * (_VARINT_MAX_BYTES + 1) + alphabet.symbols * (1 + _VARINT_MAX_BYTES)


class SortedReader(SymbolReader):
    """Reads the sorted layout.

    All classes are unpacked at once; stages then take their symbols from the classes in coding order.
    """

    def __init__(self, data: bytes, alphabet: Alphabet) -> None:
        assert alphabet.tables is not None
        self._classes = table_classes(alphabet.tables)
        self._symbols, position = [], 0
        quad_limit, counts, position = _read_counts(data, alphabet)
        raw = np.frombuffer(data, np.uint8)
        escaped = []
        for level, count in enumerate(counts):
            size = -(-count // 4) if level <= quad_limit else count
            stored = raw[position : position + size]
            if len(stored) < size:
                raise Corrupt(detail="a block ends inside its symbols")
            position += size
            if level <= quad_limit:
                digits = (stored[:, None] >> np.array([0, 2, 4, 6], np.uint8) & 3).ravel()
                if (digits[count:] != _QUAD_LIMIT).any():
                    raise Corrupt(detail="a block has symbols after its last one")
                members = digits[:count].astype(np.int32)
                escaped.append(members == _QUAD_ESCAPE)
                members -= _QUAD_LIMIT
            else:
                members = stored.astype(np.int32)
                escaped.append(members == _BYTE_ESCAPE)
                members -= 127
            self._symbols.append(members)
        self._put_escapes(_read_escapes(raw[position:], sum(int(np.count_nonzero(mask)) for mask in escaped)), escaped)
        self._positions = [0] * len(self._symbols)

    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        classes = self._classes[tables]
        order = np.argsort(classes, kind="stable")
        counts = np.trim_zeros(np.bincount(classes), "b").tolist()
        parts = []
        for level, count in enumerate(counts):
            if not count:
                continue
            start = self._positions[level] if level < len(self._symbols) else 0
            part = self._symbols[level][start : start + count] if level < len(self._symbols) else np.empty(0, np.int32)
            if len(part) < count:
                raise Corrupt(detail="a block has fewer symbols than its contexts need")
            self._positions[level] = start + count
            parts.append(part)
        symbols = np.empty(tables.size, np.int32)
        symbols[order] = np.concatenate(parts) if parts else 0
        return symbols

    def finish(self) -> None:
        if self._positions != [len(members) for members in self._symbols]:
            raise Corrupt(detail="a block has more symbols than its contexts need")

    def _put_escapes(self, values: IntArray, escaped: list[NDArray[np.bool_]]) -> None:
        used = 0
        for members, mask in zip(self._symbols, escaped, strict=True):
            count = int(np.count_nonzero(mask))
            members[mask] = values[used : used + count]
            used += count


def _read_counts(data: bytes, alphabet: Alphabet) -> tuple[int, list[int], int]:
    if len(data) < 2 or data[1] > CLASSES:
        raise Corrupt(detail="a block has no symbol counts")
    counts, position = [], 2
    for _ in range(data[1]):
        value = 0
        for place in range(_VARINT_MAX_BYTES):
            if position >= len(data):
                raise Corrupt(detail="a block ends inside its symbol counts")
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                break
        else:
            raise Corrupt(detail="a block has a malformed symbol count")
        counts.append(value)
    if sum(counts) > alphabet.symbols:
        raise Corrupt(detail="a block's symbol counts do not add up")
    return data[0], counts, position


def _read_escapes(raw: NDArray[np.uint8], count: int) -> IntArray:
    """Return the values of a sequence of `count` zigzag varints."""
    # Counted first, then expanded a part at a time: each byte takes about 50 while it is expanded.
    if np.count_nonzero(raw < 0x80) != count:
        raise Corrupt(detail="a block has the wrong number of escapes")
    values = np.empty(count, np.int32)
    position = filled = 0
    while filled < count:
        part = raw[position : position + _ESCAPE_BYTES_AT_ONCE]
        ends = np.flatnonzero(part < 0x80)
        if not ends.size:
            raise Corrupt(detail="a block has a malformed escape")
        size = int(ends[-1]) + 1
        values[filled : filled + ends.size] = _escapes_of(part[:size], ends)
        position, filled = position + size, filled + ends.size
    if position != len(raw):
        raise Corrupt(detail="a block has a malformed escape")
    return values


def _escapes_of(raw: NDArray[np.uint8], ends: NDArray[np.intp]) -> IntArray:
    """Return the values of whole zigzag varints that end at these positions."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() >= _VARINT_MAX_BYTES:
        raise Corrupt(detail="a block has a malformed escape")
    place = np.arange(len(raw)) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((raw & 0x7F).astype(np.int64) << 7 * place, starts)
    if values.max() > 2 * np.iinfo(np.int32).max:
        raise Corrupt(detail="a block has an escape out of range")
    return np.where(values & 1, -(values + 1) // 2, values // 2).astype(np.int32)
