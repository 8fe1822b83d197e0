"""How a model's latents are coded: the stages and their integer probability tables. This module needs no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.latents import VALUE_LIMIT, IntArray, LatentSpec

MAX_PRECISION = 24
NOT_CODED = -1
"""Instead of a table index: the symbol is 0 and is not coded."""
_MAX_COLUMNS = 1 << 16
# Without tables the indices only group similar symbols.
_MOST_GROUPS = 1 << 31


class Stage(NamedTuple):
    """One coding stage of a block.

    Args:
        latent: name of the array it codes.
        where: index into that array (N, C, h, w): slices, with steps for a checkerboard.
    """

    latent: str
    where: tuple[slice, ...]


class StageContext(NamedTuple):
    """The tables and offsets of a stage, which may depend on latents that are already decoded.

    A latent is `offset + step * symbol`, with the step of its `LatentSpec`; the symbol is coded.

    Args:
        tables: index of each symbol's probability table, integers broadcastable to the stage's latents. -1 means that
            the symbol is 0 and not coded; this needs probability tables.
        offsets: of each latent, below `VALUE_LIMIT` in magnitude; integers, broadcastable likewise. Without probability
            tables they are 0.
    """

    tables: NDArray[np.integer[Any]]
    offsets: NDArray[np.integer[Any]] | int = 0


@dataclass(frozen=True, eq=False)
class Tables:
    """Integer probability tables, shared by encoder and decoder. Compared by identity, so they can be dictionary keys.

    Column i of row t counts the symbol `minimum + i`; the last column counts everything outside (escapes).

    Args:
        frequencies: (tables, symbols + 1) uint32, all at least 1, each row summing to `1 << precision`; 2 to 65536
            columns.
        minimum: the symbol of column 0.
        precision: bits, 1..24.

    Raises:
        ValueError: an argument is not as described.
    """

    frequencies: NDArray[np.uint32]
    minimum: int
    precision: int

    def __post_init__(self) -> None:
        rows = self.frequencies
        if rows.dtype != np.uint32 or rows.ndim != 2 or not len(rows) or not 2 <= rows.shape[1] <= _MAX_COLUMNS:
            raise ValueError(f"probability tables are {rows.dtype} of shape {rows.shape}")
        if not 1 <= self.precision <= MAX_PRECISION or not -VALUE_LIMIT <= self.minimum <= VALUE_LIMIT:
            raise ValueError(f"probability tables begin at {self.minimum} with {self.precision} bits")
        if rows.min() < 1 or (rows.sum(axis=1, dtype=np.uint64) != 1 << self.precision).any():
            raise ValueError(f"a probability table has a zero, or does not sum to 2^{self.precision}")


class EntropyModel(ABC):
    """Stages and tables for coding one block of latents. All results must come from integer arithmetic alone."""

    @property
    @abstractmethod
    def tables(self) -> Tables | None:
        """The probability tables, or None for a model without learned probabilities."""

    @abstractmethod
    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        """Return the stages of a block in coding order; together they cover each symbol exactly once.

        Args:
            shapes: of the block's arrays, (N, C, h, w).
        """

    @abstractmethod
    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """Return the tables and offsets of a stage.

        Args:
            stage: its number.
            known: the block's latents; those not coded yet are 0, in encoder and decoder alike.
        """

    def begin_block(self, shapes: Shapes) -> BlockEntropy:
        """Return what codes one block; by default `stages` and `context`.

        Override it to keep what the stages of a block share, instead of computing it again or comparing.

        Args:
            shapes: of the block's arrays, (N, C, h, w).
        """
        return BlockEntropy(self.stages(shapes), self.context)


Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of the arrays of a block by name, (N, C, h, w)."""

BlockContexts = Callable[[int, Mapping[str, IntArray]], StageContext]
"""`EntropyModel.context`, for the stages of one block in their order."""


class BlockEntropy(NamedTuple):
    """What codes one block.

    Args:
        stages: see `EntropyModel.stages`.
        context: returns what `EntropyModel.context` does. It is called with the stages in their order, and between the
            calls core only adds to `known` what it coded.
    """

    stages: Sequence[Stage]
    context: BlockContexts


