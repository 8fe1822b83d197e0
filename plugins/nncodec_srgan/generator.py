"""The generator: pictures to better or larger pictures, as a correction of what plain interpolation gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nncodec_srgan.cosines import coefficients_of, correction_of

FACTORS = (1, 2, 4)
_HEAD = 9  # edge of the first and last kernels where pixels are not unshuffled
_SMALL_HEAD = 5  # and of the first kernel where they are: one of its steps is several pixels
_LIMITS = {"width": 256, "blocks": 64, "unshuffle": 8}


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

    Raises:
        ValueError: they are not so.
    """

    factor: int = 4
    width: int = 64
    blocks: int = 5
    unshuffle: int = 1
    normalise: bool = True

    def __post_init__(self) -> None:
        if any(type(getattr(self, name)) is not int for name in ("factor", *_LIMITS)):
            raise ValueError("factor, width, blocks and unshuffle are whole numbers")
        if type(self.normalise) is not bool:
            raise ValueError("normalise is true or false")
        if self.factor not in FACTORS:
            raise ValueError(f"factor is {self.factor}; give one of {', '.join(map(str, FACTORS))}")
        for name, most in _LIMITS.items():
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 to {most}")
        if self.width % 4:
            raise ValueError(f"width is {self.width}; give a multiple of 4")
        if self.unshuffle > 1 and self.factor > 1:
            raise ValueError("unshuffle is for generators of factor 1; leave it at 1 for those that enlarge")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> GeneratorConfig:
        """Return the config of a model file; raises ValueError where it is none."""
        known = {one.name for one in fields(cls)}
        if config.keys() != known:
            raise ValueError(f"{min(config.keys() ^ known)!r} is missing or unknown")
        return cls(**config)

    def as_dict(self) -> dict[str, Any]:
        """Return what a model file keeps."""
        return asdict(self)

    @property
    def halo(self) -> int:
        """Pixels of the picture around a place that its result depends on, a multiple of `unshuffle`."""
        head = _SMALL_HEAD if self.unshuffle > 1 else _HEAD
        steps = head // 2 + 2 * self.blocks + 1  # at the resolution of the blocks
        if self.unshuffle > 1:
            return (steps + 1) * self.unshuffle
        # Every upsampling layer and the last one reach further by pixels that are ever smaller.
        upsampling = sum(0.5**level for level in range(_doublings(self.factor)))
        return steps + math.ceil(upsampling + (_HEAD // 2) / self.factor) + 1


class Generator(nn.Module):
    """A residual network whose result is added to the picture, enlarged by bicubic interpolation.

    Shapes: pixels (N, 3, H, W) in 0..1, edges multiples of `unshuffle`, to (N, 3, factor * H, factor * W). The last
    layer begins at zero, so an untrained generator is the interpolation, and training begins from there.

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
        self.head = nn.Conv2d(3 * square, width, _SMALL_HEAD if square > 1 else _HEAD, padding="same")
        self.head_slopes = nn.PReLU(width)
        self.blocks = nn.Sequential(*(ResidualBlock(width, config.normalise) for _ in range(config.blocks)))
        self.merge = _convolution(width, config.normalise)
        self.enlarge = nn.Sequential(*(_Doubling(width) for _ in range(_doublings(config.factor))))
        self.tail = nn.Conv2d(width, 3 * square, 3 if square > 1 else _HEAD, padding="same")
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(_bias(self.tail))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the better picture; values may leave 0..1 a little."""
        edge = self.config.unshuffle
        given = pixels - 0.5 if edge == 1 else coefficients_of(pixels - 0.5, edge)
        first = self.head_slopes(self.head(given))  # (N, width, H/u, W/u)
        features = self.merge(self.blocks(first)) + first
        made = self.tail(self.enlarge(features)).float()
        correction = made if edge == 1 else correction_of(made, edge)  # (N, 3, factor * H, factor * W)
        return enlarged(pixels.float(), self.config.factor) + correction


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


def _bias(convolution: nn.Conv2d) -> Tensor:
    if convolution.bias is None:
        raise ValueError("the convolution has no bias")
    return convolution.bias
