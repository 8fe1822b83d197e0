"""Converts images of any Pillow mode to L, LA, RGB or RGBA, the modes of this package, with notes on what is lost."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from nncodec.errors import UnsupportedImage
from nncodec.picture.pixels import MODES

_PLAIN_MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}
_OTHER_COLOURS = ("CMYK", "YCbCr", "LAB", "HSV")
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")


class Converted(NamedTuple):
    """Result of `convert`.

    Args:
        image: of mode L, LA, RGB or RGBA, with the `info` of the original.
        note: for the user; empty if nothing was changed.
        other_colours: whether the colour space changed, so that the colour profile no longer applies; `info` then has
            none.
    """

    image: Image.Image
    note: str = ""
    other_colours: bool = False


def convert(image: Image.Image) -> Converted:
    """Return an image in one of the modes of `pixels.MODES`; unchanged if it has one already.

    Black and white becomes L, a palette RGB or RGBA, a transparent colour alpha, 16-bit grey L (65535 becomes 255), and
    other colour spaces RGB, by the embedded profile if there is one.

    Raises:
        UnsupportedImage: samples have no fixed range (integers beyond 16 bits, floating point).
    """
    mode = image.mode
    if mode in _DEEP_MODES:
        shallow = _eight_bits(image)
        shallow.info = dict(image.info)
        return Converted(shallow, f"mode {mode} is stored as L, 16 bits a sample reduced to 8")
    if mode in MODES and not ("transparency" in image.info and mode in ("L", "RGB")):
        return Converted(image)
    if mode in _OTHER_COLOURS:
        colour = _to_srgb(image)
        colour.info = {key: value for key, value in image.info.items() if key != "icc_profile"}
        return Converted(colour, f"mode {mode} is stored as RGB", other_colours=True)
    target = _PLAIN_MODES.get(mode, mode)
    if target not in MODES:
        raise UnsupportedImage(
            detail=f"mode {mode} has no fixed range of values; scale it to 8 bits a sample and save that"
        )
    transparent = "transparency" in image.info
    if transparent:
        target = "LA" if target == "L" else "RGBA"
    note = f"mode {mode}{' with transparency' if transparent else ''} is stored as {target}"
    return Converted(image.convert(target), note)


def _eight_bits(image: Image.Image) -> Image.Image:
    samples = np.asarray(image).astype(np.int64)
    if samples.size and not 0 <= samples.min() <= samples.max() <= 0xFFFF:
        raise UnsupportedImage(detail="its samples exceed 16 bits; scale them to 8 bits and save that")
    return Image.fromarray(((samples * 0xFF + 0x7FFF) // 0xFFFF).astype(np.uint8))


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        from PIL import ImageCms  # a library of its own that few images need

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ImportError):
            converted = None  # the profile does not fit, or this Pillow lacks colour management
        if converted is not None:
            return converted
    return image.convert("RGB")
