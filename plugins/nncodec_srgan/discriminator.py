"""The discriminator: how real a picture looks."""

from __future__ import annotations

from torch import Tensor, nn

SMALLEST_EDGE = 32
"""Of pictures to be judged in training, pixels: batch normalisation needs more than one value of a map."""

_SLOPE = 0.2
_DOUBLINGS = 3


class Discriminator(nn.Module):
    """Strided convolutions whose maps double three times, averaged over the picture to one number.

    Shapes: pixels (N, 3, H, W) in 0..1, edges of at least `SMALLEST_EDGE` in training, to (N,): about 1 for a real
    picture and 0 for a made one.

    Args:
        width: maps of the first layer; 64 is the paper's.

    References:
        Ledig et al., "Photo-realistic single image super-resolution using a generative adversarial network", CVPR
        2017, figure 4; with adaptive average pooling, so that any size will do.
        Mao et al., "Least squares generative adversarial networks", ICCV 2017, for the labels.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.LeakyReLU(_SLOPE)]
        layers += _normalised(width, width, 2)
        for _ in range(_DOUBLINGS):
            layers += _normalised(width, 2 * width, 1)
            width *= 2
            layers += _normalised(width, width, 2)
        layers += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, 2 * width, 1), nn.LeakyReLU(_SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(2 * width, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return how real each picture looks."""
        judged: Tensor = self.layers(pixels - 0.5)  # (N, 1, 1, 1)
        return judged.flatten().float()


def _normalised(given: int, made: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(given, made, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(made),
        nn.LeakyReLU(_SLOPE),
    ]
