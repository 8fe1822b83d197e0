"""The colours of a block: found, sorted, and coded before the picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples
from nncodec_lossless.synthetic.probabilities import BitCoder, Contexts

MOST_COLOURS = 1 << 13
# Enough to see that a photograph has too many colours, without sorting all of its pixels.
_SAMPLED_PIXELS = 1 << 14
_KEY_BITS = 63
_SLOT_BITS = 16
# Colours coded at once: they do not learn from each other.
_FIRST_COLOURS = 16
_MOST_AT_ONCE = 256
_NODE = np.uint64(0x9E3779B97F4A7C15)
_PLANE = np.uint64(0xC2B2AE3D27D4EB4F)


class Paletted(NamedTuple):
    """A picture as colours, uint16 (colours, C), and the index of each pixel's, uint16 (N, H, W)."""

    colours: Samples
    indices: NDArray[np.uint16]


def find_palette(samples: Samples, bits: int, most: int = MOST_COLOURS) -> Paletted | None:
    """Return a block as indices of its distinct colours, or None if there are too many.

    Colours are sorted by the first plane, then the second and so on.

    Args:
        samples: uint16 (N, H, W, C).
        bits: of each sample.
        most: colours that are not too many, up to `MOST_COLOURS`.
    """
    planes = samples.shape[-1]
    pixels = samples.reshape(-1, planes)
    step = len(pixels) // _SAMPLED_PIXELS + 1
    if step > 1 and _distinct(pixels[::step], bits, most) is None:
        return None
    indices = _distinct(pixels, bits, most)
    if indices is None:
        return None
    palette = np.empty((int(indices.max()) + 1, planes), np.uint16)
    palette[indices] = pixels
    return Paletted(palette, indices.reshape(samples.shape[:-1]))


def _distinct(pixels: Samples, bits: int, most: int) -> NDArray[np.uint16] | None:
    """Return the rank of each pixel's colour among all, uint16 (pixels,), or None if there are too many."""
    keys = np.zeros(len(pixels), np.int64)
    used = 0
    for plane in range(pixels.shape[1] + 1):
        last = plane == pixels.shape[1]
        if last or used + bits > _KEY_BITS:
            distinct, keys = np.unique(keys, return_inverse=True)
            if len(distinct) > most:
                return None
            used = MOST_COLOURS.bit_length()
        if not last:
            keys = keys << bits | pixels[:, plane]
            used += bits
    return keys.astype(np.uint16)


def code_palette(palette: Samples, bits: int, coder: BitCoder) -> Samples:
    """Write a palette, or read one.

    Plane after plane, each value minus the one before, modulo 2^bits, goes from its highest bit to its lowest. The
    first 16 colours are coded at once, then as many again as are known, at most 256.

    Args:
        palette: uint16 (colours, C); when reading, only its shape counts.
        bits: of each sample.
        coder: writes or reads.
    """
    top = (1 << bits) - 1
    values_before = np.zeros(palette.shape, np.int64)
    values_before[1:] = palette[:-1]
    differences = palette - values_before & top
    contexts = Contexts(2, _SLOT_BITS)
    for plane, values in enumerate(differences.T):
        start = 0
        while start < len(values):
            known = values[start : start + min(max(start, _FIRST_COLOURS), _MOST_AT_ONCE)]
            node = np.ones(len(known), np.int64)
            for place in range(bits - 1, -1, -1):
                keys = np.empty((2, len(known)), np.uint64)
                keys[:] = node.view(np.uint64) * _NODE
                keys[1] = (keys[1] + np.uint64(plane)) * _PLANE
                node = 2 * node + coder.code(contexts, keys, (known >> place & 1) == 1)
            known[:] = node - (1 << bits)
            start += len(known)
    return (np.cumsum(differences, axis=0) & top).astype(np.uint16)
