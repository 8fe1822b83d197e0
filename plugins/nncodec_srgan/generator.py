"""The generator: it restores or enlarges pictures by correcting plain interpolation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nncodec.nn.precision import all_of_float32
from nncodec_srgan import structure
from nncodec_srgan.cosines import coefficients_of, correction_of
from nncodec_srgan.filters import KERNEL, ChosenFilters

FACTORS = (1, 2, 4)
_HEAD = 9  # edge of the first and last kernels without unshuffling
_SMALL_HEAD = 5  # of the first kernel with unshuffling, where one step is several pixels
_SMALL_TAIL = 3  # and of the last kernel
_GRID = 16  # edge of the squares in which codecs code pictures: errors depend on the place within one
_PLACES_SPREAD = 0.1  # initial spread of the features of that place, beside activations of about 1
_ALTERNATION_ORDER = 3  # order of the zero at the highest frequency, see `Generator.remove_alternation`
_LEAST = {"width": 1, "blocks": 1, "unshuffle": 1, "filters": 0}
_MOST = {"width": 256, "blocks": 64, "unshuffle": 8, "filters": 64}


@dataclass(frozen=True)
class GeneratorConfig:
    """Shape of a generator.

    Args:
        factor: enlargement along each edge: 1, 2 or 4.
        width: feature maps, a multiple of 4, 4..256.
        blocks: residual blocks, 1..64.
        unshuffle: edge of squares of pixels, 1..8. Their cosine coefficients are the channels before the first layer
            and after the last, which divides the work by the pixels of a square; above 1 only with factor 1.
        normalise: batch normalisation in the blocks.
        filters: number of filters to mix at every place, see `ChosenFilters`, 0..64; only with factor 1. With filters,
            the generator also knows each place within the squares of a codec: pictures start at a square.

    Raises:
        ValueError: a value is out of range.
    """

    factor: int = 4
    width: int = 64
    blocks: int = 5
    unshuffle: int = 1
    normalise: bool = True
    filters: int = 0

    def __post_init__(self) -> None:
        if any(type(getattr(self, name)) is not int for name in ("factor", *_MOST)):
            raise ValueError("factor, width, blocks, unshuffle and filters are whole numbers")
        if type(self.normalise) is not bool:
            raise ValueError("normalise is true or false")
        if self.factor not in FACTORS:
            raise ValueError(f"factor is {self.factor}; give one of {', '.join(map(str, FACTORS))}")
        for name, most in _MOST.items():
            if not _LEAST[name] <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; give {_LEAST[name]} to {most}")
        if self.width % 4:
            raise ValueError(f"width is {self.width}; give a multiple of 4")
        if self.factor > 1:
            for name, value in (("unshuffle", self.unshuffle > 1), ("filters", self.filters)):
                if value:
                    raise ValueError(f"{name} is for generators of factor 1; leave it out for those that enlarge")
        if self.filters and _GRID % self.unshuffle:
            raise ValueError(f"unshuffle is {self.unshuffle}; with filters, give 1, 2, 4 or 8")

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the fields."""
        return [field.name for field in fields(cls)]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> GeneratorConfig:
        """Return the shape that a model file's config describes; raise ValueError if it is invalid."""
        odd = config.keys() ^ set(cls.names())
        if odd:
            raise ValueError(f"{min(odd)!r} is missing or unknown")
        return cls(**config)

    def as_dict(self) -> dict[str, Any]:
        """Return the config of a model file."""
        return asdict(self)

    @property
    def multiple(self) -> int:
        """Edges of input pictures are multiples of this, pixels."""
        return _GRID if self.filters else self.unshuffle

    @property
    def halo(self) -> int:
        """Input pixels around a place that its result depends on, a multiple of `multiple`."""
        head = _SMALL_HEAD if self.unshuffle > 1 else _HEAD
        steps = head // 2 + 2 * self.blocks + 1  # at the resolution of the blocks
        if self.filters:
            # Features see structures; the last kernel and the kernel of 3 before interpolated shares see features.
            tail = _SMALL_TAIL if self.unshuffle > 1 else _HEAD
            steps += structure.REACH + max(tail // 2, 2)
            return _up(max(steps * self.unshuffle, KERNEL // 2), _GRID)
        if self.unshuffle > 1:
            return (steps + 1) * self.unshuffle
        # Every upsampling layer and the last one add reach, in ever smaller pixels.
        upsampling = sum(0.5**level for level in range(_doublings(self.factor)))
        return steps + math.ceil(upsampling + (_HEAD // 2) / self.factor) + 1


class Generator(nn.Module):
    """A residual network that adds a correction to the picture enlarged by bicubic interpolation.

    Shapes: pixels (N, 3, H, W) in 0..1, edges multiples of the config's `multiple`, to (N, 3, factor * H, factor * W).
    The last layers start at zero, so that an untrained generator is the interpolation.

    References:
        Ledig et al., "Photo-realistic single image super-resolution using a generative adversarial network", CVPR
        2017, figure 4: first and last kernels of 9, residual blocks, a skip over all of them, pixel shuffle.
        Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
        neural network", CVPR 2016, for working at the lower resolution.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        width, square = config.width, config.unshuffle**2
        given = 3 * square + (structure.CHANNELS if config.filters else 0)
        self.head = nn.Conv2d(given, width, _SMALL_HEAD if square > 1 else _HEAD, padding="same")
        self.head_slopes = nn.PReLU(width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, config.normalise) for _ in range(config.blocks)))
        self.merge = _convolution(width, config.normalise)
        self.enlarge = nn.Sequential(*(_Doubling(width) for _ in range(_doublings(config.factor))))
        self.tail = nn.Conv2d(width, 3 * square, _SMALL_TAIL if square > 1 else _HEAD, padding="same")
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(_bias(self.tail))
        self.filters: ChosenFilters | None = None
        if config.filters:
            self.filters = ChosenFilters(width, config.filters)
            places = _GRID // config.unshuffle
            self.places = nn.Parameter(_PLACES_SPREAD * torch.randn(width, places, places))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the enhanced picture; values may slightly leave 0..1."""
        edge = self.config.unshuffle
        given = pixels - 0.5 if edge == 1 else coefficients_of(pixels - 0.5, edge)
        structures = structure.structure_of(pixels, edge) if self.filters else None
        first = self.head_slopes(self._first(given, structures))  # (N, width, H/u, W/u)
        features = self.merge(self.blocks(first)) + first
        made = self.tail(self.enlarge(features)).float()
        correction = made if edge == 1 else correction_of(made, edge)  # (N, 3, factor * H, factor * W)
        if self.filters is not None and structures is not None:
            correction = correction + self.filters(pixels - 0.5, features, structures)
        return enlarged(pixels.float(), self.config.factor) + correction

    @torch.no_grad()
    def remove_alternation(self) -> None:
        """Remove from the last kernel of an enlarging generator what alternates from pixel to pixel.

        The last pixel shuffle places values of different maps beside each other. Where the maps differ, a pattern of
        single pixels appears at the highest frequency of rows or columns and, as it varies along edges, slightly below.
        This projects the kernel onto kernels with a third-order zero there: they pass a tenth of the amplitude at 0.44
        of the sampling rate, nine tenths at a third of it.
        """
        if self.config.factor == 1:
            return
        kernel = self.tail.weight  # (3, width, K, K)
        with all_of_float32(kernel.device):  # bfloat16 would leave its rounding error
            steps = torch.arange(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device) - kernel.shape[-1] // 2
            alternating = torch.stack([(1 - 2 * (steps % 2)) * steps**power for power in range(_ALTERNATION_ORDER)], 1)
            basis = torch.linalg.qr(alternating).Q  # (K, order)
            kernel -= torch.einsum("oiyx,yk,zk->oizx", kernel, basis, basis)
            kernel -= torch.einsum("oiyx,xk,zk->oiyz", kernel, basis, basis)

    def fix_all_but_filters(self) -> None:
        """Train only the filters, and how they are mixed, in a generator with filters.

        Filters are the same for every pixel, so they learn to sharpen what is there. The other layers produce squares
        of pixels and would learn to fill them with a texture that repeats from square to square.
        """
        if self.filters is not None:
            self.requires_grad_(False)
            self.filters.requires_grad_(True)

    def _first(self, given: Tensor, structures: Tensor | None) -> Tensor:
        if structures is None:
            first: Tensor = self.head(given)
            return first
        rows, columns = (
            extent // places for extent, places in zip(given.shape[2:], self.places.shape[1:], strict=True)
        )
        first = self.head(torch.cat([given, structures], dim=1))
        return first + self.places.repeat(1, rows, columns)


class ResidualBlock(nn.Module):
    """Convolution, PReLU and convolution around a skip, with optional batch normalisation."""

    def __init__(self, width: int, normalise: bool) -> None:
        super().__init__()
        self.first = _convolution(width, normalise)
        self.slopes = nn.PReLU(width)
        self.second = _convolution(width, normalise)

    def forward(self, features: Tensor) -> Tensor:
        """Return features of the same shape."""
        changed: Tensor = self.second(self.slopes(self.first(features)))
        return features + changed


class _Doubling(nn.Module):
    """Doubles the edges: a pixel shuffle arranges four times the maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, 4 * width, 3, padding="same")
        self.shuffle = nn.PixelShuffle(2)
        self.slopes = nn.PReLU(width)

    def forward(self, features: Tensor) -> Tensor:
        larger: Tensor = self.slopes(self.shuffle(self.spread(features)))
        return larger


def enlarged(pixels: Tensor, factor: int) -> Tensor:
    """Return pictures (N, C, H, W) enlarged by Pillow's bicubic interpolation."""
    if factor == 1:
        return pixels
    return F.interpolate(pixels, scale_factor=factor, mode="bicubic", antialias=True)


def reduced(pixels: Tensor, factor: int) -> Tensor:
    """Return pictures (N, C, H, W) in 0..1 reduced by Pillow's bicubic filter and rounded to 8 bits."""
    if factor == 1:
        return pixels
    smaller = F.interpolate(pixels, scale_factor=1 / factor, mode="bicubic", antialias=True)
    return smaller.clamp(0, 1).mul(255).round().div(255)


def folded(generator: Generator) -> Generator:
    """Return an equivalent generator without batch normalisation, for inference.

    Args:
        generator: in evaluation mode; stays unchanged. One without batch normalisation is returned itself.

    Returns:
        A generator with the normalisation folded into its convolutions, in the same order of layers.
    """
    if not generator.config.normalise:
        return generator
    plain = Generator(GeneratorConfig(**generator.config.as_dict() | {"normalise": False}))
    state = generator.state_dict()
    kept = {name: value for name, value in state.items() if name in plain.state_dict()}
    for name, module in generator.named_modules():
        if isinstance(module, NormalisedConvolution):
            weight, bias = module.folded()
            kept[f"{name}.weight"], kept[f"{name}.bias"] = weight, bias
    plain.load_state_dict(kept)
    return plain.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class NormalisedConvolution(nn.Module):
    """A convolution followed by batch normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        """Return maps of the same shape."""
        normalised: Tensor = self.norm(self.convolution(features))
        return normalised

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of one convolution that does both, with the running statistics."""
        norm = self.norm
        if norm.running_mean is None or norm.running_var is None:  # BatchNorm2d tracks both by default
            raise ValueError("the batch normalisation keeps no statistics")
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        return self.convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


def _convolution(width: int, normalise: bool) -> nn.Module:
    return NormalisedConvolution(width) if normalise else nn.Conv2d(width, width, 3, padding="same")


def _doublings(factor: int) -> int:
    return factor.bit_length() - 1


def _up(pixels: int, multiple: int) -> int:
    return math.ceil(pixels / multiple) * multiple


def _bias(convolution: nn.Conv2d) -> Tensor:
    if convolution.bias is None:
        raise ValueError("the convolution has no bias")
    return convolution.bias
