"""What a codec plugin implements: `analysis` and `synthesis` on batches of pixels, and `entropy`.

Models that cannot round each latent by itself implement `quantize` too. Core handles files, padding, tiling, colour
modes and metadata. This module needs no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from nncodec.plugin.engine import BrowserPart, Loader
from nncodec.plugin.entropy import EntropyModel, PlainEntropy
from nncodec.plugin.latents import IntArray, Latents, LatentSpec, Pixels
from nncodec.plugin.model_file import ModelFile


@dataclass(frozen=True)
class FixedSize:
    """The model takes images of exactly this size, pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class AnySize:
    """The model takes any size; core pads to a multiple and may tile large images.

    Args:
        multiple: padded edges are multiples of this, pixels; a power of two up to 1024.
        halo: receptive field beyond a tile in analysis and in synthesis, pixels; a multiple of `multiple` up to 1024.
        whole: the model needs the whole picture at once, as with attention over all of it. Core then cuts it neither
            into tiles nor into blocks, and refuses pictures above 4.2 megapixels (2^22 padded pixels). The halo is 0.
    """

    multiple: int
    halo: int
    whole: bool = False


@dataclass(frozen=True)
class CodecTraits:
    """What core needs to know about a codec model.

    Args:
        modes: colour modes it codes, of "L" and "RGB". A model without "L" gets a grey image as three equal planes, and
            core averages the three planes of its synthesis.
        size: the sizes it takes.
        latents: its arrays.
        qualities: whether it uses quality 0..100.
        efforts: the effort levels that differ, ascending, out of 0..9.
        coder: the default coder, "zstd" or "rans".
        seconds_per_megapixel: roughly what one processor core takes to encode at each of the efforts, for estimates;
            empty if nobody measured it.
    """

    modes: tuple[str, ...]
    size: FixedSize | AnySize
    latents: tuple[LatentSpec, ...]
    qualities: bool = False
    efforts: tuple[int, ...] = (0,)
    coder: str = "zstd"
    seconds_per_megapixel: tuple[float, ...] = ()

    @property
    def divisible(self) -> bool:
        """Whether the model can work on parts of a picture."""
        return isinstance(self.size, AnySize) and not self.size.whole


class Margins(NamedTuple):
    """How far images extend beyond the tile that is wanted, in pixels: one halo, less where the picture ends."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def inside(self) -> tuple[slice, slice]:
        """The rows and columns of the tile."""
        return slice(self.top, -self.bottom or None), slice(self.left, -self.right or None)


class DecoderModel(ABC):
    """What decodes latents to pixels, with its weights loaded."""

    traits: CodecTraits

    @abstractmethod
    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        """Map quantized latents back to images, uint8 (N, H, W, C)."""

    def synthesis_within(self, latents: Mapping[str, IntArray], quality: int, margins: Margins) -> Pixels:
        """Map the latents of a tile and its halo to the tile alone; by default by `synthesis` of both.

        Override it if the transform can leave out what later layers do not need of the halo.
        """
        rows, columns = margins.inside
        pixels = self.synthesis(latents, quality)
        return pixels[:, rows, columns] if getattr(pixels, "ndim", 0) == 4 else pixels  # core says what is wrong

    def entropy(self, quality: int) -> EntropyModel:
        """Return the entropy model for a quality; by default one without learned probabilities."""
        return PlainEntropy(self.traits.latents)


class EngineDecoder(DecoderModel):
    """A model that only decodes, without torch; see `ArchitectureSpec.decoder`.

    It decodes to the latents that the architecture's `CodecModel` decodes to, and to pixels within one level of those
    that it computes in float32.
    """

    @classmethod
    @abstractmethod
    def from_file(cls, model_file: ModelFile, loader: Loader) -> EngineDecoder:
        """Build the model from an opened model file.

        Args:
            model_file: untrusted: validate, then build.
            loader: makes its networks ready to run.

        Raises:
            ValueError: config or tensors do not fit the architecture.
        """

    def browser_part(self) -> BrowserPart | None:
        """Return what the model needs to decode in a browser, beside its networks; None if it cannot."""
        return None


class CodecModel(DecoderModel):
    """A codec with its weights loaded."""

    @classmethod
    @abstractmethod
    def from_file(cls, model_file: ModelFile) -> CodecModel:
        """Build the model from an opened model file.

        Raises:
            ValueError: config or tensors do not fit the architecture. Both are untrusted: validate, then build.
        """

    @abstractmethod
    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Mapping[str, NDArray[Any]]:
        """Map images to latents, or to the input of `quantize`.

        Core runs it on tiles with a halo and crops the halo from the result.

        Args:
            pixels: uint8 (N, H, W, C), in a size the model takes.
            quality: 0..100; models without qualities ignore it.
            effort: one of `traits.efforts`.

        Returns:
            Arrays of the shapes that `traits.latents` declares, (N, C, h, w), all of them as int32, or, if the model
            overrides `quantize`, those it needs there, of any numeric type.
        """

    def quantize(self, latents: Mapping[str, NDArray[Any]], pixels: Pixels, quality: int, effort: int) -> Latents:
        """Return the latents of a block from the result of the analysis; by default that is rounded already.

        Models with contexts need this step: a symbol depends on those decoded before it, and a decoder knows the block
        alone, without a halo.

        Args:
            latents: result of the analysis for exactly one block, without halo.
            pixels: of the same block, uint8 (N, H, W, C). As in analysis, images are independent: those of one call may
                become one block or several.
            quality, effort: as for `analysis`.

        Returns:
            Arrays as `traits.latents` declares them, int32 (N, C, h, w), which the stages of `entropy(quality)` can
            code; as `QuantizedLatents` if rounding computed the contexts of all stages.
        """
        return dict(latents)
