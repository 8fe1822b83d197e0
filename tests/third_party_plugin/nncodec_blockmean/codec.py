"""Block means: each plane of each block becomes the nearest level of a trained codebook."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nncodec.plugin import AnySize, CodecModel, CodecTraits, IntArray, Latents, LatentSpec, ModelFile, Pixels


class BlockMeanCodec(CodecModel):
    """Latents are indices into a codebook of ascending grey levels; one per block and colour plane."""

    def __init__(self, block: int, codebook: Pixels) -> None:
        self._block = block
        self._codebook = codebook
        # Midpoints between neighbouring levels, as sums over a block: whole numbers, since block edges are even.
        self._thresholds = (codebook[1:].astype(np.int32) + codebook[:-1]) * (block * block // 2)
        spec = LatentSpec("mean", channels=3, stride=block, minimum=0, maximum=len(codebook) - 1)
        self.traits = CodecTraits(modes=("RGB",), size=AnySize(multiple=block, halo=0), latents=(spec,))

    @classmethod
    def from_file(cls, model_file: ModelFile) -> BlockMeanCodec:
        if model_file.config.keys() != {"block"} or model_file.config["block"] not in (2, 4, 8, 16):
            raise ValueError("the config is not a block size of 2, 4, 8 or 16")
        codebook = model_file.tensors["codebook"]
        if codebook.dtype != np.uint8 or codebook.ndim != 1 or not 2 <= len(codebook) <= 256:
            raise ValueError("the codebook is not a row of 2 to 256 bytes")
        if (codebook[1:] <= codebook[:-1]).any():
            raise ValueError("the codebook is not ascending")
        return cls(int(model_file.config["block"]), codebook)

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        frames, height, width, planes = pixels.shape
        rows, columns = height // self._block, width // self._block
        blocks = pixels.reshape(frames, rows, self._block, columns, self._block, planes)
        sums = blocks.sum(axis=(2, 4), dtype=np.int32)  # (N, h, w, 3)
        means = np.searchsorted(self._thresholds, sums).astype(np.int32)
        return {"mean": np.ascontiguousarray(means.transpose(0, 3, 1, 2))}  # (N, 3, h, w)

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        means = self._codebook[latents["mean"].transpose(0, 2, 3, 1)]  # (N, h, w, 3)
        return means.repeat(self._block, axis=1).repeat(self._block, axis=2)  # (N, H, W, 3)
