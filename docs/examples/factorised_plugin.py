"""A factorised model: a linear transform of 4 x 4 pixels, and one trained probability table for each channel."""

import numpy as np

from nncodec.plugin import (
    AnySize,
    ArchitectureSpec,
    CodecModel,
    CodecTraits,
    EntropyModel,
    LatentSpec,
    Stage,
    StageContext,
    Tables,
    hookimpl,
)

BLOCK, CHANNELS, STEP, LIMIT = 4, 48, 12, 127


@hookimpl
def nncodec_architectures():
    recipe = "factorised_recipe:FactorisedRecipe"
    return [ArchitectureSpec("factorised", "factorised_plugin:FactorisedCodec", training=recipe)]


class FactorisedEntropy(EntropyModel):
    tables = None

    def __init__(self, tables):
        self.tables = tables

    def stages(self, shapes):
        return [Stage("y", (slice(None),) * 4)]  # all at once: no symbol depends on another

    def context(self, stage, known):
        return StageContext(np.arange(CHANNELS)[None, :, None, None])


class FactorisedCodec(CodecModel):
    spec = LatentSpec("y", CHANNELS, BLOCK, -LIMIT, LIMIT)
    traits = CodecTraits(("RGB",), AnySize(BLOCK, 0), (spec,), coder="rans")

    def __init__(self, basis, frequencies):
        if basis.shape != (CHANNELS, CHANNELS) or len(frequencies) != CHANNELS or not np.isfinite(basis).all():
            raise ValueError("the tensors have other shapes, or numbers that are not finite")
        self.basis, self.tables = basis.astype(np.float64), Tables(frequencies, -LIMIT, 16)

    @classmethod
    def from_file(cls, model_file):
        return cls(model_file.tensors["basis"], model_file.tensors["frequencies"])

    def analysis(self, pixels, quality, effort):
        count, height, width, _ = pixels.shape
        blocks = pixels.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3) - 128.0
        vectors = blocks.transpose(0, 2, 4, 5, 1, 3).reshape(count, CHANNELS, height // BLOCK, width // BLOCK)
        latents = np.einsum("kc,nchw->nkhw", self.basis, vectors) / STEP
        return {"y": np.clip(np.rint(latents), -LIMIT, LIMIT).astype(np.int32)}

    def synthesis(self, latents, quality):
        count, _, rows, columns = latents["y"].shape
        vectors = np.einsum("kc,nkhw->nchw", self.basis, latents["y"] * STEP) + 128.0
        blocks = vectors.reshape(count, BLOCK, BLOCK, 3, rows, columns).transpose(0, 4, 1, 5, 2, 3)
        return np.clip(np.rint(blocks), 0, 255).astype(np.uint8).reshape(count, rows * BLOCK, columns * BLOCK, 3)

    def entropy(self, quality):
        return FactorisedEntropy(self.tables)
