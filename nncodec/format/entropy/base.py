"""Codes a block stage by stage, in the same way in encoder and decoder and for every coder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.errors import Corrupt, first_line
from nncodec.format.header import CoderId
from nncodec.plugin.entropy import (
    BlockContexts,
    CheckedContext,
    EntropyModel,
    QuantizedLatents,
    Stage,
    Tables,
    checked_context,
    shapes_of,
)
from nncodec.plugin.guard import UNKNOWN_PLUGIN, PluginGuard
from nncodec.plugin.latents import VALUE_LIMIT, IntArray, Latents, LatentSpec


class StageSymbols(NamedTuple):
    """The coded symbols of one stage and the table of each: flat arrays, in C order of the stage's array."""

    symbols: IntArray
    tables: NDArray[np.integer[Any]]


class Alphabet(NamedTuple):
    """What encoder and decoder know about a block's symbols before the first one.

    Args:
        tables: the probability tables, or None for a model without them.
        minimum, maximum: range of symbols without tables, inclusive.
        symbols: number of symbols in the block; with tables an upper bound, since some may not be coded.
    """

    tables: Tables | None
    minimum: int
    maximum: int
    symbols: int


class SymbolReader(ABC):
    """Returns the symbols of a block, stage by stage."""

    @abstractmethod
    def take(self, tables: NDArray[np.integer[Any]]) -> IntArray:
        """Return one symbol for each of `tables`, at least one; raises Corrupt if the payload has too few."""

    @abstractmethod
    def finish(self) -> None:
        """Raise Corrupt if some of the payload is left over."""


class Coder(ABC):
    """Symbols to payload bytes and back. Stateless."""

    id: CoderId

    @abstractmethod
    def encode(self, stages: Sequence[StageSymbols], alphabet: Alphabet) -> bytes:
        """Return the payload of a block, at least one byte."""

    @abstractmethod
    def reader(self, payload: bytes, alphabet: Alphabet) -> SymbolReader:
        """Open a payload; raises Corrupt if it is malformed. `alphabet.symbols` bounds the work."""


def encode_block(
    coder: Coder,
    latents: Latents,
    entropy: EntropyModel,
    specs: Sequence[LatentSpec],
    guard: PluginGuard = UNKNOWN_PLUGIN,
) -> bytes:
    """Encode one block of latents.

    Args:
        coder: the coder.
        latents: the block's arrays; contexts of `QuantizedLatents` are not computed again.
        entropy: stages and tables.
        specs: specs of the arrays.
        guard: runs the entropy model's code.

    Returns:
        The payload.

    Raises:
        PluginError: see `block_symbols`.
    """
    return coder.encode(*block_symbols(latents, entropy, specs, guard))


def block_symbols(
    latents: Latents, entropy: EntropyModel, specs: Sequence[LatentSpec], guard: PluginGuard = UNKNOWN_PLUGIN
) -> tuple[list[StageSymbols], Alphabet]:
    """Return the coded symbols of a block, stage by stage, and its alphabet.

    Raises:
        PluginError: the entropy model fails, its stages do not cover every latent exactly once, or they cannot
            code a latent because it is not a whole number of steps from its offset, or not 0 where it is not coded.
    """
    # The model sees zeros for latents that are not coded yet, as it does in the decoder: a context that peeks ahead
    # gains nothing and cannot desynchronise.
    known = {name: np.zeros_like(array) for name, array in latents.items()}
    coded = []
    visited = 0
    steps = {spec.name: spec.step for spec in specs}
    stages, contexts = guard.run(entropy.begin_block, shapes_of(latents))
    if isinstance(latents, QuantizedLatents):
        contexts = latents.context
    for number, stage in enumerate(stages):
        values = _part(latents, stage, number, guard)
        context = _context(entropy.tables, contexts, number, known, values, guard)
        distances = values - context.offsets
        symbols = distances // steps[stage.latent]
        if not np.array_equal(symbols * steps[stage.latent], distances):
            raise guard.error(f"latents of stage {number} are not whole steps from their offsets")
        coded.append(_only_coded(StageSymbols(symbols.ravel(), context.tables), number, guard))
        known[stage.latent][stage.where] = values
        visited += values.size
    alphabet = _alphabet(known, entropy, specs)
    covered = all(np.array_equal(known[name], array) for name, array in latents.items())
    if not covered or visited != alphabet.symbols:
        raise guard.error("its coding stages do not cover every latent exactly once")
    return coded, alphabet


