"""Small latents, and the contexts that a model computes from them: whether a machine would decode what another wrote.

A model file's card may hold, under "self_test", a hash of contexts for each of a few qualities. The card is not part of
the digest, so models that exist can get one; a bundled model may have it beside its weights, in `NAME.self_test.json`.
Contexts are computed once when a model is opened, which takes milliseconds; without a self-test they are only looked
at. This module needs no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nncodec.errors import BadModelFile, ModelError, first_line
from nncodec.plugin.codec import CodecModel, DecoderModel, FixedSize
from nncodec.plugin.entropy import (
    NOT_CODED,
    EntropyModel,
    StageContext,
    checked_context,
    problem_with_entropy,
    shapes_of,
)
from nncodec.plugin.guard import PluginGuard
from nncodec.plugin.latents import IntArray, Latents, LatentSpec
from nncodec.plugin.model_file import ModelInfo

SELF_TEST = "self_test"
"""Key of the card: a table of qualities, as text, to hashes."""

_MOST_QUALITIES = 8
_MULTIPLES = 2
_MOST_EDGE = 256
_HASH_BYTES = 8
# Most symbols are small; one in this many is large.
_OUTLIERS = 7


def self_test_of(model: CodecModel) -> dict[str, str]:
    """Return what the card of a model holds under "self_test"; empty if it has no tables that contexts choose from."""
    quality = _tried_quality(model)
    digest = _contexts_digest(model, quality)
    return {} if digest is None else {str(quality): digest}


def check_contexts(model: DecoderModel, model_info: ModelInfo, guard: PluginGuard) -> None:
    """Compute the contexts of a model's self-test, or of one small block if it has none.

    Raises:
        ModelError: this machine computes other contexts than the one the model was made on.
        BadModelFile: contexts are no table indices and offsets.
        PluginError: the model fails.
    """
    expected = _expected(model_info)
    for quality, digest in expected.items():
        if guard.run(_contexts_digest, model, quality) != digest:
            raise ModelError(
                detail=f"{model_info.name} fails its self-test: this machine, or a setting of PyTorch, computes other "
                "probabilities than the model was made with, and would decode files wrongly; use PyTorch's defaults"
            )
    if not expected and (problem := guard.run(problem_with_contexts, model)):
        raise BadModelFile(path=model_info.path, reason=f"its latents cannot be coded: {problem}")


def problem_with_contexts(model: DecoderModel) -> str | None:
    """Return in one line what is wrong with the contexts of one small block, or None."""
    entropy, shape = model.entropy(_tried_quality(model)), _tried_shape(model)
    if problem := problem_with_entropy(entropy):
        return problem
    if model.traits.coder == "rans" and entropy.tables is None:
        return "its coder is 'rans', but it has no probability tables"
    if shape is None:
        return None
    try:
        block_latents(entropy, model.traits.latents, shape)
    except (TypeError, ValueError) as error:
        return first_line(error)
    return None


def _expected(model_info: ModelInfo) -> dict[int, str]:
    stored: object = model_info.card.get(SELF_TEST)
    beside = _beside(model_info.path)
    if stored is None and beside.is_file():
        stored = json.loads(beside.read_text(encoding="utf-8"))
    if not isinstance(stored, Mapping) or len(stored) > _MOST_QUALITIES:
        return {}  # cards are in free form
    return {quality: stored[str(quality)] for quality in range(101) if str(quality) in stored}


def _beside(path: Path) -> Path:
    return path.with_suffix(".self_test.json")


def _tried_quality(model: DecoderModel) -> int:
    return 100 if model.traits.qualities else 0  # at which all latents are coded


def _tried_shape(model: DecoderModel) -> tuple[int, int, int] | None:
    """Return frames, height and width of the block that is tried; None if the smallest one is large."""
    size = model.traits.size
    height, width = (size.height, size.width) if isinstance(size, FixedSize) else (_MULTIPLES * size.multiple,) * 2
    return (1, height, width) if max(height, width) <= _MOST_EDGE else None


def _contexts_digest(model: DecoderModel, quality: int) -> str | None:
    entropy, shape = model.entropy(quality), _tried_shape(model)
    if entropy.tables is None or shape is None:
        return None
    digest = hashlib.sha256()
    for tables, offsets in contexts_of(entropy, block_latents(entropy, model.traits.latents, shape)):
        digest.update(tables.astype("<i4").tobytes() + offsets.astype("<i4").tobytes())
    return digest.hexdigest()[: 2 * _HASH_BYTES]


def contexts_of(entropy: EntropyModel, latents: Latents) -> list[tuple[IntArray, IntArray]]:
    """Return tables and offsets of all stages of a block as core asks for them, each in the stage's shape."""
    known = {name: np.zeros_like(array) for name, array in latents.items()}
    contexts, block = [], entropy.begin_block(shapes_of(latents))
    for number, stage in enumerate(block.stages):
        values = latents[stage.latent][stage.where]
        contexts.append(_whole_context(block.context(number, known), number, values.shape, entropy))
        known[stage.latent][stage.where] = values
    return contexts


def block_latents(entropy: EntropyModel, specs: Sequence[LatentSpec], shape: tuple[int, int, int]) -> Latents:
    """Return latents that the stages can code and that are the same on every machine if their offsets are.

    Args:
        entropy, specs: the model's.
        shape: frames, height and width in pixels.
    """
    by_name = {spec.name: spec for spec in specs}
    known: Latents = {spec.name: np.zeros(spec.shape(*shape), np.int32) for spec in specs}
    block = entropy.begin_block(shapes_of(known))
    for number, stage in enumerate(block.stages):
        spec, target = by_name[stage.latent], known[stage.latent][stage.where]
        tables, offsets = _whole_context(block.context(number, known), number, target.shape, entropy)
        values = offsets + spec.step * _symbols(number, target.shape).astype(np.int64)
        fits = (tables != NOT_CODED) & (values >= spec.minimum) & (values <= spec.maximum)
        known[stage.latent][stage.where] = np.where(fits, values, offsets)
    return known


def _whole_context(
    context: StageContext, stage: int, shape: tuple[int, ...], entropy: EntropyModel
) -> tuple[IntArray, IntArray]:
    """Return tables and offsets in a stage's shape; raises ValueError if they do not fit it."""
    tables, offsets = checked_context(context, stage, shape, entropy.tables)
    return tables.reshape(shape).astype(np.int32), np.broadcast_to(offsets, shape).astype(np.int32)


def _symbols(stage: int, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return symbols of a stage by integer arithmetic: most within +-2, some within +-64."""
    size = int(np.prod(shape))
    mixed = (np.arange(1, size + 1, dtype=np.uint64) * 2654435761 + 40503 * (stage + 1)) % (1 << 32) >> 12
    small, large = (mixed % 5).astype(np.int32) - 2, (mixed % 129).astype(np.int32) - 64
    return np.where(mixed % _OUTLIERS == 0, large, small).astype(np.int32).reshape(shape)
