"""Fills what lies under alpha 0, so that it costs few bytes and does not bleed into what is seen.

Pull-push: colours that are seen are averaged to ever smaller pictures (pull), until no pixel lacks a colour; then each
larger picture takes the colours that it lacks from the smaller one (push). So the filling continues the edges of what
is seen and becomes smoother with the distance from them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from nncodec.plugin.latents import Pixels

_FLAT = 128
_ROWS_AT_ONCE = 256


def fill_hidden(image: Image.Image, alpha: Pixels) -> Image.Image:
    """Return an image without alpha, the same where it is seen, and filled smoothly where it is not.

    Args:
        image: of mode L, LA, RGB or RGBA.
        alpha: uint8 (H, W). Pixels with 0 are filled; they get the colours of their neighbours, by alpha. If all are 0,
            the result is grey.
    """
    levels = [(_opaque(image), alpha)]
    while not levels[-1][1].all():
        if levels[-1][0].size == (1, 1):
            return Image.new(levels[0][0].mode, image.size, (_FLAT,) * len(levels[0][0].mode))
        levels.append(_halved(*levels[-1]))
    filled, _ = levels.pop()
    while levels:
        larger, weights = levels.pop()
        box = (0, 0, larger.width / 2, larger.height / 2)  # of an odd edge, the last pixel of `filled` holds half
        filled = filled.resize(larger.size, Image.Resampling.BILINEAR, box=box)
        filled.paste(larger, mask=Image.fromarray(weights).point(_KNOWN))
    return filled


def flatten_hidden(image: Image.Image) -> Image.Image:
    """Return an image of any mode, of one colour under alpha 0, which costs a lossless model less than a filling.

    It is the colour that is seen if there is only one, as in glows and shadows, and else black.
    """
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    if alpha is None or np.asarray(alpha).all():
        return image
    flat = image.copy()
    flat.paste((*_only_colour(_opaque(image), alpha), 0), (0, 0, *image.size), alpha.point(_HIDDEN))
    return flat


def _only_colour(image: Image.Image, alpha: Image.Image) -> tuple[int, ...]:
    """Return the colour of all pixels whose alpha exceeds 0; black if they have several."""
    counts = np.reshape(image.histogram(alpha.point(_KNOWN)), (-1, 256)) > 0
    return tuple(map(int, counts.argmax(axis=1))) if (counts.sum(axis=1) == 1).all() else (0,) * len(counts)


_KNOWN = [0] + [255] * 255
_HIDDEN = [255] + [0] * 255


def _opaque(image: Image.Image) -> Image.Image:
    return image.convert(image.mode.removesuffix("A"))


def _halved(image: Image.Image, weights: Pixels) -> tuple[Image.Image, Pixels]:
    """Return an image at half its size by weighted means, and its weights: 255 where a pixel has a colour, else 0."""
    parts = list(_halved_strips(image, weights))
    colour = np.concatenate([colour for colour, _ in parts])
    return Image.fromarray(colour), np.concatenate([known for _, known in parts])


def _halved_strips(image: Image.Image, weights: Pixels) -> Iterator[tuple[Pixels, Pixels]]:
    for top in range(0, image.height, _ROWS_AT_ONCE):  # arrays of a whole large image would take many times its size
        bottom = min(top + _ROWS_AT_ONCE, image.height)
        strip = np.asarray(image.crop((0, top, image.width, bottom)))
        weight = weights[top:bottom].astype(np.uint32).reshape(*strip.shape[:2], *(1,) * (strip.ndim - 2))
        total = _sums(weight)
        mean = (_sums(strip * weight) + total // 2) // np.maximum(total, 1)
        yield mean.astype(np.uint8), np.where(total.reshape(total.shape[:2]) > 0, 255, 0).astype(np.uint8)


def _sums(values: np.ndarray) -> np.ndarray:
    """Return the sums of squares of 2 x 2 values; missing ones count as 0."""
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], 2), axis=0)
    return np.add.reduceat(rows, np.arange(0, values.shape[1], 2), axis=1)
