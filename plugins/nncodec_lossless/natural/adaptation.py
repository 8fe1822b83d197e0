"""Outputs fitted to a block: changes of the last layers' weights, which its payload holds.

The networks are trained on many pictures, and each block is only one. Means and scales are linear in the second hidden
layer and the features, so what suits a block best is found by least squares, without descent: for the means by their
errors, for the scales by Newton's method on the likelihood.

References:
    Green, "Iteratively reweighted least squares for maximum likelihood estimation", J. Royal Stat. Soc. B, 1984.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nncodec.engine.fixed_point import ACTIVATION_LIMIT, EXACT_STEPS, WEIGHT_STEPS
from nncodec.plugin.latents import IntArray
from nncodec_lossless.natural import density
from nncodec_lossless.natural.grids import MEAN_STEPS, View
from nncodec_lossless.natural.layers import CHANGE_SHARE, HIDDEN
from nncodec_lossless.natural.network import Density, Matrix, StageLayers
from nncodec_lossless.natural.rate import LEAST_SCALE, MOST_SCALE, density_bits
from nncodec_lossless.natural.symbols import Direction, Plan, code_uniform, code_values

FITTED = 2
"""Outputs that are fitted: mean and scale."""
CHANGE_STEPS = 2
"""Steps of a weight, 1/512 each, that a number changes it by."""
CONSTANT = 64
"""What a bias is multiplied by, so that its changes are of the size of the others."""
LARGEST_SUM = int(CHANGE_SHARE * EXACT_STEPS / (CHANGE_STEPS * ACTIVATION_LIMIT))
"""Absolute numbers of an output add up to no more, so that sums stay exact."""

# How numbers are coded: the bits of an index of a scale, the least scale that is told apart, and the shape.
_INDEX_BITS, _LEAST_SCALE, _SHAPE = 7, 1 / 8, 1
# About what a number of a change takes.
_BITS_OF_A_NUMBER = 6
# Each number fits the samples that it was found by half a nat better, and all others half a nat worse (Akaike).
_OPTIMISM_BITS = 1 / math.log(2)
# Strength of the pull towards 0, relative to what all samples say together.
_RIDGE = 1e-4
_SCALE_ROUNDS, _DAMPING = 3, 0.8
# Outliers, and samples that are met exactly, are told apart no further.
_LARGEST_PULL, _LEAST_DISTANCE = 6.0, 1e-3
# What a sample of a logistic density says about the logarithm of its scale (Fisher information).
_INFORMATION = (3 + math.pi**2) / 9
# Sixteenths of an octave of a factor e.
_STEPS_PER_E = 16 / math.log(2)

Change = NDArray[np.int32]
"""What is added to weights of the outputs, in `CHANGE_STEPS`: (FITTED, features + 1 + HIDDEN), the bias in between."""


def adapted(layers: StageLayers, change: Change) -> StageLayers:
    """Return the layers of a stage with other outputs.

    Raises:
        ValueError: sums might not be exact.
    """
    if (np.abs(change.astype(np.int64)).sum(axis=1) > LARGEST_SUM).any():
        raise ValueError("a natural block changes weights so much that sums might not be exact")
    steps = torch.from_numpy(change.astype(np.float32)) * (CHANGE_STEPS / WEIGHT_STEPS)
    linear, bias, outer = steps[:, : -1 - HIDDEN], steps[:, -1 - HIDDEN], steps[:, -HIDDEN:]
    rows = slice(HIDDEN, HIDDEN + FITTED)
    first = Matrix(layers.first.weight.clone(), layers.first.bias.clone())
    last = Matrix(layers.outer.weight.clone(), layers.outer.bias)
    first.weight[rows] += linear
    first.bias[rows, 0] += CONSTANT * bias
    last.weight[:FITTED] += outer
    return StageLayers(first, layers.middle, last)


def code_change(layers: StageLayers, change: Change | None, direction: Direction) -> StageLayers:
    """Code whether the outputs of a stage are changed, and how, and return the layers to code it with.

    Args:
        layers: of the stage.
        change: to write; None for none, and where the direction reads.
        direction: see `Direction`.

    Raises:
        ValueError: the payload is damaged.
    """
    if not code_uniform(np.array([change is not None], np.int32), 1, direction)[0]:
        return layers
    inputs = layers.first.weight.shape[1] + 1
    numbers = np.zeros((FITTED, inputs + HIDDEN), np.int32) if change is None else change
    runs = [run for row in numbers for run in (row[:inputs], row[inputs:])]
    indices = code_uniform(np.array([_index_of(run) for run in runs], np.int32), _INDEX_BITS, direction)
    kinds = np.minimum(indices, density.LAST_INDEX) * density.SHAPES + _SHAPE
    kind = np.repeat(kinds, [len(run) for run in runs]).astype(np.int32).reshape(numbers.shape)
    level = np.zeros_like(kind)
    plan = Plan(level, density.shift_of(kind), density.table_of(kind, level))
    return adapted(layers, code_values(numbers, plan, direction))


def _index_of(numbers: IntArray) -> int:
    """Return the index of the scale that suits numbers around 0."""
    # The mean of the absolute values of a logistic density is its scale times 2 ln 2.
    scale = max(float(np.abs(numbers).mean()) / (2 * math.log(2)), _LEAST_SCALE)
    return min(round(4 * (math.log2(scale) + 5)), density.LAST_INDEX)


def fitted(layers: StageLayers, view: View, values: Tensor, share: float) -> Change | None:
    """Return the change that codes a stage in the fewest bits, or None if none saves more than it takes.

    Args:
        layers: of the stage.
        view: what it sees at some of its places.
        values: the samples there, (places,).
        share: the part of all places that these are.
    """
    hidden, linear = layers.hidden(view)
    before = layers.density(view, hidden, linear)
    # In float64, so that numbers do not depend on the order in which a machine adds them; in torch, which computes with
    # the threads that this one has, unlike NumPy.
    inputs, errors, units, scale = (
        one.double()
        for one in (
            torch.cat([view.features, torch.full_like(view.features[:1], CONSTANT), hidden]),
            values - before.mean / MEAN_STEPS,
            view.unit / MEAN_STEPS**2,  # levels that an output of 1 adds to a mean
            before.scale,
        )
    )
    means = _mean_change(inputs, errors, units, scale)
    scales = _scale_change(inputs, errors - units * (means @ inputs), scale)
    steps = (torch.stack([means, scales]) * (WEIGHT_STEPS / CHANGE_STEPS)).round_().numpy()
    if not (np.abs(steps).sum(axis=1) <= LARGEST_SUM).all():
        return None
    change = steps.astype(np.int32)
    saved = _bits_of(values, before) - _bits_of(values, adapted(layers, change)(view)) - _OPTIMISM_BITS * change.size
    return change if saved / share > _BITS_OF_A_NUMBER * change.size else None


def _mean_change(inputs: Tensor, errors: Tensor, units: Tensor, scale: Tensor) -> Tensor:
    """Return the weights by which means come nearest to the samples, those of narrow densities first of all."""
    width = _width_of(scale)
    distance = errors.abs().maximum(_LEAST_DISTANCE * width)
    # Of a logistic density: its logarithm has the slope tanh(distance / 2 width) / width.
    precision = torch.tanh(distance / (2 * width)) / (2 * width * distance)
    weighted = inputs * (units * precision.sqrt())
    return _solved(weighted @ weighted.T, inputs @ (units * precision * errors))


def _scale_change(inputs: Tensor, errors: Tensor, scale: Tensor) -> Tensor:
    """Return the weights, for sixteenths of an octave, by which scales fit errors best."""
    information = inputs @ inputs.T
    weights = inputs.new_zeros(len(inputs))
    for _ in range(_SCALE_ROUNDS):
        ratio = errors.abs() / _width_of(scale + weights @ inputs)
        slope = (ratio * torch.tanh(ratio / 2) - 1).clamp_(max=_LARGEST_PULL)
        weights += _DAMPING * _STEPS_PER_E / _INFORMATION * _solved(information, inputs @ slope)
    return weights


def _solved(matrix: Tensor, right: Tensor) -> Tensor:
    """Return the solution of a system, drawn towards 0 so that inputs that depend on each other get small weights."""
    diagonal = matrix.diagonal()
    solution: Tensor = torch.linalg.solve(matrix + torch.diag(_RIDGE * (diagonal + 0.1 * diagonal.mean() + 1)), right)
    return solution


def _width_of(scale: Tensor) -> Tensor:
    """Return the logistic scale in levels."""
    return torch.exp2(scale.clamp(LEAST_SCALE, MOST_SCALE) / 16)


def _bits_of(values: Tensor, density: Density) -> float:
    return float(density_bits(values - density.mean / MEAN_STEPS, density).sum())
