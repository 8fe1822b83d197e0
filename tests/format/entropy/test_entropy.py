"""Coders and the stage loop: what goes in comes out, and what is no payload is refused."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from toy_entropy import (
    PROPERTY,
    RANGES,
    SEEDS,
    SIZES,
    ContextEntropy,
    SomeNotCoded,
    assert_same,
    random_latents,
    random_tables,
    specs_for,
    with_tables,
)

from nncodec.errors import Corrupt, InvalidOption
from nncodec.format.entropy import Coder, coder_by_id, decode_block, encode_block
from nncodec.format.entropy.rans import RansCoder
from nncodec.format.entropy.stored import StoredCoder
from nncodec.format.entropy.zstd import ZstdCoder, compress
from nncodec.format.header import CoderId
from nncodec.plugin.entropy import (
    PlainEntropy,
    shapes_of,
)
from nncodec.plugin.latents import LatentSpec
from nncodec.testing.support import drawn_latents


@pytest.mark.parametrize("coder", [StoredCoder(), ZstdCoder()], ids=lambda c: c.id.name)
@given(size=SIZES, limits=RANGES, seed=SEEDS)
@PROPERTY
def test_latents_without_tables_come_back(
    coder: Coder, size: tuple[int, int, int], limits: tuple[int, int], seed: int
) -> None:
    specs = specs_for(*limits)
    latents = random_latents(np.random.default_rng(seed), specs, *size)
    payload = encode_block(coder, latents, PlainEntropy(specs), specs)
    assert payload
    assert_same(decode_block(coder, payload, PlainEntropy(specs), specs, shapes_of(latents)), latents)


@with_tables
@given(
    size=SIZES,
    limits=RANGES,
    rows=st.integers(1, 12),
    precision=st.integers(4, 24),
    shift=st.integers(0, 200),
    seed=SEEDS,
)
@PROPERTY
def test_latents_under_contexts_that_depend_on_earlier_ones_come_back(
    coder: Coder, size: tuple[int, int, int], limits: tuple[int, int], rows: int, precision: int, shift: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    specs = specs_for(*limits)
    latents = random_latents(rng, specs, *size)
    tables = random_tables(rng, rows, precision)
    writer, reader = ContextEntropy(tables, shift), ContextEntropy(tables, shift)
    payload = encode_block(coder, latents, writer, specs)
    assert_same(decode_block(coder, payload, reader, specs, shapes_of(latents)), latents)


@with_tables
def test_contexts_see_the_same_past_and_zeros_for_the_future_on_both_sides(coder: Coder) -> None:
    rng = np.random.default_rng(0)
    specs = specs_for(-9, 9)
    latents = random_latents(rng, specs, 1, 4, 6)
    tables = random_tables(rng, 5, 12)
    writer, reader = ContextEntropy(tables, 1), ContextEntropy(tables, 1)
    decode_block(coder, encode_block(coder, latents, writer, specs), reader, specs, shapes_of(latents))
    assert len(writer.seen) == len(reader.seen) == 3
    for written, read in zip(writer.seen, reader.seen, strict=True):
        assert_same(read, written)
    assert not writer.seen[0]["side"].any()
    np.testing.assert_array_equal(writer.seen[2]["main"][..., 0::2], latents["main"][..., 0::2])
    assert not writer.seen[2]["main"][..., 1::2].any()


@pytest.mark.parametrize("coder", [CoderId.STORED, CoderId.ZSTD, CoderId.RANS])
def test_a_coder_is_found_by_what_a_file_calls_it(coder: CoderId) -> None:
    assert coder_by_id(coder).id is coder


def test_a_model_with_tables_has_no_stored_form() -> None:
    specs = specs_for(-9, 9)
    latents = random_latents(np.random.default_rng(0), specs, 1, 4, 4)
    entropy = ContextEntropy(random_tables(np.random.default_rng(0), 2, 8), 0)
    with pytest.raises(InvalidOption, match="stored"):
        encode_block(StoredCoder(), latents, entropy, specs)
    with pytest.raises(Corrupt):
        decode_block(StoredCoder(), b"\x00", entropy, specs, shapes_of(latents))


# --- payloads that contradict their model -------------------------------------------------------------------------


@pytest.mark.parametrize("distort", [1, 4])
@given(st.data())
@PROPERTY
def test_any_range_coded_payload_under_depending_contexts_gives_latents_in_range_or_corrupt(
    distort: int, data: st.DataObject
) -> None:
    specs = LatentSpec("main", 3, 1, -40, 40, step=3), LatentSpec("side", 2, 2, -40, 40)
    rng = np.random.default_rng(data.draw(SEEDS))
    entropy = SomeNotCoded(random_tables(rng, 4, 16), 1)
    latents = drawn_latents(entropy, specs, (1, 4, 5), 0.1, rng)
    payload = bytearray(encode_block(RansCoder(), latents, entropy, specs))
    for _ in range(distort):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_block(RansCoder(), bytes(payload), entropy, specs, shapes_of(latents))
    except Corrupt:
        return
    assert max(np.abs(array).max() for array in decoded.values()) <= 40


@given(st.data())
@PROPERTY
def test_any_payload_under_depending_contexts_gives_latents_in_range_or_corrupt(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(SEEDS))
    specs = specs_for(-40, 40)
    latents = random_latents(rng, specs, 1, 4, 5)
    entropy = ContextEntropy(random_tables(rng, 4, 16), 1)
    content = bytearray(zstandard.decompress(encode_block(ZstdCoder(), latents, entropy, specs)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_block(ZstdCoder(), compress(bytes(content)), entropy, specs, shapes_of(latents))
    except Corrupt:
        return
    assert max(np.abs(array).max() for array in decoded.values()) <= 40
