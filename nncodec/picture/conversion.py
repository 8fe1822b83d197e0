"""Converts images of any Pillow mode to L, LA, RGB or RGBA, the modes of this package, with notes on what is lost."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from nncodec._support.notes import warn_of
from nncodec.errors import UnsupportedImage
from nncodec.picture.depth import known_bits_of

MODES = ("L", "LA", "RGB", "RGBA")
"""Pillow modes that a file can hold, exactly or approximated."""
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""Pillow modes of grey that may have 16 bits a sample."""
EXACT_MODES = ("1", "L", "LA", "I;16", "RGB", "RGBA", "P", "CMYK")
"""Pillow modes that a file can hold exactly."""
ALPHA_MODES = {"La": "LA", "PA": "RGBA", "RGBa": "RGBA"}
"""Pillow modes with alpha that no file holds, and those that hold it."""

_PLAIN_MODES = {"1": "L", "P": "RGB", "RGBX": "RGB"} | ALPHA_MODES
_OTHER_COLOURS = ("CMYK", "YCbCr", "LAB", "HSV")
# Modes with the colours of RGB in other coordinates, so that they may have the profile of RGB.
_OF_RGB = ("YCbCr", "HSV")

_WHITE_IS_ZERO = 0
_HALF = 1 << 15  # what makes signed samples of 16 bits unsigned
# Where an ICC profile names its colour space.
_SPACE = slice(16, 20)
# Where Pillow keeps the colour, or the palette's alphas, that make pixels transparent.
_KEY = "transparency"


class Converted(NamedTuple):
    """Result of `convert`.

    Args:
        image: of mode L, LA, RGB or RGBA, with the `info` of the original; without its colour profile if the colour
            space changed.
        note: for the user; empty if nothing was changed.
    """

    image: Image.Image
    note: str = ""


def convert(image: Image.Image) -> Converted:
    """Return an image in one of `MODES`; unchanged if it has one already.

    Black and white becomes L, a palette RGB or RGBA, a transparent colour alpha, 16-bit grey L (65535 becomes 255), and
    other colour spaces RGB, by the embedded profile if there is one; YCbCr and HSV keep one of RGB instead.

    Raises:
        UnsupportedImage: samples have no fixed range (integers beyond 16 bits, floating point).
    """
    mode = image.mode
    image.load()  # some images know their palette only then
    if mode in MODES:
        visible = with_alpha(image)
        note = "" if visible is image else f"mode {mode} with transparency is stored as {visible.mode}"
        return Converted(visible, note)
    if mode in DEEP_MODES:
        samples = _deep_samples(image).astype(np.int64)
        white = _white_of(image, samples)
        shallow = _eight_bits(image, samples, white)
        reduced = f", {white.bit_length()} bits a sample reduced to 8" if white > 0xFF else ""
        return Converted(shallow, f"mode {mode} is stored as {shallow.mode}{reduced}")
    if mode in _OTHER_COLOURS:
        loses = loses_profile(image)
        colour = _to_srgb(image) if loses else image.convert("RGB")
        dropped = (_KEY, "icc_profile") if loses else (_KEY,)
        colour.info = {key: value for key, value in image.info.items() if key not in dropped}
        if image.info.get(_KEY) is not None:
            warn_of([f"a transparent colour of mode {mode} is not kept"])
        return Converted(colour, f"mode {mode} is stored as RGB")
    target = _PLAIN_MODES.get(mode, mode)
    if target not in MODES:
        raise UnsupportedImage(
            detail=f"mode {mode} has no fixed range of values; scale it to 8 bits a sample and save that"
        )
    transparent = image.has_transparency_data and mode not in ALPHA_MODES
    if mode == "RGBX":
        colour = with_alpha(image.convert("RGB"))
    else:
        colour = _converted(image, {"L": "LA", "RGB": "RGBA"}[target] if transparent else target)
    note = f"mode {mode}{' with transparency' if transparent else ''} is stored as {colour.mode}"
    return Converted(colour, note)


def how_to_agree(*, in_size: bool) -> str:
    """Say what frames need that cannot be in one file: another mode if they agree in size, or another size."""
    return "all frames of a file must agree: " + (
        "convert them to one mode" if in_size else "crop or resize them to one size"
    )


def advice(mode: str, fitting: str) -> str:
    """Return what to do with an image of a mode that cannot be stored.

    Args:
        mode: of the image.
        fitting: modes to convert to, in words, where Pillow's conversion keeps the picture.
    """
    if mode in (*DEEP_MODES, "F"):
        return "scale its samples to 0..255 first, and convert to L then: Pillow's convert would only clip them"
    return f"convert to {fitting}"


def loses_profile(image: Image.Image) -> bool:
    """Return whether `convert` changes the colour space, so that the colour profile no longer applies."""
    profile = image.info.get("icc_profile") or b""
    return image.mode in _OTHER_COLOURS and not (image.mode in _OF_RGB and profile[_SPACE] == b"RGB ")


def loses_samples(image: Image.Image) -> bool:
    """Return whether `convert` gives an image other samples: of 8 bits, or of another colour space."""
    return image.mode in (*DEEP_MODES, *_OTHER_COLOURS)


def convert_exactly(image: Image.Image, *, allows_errors: bool = False) -> Converted:
    """Return an image in one of `EXACT_MODES`, with as little change as possible; unchanged if it has one already.

    Args:
        image: of any mode.
        allows_errors: whether samples will change a little, as numbers of colours cannot.

    Raises:
        UnsupportedImage: see `convert`.
    """
    image.load()
    if image.mode in DEEP_MODES:
        return _exact_grey(image)
    keeps = ("CMYK",) if allows_errors else ("CMYK", "P")
    if image.mode in keeps or (image.mode == "1" and not allows_errors and image.info.get(_KEY) is None):
        return Converted(image)
    return convert(image)


