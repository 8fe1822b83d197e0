"""The ideal code length of pictures, for training."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nncodec.nn.quantize import lower_bound, round_straight_through
from nncodec_lossless.natural.density import TAIL_SCALE, TAILS
from nncodec_lossless.natural.grids import MEAN_STEPS, Grid, sizes
from nncodec_lossless.natural.neighbours import PHASES
from nncodec_lossless.natural.network import Density, Networks

_LIKELIHOOD_FLOOR = 2.0**-22
LEAST_SCALE, MOST_SCALE = -80.0, 224.0
"""Scales that tables have, 2^-5 to 2^14 levels, in sixteenths of an octave."""


def rate_bits(networks: Networks, planes: Tensor) -> Tensor:
    """Return the bits of each plane beyond its coarsest grid, (C,).

    Args:
        networks: in training.
        planes: whole numbers (N, C, H, W) after the colour transform.
    """
    height, width = planes.shape[2:]
    grids = sizes(height, width)
    step = 1 << (len(grids) - 1)
    by_plane = planes.transpose(0, 1)
    coarse = by_plane[..., ::step, ::step]
    errors = None
    bits = [planes.new_zeros(()) for _ in by_plane]
    for size in grids[1:]:
        step //= 2
        grid = Grid(coarse, errors, size)
        for number, plane in enumerate(by_plane):
            fine = plane[:, ::step, ::step]
            for phase in range(1, len(PHASES)):
                top, left = PHASES[phase]
                values = fine[:, top::2, left::2]
                frames, rows, columns = (slice(0, size) for size in values.shape)
                density = networks.of(number, phase)(grid.view(number, phase, (frames, rows, columns)))
                distance = values.reshape(-1) - density.mean / MEAN_STEPS
                bits[number] = bits[number] + density_bits(distance, density).sum()
                with torch.no_grad():
                    grid.add(number, phase, values, distance.abs().view(values.shape))
        coarse, errors = grid.joined()
    return torch.stack(bits)


def density_bits(distance: Tensor, density: Density) -> Tensor:
    """Return the code length of samples at these distances from their means, in bits."""
    logit = round_straight_through(density.shape.clamp(-1, 1)) + TAILS[1]
    share = torch.sigmoid(logit)
    octaves = (lower_bound(density.scale, LEAST_SCALE).clamp(max=MOST_SCALE)) / MEAN_STEPS
    inverse = torch.exp(-octaves * math.log(2))
    centred = -distance.abs()

    def mass(factor: Tensor) -> Tensor:
        return torch.sigmoid((centred + 0.5) * factor) - torch.sigmoid((centred - 0.5) * factor)

    chance = (1 - share) * mass(inverse) + share * mass(inverse / TAIL_SCALE)
    return -torch.log2(lower_bound(chance, _LIKELIHOOD_FLOOR))
