"""Perceptual loss: the distance between VGG16's feature maps of two images."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.vgg16 import VGG16, read_features

ENVIRONMENT: Final = "NNCODEC_VGG16"
"""Environment variable that names a file of VGG16 weights, used if a setting names none."""

_LAYERS: Final = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
# Three poolings precede the last of these layers.
_SMALLEST_EDGE: Final = 8
_log = logging.getLogger(__name__)


class PerceptualLoss:
    """Mean squared difference of VGG16's feature maps, averaged within each layer and then over layers.

    A callable rather than a module, so that a task that holds it neither trains nor saves VGG16.

    Args:
        network: gives the features; its parameters are frozen here.
        layers: names out of `nncodec.nn.vgg16.LAYERS`.
        note: caveat about these features, in one line; empty if there is none.

    References:
        J. Johnson, A. Alahi and L. Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution",
        2016, section 3.2.
    """

    def __init__(self, network: VGG16, layers: Sequence[str] = _LAYERS, note: str = "") -> None:
        self._network = network.eval().requires_grad_(False)
        self._layers = tuple(layers)
        self.note = note

    def __call__(self, restored: Tensor, original: Tensor) -> Tensor:
        """Return the loss of pictures (N, 1 or 3, H, W) in 0..1 with edges of at least 8; see `Loss`."""
        if min(original.shape[2:]) < _SMALLEST_EDGE:
            raise ValueError(f"the perceptual loss needs pictures of at least {_SMALLEST_EDGE} x {_SMALLEST_EDGE}")
        self._network.to(original.device)
        with torch.no_grad():
            targets = self._network.feature_maps(original, self._layers)
        maps = self._network.feature_maps(restored, self._layers)
        return torch.stack([F.mse_loss(a.float(), b.float()) for a, b in zip(maps, targets, strict=True)]).mean()


def perceptual_loss(features: Path | None = None) -> PerceptualLoss:
    """Return the perceptual loss with the weights of a file.

    Args:
        features: VGG16 weights, see `nncodec.nn.vgg16.read_features`. None takes the file that $NNCODEC_VGG16 names.
            A warning is logged once if the file says what they were trained on, as torchvision's do not.

    Raises:
        ValueError: there is no such file, or it does not hold VGG16; one line says what to do.
    """
    if features is None and (named := os.environ.get(ENVIRONMENT)):
        features = Path(named)
    if features is None:
        raise ValueError(
            "the perceptual loss needs VGG16 weights: name a file of torchvision's vgg16 (.safetensors or .pth) with "
            f"features=FILE or in ${ENVIRONMENT}"
        )
    return _loss_of(features.resolve())


@cache
def _loss_of(path: Path) -> PerceptualLoss:
    network, trained_on = read_features(path)
    note = ""
    if trained_on:
        note = f"VGG16 features trained on {trained_on}: not a perceptual measure of photographs"
        _log.warning("%s (%s)", note, path)
    return PerceptualLoss(network, note=note)
