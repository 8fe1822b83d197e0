"""A mean-scale hyperprior: a hyper-decoder that was trained in floating point, made exact, chooses means and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nncodec.nn.exact import exact_network
from nncodec.nn.tensors import load_weights
from nncodec.plugin import (
    AnySize,
    ArchitectureSpec,
    CodecModel,
    CodecTraits,
    EntropyModel,
    IntArray,
    Latents,
    LatentSpec,
    ModelFile,
    Pixels,
    Shapes,
    Stage,
    StageContext,
    Tables,
    hookimpl,
)

BLOCK, CHANNELS, STEP, SCALES, STEPS = 4, 48, 8, 16, 16
_ALL = (slice(None),) * 4


@hookimpl
def nncodec_architectures() -> list[ArchitectureSpec]:
    return [ArchitectureSpec("mean-scale", "mean_scale_plugin:MeanScaleCodec")]


def hyper_decoder() -> nn.Sequential:
    """Return the network from hyper-latents (N, 1, h, w) to means and scale indices (N, 2 * 48, 2 h, 2 w)."""
    return nn.Sequential(nn.ConvTranspose2d(1, 16, 2, stride=2), nn.ReLU(), nn.Conv2d(16, 2 * CHANNELS, 1))


class MeanScaleEntropy(EntropyModel):
    """Codes the hyper-latents, then all latents around their means; latents count sixteenths."""

    def __init__(self, decoder: nn.Sequential, tables: Tables) -> None:
        self._decoder, self._tables = decoder, tables

    @property
    def tables(self) -> Tables:
        return self._tables

    def stages(self, shapes: Shapes) -> Sequence[Stage]:
        return [Stage("z", _ALL), Stage("y", _ALL)]

    def context(self, stage: int, known: Mapping[str, IntArray]) -> StageContext:
        if stage == 0:
            return StageContext(np.array(SCALES - 1))
        with torch.inference_mode():
            means, scales = self._decoder(torch.from_numpy(np.ascontiguousarray(known["z"])).double()).chunk(2, 1)
            offsets = (STEPS * means).round().clamp(-(1 << 12), 1 << 12).int().numpy()
            return StageContext(scales.round().clamp(0, SCALES - 1).int().numpy(), offsets)


class MeanScaleCodec(CodecModel):
    """A linear transform of 4 x 4 pixels with one hyper-latent for each 8 x 8: their activity."""

    def __init__(self, basis: NDArray[np.float32], decoder: nn.Sequential, tables: Tables) -> None:
        self._basis = basis.astype(np.float64)
        self._entropy = MeanScaleEntropy(exact_network(decoder), tables)
        hyper = LatentSpec("z", 1, 2 * BLOCK, 0, 100)
        latents = LatentSpec("y", CHANNELS, BLOCK, -(1 << 20), 1 << 20, step=STEPS)
        self.traits = CodecTraits(("RGB",), AnySize(2 * BLOCK, 0), (hyper, latents), coder="rans")

    @classmethod
    def from_file(cls, model_file: ModelFile) -> MeanScaleCodec:
        tensors = dict(model_file.tensors)
        basis, frequencies = tensors.pop("basis"), tensors.pop("frequencies")
        if model_file.config or basis.shape != (CHANNELS, CHANNELS) or len(frequencies) != SCALES:
            raise ValueError("a tensor has another shape, or there is a config")
        with torch.device("meta"):
            decoder = hyper_decoder()
        return cls(basis, load_weights(decoder, tensors), Tables(frequencies, -127, 16))

    def analysis(self, pixels: Pixels, quality: int, effort: int) -> dict[str, NDArray[Any]]:
        count, height, width, _ = pixels.shape
        rows, columns = height // BLOCK, width // BLOCK
        blocks = pixels.reshape(count, rows, BLOCK, columns, BLOCK, 3).transpose(0, 2, 4, 5, 1, 3) - 128.0
        vectors = blocks.reshape(count, CHANNELS, rows, columns)
        return {"y": np.einsum("kc,nchw->nkhw", self._basis, vectors) / STEP}

    def quantize(self, latents: Mapping[str, NDArray[Any]], pixels: Pixels, quality: int, effort: int) -> Latents:
        activity = np.abs(latents["y"][:, 1:]).mean(axis=1, keepdims=True)
        count, _, rows, columns = activity.shape
        groups = activity.reshape(count, 1, rows // 2, 2, columns // 2, 2).mean(axis=(3, 5))
        known = {"z": np.clip(np.rint(4 * np.log2(1 + groups)), 0, 100).astype(np.int32)}
        known["y"] = np.zeros(latents["y"].shape, np.int32)
        offsets = np.asarray(self._entropy.context(1, known).offsets)
        known["y"] = (offsets + STEPS * np.rint(latents["y"] - offsets / STEPS)).astype(np.int32)
        return known

    def synthesis(self, latents: Mapping[str, IntArray], quality: int) -> Pixels:
        count, _, rows, columns = latents["y"].shape
        scaled = latents["y"] * (STEP / STEPS)
        vectors = np.einsum("kc,nkhw->nchw", self._basis, scaled) + 128.0
        blocks = vectors.reshape(count, BLOCK, BLOCK, 3, rows, columns).transpose(0, 4, 1, 5, 2, 3)
        return np.clip(np.rint(blocks), 0, 255).astype(np.uint8).reshape(count, rows * BLOCK, columns * BLOCK, 3)

    def entropy(self, quality: int) -> EntropyModel:
        return self._entropy