def _deep_samples(image: Image.Image) -> NDArray[Any]:
    """Return grey samples of which 0 is black."""
    samples = np.asarray(image)
    return _white_of(image, samples) - samples if is_negative(image) else samples


def is_negative(image: Image.Image) -> bool:
    """Return whether 0 is white, as TIFF files may say: Pillow turns samples of up to 8 bits round, but not of 16."""
    photometric = getattr(image, "tag_v2", {}).get(ExifTags.Base.PhotometricInterpretation)
    return image.mode == "I;16" and photometric == _WHITE_IS_ZERO


def _exact_grey(image: Image.Image) -> Converted:
    samples = _deep_samples(image)
    _refuse_beyond_16_bits(samples, bits=16)
    is_kept = image.mode == "I;16" and not is_negative(image)
    deep = image if is_kept else Image.fromarray(samples.astype(np.uint16))
    if deep is not image:
        deep.info = {key: value for key, value in image.info.items() if key != _KEY}
    notes = ["0 is white in this file; its samples are turned round"] if is_negative(image) else []
    if image.info.get(_KEY) is not None:
        notes.append(f"a transparent colour of mode {image.mode} is not kept")
    return Converted(deep, "; ".join(notes))


def _refuse_beyond_16_bits(samples: NDArray[Any], *, bits: int) -> None:
    """Raise UnsupportedImage if samples are no numbers of 16 bits; say how to make such ones, or ones of fewer bits."""
    if not samples.size or 0 <= samples.min() <= samples.max() <= 0xFFFF:
        return
    if samples.min() >= -_HALF and samples.max() < _HALF:
        raise UnsupportedImage(detail=f"its samples are signed, and some negative; add {_HALF:,} to all and save that")
    raise UnsupportedImage(detail=f"its samples exceed 16 bits; scale them to {bits} bits and save that")


def with_alpha(image: Image.Image) -> Image.Image:
    """Return an image of mode L or RGB with a transparent colour in its `info` as LA or RGBA; others unchanged.

    Raises:
        UnsupportedImage: the transparent colour is not one of the image's mode.
    """
    mode = mode_with_alpha(image)
    if mode == image.mode:
        return image
    image.load()
    visible = image.copy()
    visible.info[_KEY] = _transparent_colour(image)
    return _converted(visible, mode)


def mode_with_alpha(image: Image.Image) -> str:
    """Return the mode of the image that `with_alpha` returns."""
    return f"{image.mode}A" if image.mode in ("L", "RGB") and image.info.get(_KEY) is not None else image.mode


def _transparent_colour(image: Image.Image) -> int | tuple[int, ...]:
    """Return the transparent colour as the pixels have it.

    Pillow reads the samples of a PNG of 2, 4 or 16 bits as 8 bits, but its transparent colour as the file has it.
    """
    given = image.info[_KEY]
    colour = tuple(given) if isinstance(given, list | tuple) else (given,)
    if len(colour) != len(image.getbands()) or not all(_is_sample(sample) for sample in colour):
        raise _no_colour(image)
    bits = known_bits_of(image) if image.format == "PNG" else 0
    if bits > 8 or max(colour) > 0xFF:
        colour = tuple(sample >> 8 for sample in colour)
    if image.mode == "RGB":
        return colour
    return _scaled(colour[0], image.histogram(), (min(bits, 8),) if bits else (2, 4))


def _scaled(sample: int, counts: list[int], bits: Sequence[int]) -> int:
    """Return a grey sample as 8 bits, if it may have one of some numbers of bits.

    Of copies, nobody knows what bits their file has: a sample that no pixel has then is taken for one of 2 or 4 bits if
    all pixels are such.

    Args:
        bits: several for a copy.
    """
    values = [value for value, count in enumerate(counts) if count]
    if sample not in values:
        for number in bits:
            step = 0xFF // ((1 << number) - 1)
            if step * sample in values and not any(value % step for value in values):
                return step * sample
    return sample


def _is_sample(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if _KEY in image.info and image.info[_KEY] is None:
        image = image.copy()
        del image.info[_KEY]
    try:
        converted = image.convert(mode)
    except (TypeError, ValueError):
        raise _no_colour(image) from None
    converted.info.pop(_KEY, None)
    return converted


def _no_colour(image: Image.Image) -> UnsupportedImage:
    return UnsupportedImage(
        detail=f"info['transparency'] is {image.info[_KEY]!r}, which is not a colour of mode {image.mode}; "
        "correct it, or delete it if the picture is opaque"
    )


def _white_of(image: Image.Image, samples: NDArray[Any]) -> int:
    """Return the sample that is white: of as many bits as the file says, or 255 where samples only use 8 of 32 bits."""
    (bits, *_) = getattr(image, "tag_v2", {}).get(ExifTags.Base.BitsPerSample, (16,))
    is_shallow = image.mode == "I" and image.format != "PPM" and samples.max(initial=0) <= 0xFF  # a PPM says its range
    return 0xFF if is_shallow else (1 << min(bits, 16)) - 1


def _eight_bits(image: Image.Image, samples: NDArray[np.int64], white: int) -> Image.Image:
    _refuse_beyond_16_bits(samples, bits=8)
    shallow = Image.fromarray(((samples * 0xFF + white // 2) // white).astype(np.uint8))
    shallow.info = {key: value for key, value in image.info.items() if key != _KEY}
    transparent = image.info.get(_KEY)
    if transparent is not None:
        if not _is_sample(transparent):
            raise _no_colour(image)
        shallow.putalpha(Image.fromarray(np.where(samples == transparent, 0, 0xFF).astype(np.uint8)))
    return shallow


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
