"""Coding a block stage by stage, the same way in encoder and decoder, whatever the coder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.container import CoderId
from nncodec.errors import Corrupt, PluginError
from nncodec.latents import IntArray, Latents, LatentSpec
from nncodec.model import EntropyModel, Stage, StageContext, Tables, run_plugin

# Without tables the indices only say which symbols are alike.
_MOST_GROUPS = 1 << 31


class StageSymbols(NamedTuple):
    """The symbols of one stage and the table of each, both flat, in C order of the stage's array."""

    symbols: IntArray
    tables: NDArray[np.integer[Any]]


class Alphabet(NamedTuple):
    """What both sides know of a block's symbols before the first one.

    Args:
        tables: the probability tables, or None for a model without.
        minimum, maximum: range of the latents, inclusive; without tables symbols are latents and lie in it.
        symbols: how many there are in the block.
    """

    tables: Tables | None
    minimum: int
    maximum: int
    symbols: int


class SymbolReader(ABC):
    """Gives back the symbols of a block, stage by stage."""

    @abstractmethod
    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        """Return as many symbols as there are tables; raises Corrupt if the payload has no more."""

    @abstractmethod
    def finish(self) -> None:
        """Raise Corrupt if anything of the payload was left over."""


class Coder(ABC):
    """Symbols to payload bytes and back. Stateless."""

    id: CoderId

    @abstractmethod
    def encode(self, stages: Sequence[StageSymbols], alphabet: Alphabet) -> bytes:
        """Return the payload of a block, at least one byte."""

    @abstractmethod
    def reader(self, payload: bytes, alphabet: Alphabet) -> SymbolReader:
        """Open a payload; raises Corrupt if it is not one. Work is bounded by `alphabet.symbols`."""


def encode_block(coder: Coder, latents: Latents, entropy: EntropyModel, specs: Sequence[LatentSpec]) -> bytes:
    """Code one block of latents.

    Args:
        coder: how.
        latents: the block's arrays.
        entropy: stages and tables.
        specs: what the arrays are.

    Returns:
        The payload.

    Raises:
        PluginError: the entropy model fails, or its stages do not cover every latent exactly once.
    """
    # The model sees zeros for what is not coded yet, here as in the decoder: a context that peeks ahead cannot
    # desynchronise, it only gains nothing.
    known = {name: np.zeros_like(array) for name, array in latents.items()}
    coded = []
    model = type(entropy).__name__
    for number, stage in enumerate(run_plugin(model, entropy.stages)):
        symbols = run_plugin(model, _part, latents, stage)
        context = _context(entropy, number, known, symbols)
        coded.append(StageSymbols((symbols - context.offsets).ravel(), context.tables))
        known[stage.latent][stage.where] = symbols
    alphabet = _alphabet(known, entropy, specs)
    covered = all(np.array_equal(known[name], array) for name, array in latents.items())
    if not covered or sum(stage.symbols.size for stage in coded) != alphabet.symbols:
        raise PluginError(plugin=model, reason="its coding stages do not cover every latent exactly once")
    return coder.encode(coded, alphabet)


def decode_block(
    coder: Coder,
    payload: bytes,
    entropy: EntropyModel,
    specs: Sequence[LatentSpec],
    shapes: Mapping[str, tuple[int, ...]],
) -> Latents:
    """Decode one block: the inverse of `encode_block`.

    Args:
        coder, entropy, specs: as there.
        payload: the block's bytes, checksum already compared.
        shapes: shape of each array.

    Raises:
        Corrupt: the payload does not hold exactly these symbols, or a latent leaves its declared range.
    """
    known = {name: np.zeros(shape, np.int32) for name, shape in shapes.items()}
    reader = coder.reader(payload, _alphabet(known, entropy, specs))
    ranges = {spec.name: (spec.minimum, spec.maximum) for spec in specs}
    model = type(entropy).__name__
    for number, stage in enumerate(run_plugin(model, entropy.stages)):
        target = run_plugin(model, _part, known, stage)
        if not target.size:
            continue
        context = _context(entropy, number, known, target)
        symbols = reader.take(context.tables).reshape(target.shape)
        decoded = symbols + context.offsets
        low, high = ranges[stage.latent]
        if decoded.min() < low or decoded.max() > high:
            raise Corrupt(detail=f"a latent lies outside {low}..{high}")
        known[stage.latent][stage.where] = decoded
    reader.finish()
    return known


def _part(latents: Latents, stage: Stage) -> IntArray:
    return latents[stage.latent][stage.where]


def _context(entropy: EntropyModel, stage: int, known: Latents, symbols: IntArray) -> StageContext:
    """Ask a model for a stage's context and check that it fits; tables come back flat, one a symbol."""
    name = type(entropy).__name__
    context = run_plugin(name, entropy.context, stage, known)
    tables = run_plugin(name, np.broadcast_to, context.tables, symbols.shape).ravel()
    count = _MOST_GROUPS if entropy.tables is None else len(entropy.tables.frequencies)
    if tables.dtype.kind not in "iu" or (tables.size and (tables.min() < 0 or int(tables.max()) >= count)):
        raise PluginError(plugin=name, reason=f"stage {stage} chooses a table that does not exist")
    offsets = np.asarray(context.offsets)
    run_plugin(name, np.broadcast_to, offsets, symbols.shape)
    if offsets.dtype.kind not in "iu":
        raise PluginError(plugin=name, reason=f"stage {stage} has offsets of type {offsets.dtype}, not integers")
    if entropy.tables is None and offsets.any():
        raise PluginError(plugin=name, reason=f"stage {stage} offsets symbols but has no probability tables")
    return StageContext(tables, context.offsets)


def _alphabet(latents: Latents, entropy: EntropyModel, specs: Sequence[LatentSpec]) -> Alphabet:
    minimum, maximum = min(s.minimum for s in specs), max(s.maximum for s in specs)
    return Alphabet(entropy.tables, minimum, maximum, sum(array.size for array in latents.values()))


__all__ = ["Alphabet", "Coder", "Stage", "StageSymbols", "SymbolReader", "decode_block", "encode_block"]
