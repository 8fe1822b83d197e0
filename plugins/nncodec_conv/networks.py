"""Plain convolutional autoencoders: the digit model, and stacks of 3 to 10 layers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from nncodec.nn.autoencoder import Autoencoder
from nncodec.nn.quantize import BoundedQuantizer
from nncodec_conv.digits import DIGIT_CODE_CHANNELS, DigitsConfig

_DOWNSAMPLINGS = {3: 2, 5: 3, 7: 3, 10: 4}


def build_digits(config: DigitsConfig) -> Autoencoder:
    """Return the digit model: grey 28 x 28 to 8 codes at 4 x 4 and back."""
    encoder = nn.Sequential(
        *_conv_relu(1, 16),
        nn.MaxPool2d(2, ceil_mode=True),  # (N, 16, 14, 14)
        *_conv_relu(16, 8),
        nn.MaxPool2d(2, ceil_mode=True),  # (N, 8, 7, 7)
        nn.Conv2d(8, 8, 3, padding=1),
        nn.MaxPool2d(2, ceil_mode=True),  # (N, 8, 4, 4); the quantizer is the last ReLU, which commutes with the pool
    )
    decoder = nn.Sequential(
        *_conv_relu(8, 8),
        nn.Upsample(scale_factor=2),  # (N, 8, 8, 8)
        *_conv_relu(8, 8),
        nn.Upsample(scale_factor=2),  # (N, 8, 16, 16)
        *_conv_relu(8, 16, padding=0),  # (N, 16, 14, 14)
        nn.Upsample(scale_factor=2),  # (N, 16, 28, 28)
        nn.Conv2d(16, 1, 3, padding=1),
        nn.Sigmoid(),
    )
    return Autoencoder(encoder, BoundedQuantizer(DIGIT_CODE_CHANNELS, config.levels), decoder)


@dataclass(frozen=True)
class StackConfig:
    """A stack of convolutions for colour pictures of any size.

    Args:
        layers: convolutions of the encoder and transposed convolutions of the decoder, 3, 5, 7 or 10 each. A code
            covers 4 pixels along each axis with 3 layers, 8 with 5 or 7, 16 with 10.
        width: channels between layers.
        codes: channels of the code.
        levels: quantization levels of a code.
    """

    layers: int = 5
    width: int = 64
    codes: int = 32
    levels: int = 32

    def __post_init__(self) -> None:
        if self.layers not in _DOWNSAMPLINGS:
            raise ValueError(f"layers is {self.layers!r}, not one of {', '.join(map(str, _DOWNSAMPLINGS))}")
        for key in ("width", "codes"):
            value = getattr(self, key)
            if type(value) is not int or not 1 <= value <= 1024:
                raise ValueError(f"{key} is {value!r}, not a whole number from 1 to 1024")

    def as_dict(self) -> dict[str, Any]:
        """Return the config as a model file holds it."""
        return asdict(self)

    @property
    def stride(self) -> int:
        """Pixels that a code covers along each axis."""
        return 1 << _DOWNSAMPLINGS[self.layers]

    @property
    def halo(self) -> int:
        """Pixels beyond a tile that it depends on: one step per layer on the coarsest grid."""
        return self.layers * self.stride


def build_stack(config: StackConfig) -> Autoencoder:
    """Return the stack: the first convolutions have stride 2, the last transposed ones undo it before a sigmoid."""
    halvings = _DOWNSAMPLINGS[config.layers]
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for layer in range(config.layers):
        inputs = 3 if layer == 0 else config.width
        outputs = config.codes if layer == config.layers - 1 else config.width
        stride = 2 if layer < halvings else 1
        encoder += [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU()]
        undo = nn.ConvTranspose2d(outputs, inputs, 3, stride=stride, padding=1, output_padding=stride - 1)
        decoder = [undo, nn.Sigmoid() if layer == 0 else nn.ReLU(), *decoder]
    encoder.pop()  # the quantizer is the last ReLU
    return Autoencoder(nn.Sequential(*encoder), BoundedQuantizer(config.codes, config.levels), nn.Sequential(*decoder))


def _conv_relu(inputs: int, outputs: int, padding: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, padding=padding), nn.ReLU()
