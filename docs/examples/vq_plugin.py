"""A vector-quantized codec: each 4 x 4 pixels become the number of the nearest entry of a codebook."""

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

BLOCK = 4
_VECTORS_AT_ONCE = 4096


@hookimpl
def nncodec_architectures() -> list[ArchitectureSpec]:
    return [ArchitectureSpec("vq", "vq_plugin:VqCodec")]


class VqCodec(CodecModel):
    """Latents are categories: their numbers have no order, and each costs about log2 of the codebook's size in bits."""

    def __init__(self, codebook: Pixels) -> None:
        self._codebook = codebook.astype(np.int64)  # (entries, 4 * 4 * 3)
        spec = LatentSpec("entry", channels=1, stride=BLOCK, minimum=0, maximum=len(codebook) - 1)
        self.traits = CodecTraits(("RGB",), AnySize(BLOCK, 0), (spec,))

    @classmethod
    def from_file(cls, model_file: ModelFile) -> VqCodec:
        codebook = model_file.tensors["codebook"]
        if codebook.dtype != np.uint8 or codebook.ndim != 2 or codebook.shape[1] != BLOCK * BLOCK * 3:
            raise ValueError("the codebook is not uint8 of rows of 48")
        if not 2 <= len(codebook) <= 1 << 12:
            raise ValueError("the codebook has not 2 to 4096 entries")
        return cls(codebook)

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> Latents:
        count, height, width, _ = pixels.shape
        blocks = pixels.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3).transpose(0, 1, 3, 2, 4, 5)
        vectors = blocks.reshape(-1, BLOCK * BLOCK * 3).astype(np.int64)
        norms = np.square(self._codebook).sum(axis=1)
        nearest = [
            (norms - 2 * vectors[start : start + _VECTORS_AT_ONCE] @ self._codebook.T).argmin(axis=1)
            for start in range(0, len(vectors), _VECTORS_AT_ONCE)
        ]
        entries = np.concatenate(nearest).reshape(count, 1, height // BLOCK, width // BLOCK)
        return {"entry": entries.astype(np.int32)}

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        count, _, rows, columns = latents["entry"].shape
        blocks = self._codebook[latents["entry"][:, 0]].reshape(count, rows, columns, BLOCK, BLOCK, 3)
        pixels = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(count, rows * BLOCK, columns * BLOCK, 3)
        return pixels.astype(np.uint8)
