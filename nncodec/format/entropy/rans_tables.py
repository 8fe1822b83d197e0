"""Probability tables as models of `constriction`, whole or without what is unlikely."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from constriction import stream
from numpy.typing import NDArray

from nncodec.plugin.entropy import MAX_PRECISION, Tables
from nncodec.plugin.latents import IntArray

UNLIKELY = -1
"""Stands for all columns that a likely model does not tell apart."""

# A table of 256 columns has about nine that are likelier. Of 330,000 symbols of a photograph, one is unlikely.
_LIKELY_BITS = 20


class LikelyModel(NamedTuple):
    """A table whose unlikely columns at either end are one column each, so that symbols are found in fewer steps.

    The intervals of all other columns are where they are in the whole table: until an unlikely symbol comes, a decoder
    reads the same from both.

    Args:
        model: of `constriction`.
        columns: what each of its columns is in the whole table; `UNLIKELY` for those that are several there.
    """

    model: Any
    columns: IntArray


class RansTables:
    """The models of tables by number; each is made on first use."""

    def __init__(self, tables: Tables) -> None:
        # Not the tables themselves: they are weak keys of the cache, and a reference would keep them alive.
        self._frequencies = tables.frequencies
        self._scale = 1 << MAX_PRECISION - tables.precision
        self._least = max(2, 1 << tables.precision >> _LIKELY_BITS)
        self._whole: dict[int, Any] = {}
        self._likely: dict[int, LikelyModel] = {}

    @classmethod
    def of(cls, tables: Tables) -> RansTables:
        """Return the models of tables, which are kept as long as the tables."""
        models = _CACHE.get(tables)
        return _CACHE.setdefault(tables, cls(tables)) if models is None else models

    def whole(self, number: int) -> Any:
        """Return the model of all columns of a table."""
        model = self._whole.get(number)
        return self._whole.setdefault(number, self._model(self._frequencies[number])) if model is None else model

    def likely(self, number: int) -> LikelyModel:
        """Return the model of a table's likely columns."""
        model = self._likely.get(number)
        return self._likely.setdefault(number, self._likely_of(self._frequencies[number])) if model is None else model

    def _likely_of(self, row: NDArray[np.uint32]) -> LikelyModel:
        likely = np.flatnonzero(row >= self._least)
        # A single column at an end is no fewer if it is merged, and a model has at least two columns.
        first = int(likely[0]) if len(likely) and likely[0] > 1 else 0
        stop = int(likely[-1]) + 1 if len(likely) and likely[-1] < len(row) - 2 else len(row)
        parts = [row[:first].sum(keepdims=True)] * bool(first) + [row[first:stop]]
        parts += [row[stop:].sum(keepdims=True)] * (stop < len(row))
        columns = np.arange(first - bool(first), stop + (stop < len(row)), dtype=np.int32)
        if first:
            columns[0] = UNLIKELY
        if stop < len(row):
            columns[-1] = UNLIKELY
        return LikelyModel(self._model(np.concatenate(parts)), columns)

    def _model(self, frequencies: NDArray[np.unsignedinteger[Any]]) -> Any:
        # constriction gives a column `weight * (2^24 - columns) / total weight`, rounded down, plus one. These weights
        # are whole numbers that add up to 2^24 - columns, so nothing is rounded and floating point is exact.
        weights = frequencies.astype(np.float64) * self._scale - 1
        return stream.model.Categorical(weights, perfect=False)


_CACHE: WeakKeyDictionary[Tables, RansTables] = WeakKeyDictionary()
