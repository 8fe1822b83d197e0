"""A codec as a plugin of one module, without PyTorch: the DCT of 8 x 8 pixels, rounded more coarsely at low quality."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nncodec.plugin import (
    AnySize,
    ArchitectureSpec,
    CodecModel,
    CodecTraits,
    IntArray,
    Latents,
    LatentSpec,
    ModelFile,
    Pixels,
    hookimpl,
)

BLOCK = 8


@hookimpl
def nncodec_architectures() -> list[ArchitectureSpec]:
    return [ArchitectureSpec("dct", "dct_plugin:DctCodec")]


class DctCodec(CodecModel):
    """Needs no tensors: the config names the coarsest step."""

    def __init__(self, coarsest: int) -> None:
        self._coarsest = coarsest
        rows, columns = np.mgrid[:BLOCK, :BLOCK]
        self._dct = np.cos((2 * columns + 1) * rows * np.pi / (2 * BLOCK)) * np.where(rows, 0.5, 8**-0.5)
        spec = LatentSpec("y", channels=3 * BLOCK**2, stride=BLOCK, minimum=-1100, maximum=1100)
        self.traits = CodecTraits(("RGB",), AnySize(BLOCK, 0), (spec,), qualities=True)

    @classmethod
    def from_file(cls, model_file: ModelFile) -> DctCodec:
        coarsest = model_file.config.get("coarsest")
        if model_file.tensors or type(coarsest) is not int or not 2 <= coarsest <= 100:
            raise ValueError("the config is not a step from 2 to 100, or there are tensors")
        return cls(coarsest)

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        count, height, width, _ = pixels.shape
        rows, columns = height // BLOCK, width // BLOCK
        blocks = pixels.reshape(count, rows, BLOCK, columns, BLOCK, 3) - 128.0
        bands = np.einsum("uy,nhywxc,vx->ncuvhw", self._dct, blocks, self._dct, optimize=True)
        return {"y": np.rint(bands.reshape(count, -1, rows, columns) / self._step(quality)).astype(np.int32)}

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        count, _, rows, columns = latents["y"].shape
        bands = latents["y"].reshape(count, 3, BLOCK, BLOCK, rows, columns) * self._step(quality)
        blocks = np.einsum("uy,ncuvhw,vx->nhywxc", self._dct, bands, self._dct, optimize=True)
        return np.clip(np.rint(blocks + 128), 0, 255).astype(np.uint8).reshape(count, rows * BLOCK, columns * BLOCK, 3)

    def _step(self, quality: int) -> float:
        return float(self._coarsest ** (1 - quality / 100))
