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

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from nncodec._support.threads import in_threads
from nncodec.errors import Corrupt, InvalidOption
from nncodec.format.entropy.base import Alphabet, Coder, StageSymbols, SymbolReader
from nncodec.format.entropy.escapes import Digits, escape_digits, escaped_symbols
from nncodec.format.entropy.rans_tables import UNLIKELY, RansTables
from nncodec.format.header import CoderId
from nncodec.plugin.entropy import MAX_PRECISION, Tables
from nncodec.plugin.latents import IntArray

_SEAL = 1 << MAX_PRECISION
_WORD_BYTES = 4
# With fewer symbols of each table, telling which likely columns were found takes as long as finding them saves.
_LEAST_RUN = 256
# Most blocks of 768 x 512 pixels have none; where tables do not fit, this bounds what is decoded twice.
_MOST_MISSES = 3
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
        models = RansTables.of(tables)
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
        self._words = words.astype(np.uint32)
        self._stack = stream.stack.AnsCoder(self._words)
        self._tables = alphabet.tables
        self._models = RansTables.of(alphabet.tables)
        # Stages that had unlikely symbols and were decoded twice.
        self._misses = 0

    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        order, runs = _sorted(tables, self._tables)
        minimum, count = self._tables.minimum, self._tables.frequencies.shape[1]
        columns = self._columns(runs, tables.size)
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

    def _columns(self, runs: Sequence[_Run], symbols: int) -> IntArray:
        """Return the columns of sorted symbols."""
        if symbols >= _LEAST_RUN * len(runs) and self._misses < _MOST_MISSES:
            before = self._stack.pos()
            columns = self._likely_columns(runs)
            if columns.min() > UNLIKELY:
                return columns
            self._go_back(*before)
            self._misses += 1
        return np.concatenate([self._stack.decode(self._models.whole(run.table), run.size) for run in runs])

    def _likely_columns(self, runs: Sequence[_Run]) -> IntArray:
        """Return the columns that come if all symbols are likely, `UNLIKELY` in place of some others if not."""
        likely = [self._models.likely(run.table) for run in runs]
        found = [self._stack.decode(model.model, run.size) for model, run in zip(likely, runs, strict=True)]
        starts = np.cumsum([0, *(model.columns.size for model in likely[:-1])], dtype=np.int32)
        places = np.concatenate(found)
        places += np.repeat(starts, [run.size for run in runs])
        return np.concatenate([model.columns for model in likely]).take(places)

    def _go_back(self, words: int, state: int) -> None:
        """Return to an earlier position of the stack; a copy is cheaper when it is needed than before every stage."""
        own = [state & 0xFFFFFFFF, state >> 32]
        while own and not own[-1]:
            own.pop()
        self._stack = stream.stack.AnsCoder(np.concatenate([self._words[:words], np.array(own, np.uint32)]))

    def finish(self) -> None:
        if self._stack.pos() != (0, _SEAL):
            raise Corrupt(detail="a block has more symbols than its contexts need")

    def _digits(self, sizes: IntArray | int, count: int) -> IntArray:
        each = np.full(count, sizes, np.int32) if isinstance(sizes, int) else sizes
        return np.asarray(self._stack.decode(stream.model.Uniform(), each))


class _Run(NamedTuple):
    """Sorted symbols of one table: its number, and how many they are."""

    table: int
    size: int


class _Stage(NamedTuple):
    """What a stage puts on the stack.

    Args:
        columns: of all symbols, sorted by table.
        runs: of equal tables.
        digits: of the escapes.
    """

    columns: IntArray
    runs: list[_Run]
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

    def push(self, stack: stream.stack.AnsCoder, models: RansTables) -> None:
        for values, sizes in reversed(self.digits):
            each = np.full(values.size, sizes, np.int32) if isinstance(sizes, int) else sizes
            stack.encode_reverse(values, stream.model.Uniform(), each)
        stop = self.columns.size
        for table, size in reversed(self.runs):
            stack.encode_reverse(self.columns[stop - size : stop], models.whole(table))
            stop -= size


def _sorted(which: NDArray[np.integer[Any]], tables: Tables) -> tuple[NDArray[np.intp], list[_Run]]:
    """Return the order that sorts symbols by table, and the runs of equal tables in it."""
    # NumPy sorts integers of 8 and 16 bits by radix, which is six times as fast.
    which = which.astype(np.min_scalar_type(len(tables.frequencies) - 1), copy=False)
    order = np.argsort(which, kind="stable")
    ordered = which[order]
    starts = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), which.size]
    return order, [_Run(int(ordered[start]), stop - start) for start, stop in itertools.pairwise(starts)]
