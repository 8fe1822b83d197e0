"""Differentiable coding of latents, stage by stage, for training and refinement."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.nn.fixed_point import bounded
from nncodec.nn.quantize import round_straight_through
from nncodec_hyperprior.config import HYPER_LIMIT
from nncodec_hyperprior.prior_network import Prior, gaussian_bits, join_phases, scale_of, split_phases

Rounding = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Maps distances from the mean, in steps, to the symbols the decoder sees and to those whose bits are counted."""


def hard_rounding(distance: Tensor) -> tuple[Tensor, Tensor]:
    """Round as the encoder does; gradients pass through."""
    symbols = round_straight_through(distance)
    return symbols, symbols


def code_latents(
    prior: Prior, latents: Tensor, hyper: Tensor, quality: Tensor, rounding: Rounding
) -> tuple[Tensor, Tensor, Tensor]:
    """Quantize latents stage by stage, as the encoder does, and count their bits.

    Contexts always see what the decoder sees.

    Args:
        prior: the network.
        latents: after the gain, (N, C, h, w) float32, h and w even.
        hyper: hyper-latents before rounding, (N, Z, h/2, w/2).
        quality: (N,).
        rounding: turns distances from the mean into symbols.

    Returns:
        Decoded latents (N, C, h, w), bits of the latents (N,), bits of the hyper-latents (N,).
    """
    rounded_hyper, counted_hyper = rounding(hyper)
    hyper_bits = prior.hyper_bits(counted_hyper, quality)
    with parametrize.cached():
        decodable = round_straight_through(rounded_hyper.clamp(-HYPER_LIMIT, HYPER_LIMIT))
        features, first_means = prior.hyper_decoder(decodable, prior.planes(quality))
        earlier = latents[:, :0]  # differences of earlier groups from their first means
        values, bits = [], [hyper_bits.new_zeros(len(latents))]
        for group, (part, context) in enumerate(zip(prior.config.parts, prior.group_contexts, strict=True)):
            coded = prior.coded(quality, group)
            if not coded.any():
                values.append(torch.zeros_like(latents[:, part]))
                continue
            starts = split_phases(context.start(torch.cat([features, earlier], 1)))
            means = split_phases(first_means[:, part])
            targets = split_phases(latents[:, part])
            decoded: list[Tensor] = []
            known: list[Tensor] = []
            counted, indices = [], []
            for start, first_mean, target in zip(starts, means, targets, strict=True):
                correction, index = context(start, known)
                mean = (first_mean + correction) / ACTIVATION_STEPS
                symbols, deviation = rounding(target - mean)
                known.append(bounded(symbols * ACTIVATION_STEPS + correction))
                decoded.append(symbols + mean)
                counted.append(deviation)
                indices.append(index)
            earlier = torch.cat([earlier, join_phases(known)], 1)
            values.append(join_phases(decoded) * coded)
            length = gaussian_bits(torch.cat(counted, 1), scale_of(torch.cat(indices, 1)))
            bits.append((length * coded).sum(dim=(1, 2, 3)))
    return torch.cat(values, 1), torch.stack(bits).sum(0), hyper_bits
