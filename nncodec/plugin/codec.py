"""What a model plugin implements.

A codec plugin subclasses `CodecModel`: `analysis` and `synthesis` on batches of pixels, `quantize` where rounding takes
more than a look at each latent, and an `EntropyModel` that says in which stages the latents are coded and, where it has
learned probabilities, under which integer tables.
Files, padding, tiling, colour modes and metadata are not its business. This module needs no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from nncodec.errors import NncError, PluginError, first_line
from nncodec.plugin.latents import VALUE_LIMIT, IntArray, Latents, LatentSpec
from nncodec.plugin.model_file import ModelFile

Pixels = NDArray[np.uint8]
MAX_PRECISION = 24
NOT_CODED = -1
"""In place of a table: the symbol is 0, and not coded."""

_MAX_COLUMNS = 1 << 16
_T = TypeVar("_T")
_P = ParamSpec("_P")


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


@dataclass(frozen=True)
class FixedSize:
    """The model takes pictures of exactly this size, pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class AnySize:
    """The model takes any size; core pads to a multiple and may split large pictures.

    Args:
        multiple: pixels; a power of two.
        halo: pixels around a tile that its result depends on, in analysis and in synthesis; a multiple of `multiple`.
    """

    multiple: int
    halo: int


@dataclass(frozen=True)
class CodecTraits:
    """What core needs to know of a codec model.

    Args:
        modes: colour modes it codes, of "L" and "RGB". Grey pictures go through a model without "L" as equal planes;
            of a grey picture's synthesis with three planes core takes the mean.
        size: which sizes it takes.
        latents: its arrays.
        qualities: whether quality 0..100 means something to it.
        efforts: the effort levels that differ, ascending, out of 0..9.
        coder: the coder used unless another is asked for, "zstd" or "rans".
    """

    modes: tuple[str, ...]
    size: FixedSize | AnySize
    latents: tuple[LatentSpec, ...]
    qualities: bool = False
    efforts: tuple[int, ...] = (0,)
    coder: str = "zstd"


class CodecModel(ABC):
    """A codec with its weights in place."""

    traits: CodecTraits

    @classmethod
    @abstractmethod
    def from_file(cls, model_file: ModelFile) -> CodecModel:
        """Build the model from an opened model file.

        Raises:
            ValueError: config or tensors do not fit the architecture. Everything is untrusted: validate, then build.
        """

    @abstractmethod
    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Mapping[str, NDArray[Any]]:
        """Map pictures to latents, or to what `quantize` makes them of.

        It runs on tiles, each with a halo around it that is cut off from the result.

        Args:
            pixels: uint8 (N, H, W, C), a size the model takes.
            quality: 0..100; to be ignored by a model without qualities.
            effort: one of `traits.efforts`.

        Returns:
            Arrays of the shapes that `traits.latents` declares, (N, C, h, w): all of them as int32, or, for a
            model with `quantize` of its own, those it wants there, of any numeric type.
        """

    def quantize(self, latents: Mapping[str, NDArray[Any]], pixels: Pixels, quality: int, effort: int) -> Latents:
        """Make the latents of a block of what the analysis gave; by default the analysis has rounded already.

        This is apart from the analysis because of models with contexts: there, what a symbol is depends on what is
        decoded before it, and decoding knows the block alone, without a halo.

        Args:
            latents: what the analysis gave for exactly one block, without halo.
            pixels: of the same block, uint8 (N, H, W, C). As in analysis, each picture is on its own: those of one
                call may become one block or several.
            quality, effort: as for `analysis`.

        Returns:
            Arrays as `traits.latents` declares them, int32 (N, C, h, w), such that the stages of `entropy(quality)`
            can code them.
        """
        return dict(latents)

    @abstractmethod
    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """Map quantized latents back to pictures, uint8 (N, H, W, C)."""

    def entropy(self, quality: int) -> EntropyModel:
        """Return how latents of this quality are coded; by default without learned probabilities."""
        return PlainEntropy(self.traits.latents)


def run_plugin(plugin: str, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Return `call(...)`, with whatever a plugin's own code raises turned into PluginError."""
    try:
        return call(*args, **kwargs)
    except (NncError, MemoryError):
        raise
    except Exception as error:  # a third party's code: anything can happen
        raise PluginError(plugin=plugin, reason=f"{type(error).__name__}: {first_line(error)}") from error
