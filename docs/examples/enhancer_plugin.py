"""An enhancer as a plugin of one module: it sharpens, and enlarges by repeating pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin import ENHANCER, ArchitectureSpec, EnhancerModel, EnhancerTraits, ModelFile, Pixels, hookimpl


@hookimpl
def nncodec_architectures() -> list[ArchitectureSpec]:
    return [ArchitectureSpec("sharpen", "enhancer_plugin:Sharpener", kind=ENHANCER)]


class Sharpener(EnhancerModel):
    """Adds to each pixel its difference from the mean around it: little of it at strength 0, more at 1."""

    def __init__(self, factor: int, amounts: NDArray[np.float32]) -> None:
        self._faithful, self._detailed = map(float, amounts)
        self.traits = EnhancerTraits(factor=factor, multiple=1, halo=1, strengths=True)

    @classmethod
    def from_file(cls, model_file: ModelFile) -> Sharpener:
        factor = model_file.config.get("factor")
        if model_file.config.keys() != {"factor"} or type(factor) is not int or not 1 <= factor <= 8:
            raise ValueError("the config is not a factor from 1 to 8")
        amounts = model_file.tensors["amounts"]
        if amounts.dtype != np.float32 or amounts.shape != (2,) or not np.isfinite(amounts).all():
            raise ValueError("the amounts are not two numbers")
        return cls(factor, amounts)

    def enhance(self, pixels: Pixels, strength: float) -> Pixels:
        height, width = pixels.shape[1:3]
        padded = np.pad(pixels.astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        around = np.zeros(pixels.shape, np.float32)
        for y in range(3):
            for x in range(3):
                around += padded[:, y : y + height, x : x + width] / 9
        amount = self._faithful + strength * (self._detailed - self._faithful)
        sharp = np.clip(np.rint(pixels + amount * (pixels - around)), 0, 255).astype(np.uint8)
        factor = self.traits.factor
        return sharp.repeat(factor, axis=1).repeat(factor, axis=2)  # (N, factor * H, factor * W, 3)
