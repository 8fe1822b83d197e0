"""Latents in steps from their offsets, and latents that are not coded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_entropy import (
    PROPERTY,
    SEEDS,
    SIZES,
    WHOLE,
    SomeNotCoded,
    assert_same,
    random_tables,
    with_tables,
)

from nncodec.errors import Corrupt, PluginError
from nncodec.format.entropy import Coder, decode_block, encode_block
from nncodec.format.entropy.base import Alphabet, StageSymbols
from nncodec.format.entropy.stored import StoredCoder
from nncodec.format.entropy.zstd import ZstdCoder
from nncodec.format.header import CoderId
from nncodec.plugin.entropy import (
    EntropyModel,
    PlainEntropy,
    Shapes,
    Stage,
    StageContext,
    Tables,
    shapes_of,
)
from nncodec.plugin.latents import IntArray, Latents, LatentSpec
from nncodec.testing.support import drawn_latents


@with_tables
@pytest.mark.parametrize("step", [1, 3, 16])
@given(
    size=SIZES, rows=st.integers(1, 12), shift=st.integers(0, 200), outliers=st.sampled_from([0, 0.1, 1]), seed=SEEDS
)
@PROPERTY
def test_latents_in_steps_from_their_offsets_come_back_and_only_some_are_coded(
    coder: Coder, step: int, size: tuple[int, int, int], rows: int, shift: int, outliers: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    specs = LatentSpec("main", 3, 1, -300, 900, step=step), LatentSpec("side", 2, 2, -300, 900)
    tables = random_tables(rng, rows, 16)
    latents = drawn_latents(SomeNotCoded(tables, shift), specs, size, outliers, rng)
    payload = encode_block(coder, latents, SomeNotCoded(tables, shift), specs)
    assert_same(decode_block(coder, payload, SomeNotCoded(tables, shift), specs, shapes_of(latents)), latents)


@pytest.mark.parametrize("coder", [StoredCoder(), ZstdCoder()], ids=lambda c: c.id.name)
def test_steps_without_tables_leave_fewer_symbols_to_tell_apart(coder: Coder) -> None:
    coarse, fine = ((LatentSpec("y", 1, 1, -35, 97, step=step),) for step in (16, 1))
    latents = {"y": np.arange(-32, 97, 16, dtype=np.int32)[None, None, None]}
    payload = encode_block(coder, latents, PlainEntropy(coarse), coarse)
    assert_same(decode_block(coder, payload, PlainEntropy(coarse), coarse, shapes_of(latents)), latents)
    if coder.id is CoderId.STORED:
        assert payload == bytes.fromhex("01 23 45 67 80")  # nine symbols from -2 to 6, four bits each
        assert len(encode_block(coder, latents, PlainEntropy(fine), fine)) == 9


class Constant(EntropyModel):
    """One stage under one context."""

    tables = Tables(np.full((1, 4), 4, np.uint32), -1, 4)

    def __init__(self, table: int, offset: int) -> None:
        self._context = StageContext(np.array(table), offset)

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        return [Stage("y", WHOLE)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        return self._context


def in_sixteenths(*values: int) -> tuple[Latents, tuple[LatentSpec, ...]]:
    spec = LatentSpec("y", 1, 1, -(2**30), 2**30, step=16)
    return {"y": np.array([[[values]]], np.int32)}, (spec,)


@with_tables
def test_what_is_not_coded_is_its_offset_and_takes_no_place(coder: Coder) -> None:
    latents, specs = in_sixteenths(*[-21] * 5000)
    payload = encode_block(coder, latents, Constant(-1, -21), specs)
    assert len(payload) <= 15
    assert_same(decode_block(coder, payload, Constant(-1, -21), specs, shapes_of(latents)), latents)
    with pytest.raises(Corrupt, match="fewer symbols"):
        decode_block(coder, payload, Constant(0, -21), specs, shapes_of(latents))


@with_tables
def test_the_ends_of_all_that_latents_may_be_come_back(coder: Coder) -> None:
    for offset in (2**30 - 1, 1 - 2**30, 0):
        least, most = -(2**30) + (offset & 15), 2**30 - 16 + (offset & 15)
        latents, specs = in_sixteenths(least, most, most, offset)
        payload = encode_block(coder, latents, Constant(0, offset), specs)
        assert_same(decode_block(coder, payload, Constant(0, offset), specs, shapes_of(latents)), latents)


@pytest.mark.parametrize(
    ("values", "table", "reason"),
    [((5, 21, 6), 0, "whole steps"), ((5, -10, 5), 0, "whole steps"), ((5, 5, 21), -1, "does not code")],
)
def test_latents_that_the_stages_cannot_code_are_the_plugins_fault(
    values: tuple[int, ...], table: int, reason: str
) -> None:
    latents, specs = in_sixteenths(*values)
    with pytest.raises(PluginError, match=reason):
        encode_block(ZstdCoder(), latents, Constant(table, 5), specs)


def test_without_tables_everything_is_coded() -> None:
    class Nothing(PlainEntropy):
        def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
            return StageContext(np.array(-1))

    latents, specs = in_sixteenths(0, 0, 0)
    with pytest.raises(PluginError, match="does not exist"):
        encode_block(ZstdCoder(), latents, Nothing(specs), specs)


@with_tables
@pytest.mark.parametrize("symbol", [2**28, -(2**28), 2**27, -(2**27), 2**31 - 1, 1 - 2**31])
def test_a_symbol_whose_latent_overflows_is_refused(coder: Coder, symbol: int) -> None:
    """Times 16, the first two are 0 in 32 bits."""
    latents, specs = in_sixteenths(0)
    alphabet = Alphabet(Constant.tables, -(2**30), 2**30, 1)
    payload = coder.encode([StageSymbols(np.array([symbol], np.int32), np.array([0]))], alphabet)
    with pytest.raises(Corrupt, match="outside"):
        decode_block(coder, payload, Constant(0, 2**30 - 1), specs, shapes_of(latents))
