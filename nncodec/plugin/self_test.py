"""Small latents, and the contexts that a model computes from them: whether a machine would decode what another wrote.

A model file's card may hold, under "self_test", a hash of contexts for each of a few qualities. The card is not part of
the digest, so models that exist can get one; a bundled model may have it beside its weights, in `NAME.self_test.json`.
Contexts are computed once when a model is opened, which takes milliseconds. This module needs no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nncodec.errors import ModelError
from nncodec.plugin.codec import CodecModel, DecoderModel, FixedSize
from nncodec.plugin.entropy import NOT_CODED, EntropyModel
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
    quality = 100 if model.traits.qualities else 0  # at which all latents are coded
    digest = _contexts_digest(model, quality)
    return {} if digest is None else {str(quality): digest}


def check_self_test(model: DecoderModel, model_info: ModelInfo, guard: PluginGuard) -> None:
    """Compute the contexts of a model's self-test, if it has one.

    Raises:
        ModelError: this machine computes other contexts than the one the model was made on.
        PluginError: the model fails.
    """
    for quality, expected in _expected(model_info).items():
        if guard.run(_contexts_digest, model, quality) != expected:
            raise ModelError(
                detail=f"{model_info.name} fails its self-test: this machine, or a setting of PyTorch, computes other "
                "probabilities than the model was made with, and would decode files wrongly; use PyTorch's defaults"
            )


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


def _contexts_digest(model: DecoderModel, quality: int) -> str | None:
    entropy, size = model.entropy(quality), model.traits.size
    if entropy.tables is None:
        return None
    edges = (size.height, size.width) if isinstance(size, FixedSize) else (_MULTIPLES * size.multiple,) * 2
    if max(edges) > _MOST_EDGE:
        return None
    digest = hashlib.sha256()
    for tables, offsets in contexts_of(entropy, block_latents(entropy, model.traits.latents, (1, *edges))):
        digest.update(tables.astype("<i4").tobytes() + offsets.astype("<i4").tobytes())
    return digest.hexdigest()[: 2 * _HASH_BYTES]


def contexts_of(entropy: EntropyModel, latents: Latents) -> list[tuple[IntArray, IntArray]]:
    """Return tables and offsets of all stages of a block as core asks for them, each in the stage's shape."""
    known = {name: np.zeros_like(array) for name, array in latents.items()}
    contexts, context_of = [], entropy.begin_block()
    for number, stage in enumerate(entropy.stages()):
        values = latents[stage.latent][stage.where]
        tables, offsets = (np.broadcast_to(part, values.shape).astype(np.int32) for part in context_of(number, known))
        contexts.append((tables, offsets))
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
    context_of = entropy.begin_block()
    for number, stage in enumerate(entropy.stages()):
        spec, target = by_name[stage.latent], known[stage.latent][stage.where]
        context = context_of(number, known)
        tables, offsets = (np.broadcast_to(np.asarray(part, np.int32), target.shape) for part in context)
        values = offsets + spec.step * _symbols(number, target.shape).astype(np.int64)
        fits = (tables != NOT_CODED) & (values >= spec.minimum) & (values <= spec.maximum)
        known[stage.latent][stage.where] = np.where(fits, values, offsets)
    return known


def _symbols(stage: int, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return symbols of a stage by integer arithmetic: most within +-2, some within +-64."""
    size = int(np.prod(shape))
    mixed = (np.arange(1, size + 1, dtype=np.uint64) * 2654435761 + 40503 * (stage + 1)) % (1 << 32) >> 12
    small, large = (mixed % 5).astype(np.int32) - 2, (mixed % 129).astype(np.int32) - 64
    return np.where(mixed % _OUTLIERS == 0, large, small).astype(np.int32).reshape(shape)
