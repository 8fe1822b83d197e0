"""What an enhancer plugin implements: pictures to better or larger pictures, after decoding or by itself.

Files, tiling, transparency, grey pictures and sizes are not its business. This module needs no torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from nncodec.plugin.latents import Pixels
from nncodec.plugin.model_file import ModelFile


@dataclass(frozen=True)
class EnhancerTraits:
    """What core needs to know of an enhancer.

    Args:
        factor: how many times larger its pictures are along each edge; 1 restores without enlarging.
        multiple: edges that it takes are multiples of this, pixels; core pads.
        halo: pixels around a tile that its result depends on, a multiple of `multiple`.
        strengths: whether strength means something to it.
    """

    factor: int
    multiple: int
    halo: int
    strengths: bool = False


class EnhancerModel(ABC):
    """An enhancer with its weights in place."""

    traits: EnhancerTraits

    @classmethod
    @abstractmethod
    def from_file(cls, model_file: ModelFile) -> EnhancerModel:
        """Build the enhancer from an opened model file.

        Raises:
            ValueError: config or tensors do not fit the architecture. Everything is untrusted: validate, then build.
        """

    @abstractmethod
    def enhance(self, pixels: Pixels, strength: float) -> Pixels:
        """Return better pictures.

        Args:
            pixels: uint8 (N, H, W, 3), edges as `traits.multiple` wants them.
            strength: 0 (faithful: the least error) to 1 (the most detail, some of it invented); to be ignored by an
                enhancer without strengths.

        Returns:
            uint8 (N, factor * H, factor * W, 3).
        """
