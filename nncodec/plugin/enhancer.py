"""What an enhancer plugin implements: it restores or enlarges batches of pixels, after decoding or on its own.

Core handles files, tiling, alpha, grey images and sizes. This module needs no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile


@dataclass(frozen=True)
class EnhancerTraits:
    """What core needs to know about an enhancer.

    Args:
        factor: how many times larger its results are along each edge; 1 restores without enlarging.
        multiple: core pads edges to multiples of this, pixels.
        halo: receptive field beyond a tile, pixels; a multiple of `multiple`.
        strengths: whether it uses the strength.
    """

    factor: int
    multiple: int
    halo: int
    strengths: bool = False


class EnhancerModel(ABC):
    """An enhancer with its weights loaded."""

    traits: EnhancerTraits

    @classmethod
    @abstractmethod
    def from_file(cls, model_file: ModelFile) -> EnhancerModel:
        """Build the enhancer from an opened model file.

        Raises:
            ValueError: config or tensors do not fit the architecture. Both are untrusted: validate, then build.
        """

    @abstractmethod
    def enhance(self, pixels: Pixels, strength: float) -> Pixels:
        """Return restored or enlarged images.

        Args:
            pixels: uint8 (N, H, W, 3), with edges that are multiples of `traits.multiple`.
            strength: 0 (faithful: the least error) to 1 (the most detail, some of it invented); enhancers without
                strengths ignore it.

        Returns:
            uint8 (N, factor * H, factor * W, 3).
        """