class QuantizedLatents(dict[str, IntArray]):
    """Latents of a block with the contexts of its stages, for a model that computes them when it rounds.

    `CodecModel.quantize` may return them, so that core need not compute the contexts again to code the block.

    Args:
        latents: the arrays.
        contexts: of all stages in their order, as a decoder will compute them.
    """

    def __init__(self, latents: Mapping[str, IntArray], contexts: Sequence[StageContext]) -> None:
        super().__init__(latents)
        self.contexts = contexts

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """Return the context of a stage, which is known; see `BlockContexts`."""
        return self.contexts[stage]

    def of_frames(self, frames: slice, entropy: EntropyModel) -> dict[str, IntArray]:
        """Return those of some frames; with their contexts, if the stages code every frame alike.

        Args:
            frames: which.
            entropy: of the model.
        """
        part = {name: array[frames] for name, array in self.items()}
        stages = entropy.begin_block(shapes_of(self)).stages
        is_alike = all(stage.where[0] == slice(None) for stage in stages)
        if not is_alike or list(entropy.begin_block(shapes_of(part)).stages) != list(stages):
            return part
        return QuantizedLatents(part, [StageContext(*(_of_frames(p, frames) for p in one)) for one in self.contexts])


def _of_frames(array: NDArray[np.integer[Any]] | int, frames: slice) -> NDArray[np.integer[Any]]:
    array = np.asarray(array)  # it broadcasts to (N, C, h, w)
    return array[frames] if array.ndim == 4 and len(array) > 1 else array


def shapes_of(latents: Mapping[str, IntArray]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of a block."""
    return {name: array.shape for name, array in latents.items()}


class CheckedContext(NamedTuple):
    """A context that fits its stage.

    Args:
        tables: index of each symbol's table, in C order of the stage's array.
        offsets: int32, broadcastable to that array.
    """

    tables: NDArray[np.integer[Any]]
    offsets: IntArray


def checked_context(
    context: StageContext, stage: int, shape: tuple[int, ...], all_tables: Tables | None
) -> CheckedContext:
    """Return what a model gave as the context of a stage, checked.

    Args:
        context: as the model returned it.
        stage: its number, for messages.
        shape: of the array that the stage codes.
        all_tables: the probability tables; None for a model without.

    Raises:
        ValueError: it does not fit the stage, or names a table that does not exist; one line.
    """
    if not isinstance(context, tuple) or len(context) != len(StageContext._fields):
        raise ValueError(f"stage {stage} has a {type(context).__name__} as its context, not a StageContext")
    tables, offsets = (np.asarray(part) for part in context)
    for what, array in (("table indices", tables), ("offsets", offsets)):
        if array.dtype.kind not in "iu":
            raise ValueError(f"stage {stage} has {what} of type {array.dtype}, not integers")
    tables = _of_shape(tables, shape).ravel()
    least, count = (0, _MOST_GROUPS) if all_tables is None else (NOT_CODED, len(all_tables.frequencies))
    if tables.size and (int(tables.min()) < least or int(tables.max()) >= count):
        raise ValueError(f"stage {stage} chooses a table that does not exist")
    _of_shape(offsets, shape)
    if offsets.size and (int(offsets.min()) <= -VALUE_LIMIT or int(offsets.max()) >= VALUE_LIMIT):
        raise ValueError(f"stage {stage} has offsets as large as {VALUE_LIMIT}")
    if all_tables is None and offsets.any():
        raise ValueError(f"stage {stage} offsets symbols but has no probability tables")
    return CheckedContext(tables, offsets.astype(np.int32, copy=False))


def _of_shape(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    # Broadcasting an array to the shape it already has takes NumPy longer than the rest of a small stage.
    return array if array.shape == shape else np.broadcast_to(array, shape)


class PlainEntropy(EntropyModel):
    """Entropy model without learned probabilities: one stage for each array, with channels kept apart."""

    def __init__(self, specs: Sequence[LatentSpec]) -> None:
        self._specs = tuple(specs)

    @property
    def tables(self) -> None:
        return None

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        return [Stage(spec.name, (slice(None),) * 4) for spec in self._specs]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        channels = self._specs[stage].channels
        return StageContext(np.arange(channels)[None, :, None, None])


def problem_with_entropy(entropy: object) -> str | None:
    """Return in one line what a codec's `entropy` gave instead of an entropy model, or None."""
    if isinstance(entropy, EntropyModel):
        return None
    return f"its entropy() returned a {type(entropy).__name__}, not an EntropyModel"
