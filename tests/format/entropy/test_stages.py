"""Stages and contexts: what may differ from block to block, and what is the plugin's fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from toy_entropy import (
    WHOLE,
    ContextEntropy,
    assert_same,
    random_latents,
    random_tables,
    specs_for,
    with_tables,
)

from nncodec.errors import PluginError
from nncodec.format.entropy import Coder, decode_block, encode_block
from nncodec.format.entropy.zstd import ZstdCoder
from nncodec.plugin.entropy import (
    BlockEntropy,
    QuantizedLatents,
    Shapes,
    Stage,
    StageContext,
    shapes_of,
)
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.latents import IntArray, LatentSpec


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
