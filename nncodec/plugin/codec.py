"""What a codec plugin implements: `analysis` and `synthesis` on batches of pixels, and `entropy`.

`quantize` is for models where rounding takes more than a look at each latent. Files, padding, tiling, colour modes and
metadata are not the plugin's business. Nothing here needs torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nncodec.plugin.entropy import EntropyModel, PlainEntropy
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.model_file import ModelFile


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
