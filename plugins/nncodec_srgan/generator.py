"""The generator: pictures to better or larger pictures, as a correction of what plain interpolation gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nncodec_srgan import structure
from nncodec_srgan.cosines import coefficients_of, correction_of
from nncodec_srgan.filters import KERNEL, ChosenFilters

FACTORS = (1, 2, 4)
_HEAD = 9  # edge of the first and last kernels where pixels are not unshuffled
_SMALL_HEAD = 5  # and of the first kernel where they are: one of its steps is several pixels
_SMALL_TAIL = 3  # and of the last
_GRID = 16  # edge of the squares in which codecs code pictures: what is wrong depends on the place in one
_PLACES_SPREAD = 0.1  # of what features begin to know of their place there, beside activations of about 1
_ALTERNATION_ORDER = 3  # of the zero at the highest frequency: see `Generator.remove_alternation`
_LEAST = {"width": 1, "blocks": 1, "unshuffle": 1, "filters": 0}
_MOST = {"width": 256, "blocks": 64, "unshuffle": 8, "filters": 64}


@dataclass(frozen=True)
class GeneratorConfig:
    """Shape of a generator.

    Args:
        factor: how many times larger its result is along each edge: 1, 2 or 4.
        width: feature maps, a multiple of 4, 4..256.
        blocks: residual blocks, 1..64.
        unshuffle: edge of the squares of pixels whose cosine coefficients are the channels before the first layer and
            after the last, 1..8; above 1 only where the factor is 1, for which it makes the network as much faster as
            the square has pixels.
        normalise: batch normalisation in the blocks.
        filters: filters to choose from at every place, see `ChosenFilters`, 0..64; only where the factor is 1. With
            some, the generator also knows where in the squares of a codec a place is: pictures begin with a square.

    Raises:
        ValueError: they are not so.
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
        """Return what a shape consists of."""
        return [one.name for one in fields(cls)]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> GeneratorConfig:
        """Return the config of a model file; raises ValueError where it is none."""
        odd = config.keys() ^ set(cls.names())
        if odd:
            raise ValueError(f"{min(odd)!r} is missing or unknown")
        return cls(**config)

    def as_dict(self) -> dict[str, Any]:
        """Return what a model file keeps."""
        return asdict(self)

    @property
    def multiple(self) -> int:
        """What the edges of pictures are multiples of, pixels."""
        return _GRID if self.filters else self.unshuffle

    @property
    def halo(self) -> int:
        """Pixels of the picture around a place that its result depends on, a multiple of `multiple`."""
        head = _SMALL_HEAD if self.unshuffle > 1 else _HEAD
        steps = head // 2 + 2 * self.blocks + 1  # at the resolution of the blocks
        if self.filters:
            # Features see structures; the last kernel uses them, and so does one of 3 whose shares are interpolated.
            tail = _SMALL_TAIL if self.unshuffle > 1 else _HEAD
            steps += structure.REACH + max(tail // 2, 2)
            return _up(max(steps * self.unshuffle, KERNEL // 2), _GRID)
        if self.unshuffle > 1:
            return (steps + 1) * self.unshuffle
        # Every upsampling layer and the last one reach further by pixels that are ever smaller.
        upsampling = sum(0.5**level for level in range(_doublings(self.factor)))
        return steps + math.ceil(upsampling + (_HEAD // 2) / self.factor) + 1


class Generator(nn.Module):
    """A residual network whose result is added to the picture, enlarged by bicubic interpolation.

    Shapes: pixels (N, 3, H, W) in 0..1, edges multiples of the config's `multiple`, to (N, 3, factor * H, factor * W).
    The last layers begin at zero, so an untrained generator is the interpolation, and training begins from there.

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
        """Return the better picture; values may leave 0..1 a little."""
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
        """Take out of the last kernel of a generator that enlarges what alternates from pixel to pixel.

        What the last pixel shuffle puts beside each other comes of different maps. Where these differ a pattern of
        single pixels arises, at the highest frequency of rows or of columns and, as it comes and goes along edges, a
        little below. The kernel is projected onto those whose response has a zero of third order there: of amplitudes
        at 0.44 of the sampling rate a tenth may pass, at a third of it nine tenths.
        """
        if self.config.factor == 1:
            return
        kernel = self.tail.weight  # (3, width, K, K)
        with torch.autocast(kernel.device.type, enabled=False):  # as much as bfloat16 rounds away would stay
            steps = torch.arange(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device) - kernel.shape[-1] // 2
            alternating = torch.stack([(1 - 2 * (steps % 2)) * steps**power for power in range(_ALTERNATION_ORDER)], 1)
            basis = torch.linalg.qr(alternating).Q  # (K, order)
            kernel -= torch.einsum("oiyx,yk,zk->oizx", kernel, basis, basis)
            kernel -= torch.einsum("oiyx,xk,zk->oiyz", kernel, basis, basis)

    def fix_all_but_filters(self) -> None:
        """Let a generator with filters learn nothing but these, and how they are mixed.

        Filters are the same in every pixel, so what they learn sharpens what is there. The other layers make squares of
        pixels, and would learn to fill them with a texture that repeats from square to square.
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
    """Convolution, PReLU, convolution, each with batch normalisation where that is wanted, around a skip."""

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
    """Twice the edge: four times the maps, which a pixel shuffle puts beside each other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, 4 * width, 3, padding="same")
        self.shuffle = nn.PixelShuffle(2)
        self.slopes = nn.PReLU(width)

    def forward(self, features: Tensor) -> Tensor:
        larger: Tensor = self.slopes(self.shuffle(self.spread(features)))
        return larger


def enlarged(pixels: Tensor, factor: int) -> Tensor:
    """Return pictures (N, C, H, W) enlarged by the bicubic interpolation that Pillow uses."""
    if factor == 1:
        return pixels
    return F.interpolate(pixels, scale_factor=factor, mode="bicubic", antialias=True)


def reduced(pixels: Tensor, factor: int) -> Tensor:
    """Return pictures (N, C, H, W) in 0..1 made smaller by Pillow's bicubic filter, rounded as a file would be."""
    if factor == 1:
        return pixels
    smaller = F.interpolate(pixels, scale_factor=1 / factor, mode="bicubic", antialias=True)
    return smaller.clamp(0, 1).mul(255).round().div(255)


def folded(generator: Generator) -> Generator:
    """Return a generator that computes the same without batch normalisation, for inference.

    Args:
        generator: in evaluation mode; left unchanged. Without batch normalisation it is returned as it is.

    Returns:
        One whose convolutions hold what the normalisation did, in the same order of layers.
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
    """A convolution whose maps are normalised over the batch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        """Return maps of the same shape."""
        normalised: Tensor = self.norm(self.convolution(features))
        return normalised

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the convolution that does both with the running statistics."""
        norm = self.norm
        if norm.running_mean is None or norm.running_var is None:  # BatchNorm2d keeps both unless told not to
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
