"""The synthesis of photo transforms, see `nncodec.nn.transforms`, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nncodec.engine.arrays import to_pixels
from nncodec.engine.deblocking import Deblocking
from nncodec.engine.operations import AROUND, ConvLayer, FloatArray, Operations, V
from nncodec.engine.transform_config import BLOCK, LEAK, STRIDE, TransformConfig
from nncodec.engine.weights import WeightReader
from nncodec.plugin.engine import Loader, Run
from nncodec.plugin.latents import Pixels

_UNSHUFFLED = 3 * BLOCK**2
_EXPANSION = 2
ENCODER_TENSORS = ("analysis_", "detail_in.", "detail_features.")
"""How the names of tensors begin that decoding does not need."""


class _Block(NamedTuple):
    """The layers of a `nncodec.nn.blocks.DepthwiseBlock`."""

    mix_in: ConvLayer
    mix_depthwise: ConvLayer
    mix_out: ConvLayer
    feed_in: ConvLayer
    feed_out: ConvLayer

    @classmethod
    def read(cls, weights: WeightReader, name: str, width: int) -> _Block:
        wide = width * _EXPANSION
        return cls(
            weights.layer(f"{name}.mix_in", width, width),
            weights.layer(f"{name}.mix_depthwise", width, width, 3, depthwise=True),
            weights.layer(f"{name}.mix_out", width, width),
            weights.layer(f"{name}.feed_in", wide, width),
            weights.layer(f"{name}.feed_out", width, wide),
        )

    def update(self, operations: Operations[V], features: V, *, replicate: bool) -> V:
        mixed = operations.leaky_relu(operations.convolve(features, self.mix_in), LEAK)
        mixed = operations.convolve(mixed, self.mix_depthwise, AROUND, replicate=replicate)
        features = operations.add(features, operations.convolve(mixed, self.mix_out))
        fed = operations.leaky_relu(operations.convolve(features, self.feed_in), LEAK)
        return operations.add(features, operations.convolve(fed, self.feed_out))


@dataclass(frozen=True, eq=False)
class PhotoSynthesis:
    """The synthesis transform and the gains that precede it."""

    config: TransformConfig
    coarse: list[_Block]
    up: ConvLayer
    fine: list[_Block]
    out: ConvLayer
    detail_out: ConvLayer | None
    log_inverse_gain: FloatArray
    log_gain: FloatArray
    deblocking_tables: tuple[FloatArray, FloatArray] | None

    @classmethod
    def read(cls, config: TransformConfig, weights: WeightReader) -> PhotoSynthesis:
        """Read it from a model file.

        Raises:
            ValueError: a tensor is missing, of another shape, or not finite.
        """
        coarse, table = config.coarse_channels, (config.anchors, config.latent_channels)
        # A transposed convolution of stride 2 with a 2 x 2 kernel is a 1 x 1 convolution and a shuffle.
        up = weights.floats("synthesis_up.weight", (coarse, _UNSHUFFLED, 2, 2))
        up_bias = weights.floats("synthesis_up.bias", (_UNSHUFFLED,))
        up_weight = np.ascontiguousarray(up.transpose(1, 2, 3, 0)).reshape(4 * _UNSHUFFLED, coarse, 1, 1)
        detail = config.detail_channels
        log_gain = weights.floats("log_gain", table)
        return cls(
            config,
            [_Block.read(weights, f"synthesis_coarse.{n}", coarse) for n in range(config.coarse_blocks)],
            ConvLayer(up_weight, np.repeat(up_bias, 4)),
            [_Block.read(weights, f"synthesis_fine.{n}", _UNSHUFFLED) for n in range(config.fine_blocks)],
            weights.layer("synthesis_out", _UNSHUFFLED, _UNSHUFFLED),
            weights.layer("detail_out", 3 * STRIDE**2, detail) if detail else None,
            weights.floats("log_rescale", table) - log_gain,
            log_gain,
            _deblocking_tables(config, weights),
        )

    def network(self, operations: Operations[V], latents: V) -> tuple[V]:
        """Map the coarse latents, after the inverse gain, to pixels around 0; the first are (N, C, H/16, W/16)."""
        return (self._pixels(operations, latents),)

    def detailed_network(self, operations: Operations[V], latents: V, detail: V) -> tuple[V]:
        """Do the same with detail latents."""
        pixels = self._pixels(operations, latents)
        assert self.detail_out is not None
        fine = operations.shuffle(operations.convolve(detail, self.detail_out), STRIDE)
        return (operations.add(pixels, fine),)

    def _pixels(self, operations: Operations[V], features: V) -> V:
        replicate = self.config.padding == "replicate"
        for block in self.coarse:
            features = block.update(operations, features, replicate=replicate)
        features = operations.shuffle(operations.convolve(features, self.up), 2)
        for block in self.fine:
            features = block.update(operations, features, replicate=replicate)
        return operations.shuffle(operations.convolve(features, self.out), BLOCK)

    def inverse_gain(self, quality: int) -> FloatArray:
        """Return the factor on rounded latents before the network, (C,); 0 for channels that a quality leaves out."""
        return self._used(np.exp(_at(self.log_inverse_gain, quality)), quality)

    def gain(self, quality: int) -> FloatArray:
        """Return the factor on latents before rounding, (C,)."""
        return self._used(np.exp(_at(self.log_gain, quality)), quality)

    def deblocking(self, quality: int) -> Deblocking | None:
        """Return the filter that is applied to the pixels at a quality, if there is one."""
        if self.deblocking_tables is None:
            return None
        strength, tolerance = (float(_at(table, quality)[0]) for table in self.deblocking_tables)
        return Deblocking(strength, tolerance)

    def _used(self, factor: FloatArray, quality: int) -> FloatArray:
        if quality < self.config.detail_quality:
            factor[self.config.coarse_channels :] = 0
        return factor


class PhotoDecoder:
    """A synthesis transform ready to run.

    Args:
        synthesis: the transform.
        loader: makes it ready.
    """

    def __init__(self, synthesis: PhotoSynthesis, loader: Loader) -> None:
        config = synthesis.config
        inputs = {"latents": config.coarse_channels}
        self.gain, self.inverse_gain, self.deblocking = synthesis.gain, synthesis.inverse_gain, synthesis.deblocking
        self.coarse_channels = config.coarse_channels
        self._run = loader.load("synthesis", synthesis.network, inputs, ("pixels",))
        self._run_detailed: Run | None = None
        if config.detail_channels:
            inputs = inputs | {"detail": config.detail_channels}
            self._run_detailed = loader.load("synthesis_detail", synthesis.detailed_network, inputs, ("pixels",))

    def pixels(self, latents: FloatArray, quality: int) -> Pixels:
        """Map latents (N, H/16, W/16, C), after the inverse gain, to pixels."""
        coarse = np.ascontiguousarray(latents[..., : self.coarse_channels])
        detail = latents[..., self.coarse_channels :]
        if self._run_detailed is not None and detail.any():
            (centred,) = self._run_detailed(coarse, np.ascontiguousarray(detail))
        else:
            (centred,) = self._run(coarse)
        if filtered := self.deblocking(quality):
            filtered.apply(centred)
        centred += np.float32(0.5)
        return to_pixels(centred)


def _deblocking_tables(config: TransformConfig, weights: WeightReader) -> tuple[FloatArray, FloatArray] | None:
    if not config.deblocking:
        return None
    shape = (config.anchors,)
    strength, tolerance = (weights.floats(f"deblocking.{name}", shape)[:, None] for name in ("strength", "tolerance"))
    return strength, tolerance


def _at(table: FloatArray, quality: int) -> FloatArray:
    """Interpolate rows of a (anchors, C) table linearly at a quality in 0..100."""
    position = np.float32(quality) / np.float32(100) * np.float32(len(table) - 1)
    below = min(int(position), len(table) - 2)
    fraction = np.float32(position - below)
    return np.asarray(table[below] * (1 - fraction) + table[below + 1] * fraction, np.float32)
