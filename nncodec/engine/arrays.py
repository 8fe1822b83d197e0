"""Networks in plain NumPy: 1 x 1 layers are matrix products, and larger kernels are sums over their places."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nncodec.engine.operations import NO_MARGINS, ConvLayer, FloatArray, Margins, Operations
from nncodec.plugin.engine import Network, Run
from nncodec.plugin.latents import Pixels

# Positions that a depthwise layer computes at once, so that they stay in a processor's cache.
_STRIP_POSITIONS = 512


class ArrayOperations(Operations[FloatArray]):
    """Operations on float32 arrays (N, H, W, C), channels last."""

    def convolve(
        self, values: FloatArray, layer: ConvLayer, margins: Margins = NO_MARGINS, *, replicate: bool = False
    ) -> FloatArray:
        if margins != NO_MARGINS:
            values = _with_margins(values, margins, replicate)
        if layer.depthwise:
            return _depthwise(values, layer)
        count, height, width, inputs = values.shape
        outputs, _, rows, columns = layer.weight.shape
        height, width = height - rows + 1, width - columns + 1
        sums: FloatArray | None = None
        for row, column in np.ndindex(rows, columns):
            part = values[:, row : row + height, column : column + width].reshape(-1, inputs)
            product = part @ layer.weight[:, :, row, column].T
            sums = product if sums is None else np.add(sums, product, out=sums)
        assert isinstance(sums, np.ndarray)
        sums += layer.bias
        return sums.reshape(count, height, width, outputs)

    def leaky_relu(self, values: FloatArray, slope: float) -> FloatArray:
        np.maximum(values, values * np.float32(slope), out=values)
        return values

    def sigmoid(self, values: FloatArray) -> FloatArray:
        np.exp(np.negative(values, out=values), out=values)
        values += 1
        return np.reciprocal(values, out=values)

    def bounded(self, values: FloatArray, limit: int | None) -> FloatArray:
        np.rint(values, out=values)
        if limit is not None:
            np.clip(values, -limit, limit, out=values)
        return values

    def add(self, first: FloatArray, second: FloatArray) -> FloatArray:
        first += second
        return first

    def shuffle(self, values: FloatArray, factor: int) -> FloatArray:
        count, height, width, channels = values.shape
        kept = channels // factor**2
        blocks = values.reshape(count, height, width, kept, factor, factor).transpose(0, 1, 4, 2, 5, 3)
        return blocks.reshape(count, height * factor, width * factor, kept)

    def enlarge(self, values: FloatArray, factor: int) -> FloatArray:
        return values.repeat(factor, axis=1).repeat(factor, axis=2)

    def channels(self, values: FloatArray, start: int, stop: int) -> FloatArray:
        return values[..., start:stop]


class ArrayLoader:
    """Runs networks in plain NumPy."""

    def load(self, name: str, network: Network, inputs: Mapping[str, int], outputs: tuple[str, ...]) -> Run:
        """See `Loader.load`."""
        operations = ArrayOperations()

        def run(*values: FloatArray) -> tuple[FloatArray, ...]:
            with np.errstate(all="ignore"):  # absurd weights or latents overflow, as they do elsewhere
                return network(operations, *values)

        return run


def to_pixels(values: FloatArray) -> Pixels:
    """Return values (N, H, W, C) in 0..1 as uint8, rounded and clipped; overwrites them."""
    with np.errstate(all="ignore"):
        values *= np.float32(255)
        return np.clip(np.rint(values, out=values), 0, 255, out=values).astype(np.uint8)


def _depthwise(values: FloatArray, layer: ConvLayer) -> FloatArray:
    rows, columns = layer.weight.shape[2:]
    count, height, width, channels = values.shape
    height, width = height - rows + 1, width - columns + 1
    weights = np.ascontiguousarray(layer.weight[:, 0].transpose(1, 2, 0))  # (rows, columns, C)
    result = np.empty((count, height, width, channels), np.float32)
    step = max(1, _STRIP_POSITIONS // width)
    product = np.empty((min(step, height), width, channels), np.float32)
    for picture, target in zip(values, result, strict=True):
        for top in range(0, height, step):
            strip = target[top : top + step]
            strip[...] = layer.bias
            scratch = product[: len(strip)]
            for row, column in np.ndindex(rows, columns):
                seen = picture[top + row : top + row + len(strip), column : column + width]
                strip += np.multiply(seen, weights[row, column], out=scratch)
    return result


def _with_margins(values: FloatArray, margins: Margins, replicate: bool) -> FloatArray:
    left, right, top, bottom = margins
    count, height, width, channels = values.shape
    shape = (count, top + height + bottom, left + width + right, channels)
    padded = np.empty(shape, np.float32) if replicate else np.zeros(shape, np.float32)
    padded[:, top : top + height, left : left + width] = values
    if replicate:
        columns = slice(left, left + width)
        padded[:, :top, columns] = values[:, :1]
        padded[:, top + height :, columns] = values[:, -1:]
        padded[:, :, :left] = padded[:, :, left : left + 1]
        padded[:, :, left + width :] = padded[:, :, left + width - 1 : left + width]
    return padded
