"""Decoding by likely columns gives what decoding by whole tables gives."""

from __future__ import annotations

import numpy as np
import pytest
from constriction import stream
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nncodec.errors import Corrupt
from nncodec.format.entropy import rans
from nncodec.format.entropy.base import Alphabet, StageSymbols
from nncodec.format.entropy.rans import RansCoder
from nncodec.format.entropy.rans_tables import UNLIKELY, RansTables
from nncodec.plugin.entropy import Tables

PRECISION = 22
MINIMUM = -100
COLUMNS = 200
MANY = 3000
"""Symbols of one table in a stage, enough for likely columns to be tried."""


def peaked(peaks: list[int], width: int = 3) -> Tables:
    """Return tables in which all but a few columns around a peak have the least frequency."""
    rows = np.ones((len(peaks), COLUMNS), np.uint32)
    for row, peak in zip(rows, peaks, strict=True):
        start = min(max(0, peak - width), COLUMNS - 2 * width - 1)
        row[start : start + 2 * width + 1] += np.uint32((1 << PRECISION - 1) // (2 * width + 1))
        row[peak] += (1 << PRECISION) - row.sum()
    return Tables(rows, MINIMUM, PRECISION)


def decoded(payload: bytes, stages: list[StageSymbols], tables: Tables) -> list[NDArray[np.int32]]:
    reader = RansCoder().reader(payload, alphabet(tables, stages))
    symbols = [reader.take(stage.tables) for stage in stages]
    reader.finish()
    return symbols


def alphabet(tables: Tables, stages: list[StageSymbols]) -> Alphabet:
    return Alphabet(tables, -(2**30), 2**30, sum(stage.symbols.size for stage in stages))


def encoded(stages: list[StageSymbols], tables: Tables) -> bytes:
    return RansCoder().encode(stages, alphabet(tables, stages))


def likely_stage(tables: Tables, seed: int) -> StageSymbols:
    """Return a stage of symbols near the peaks of their tables."""
    random = np.random.default_rng(seed)
    which = random.integers(0, len(tables.frequencies), MANY * len(tables.frequencies))
    peaks = tables.frequencies.argmax(1) + MINIMUM
    return StageSymbols((peaks[which] + random.integers(0, 2, which.size)).astype(np.int32), which)


def check_decoding(stages: list[StageSymbols], tables: Tables) -> None:
    for stage, symbols in zip(stages, decoded(encoded(stages, tables), stages, tables), strict=True):
        np.testing.assert_array_equal(symbols, stage.symbols)


@pytest.mark.parametrize("places", [[0], [MANY], [-1], [0, 5, -1]], ids=str)
@pytest.mark.parametrize("symbol", [MINIMUM, -60, 99, 5_000, -(2**30)])
def test_unlikely_symbols_are_decoded_wherever_they_are(symbol: int, places: list[int]) -> None:
    tables = peaked([60, 100, 140])
    stages = [likely_stage(tables, 0), likely_stage(tables, 1), likely_stage(tables, 2)]
    stages[1].symbols[places] = symbol
    check_decoding(stages, tables)


def test_unlikely_symbols_in_every_stage_are_decoded() -> None:
    tables = peaked([60, 100])
    stages = [likely_stage(tables, seed) for seed in range(7)]
    for stage in stages:
        stage.symbols[100] = 90
    check_decoding(stages, tables)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, COLUMNS - 2), min_size=1, max_size=4), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_tables_decode(peaks: list[int], width: int, seed: int) -> None:
    tables = peaked(peaks, width)
    check_decoding([likely_stage(tables, seed), likely_stage(tables, seed + 1)], tables)


@pytest.mark.parametrize("peak", [0, 1, 3, 100, COLUMNS - 4, COLUMNS - 2, COLUMNS - 1])
def test_likely_columns_have_the_intervals_of_the_whole_table(peak: int) -> None:
    models = RansTables.of(peaked([peak]))
    model, columns = models.likely(0)
    assert 2 <= len(columns) <= 9
    for place, column in enumerate(columns):
        if column != UNLIKELY:
            stacks = [stream.stack.AnsCoder(np.array([7, 9, 1 << 24], np.uint32)) for _ in range(2)]
            stacks[0].encode_reverse(np.array([column], np.int32), models.whole(0))
            stacks[1].encode_reverse(np.array([place], np.int32), model)
            assert stacks[0].pos() == stacks[1].pos()


def test_a_table_whose_columns_are_all_alike_is_taken_whole() -> None:
    rows = np.full((2, 64), (1 << PRECISION) // 64, np.uint32)
    for row in (rows, np.full((1, 2), 1 << 21, np.uint32)):
        assert RansTables.of(Tables(row, 0, PRECISION)).likely(0).columns.tolist() == list(range(row.shape[1]))


def test_tables_of_24_bits_with_one_likely_column() -> None:
    row = np.ones((1, COLUMNS), np.uint32)
    row[0, 50] += (1 << 24) - row.sum()
    tables = Tables(row, MINIMUM, 24)
    assert RansTables.of(tables).likely(0).columns.tolist() == [UNLIKELY, 50, UNLIKELY]
    stage = StageSymbols(np.full(MANY, 50 + MINIMUM, np.int32), np.zeros(MANY, np.int64))
    check_decoding([stage], tables)
    stage.symbols[17] = 51 + MINIMUM
    check_decoding([stage, stage], tables)


@pytest.mark.parametrize("kept", [1, 4, 9, 400])
def test_a_payload_that_ends_early_is_corrupt(kept: int) -> None:
    tables = peaked([60, 100])
    stages = [likely_stage(tables, seed) for seed in range(2)]
    stages[0].symbols[3] = 99
    payload = encoded(stages, tables)[:kept]
    with pytest.raises(Corrupt, match=r"symbols than its contexts need|is not range-coded"):
        decoded(payload, stages, tables)


@settings(deadline=None, max_examples=60)
@given(st.binary(min_size=1, max_size=600))
def test_any_payload_has_the_outcome_that_whole_tables_give(payload: bytes) -> None:
    tables = peaked([60, 100])
    stage = likely_stage(tables, 0)

    def outcome() -> str:
        try:
            return str([symbols.tolist() for symbols in decoded(payload, [stage, stage], tables)])
        except Corrupt as error:
            return str(error)

    found = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rans, "_MOST_MISSES", 0)
        assert outcome() == found
