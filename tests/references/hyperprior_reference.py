"""A second implementation of the hyperprior's entropy model, in plain NumPy with 64-bit integers.

It reads the tensors of a model file and uses neither torch nor the plugin's code. Its results must equal the plugin's
on every machine, or files would not be portable.

Units: activations and means 1/16, weights 1/512, sums 1/8192.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
LIMIT = 511
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
# Offsets of known neighbours as (rows, columns) from the coded position.
CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
BESIDE = ((0, -1), (0, 1))
ABOVE = ((-1, 0), (1, 0))
# For each phase, the neighbours that the weights of each layer belong to, row by row, in the order of the file.
AROUND = ((), (CORNERS,), (BESIDE, ABOVE), (ABOVE, BESIDE, CORNERS))


class ReferenceEntropy:
    """The contexts of a model file's hyperprior.

    Args:
        tensors, config: of the model file.
        quality: 0..100.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]], config: Mapping[str, Any], quality: int) -> None:
        self.tensors = tensors
        self.groups = list(config["groups"])
        self.quality, self.detail_quality = quality, config.get("detail_quality", 0)
        anchors = config["anchors"]
        distance = [abs(quality * (anchors - 1) - 100 * anchor) for anchor in range(anchors)]
        self.planes = np.array([(16 * max(0, 100 - d) + 50) // 100 for d in distance], np.int64)
        row = (quality + 2) // 5
        self.hyper_tables = tensors["tables.hyper_choice"][row].astype(np.int64)
        self.hyper_offsets = tensors["tables.hyper_offset"][row].astype(np.int64)
        self.certain = int(tensors["tables.certain"][0])

    def contexts(self, z: Ints, y: Ints) -> Iterator[tuple[Ints, Ints]]:
        """Yield tables and offsets of every stage, for decoded latents (Z, h/2, w/2) and (C, h, w)."""
        shape = z.shape
        yield (
            np.broadcast_to(self.hyper_tables[:, None, None], shape),
            np.broadcast_to(self.hyper_offsets[:, None, None], shape),
        )
        features, means = self.hyper_decoder(z)
        start = 0
        for number, size in enumerate(self.groups):
            part = slice(start, start + size)
            earlier = np.clip(y[:start] - means[:start], -LIMIT, LIMIT)
            sums = self.sums(f"contexts.{number}.here", np.concatenate([features, earlier]))
            known = np.zeros_like(y[part])
            is_detail = number == len(self.groups) - 1
            for phase, (row, column) in enumerate(PHASES):
                here = (slice(None), slice(row, None, 2), slice(column, None, 2))
                total = sums[here] + self.neighbours(number, phase, known)[here]
                hidden = leaky(self.sums(f"contexts.{number}.inner", leaky(total)))
                outer = rounded(self.sums(f"contexts.{number}.outer", hidden), 512)
                index = np.clip(outer[size:], 0, 63)
                offsets = means[part][here] + outer[:size]
                if is_detail and self.quality < self.detail_quality:
                    yield np.full_like(index, -1), np.zeros_like(offsets)
                else:
                    yield np.where(index < self.certain, -1, index), offsets
                known[here] = np.clip(y[part][here] - means[part][here], -LIMIT, LIMIT)
            start += size

    def hyper_decoder(self, z: Ints) -> tuple[Ints, Ints]:
        planes = np.broadcast_to(self.planes[:, None, None], (len(self.planes), *z.shape[1:]))
        features = np.concatenate([np.clip(4 * z, -LIMIT, LIMIT), planes])
        features = leaky(self.sums("hyper_decoder.inner", features))
        features = leaky(self.depthwise("hyper_decoder.around", features))
        features = leaky(self.sums("hyper_decoder.expand", features))
        channels, height, width = features.shape
        grid = features.reshape(channels // 4, 2, 2, height, width).transpose(0, 3, 1, 4, 2)
        features = grid.reshape(channels // 4, 2 * height, 2 * width)
        features = leaky(self.depthwise("hyper_decoder.smooth", features))
        features = leaky(self.sums("hyper_decoder.features", features))
        return features, rounded(self.sums("hyper_decoder.mean", features), 512)

    def sums(self, name: str, inputs: Ints) -> Ints:
        weight, bias = self.parameters(name)
        return np.tensordot(weight[:, :, 0, 0], inputs, 1) + bias[:, None, None]

    def depthwise(self, name: str, inputs: Ints) -> Ints:
        weight, bias = self.parameters(name)
        taps = ((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
        terms = [weight[:, 0].reshape(-1, 9)[:, k, None, None] * shifted(inputs, *tap) for k, tap in enumerate(taps)]
        return sum(terms) + bias[:, None, None]

    def neighbours(self, group: int, phase: int, known: Ints) -> Ints:
        hidden = len(self.parameters(f"contexts.{group}.inner")[1])
        total = np.zeros((hidden, *known.shape[1:]), np.int64)
        for layer, taps in enumerate(AROUND[phase]):
            weight, bias = self.parameters(f"contexts.{group}.around.{phase}.{layer}")
            flat = weight.reshape(*weight.shape[:2], -1)
            total = total + bias[:, None, None]
            for k, tap in enumerate(taps):
                total = total + np.tensordot(flat[:, :, k], shifted(known, *tap), 1)
        return total

    def parameters(self, name: str) -> tuple[Ints, Ints]:
        prefix = f"exact.prior.{name}"
        return self.tensors[f"{prefix}.weight"].astype(np.int64), self.tensors[f"{prefix}.bias"].astype(np.int64)


def rounded(sums: Ints, divisor: int) -> Ints:
    """Divide and round to the nearest, ties to even."""
    quotient, rest = np.divmod(sums, divisor)
    up = (2 * rest > divisor) | ((2 * rest == divisor) & (quotient % 2 == 1))
    return quotient + up


def leaky(sums: Ints) -> Ints:
    """Return the leaky ReLU of sums, with a slope of 1/8 below 0, as activations."""
    eighths = np.where(sums < 0, sums, 8 * sums)
    return np.clip(rounded(eighths, 8 * 512), -LIMIT, LIMIT)


def shifted(values: Ints, rows: int, columns: int) -> Ints:
    """Return the values that many rows below and columns to the right of each position, 0 outside."""
    height, width = values.shape[1:]
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    return padded[:, 1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]
