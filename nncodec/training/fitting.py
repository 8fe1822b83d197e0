"""Pictures that something is fitted to after the training, such as probability tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nncodec.plugin.latents import Pixels


def sample_of(pictures: Sequence[Pixels], pixels: int, *, edge: int = 512, seed: int = 0) -> list[Pixels]:
    """Return some pictures, or windows of large ones, with about so many pixels in all, in colour.

    Args:
        pictures: uint8 (H, W, 1 or 3); grey ones become three equal planes.
        pixels: how many are wanted; where the pictures have fewer, all of them are taken.
        edge: windows have at most this many pixels along each axis.
        seed: of the choice.

    Returns:
        At least one picture, uint8 (H, W, 3).
    """
    rng = np.random.default_rng(seed)
    chosen: list[Pixels] = []
    for number in rng.permutation(len(pictures)):
        picture = pictures[number]
        top, left = (int(rng.integers(max(1, size - edge + 1))) for size in picture.shape[:2])
        window = picture[top : top + edge, left : left + edge]
        chosen.append(np.repeat(window, 3, axis=2) if window.shape[2] == 1 else window)
        pixels -= window.shape[0] * window.shape[1]
        if pixels <= 0:
            break
    return chosen


def padded(picture: Pixels, multiple: int) -> Pixels:
    """Return a picture (H, W, C) with its lower and right edges repeated to a multiple, as encoders do it."""
    below, right = (-size % multiple for size in picture.shape[:2])
    return np.pad(picture, ((0, below), (0, right), (0, 0)), mode="edge")
