"""Initial weights: a block transform that compresses before any training.

`analysis_weights` and `synthesis_weights` give the 8 x 8 DCT of the three colour planes in a luma-chroma basis as a
1 x 1 convolution over the 192 channels of `PixelUnshuffle(8)`; `merge_weights` gives the 2 x 2 Haar transform that
takes 1/8 resolution to 1/16 and keeps the lowest frequencies. All are orthonormal, so the inverse is the transpose.
A network started there decodes photographs near 29 dB at step 0.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nncodec.engine.transform_config import BLOCK

COLOUR_BASIS = np.array([[1, 1, 1], [1, 0, -1], [-1, 2, -1]]) / np.sqrt([[3.0], [2.0], [6.0]])
"""An orthonormal luma-chroma basis close to the principal components of natural colours; one component per row."""
# Added to chroma frequencies when channels are ranked from smooth to fine.
_CHROMA_PENALTY = 5.0


def dct_matrix(size: int) -> NDArray[np.float64]:
    """Return the orthonormal DCT matrix, (size, size), with one frequency per row, lowest first."""
    position = np.arange(size) + 0.5
    basis = np.cos(np.pi / size * np.arange(size)[:, None] * position) * np.sqrt(2 / size)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis)


def _ranking() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the frequency rank of each of the 192 (colour, v, u) channels and the order from smooth to fine."""
    v, u = np.mgrid[:BLOCK, :BLOCK]
    frequency = np.hypot(v, u)[None] + _CHROMA_PENALTY * np.array([0, 1, 1])[:, None, None]
    return frequency.ravel(), np.argsort(frequency.ravel(), kind="stable")


def analysis_weights() -> Tensor:
    """Return the (192, 192, 1, 1) weights from unshuffled pixels to colour DCT coefficients, smoothest first."""
    dct = dct_matrix(BLOCK)
    # Rows are (colour basis, v, u); columns are in PixelUnshuffle's order (colour plane, y, x).
    full = np.einsum("kc,vy,ux->kvucyx", COLOUR_BASIS, dct, dct).reshape(3 * BLOCK**2, 3 * BLOCK**2)
    return torch.tensor(full[_ranking()[1]], dtype=torch.float32)[:, :, None, None]


def synthesis_weights() -> Tensor:
    """Return the (192, 192, 1, 1) weights that undo `analysis_weights`."""
    return analysis_weights().transpose(0, 1).contiguous()


def merge_weights(channels: int) -> Tensor:
    """Return (channels, 192, 2, 2) weights of a stride-2 convolution: the Haar bands of the smoothest channels.

    The same tensor in a stride-2 transposed convolution is the inverse, for the channels that are kept.
    """
    frequency, order = _ranking()
    haar = np.array([[[1, 1], [1, 1]], [[1, -1], [1, -1]], [[1, 1], [-1, -1]], [[1, -1], [-1, 1]]]) / 2
    band_offset = np.array([0.0, 0.5, 0.5, 0.7])
    rank = frequency[order][:, None] + band_offset
    kept = np.argsort(rank.ravel(), kind="stable")[:channels]
    weights = np.zeros((channels, len(order), 2, 2))
    weights[np.arange(channels), kept // 4] = haar[kept % 4]
    return torch.tensor(weights, dtype=torch.float32)


def detail_weights(first: int, channels: int) -> Tensor:
    """Return (channels, 768, 1, 1) weights of the bands that follow the `first` ones of `merge_weights`.

    They map unshuffled blocks of 16 x 16 pixels, in `PixelUnshuffle(16)`'s order, to coefficients; the transpose is the
    inverse.
    """
    merge = merge_weights(first + channels)[first:]  # (channels, 192, 2, 2)
    analysis = analysis_weights().reshape(-1, 3, BLOCK, BLOCK)
    return torch.einsum("kfYX,fcyx->kcYyXx", merge, analysis).reshape(channels, -1, 1, 1)
