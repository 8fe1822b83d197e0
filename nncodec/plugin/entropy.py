"""How a model's latents are coded: in which stages, and under which integer probability tables.

Nothing here needs torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.latents import VALUE_LIMIT, IntArray, LatentSpec

MAX_PRECISION = 24
NOT_CODED = -1
"""In place of a table: the symbol is 0, and not coded."""
_MAX_COLUMNS = 1 << 16


class Stage(NamedTuple):
    """One coding stage of a block.

    Args:
        latent: name of the array it codes.
        where: index into that array (N, C, h, w); slices, with steps where a checkerboard wants them.
    """

    latent: str
    where: tuple[slice, ...]


class StageContext(NamedTuple):
    """How the latents of a stage are coded, as far as it depends on what is already decoded.

    A latent is `offset + step * symbol`, with the step of its `LatentSpec`; the symbol is what is coded.

    Args:
        tables: which probability table each symbol uses, integers broadcastable to the stage's latents. With
            probability tables, -1 says that a symbol is not coded, because it is 0.
        offsets: of each latent, smaller than `VALUE_LIMIT` in magnitude; 0 or integers broadcastable likewise. Without
            probability tables there are none.
    """

    tables: NDArray[np.integer[Any]]
    offsets: NDArray[np.integer[Any]] | int = 0


@dataclass(frozen=True, eq=False)
class Tables:
    """Integer probability tables, shared by encoder and decoder; equal only to itself, so that it can be a key.

    Column i of row t counts the symbol `minimum + i`; the last column counts everything outside (escapes).

    Args:
        frequencies: (tables, symbols + 1) uint32, all at least 1, each row summing to `1 << precision`; 2 to 65536
            columns.
        minimum: the symbol of column 0.
        precision: bits, 1..24.

    Raises:
        ValueError: they are not so.
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
    """Stages and tables for coding one block of latents. Integers only: no floating point may decide anything here."""

    @property
    @abstractmethod
    def tables(self) -> Tables | None:
        """The probability tables, or None for a model without learned probabilities."""

    @abstractmethod
    def stages(self) -> Sequence[Stage]:
        """Return the stages in coding order; together they cover every symbol exactly once."""

    @abstractmethod
    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        """Return the tables of a stage.

        Args:
            stage: its number.
            known: the block's latents; what is not yet coded is 0, in the encoder as in the decoder.
        """


class PlainEntropy(EntropyModel):
    """The entropy model of latents without learned probabilities: one stage an array, channels kept apart."""

    def __init__(self, specs: Sequence[LatentSpec]) -> None:
        self._specs = tuple(specs)

    @property
    def tables(self) -> None:
        return None

    def stages(self) -> Sequence[Stage]:
        return [Stage(spec.name, (slice(None),) * 4) for spec in self._specs]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        channels = self._specs[stage].channels
        return StageContext(np.arange(channels)[None, :, None, None])
