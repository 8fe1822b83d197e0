"""Pixels to the cosine coefficients of small blocks, as channels, and back.

A restorer's corrections are small and lie in fine detail, which neighbouring pixels hide below what they share. Among
pixels, gradient descent found nothing of them in a thousand steps; among coefficients of like size it does.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.dct import COLOUR_BASIS, dct_matrix

# What brings coefficients of photographs in 0..1 to about 1: the means of blocks, and the rest.
_MEAN_SCALE, _DETAIL_SCALE = 0.5, 8.0
_CORRECTION_SCALE = 0.1


def coefficients_of(pixels: Tensor, edge: int) -> Tensor:
    """Return pixels (N, 3, H, W) around 0 as coefficients (N, 3 * edge^2, H / edge, W / edge), scaled to about 1."""
    scale = torch.full((3, edge**2), _DETAIL_SCALE, device=pixels.device)
    scale[:, 0] = _MEAN_SCALE
    with torch.autocast(pixels.device.type, enabled=False):  # rounded to bfloat16, pixels would lose what is sought
        return F.conv2d(pixels.float(), _basis(edge, pixels.device), stride=edge) * scale.reshape(1, -1, 1, 1)


def correction_of(coefficients: Tensor, edge: int) -> Tensor:
    """Return a small correction of pixels (N, 3, H, W) from coefficients of about 1."""
    return F.conv_transpose2d(coefficients * _CORRECTION_SCALE, _basis(edge, coefficients.device), stride=edge)


def planes_of(pixels: Tensor) -> Tensor:
    """Return colours (N, 3, H, W) as brightness and two differences of colours."""
    with torch.autocast(pixels.device.type, enabled=False):
        return F.conv2d(pixels.float(), _basis(1, pixels.device))


def pixels_of(planes: Tensor) -> Tensor:
    """Return the colours of what `planes_of` returns."""
    with torch.autocast(planes.device.type, enabled=False):
        return F.conv_transpose2d(planes.float(), _basis(1, planes.device))


@functools.lru_cache(maxsize=8)
def _basis(edge: int, device: torch.device) -> Tensor:
    """Return the orthonormal basis, (3 * edge^2, 3, edge, edge): a row a coefficient (colour, vertical, horizontal)."""
    cosines = dct_matrix(edge)
    basis = np.einsum("kc,vy,ux->kvucyx", COLOUR_BASIS, cosines, cosines).reshape(3 * edge**2, 3, edge, edge)
    # It is kept for trainings to come, which cannot use what was made in inference mode; and it is made on its device,
    # and not on the one that a caller builds networks on.
    with torch.inference_mode(False):
        return torch.tensor(basis, dtype=torch.float32, device=device)
