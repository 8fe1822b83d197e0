"""The range ANS coder: close to the ideal code length, for models with probability tables.

`constriction` does the arithmetic, with a stack of 32-bit words, a state of 64 bits and probabilities of 24 bits. The
state starts at 2^24 instead of 0. Decoding one symbol too many makes it permanently smaller, so a decoder that ends at
2^24 with no words left has read exactly the symbols that were written.

`docs/format.md` specifies the payload to the byte; `tests/references` holds a decoder written from it.

References:
    Duda et al., "The use of asymmetric numeral systems as an accurate replacement for Huffman coding", PCS 2015.
    Bamler, "Understanding entropy coding with asymmetric numeral systems (ANS)", arXiv 2201.01741 (constriction).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from nncodec._support.threads import in_threads
from nncodec.errors import Corrupt, InvalidOption
from nncodec.format.entropy.base import Alphabet, Coder, StageSymbols, SymbolReader
from nncodec.format.entropy.escapes import Digits, escape_digits, escaped_symbols
from nncodec.format.header import CoderId
from nncodec.plugin.entropy import MAX_PRECISION, Tables
from nncodec.plugin.latents import IntArray

_SEAL = 1 << MAX_PRECISION
_WORD_BYTES = 4
# Fewer are sorted before a thread has started.
_SYMBOLS_PER_THREAD = 1 << 18


class RansCoder(Coder):
    """Codes stage by stage: the symbols sorted by table, then the digits of the escapes."""

    id = CoderId.RANS

    def encode(self, stages: Sequence[StageSymbols], alphabet: Alphabet) -> bytes:
        if alphabet.tables is None:
            raise InvalidOption(option="coder", reason="'rans' needs a model with probability tables")
        tables = alphabet.tables
        stack = stream.stack.AnsCoder(np.array([_SEAL], np.uint32))
        # Last in, first out: everything is pushed in reverse.
        waiting = [stage for stage in reversed(stages) if stage.symbols.size]
        threads = sum(stage.symbols.size for stage in waiting) // _SYMBOLS_PER_THREAD
        models = _models(tables)
        for stage in in_threads(lambda stage: _Stage.of(stage, tables), waiting, min(threads, len(waiting))):
            stage.push(stack, models)
        words = stack.get_compressed()
        return bytes(words.astype("<u4").tobytes().rstrip(b"\0"))

    def reader(self, payload: bytes, alphabet: Alphabet) -> SymbolReader:
        return _RansReader(payload, alphabet)


class _RansReader(SymbolReader):
    def __init__(self, payload: bytes, alphabet: Alphabet) -> None:
        if alphabet.tables is None or not payload or not payload[-1]:
            raise Corrupt(detail="a block is not range-coded")
        words = np.frombuffer(payload + bytes(-len(payload) % _WORD_BYTES), "<u4")
        self._stack = stream.stack.AnsCoder(words.astype(np.uint32))
        self._tables = alphabet.tables
        self._models = _models(alphabet.tables)

    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        order, runs = _sorted(tables, self._tables)
        minimum, count = self._tables.minimum, self._tables.frequencies.shape[1]
        decode, models = self._stack.decode, self._models
        columns = np.concatenate([decode(models[table], stop - start) for table, start, stop in runs])
        escaped = columns == count - 1
        ordered = columns + np.int32(minimum)
        if escaped.any():
            ordered[escaped] = escaped_symbols(int(escaped.sum()), minimum, count, self._digits)
        words, state = self._stack.pos()
        if not words and state < _SEAL:
            raise Corrupt(detail="a block has fewer symbols than its contexts need")
        symbols = np.empty(tables.size, np.int32)
        symbols[order] = ordered
        return symbols

    def finish(self) -> None:
        if self._stack.pos() != (0, _SEAL):
            raise Corrupt(detail="a block has more symbols than its contexts need")

    def _digits(self, sizes: IntArray | int, count: int) -> IntArray:
        each = np.full(count, sizes, np.int32) if isinstance(sizes, int) else sizes
        return np.asarray(self._stack.decode(stream.model.Uniform(), each))


class _Stage(NamedTuple):
    """What a stage puts on the stack.

    Args:
        columns: of all symbols, sorted by table.
        runs: of equal tables, see `_sorted`.
        digits: of the escapes.
    """

    columns: IntArray
    runs: list[tuple[int, int, int]]
    digits: list[Digits]

    @classmethod
    def of(cls, stage: StageSymbols, tables: Tables) -> _Stage:
        order, runs = _sorted(stage.tables, tables)
        symbols = stage.symbols.astype(np.int32, copy=False).take(order)
        escape = tables.frequencies.shape[1] - 1
        # Modulo 2^32, symbols below the least are large, too.
        columns = symbols.view(np.uint32) - np.uint32(tables.minimum & 0xFFFFFFFF)
        escaped = columns >= escape
        digits = []
        if escaped.any():
            digits = escape_digits(symbols[escaped], tables.minimum, escape + 1)
            columns[escaped] = escape
        return cls(columns.view(np.int32), runs, digits)

    def push(self, stack: stream.stack.AnsCoder, models: _Models) -> None:
        for values, sizes in reversed(self.digits):
            each = np.full(values.size, sizes, np.int32) if isinstance(sizes, int) else sizes
            stack.encode_reverse(values, stream.model.Uniform(), each)
        for table, start, stop in reversed(self.runs):
            stack.encode_reverse(self.columns[start:stop], models[table])


def _sorted(which: NDArray[np.integer[Any]], tables: Tables) -> tuple[NDArray[np.intp], list[tuple[int, int, int]]]:
    """Return the order that sorts symbols by table, and the number, start and stop of each table in it."""
    # NumPy sorts integers of 8 and 16 bits by radix, which is six times as fast.
    which = which.astype(np.min_scalar_type(len(tables.frequencies) - 1), copy=False)
    order = np.argsort(which, kind="stable")
    ordered = which[order]
    starts = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist()]
    return order, list(zip(ordered[starts].tolist(), starts, [*starts[1:], which.size], strict=True))


class _Models(dict[int, Any]):
    """Tables as constriction's models by number; each is made on first use."""

    def __init__(self, tables: Tables) -> None:
        # Not the tables themselves: they are weak keys of the models' cache, and a reference would keep them alive.
        self._frequencies = tables.frequencies
        self._scale = 1 << MAX_PRECISION - tables.precision

    def __missing__(self, number: int) -> Any:
        # constriction gives a column `weight * (2^24 - columns) / total weight`, rounded down, plus one. These weights
        # are whole numbers that add up to 2^24 - columns, so nothing is rounded and floating point is exact.
        weights = self._frequencies[number].astype(np.float64) * self._scale - 1
        return self.setdefault(number, stream.model.Categorical(weights, perfect=False))


_MODELS: WeakKeyDictionary[Tables, _Models] = WeakKeyDictionary()


def _models(tables: Tables) -> _Models:
    models = _MODELS.get(tables)
    return _MODELS.setdefault(tables, _Models(tables)) if models is None else models
