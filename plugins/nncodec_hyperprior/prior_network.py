"""The learned probabilities of the latents: hyper-decoder and contexts in fixed point, hyper-analysis in float.

Channels come in groups, smooth ones first; a group's positions come in four phases of a 2 x 2 grid. Each (group, phase)
is one coding stage: its means and scales depend on the hyper-latents, on all earlier groups at the same position and
on the earlier phases of its own group in the 3 x 3 neighbourhood.

References:
    Minnen, Balle and Toderici, "Joint autoregressive and hierarchical priors", NeurIPS 2018 (means and scales).
    Li, Li and Lu, "Neural video compression with diverse contexts", CVPR 2023 (phases of a 2 x 2 grid, groups).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nncodec.engine.fixed_point import ACTIVATION_STEPS
from nncodec.nn.fixed_point import ExactConv2d, FixedPointConv2d, activation, bounded, rounded
from nncodec.nn.interpolation import interpolate
from nncodec.nn.quantize import lower_bound
from nncodec_hyperprior.config import HYPER_STEPS, NEIGHBOURS, PHASES, SCALE_LOW, SCALE_STEP, SCALES, PriorConfig

Layer = type[FixedPointConv2d] | type[ExactConv2d]

_LIKELIHOOD_FLOOR = 2.0**-30
_START_INDEX = 20


class HyperAnalysis(nn.Module):
    """Maps latents after the gain to hyper-latents before rounding: (N, C, h, w) to (N, Z, h/2, w/2)."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        channels, hidden = sum(config.groups), config.hidden
        self.layers = nn.Sequential(
            nn.Conv2d(2 * channels + config.anchors, hidden, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.Conv2d(hidden, hidden, 2, stride=2),
            nn.LeakyReLU(0.1),
            nn.Conv2d(hidden, config.hyper_channels, 1),
        )

    def forward(self, latents: Tensor, planes: Tensor) -> Tensor:
        """Map latents to hyper-latents; `planes` hold the quality, see `Prior.planes`."""
        planes = planes.expand(len(latents), -1, *latents.shape[2:]).contiguous(memory_format=torch.channels_last)
        # Magnitudes span three orders between qualities; the logarithm keeps them comparable.
        hyper: Tensor = self.layers(torch.cat([latents / 4, torch.log1p(latents.abs()), planes], 1))
        return hyper


class HyperDecoder(nn.Module):
    """Maps hyper-latents to features and first means at the latents' resolution, in fixed point."""

    def __init__(self, config: PriorConfig, layer: Layer) -> None:
        super().__init__()
        hidden, width = config.hidden, config.width
        self.inner = layer(config.hyper_channels + config.anchors, hidden, 1)
        self.around = layer(hidden, hidden, 3, padding=1, groups=hidden)
        self.expand = layer(hidden, 4 * width, 1)
        self.smooth = layer(width, width, 3, padding=1, groups=width)
        self.features = layer(width, width, 1)
        self.mean = layer(width, sum(config.groups), 1)

    def forward(self, hyper: Tensor, planes: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, width, h, w) and means (N, C, h, w), both in sixteenths, for integer hyper-latents."""
        planes = (planes * ACTIVATION_STEPS).expand(len(hyper), -1, *hyper.shape[2:])
        inputs = torch.cat([bounded(hyper * HYPER_STEPS), planes], 1)
        features = activation(self.inner(inputs))
        features = activation(self.around(features))
        features = activation(self.expand(features))
        features = F.pixel_shuffle(features, 2)  # (N, width, h, w)
        features = activation(self.smooth(features))
        features = activation(self.features(features))
        return features, rounded(self.mean(features))


class GroupContext(nn.Module):
    """Means and scales of one group of channels, phase by phase, in fixed point; everything is in sixteenths."""

    def __init__(self, config: PriorConfig, group: int, layer: Layer) -> None:
        super().__init__()
        own, hidden = config.groups[group], config.hidden_of(group)
        earlier = sum(config.groups[:group])
        self.here = layer(config.width + earlier, hidden, 1, share=0.4)
        self.around = nn.ModuleList(
            nn.ModuleList(layer(own, hidden, kernel, share=0.2) for _, kernel, _ in sources) for sources in NEIGHBOURS
        )
        self.inner = layer(hidden, hidden, 1)
        self.outer = layer(hidden, 2 * own, 1)

    def around_layers(self, phase: int) -> list[nn.Conv2d]:
        """Return the layers of a phase, one for each of its `NEIGHBOURS`."""
        return [cast(nn.Conv2d, layer) for layer in cast(nn.ModuleList, self.around[phase])]

    def start(self, inputs: Tensor) -> Tensor:
        """Return the sums that every phase starts from.

        Args:
            inputs: the hyper-decoder's features, then the differences of earlier groups from their first means,
                (N, width + sum, h, w).

        Returns:
            Sums (N, hidden, h, w).
        """
        sums: Tensor = self.here(inputs)
        return sums

    def forward(self, start: Tensor, known: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return means to add and scale indices of the next phase.

        Args:
            start: this phase's part of `start`, (N, hidden, h/2, w/2).
            known: difference of each earlier phase of the group from its first means, (N, own, h/2, w/2).

        Returns:
            Integers to add to the first means, and table indices (not rounded, may leave 0..63),
            (N, own, h/2, w/2) each.
        """
        phase = len(known)
        sums = start
        for (source, _, padding), layer in zip(NEIGHBOURS[phase], self.around_layers(phase), strict=True):
            sums = layer(F.pad(known[source], padding)).add_(sums)
        if not known:
            sums = start.clone()  # the activation works in place, and callers reuse `start`
        hidden = activation(self.inner(activation(sums)))
        mean, index = self.outer(hidden).chunk(2, 1)
        return rounded(mean), index


class Prior(nn.Module):
    """Hyper-latents, their densities, and the contexts of every stage."""

    def __init__(self, config: PriorConfig, layer: Layer) -> None:
        super().__init__()
        self.config = config
        self.hyper_analysis = HyperAnalysis(config)
        self.hyper_decoder = HyperDecoder(config, layer)
        self.contexts = nn.ModuleList(GroupContext(config, group, layer) for group in range(len(config.groups)))
        self.hyper_location = nn.Parameter(torch.zeros(config.anchors, config.hyper_channels))
        self.hyper_log_scale = nn.Parameter(torch.zeros(config.anchors, config.hyper_channels))

    @property
    def group_contexts(self) -> list[GroupContext]:
        """The contexts, group by group."""
        return [cast(GroupContext, context) for context in self.contexts]

    def coded(self, quality: Tensor, group: int) -> Tensor:
        """Return 1 for qualities (N,) that code a group and 0 for the others, (N, 1, 1, 1)."""
        is_detail = group == len(self.config.groups) - 1
        coded = quality >= self.config.detail_quality if is_detail else torch.ones_like(quality)
        return coded.float()[:, None, None, None]

    def planes(self, quality: Tensor) -> Tensor:
        """Return qualities (N,) as network input: the nearness of each anchor, to 1/16, (N, anchors, 1, 1)."""
        last = self.config.anchors - 1
        position = quality[:, None] / 100 * last
        anchors = torch.arange(last + 1, device=quality.device)
        nearness = (1 - (position - anchors).abs()).clamp(min=0)
        return (rounded(nearness * ACTIVATION_STEPS) / ACTIVATION_STEPS)[:, :, None, None]

    def hyper_bits(self, hyper: Tensor, quality: Tensor) -> Tensor:
        """Return the ideal code length of hyper-latents, rounded or noisy, in bits per picture, (N,)."""
        location = interpolate(self.hyper_location, quality)[:, :, None, None]
        inverse = torch.exp(-interpolate(self.hyper_log_scale, quality))[:, :, None, None]
        centred = -(hyper - location).abs()
        mass = torch.sigmoid((centred + 0.5) * inverse) - torch.sigmoid((centred - 0.5) * inverse)
        return -torch.log2(lower_bound(mass, _LIKELIHOOD_FLOOR)).sum(dim=(1, 2, 3))


def start_prior(prior: Prior) -> None:
    """Initialize a prior for training: small corrections, medium scales."""
    outer = [context.outer for context in prior.group_contexts]
    for layer in (prior.hyper_decoder.mean, *outer):
        assert isinstance(layer, FixedPointConv2d)
        layer.start_small(0.5)
        if layer is not prior.hyper_decoder.mean:
            bias = layer.real("bias")
            with torch.no_grad():
                bias[len(bias) // 2 :] = _START_INDEX / ACTIVATION_STEPS


def scale_of(index: Tensor) -> Tensor:
    """Return the standard deviation for table indices; gradients pull indices outside 0..63 back."""
    top = SCALES - 1
    bounded_index = top - lower_bound(top - lower_bound(index, 0.0), 0.0)
    return SCALE_LOW * torch.exp(SCALE_STEP * bounded_index)


def gaussian_bits(deviation: Tensor, scale: Tensor) -> Tensor:
    """Return the ideal code length of unit intervals around deviations from the mean of a normal density, in bits."""
    distance = deviation.abs()
    factor = -(0.5**0.5) / scale
    mass = 0.5 * (torch.erfc((0.5 - distance) * factor) - torch.erfc((-0.5 - distance) * factor))
    return -torch.log2(lower_bound(mass, _LIKELIHOOD_FLOOR))


def split_phases(values: Tensor) -> tuple[Tensor, ...]:
    """Return the four phases of (N, C, h, w), (N, C, h/2, w/2) each, in coding order."""
    count, channels, height, width = values.shape
    grid = values.reshape(count, channels, height // 2, 2, width // 2, 2)
    return tuple(grid[:, :, :, y, :, x] for y, x in PHASES)


def join_phases(phases: Sequence[Tensor]) -> Tensor:
    """Undo `split_phases`."""
    at = dict(zip(PHASES, phases, strict=True))
    rows = [torch.stack([at[y, 0], at[y, 1]], -1) for y in (0, 1)]  # (N, C, h/2, w/2, 2)
    grid = torch.stack(rows, 3)  # (N, C, h/2, 2, w/2, 2)
    count, channels, height, _, width, _ = grid.shape
    return grid.reshape(count, channels, 2 * height, 2 * width)