def decode_block(
    coder: Coder,
    payload: bytes,
    entropy: EntropyModel,
    specs: Sequence[LatentSpec],
    shapes: Mapping[str, tuple[int, ...]],
    guard: PluginGuard = UNKNOWN_PLUGIN,
) -> Latents:
    """Decode one block: the inverse of `encode_block`.

    Args:
        coder, entropy, specs, guard: see `encode_block`.
        payload: the block's bytes, checksum already compared.
        shapes: shape of each array.

    Raises:
        Corrupt: the payload does not hold exactly these symbols, or a latent exceeds its declared range.
        PluginError: the entropy model fails.
    """
    known = {name: np.zeros(shape, np.int32) for name, shape in shapes.items()}
    reader = coder.reader(payload, _alphabet(known, entropy, specs))
    by_name = {spec.name: spec for spec in specs}
    stages, contexts = guard.run(entropy.begin_block, shapes_of(known))
    for number, stage in enumerate(stages):
        target = _part(known, stage, number, guard)
        if not target.size:
            continue
        context = _context(entropy.tables, contexts, number, known, target, guard)
        symbols = _take(reader, context.tables).reshape(target.shape)
        known[stage.latent][stage.where] = _values(symbols, context.offsets, by_name[stage.latent])
    reader.finish()
    return known


def _only_coded(stage: StageSymbols, number: int, guard: PluginGuard) -> StageSymbols:
    """Return a stage without the symbols that are not coded."""
    is_coded = stage.tables >= 0
    if is_coded.all():
        return stage
    coded = np.flatnonzero(is_coded)
    symbols = stage.symbols.take(coded)
    if np.count_nonzero(symbols) != np.count_nonzero(stage.symbols):
        raise guard.error(f"stage {number} has symbols other than 0 that it does not code")
    return StageSymbols(symbols, stage.tables.take(coded))


def _take(reader: SymbolReader, tables: NDArray[np.integer[Any]]) -> IntArray:
    """Return a stage's symbols; those that are not coded are 0."""
    is_coded = tables >= 0
    if is_coded.all():
        return reader.take(tables)
    coded = np.flatnonzero(is_coded)
    symbols = np.zeros(tables.size, np.int32)
    if coded.size:
        symbols[coded] = reader.take(tables[coded])
    return symbols


def _values(symbols: IntArray, offsets: IntArray, spec: LatentSpec) -> IntArray:
    """Return latents from their symbols; raises Corrupt if they exceed their range."""
    reach = max(-int(symbols.min()), int(symbols.max())) * spec.step
    # Offsets are below VALUE_LIMIT, so this decides whether 32 bits hold everything below.
    wide = symbols if reach <= VALUE_LIMIT else symbols.astype(np.int64)
    values = wide * spec.step
    values += offsets
    if values.min() < spec.minimum or values.max() > spec.maximum:
        raise Corrupt(detail=f"a latent lies outside {spec.minimum}..{spec.maximum}")
    return values.astype(np.int32, copy=False)


def _part(latents: Latents, stage: Stage, number: int, guard: PluginGuard) -> IntArray:
    if not isinstance(stage, Stage):
        raise guard.error(f"stage {number} is a {type(stage).__name__}, not a Stage")
    if stage.latent not in latents:
        raise guard.error(f"stage {number} codes {stage.latent!r}, which the model does not declare")
    return guard.run(lambda: latents[stage.latent][stage.where])


def _context(
    all_tables: Tables | None,
    contexts: BlockContexts,
    stage: int,
    known: Latents,
    values: IntArray,
    guard: PluginGuard,
) -> CheckedContext:
    """Return a stage's context, checked against its latents."""
    try:
        return checked_context(guard.run(contexts, stage, known), stage, values.shape, all_tables)
    except (TypeError, ValueError) as error:
        raise guard.error(first_line(error)) from error


def _alphabet(latents: Latents, entropy: EntropyModel, specs: Sequence[LatentSpec]) -> Alphabet:
    minimum, maximum = min(-(-s.minimum // s.step) for s in specs), max(s.maximum // s.step for s in specs)
    return Alphabet(entropy.tables, minimum, maximum, sum(array.size for array in latents.values()))


__all__ = ["Alphabet", "Coder", "Stage", "StageSymbols", "SymbolReader", "decode_block", "encode_block"]
