"""Convert pixels to the cosine coefficients of small blocks, as channels, and back.

A restorer corrects fine detail, which is small beside what neighbouring pixels have in common. From pixels, gradient
descent learned no correction in a thousand steps; from coefficients of similar size it does.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nncodec.nn.dct import COLOUR_BASIS, dct_matrix
from nncodec.nn.precision import all_of_float32

# These scale coefficients of photographs in 0..1 to about 1: the means of blocks, and all others.
_MEAN_SCALE, _DETAIL_SCALE = 0.5, 8.0
_CORRECTION_SCALE = 0.1


def coefficients_of(pixels: Tensor, edge: int) -> Tensor:
    """Return pixels (N, 3, H, W) around 0 as coefficients (N, 3 * edge^2, H / edge, W / edge), scaled to about 1."""
    scale = pixels.new_full((3, edge**2), _DETAIL_SCALE)
    scale[:, 0] = _MEAN_SCALE
    with all_of_float32(pixels.device):  # bfloat16 would round the detail away
        return F.conv2d(pixels.float(), _basis(edge, pixels.device), stride=edge) * scale.reshape(1, -1, 1, 1)


def correction_of(coefficients: Tensor, edge: int) -> Tensor:
    """Return a small correction of pixels (N, 3, H, W) from coefficients of about 1."""
    return F.conv_transpose2d(coefficients * _CORRECTION_SCALE, _basis(edge, coefficients.device), stride=edge)


def planes_of(pixels: Tensor) -> Tensor:
    """Return colours (N, 3, H, W) as brightness and two differences of colours."""
    with all_of_float32(pixels.device):
        return F.conv2d(pixels.float(), _basis(1, pixels.device))


def pixels_of(planes: Tensor) -> Tensor:
    """Undo `planes_of`."""
    with all_of_float32(planes.device):
        return F.conv_transpose2d(planes.float(), _basis(1, planes.device))


@functools.lru_cache(maxsize=8)
def _basis(edge: int, device: torch.device) -> Tensor:
    """Return the orthonormal basis, (3 * edge^2, 3, edge, edge), ordered by colour, vertical, horizontal frequency."""
    cosines = dct_matrix(edge)
    basis = np.einsum("kc,vy,ux->kvucyx", COLOUR_BASIS, cosines, cosines).reshape(3 * edge**2, 3, edge, edge)
    # The cached tensor must not be an inference tensor, which training cannot use, and must lie on the given device
    # instead of the one that a caller builds networks on.
    with torch.inference_mode(False):
        return torch.tensor(basis, dtype=torch.float32, device=device)
