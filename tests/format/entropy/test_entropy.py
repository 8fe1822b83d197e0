"""Coders and the stage loop: what goes in comes out, and what is no payload is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from nncodec.errors import Corrupt, InvalidOption, PluginError
from nncodec.format.entropy import Coder, coder_by_id, decode_block, encode_block
from nncodec.format.entropy.base import Alphabet, StageSymbols
from nncodec.format.entropy.rans import RansCoder
from nncodec.format.entropy.stored import StoredCoder
from nncodec.format.entropy.zstd import ZstdCoder, compress
from nncodec.format.header import CoderId
from nncodec.plugin.entropy import (
    BlockEntropy,
    EntropyModel,
    PlainEntropy,
    QuantizedLatents,
    Shapes,
    Stage,
    StageContext,
    Tables,
    shapes_of,
)
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.latents import IntArray, Latents, LatentSpec
from nncodec.testing.support import drawn_latents

PROPERTY = settings(deadline=None, max_examples=100)
WHOLE = (slice(None),) * 4
with_tables = pytest.mark.parametrize("coder", [ZstdCoder(), RansCoder()], ids=lambda c: c.id.name)


# --- a model to code with -----------------------------------------------------------------------------------------


class ContextEntropy(EntropyModel):
    """Side latents first, then the others in two checkerboard halves, each under tables that the former decide."""

    def __init__(self, tables: Tables, shift: int) -> None:
        self._tables = tables
        self._shift = shift
        self.seen: list[dict[str, IntArray]] = []

    @property
    def tables(self) -> Tables:
        return self._tables

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        even = (slice(None), slice(None), slice(None), slice(0, None, 2))
        odd = (slice(None), slice(None), slice(None), slice(1, None, 2))
        return [Stage("side", WHOLE), Stage("main", even), Stage("main", odd)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        self.seen.append({name: array.copy() for name, array in known.items()})
        count = len(self._tables.frequencies)
        if stage == 0:
            return StageContext(np.arange(known["side"].shape[1])[None, :, None, None] % count)
        main = known["main"]
        side = np.abs(known["side"]).sum(axis=1, keepdims=True)  # (N, 1, h / 2, w / 2)
        side = side.repeat(2, axis=2).repeat(2, axis=3)[:, :, : main.shape[2], : main.shape[3]]  # (N, 1, h, w)
        reach = side + np.abs(np.roll(main, 1, axis=3))  # (N, C, h, w)
        half = self.stages({})[stage].where
        offsets = np.clip(np.roll(main, 1, axis=3), -self._shift, self._shift)
        return StageContext((reach % count)[half], offsets[half] if stage == 2 else self._shift)


def random_tables(rng: np.random.Generator, rows: int, precision: int, columns: int = 6) -> Tables:
    """From nearly certain to flat; every frequency at least 1, every row summing to the total."""
    frequencies = np.ones((rows, columns), np.uint32)
    for row in frequencies:
        rest = (1 << precision) - columns
        peak = int(rest * rng.uniform())
        row[rng.integers(columns)] += peak
        row[rng.integers(columns)] += rest - peak
    return Tables(frequencies, -2, precision)


def random_latents(rng: np.random.Generator, specs: Sequence[LatentSpec], frames: int, h: int, w: int) -> Latents:
    """Mostly small, some anywhere in the range, its ends among them."""
    latents = {}
    for spec in specs:
        shape = spec.shape(frames, h, w)
        values = np.clip(rng.integers(-2, 3, shape), spec.minimum, spec.maximum)
        wild = rng.integers(spec.minimum, spec.maximum, shape, endpoint=True)
        ends = rng.choice([spec.minimum, spec.maximum], shape)
        choice = rng.uniform(size=shape)
        latents[spec.name] = np.where(choice < 0.9, values, np.where(choice < 0.95, wild, ends)).astype(np.int32)
    return latents


def assert_same(found: Latents, expected: Latents) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == np.int32
        np.testing.assert_array_equal(found[name], array)


def specs_for(minimum: int, maximum: int) -> tuple[LatentSpec, ...]:
    return LatentSpec("main", 3, 1, minimum, maximum), LatentSpec("side", 2, 2, minimum, maximum)


SIZES = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
RANGES = st.sampled_from(
    [(0, 1), (-1, 1), (5, 5), (-128, 127), (0, 256), (-300, 900), (-32768, 32767), (0, 65536), (-(2**30), 2**30)]
)
SEEDS = st.integers(0, 2**32 - 1)


# --- models that break their promises ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "context"),
    [
        (Stage("unheard_of", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int))),
        (Stage("main", (slice(None),) * 5), StageContext(np.zeros((1, 1, 1, 1), int))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 7, 1, 1), int))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int), np.zeros((1, 7, 1, 1), int))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int), np.zeros((1, 1, 1, 1)))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1)))),
        (Stage("main", WHOLE), StageContext(np.ones((1, 1, 1, 1), int))),
        (Stage("main", WHOLE), StageContext(np.full((1, 1, 1, 1), -2))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int), 2**30)),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int), np.full((1, 1, 1, 1), -(2**30)))),
        (Stage("main", WHOLE), StageContext(np.zeros((1, 1, 1, 1), int), np.full((1, 1, 1, 1), 2**63, np.uint64))),
    ],
)
def test_stages_and_contexts_that_do_not_fit_are_the_plugins_fault(stage: Stage, context: StageContext) -> None:
    class Broken(ContextEntropy):
        def stages(self, shapes: Shapes) -> Sequence[Stage]:
            return [stage]

        def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
            return context

    specs = (LatentSpec("main", 3, 1, -1, 1),)
    latents = {"main": np.zeros((1, 3, 2, 2), np.int32)}
    entropy = Broken(random_tables(np.random.default_rng(0), 1, 8), 0)
    guard = PluginGuard("tiny", "tiny-codec 1.0", "tiny/one")
    named = r"the plugin 'tiny' \(tiny-codec 1.0\) failed with the model 'tiny/one': "
    with pytest.raises(PluginError, match=named):
        encode_block(ZstdCoder(), latents, entropy, specs, guard)
    sound = encode_block(ZstdCoder(), latents, Whole(entropy.tables, 0), specs)
    with pytest.raises(PluginError, match=named):
        decode_block(ZstdCoder(), sound, entropy, specs, shapes_of(latents), guard)


class Whole(ContextEntropy):
    """One stage under the first table."""

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        return [Stage("main", WHOLE)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        return StageContext(np.zeros((1, 1, 1, 1), int))


# --- what goes in comes out ---------------------------------------------------------------------------------------


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


# --- what codes one block -------------------------------------------------------------------------------------------


class RowByRow(ContextEntropy):
    """One stage for each row of a block, each symbol predicted by the one above; sums are kept from row to row."""

    blocks = 0

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        rows = shapes["main"][2]
        return [Stage("main", (slice(None), slice(None), slice(row, row + 1), slice(None))) for row in range(rows)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        rows = known["main"][:, :, :stage]
        return self._of(rows.sum(axis=2, keepdims=True, dtype=np.int32))

    def begin_block(self, shapes: Shapes) -> BlockEntropy:
        self.blocks += 1
        count, channels, _, width = shapes["main"]
        total = np.zeros((count, channels, 1, width), np.int32)

        def context(stage: int, known: Mapping[str, IntArray]) -> StageContext:
            if stage:
                np.add(total, known["main"][:, :, stage - 1 : stage], out=total)
            return self._of(total)

        return BlockEntropy(self.stages(shapes), context)

    def _of(self, total: IntArray) -> StageContext:
        return StageContext(np.abs(total) % len(self._tables.frequencies))


@with_tables
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 5, 3), (1, 9, 4)])
def test_stages_may_depend_on_the_size_of_the_block(coder: Coder, size: tuple[int, int, int]) -> None:
    specs = (LatentSpec("main", 3, 1, -30, 30),)
    latents = random_latents(np.random.default_rng(1), specs, *size)
    writer, reader = (RowByRow(random_tables(np.random.default_rng(0), 4, 12), 0) for _ in range(2))
    assert len(writer.stages(shapes_of(latents))) == size[1]
    payload = encode_block(coder, latents, writer, specs)
    assert_same(decode_block(coder, payload, reader, specs, shapes_of(latents)), latents)
    assert (writer.blocks, reader.blocks) == (1, 1)
    entropy = RowByRow(writer.tables, 0)
    known = {"main": latents["main"].copy()}
    kept = [entropy.context(stage, known) for stage in range(size[1])]
    assert encode_block(coder, QuantizedLatents(latents, kept), entropy, specs) == payload


def test_frames_of_latents_keep_their_contexts_if_stages_code_them_alike() -> None:
    tables = random_tables(np.random.default_rng(0), 5, 12)
    specs = specs_for(-9, 9)
    latents = random_latents(np.random.default_rng(2), specs, 3, 4, 6)
    entropy = ContextEntropy(tables, 1)
    block = entropy.begin_block(shapes_of(latents))
    contexts = [block.context(stage, latents) for stage in range(len(block.stages))]
    alone = QuantizedLatents(latents, contexts).of_frames(slice(1, 2), entropy)
    assert isinstance(alone, QuantizedLatents)
    assert_same(dict(alone), {name: array[1:2] for name, array in latents.items()})
    for stage, found in enumerate(alone.contexts):
        expected = entropy.context(stage, dict(alone))
        np.testing.assert_array_equal(found.tables, expected.tables)
        np.testing.assert_array_equal(*np.broadcast_arrays(found.offsets, expected.offsets))

    class FrameByFrame(ContextEntropy):
        def stages(self, shapes: Shapes) -> Sequence[Stage]:
            return [
                Stage(name, (slice(n, n + 1), *WHOLE[1:])) for name, (count, *_) in shapes.items() for n in range(count)
            ]

    apart = QuantizedLatents(latents, contexts).of_frames(slice(1, 2), FrameByFrame(tables, 1))
    assert not isinstance(apart, QuantizedLatents)
    assert_same(apart, dict(alone))


@with_tables
def test_contexts_that_are_kept_and_do_not_fit_are_the_plugins_fault(coder: Coder) -> None:
    specs = (LatentSpec("main", 3, 1, -30, 30),)
    latents = random_latents(np.random.default_rng(1), specs, 1, 2, 3)
    entropy = RowByRow(random_tables(np.random.default_rng(0), 4, 12), 0)
    for kept in ([StageContext(np.array(0))], [StageContext(np.array(9))] * 2):
        with pytest.raises(PluginError):
            encode_block(coder, QuantizedLatents(latents, kept), entropy, specs)


# --- symbols that are not coded, and steps --------------------------------------------------------------------------


class SomeNotCoded(ContextEntropy):
    """As above, but no latent is coded where the side latents are odd; their offsets are what is left of them."""

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        context = super().context(stage, known)
        if stage == 0:
            return context
        return context._replace(tables=np.where(context.tables % 2, -1, context.tables))


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
