"""Pictures to be stored exactly: their samples, with palette, depth and planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec._support.notes import warn_of
from nncodec.errors import InvalidOption, UnsupportedImage
from nncodec.format.header import ColourMode
from nncodec.format.palette import Palette
from nncodec.format.samples import MAX_PLANES, SampleArray, SampleFormat
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.area import Area, Span
from nncodec.picture.conversion import (
    ALPHA_MODES,
    DEEP_MODES,
    EXACT_MODES,
    advice,
    convert_exactly,
    how_to_agree,
    is_negative,
    with_alpha,
)
from nncodec.plugin.latents import Pixels
from nncodec.plugin.lossless import Samples

SamplePicture = Image.Image | SampleArray
"""A picture with samples that can be stored: a Pillow image, or an array (H, W, C) that no Pillow mode holds."""

PILLOW_MODES = {
    ColourMode.L: "L",
    ColourMode.RGB: "RGB",
    ColourMode.LA: "LA",
    ColourMode.RGBA: "RGBA",
    ColourMode.P: "P",
    ColourMode.BILEVEL: "1",
    ColourMode.CMYK: "CMYK",
}
DEEP_GREY = "I;16"
_MODES = {name: mode for mode, name in PILLOW_MODES.items()} | {DEEP_GREY: ColourMode.L}
_BASES = {ColourMode.LA: ColourMode.L, ColourMode.RGBA: ColourMode.RGB}


@dataclass(frozen=True)
class SampleStack:
    """Pictures of one size and kind.

    Args:
        mode: of their planes.
        format: of their samples.
        pictures: the frames, at least one.
        palette: of mode P, else None.
        alpha: uint8 (frames, H, W) if alpha is stored beside the samples, else None.
    """

    mode: ColourMode
    format: SampleFormat
    pictures: tuple[SamplePicture, ...]
    palette: Palette | None = None
    alpha: Pixels | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return _size_of(self.pictures[0])

    @property
    def pixels(self) -> int:
        """How many pixels all frames have."""
        width, height = self.size
        return len(self.pictures) * width * height

    @property
    def samples(self) -> int:
        """How many samples all frames have, without alpha beside them."""
        return self.pixels * self.format.planes

    @property
    def raw_bytes(self) -> int:
        """Size of the samples of all frames, each in its bits, without alpha beside them."""
        return -(-self.samples * self.format.bits // 8)

    def window(self, frames: Span, area: Area) -> Samples:
        """Return the samples of an area, as a model codes them: (N, h, w, C)."""
        parts = [_cut(picture, area) for picture in self.pictures[frames.slice()]]
        stacked = parts[0][None] if len(parts) == 1 else np.stack(parts)  # (N, h, w[, C])
        samples = stacked[..., None] if stacked.ndim == 3 else stacked[..., : self.format.planes]
        return self.format.quantized(samples)


def stack_of(pictures: Sequence[SamplePicture], max_error: int = 0) -> SampleStack:
    """Return pictures as a stack; a transparent colour becomes alpha, or a warning says that it is not kept.

    Args:
        pictures: the frames.
        max_error: the most by which a sample may change, except alpha, which stays exact.

    Raises:
        UnsupportedImage: there are no pictures, or they are empty, have samples that cannot be stored, or differ in
            size, mode or palette.
        InvalidOption: the pictures have numbers of colours, which cannot change a little, or `max_error` exceeds the
            range of the samples.
    """
    if not pictures:
        raise UnsupportedImage(detail="there is no picture to encode")
    pictures = [_with_alpha(picture) if isinstance(picture, Image.Image) else picture for picture in pictures]
    first = pictures[0]
    if 0 in _size_of(first):
        raise UnsupportedImage(detail="cannot encode a picture of {} x {} pixels".format(*_size_of(first)))
    for number, picture in enumerate(pictures):
        if (_size_of(picture), _kind_of(picture)) != (_size_of(first), _kind_of(first)):
            raise UnsupportedImage(
                detail=f"frame {number} is {_described(picture)}, the first is {_described(first)}; "
                + how_to_agree(in_size=_size_of(picture) == _size_of(first))
            )
    stack = _stacked(pictures, max_error)
    bits = stack.format.bits
    if max_error >> bits:
        reason = f"it is {max_error}, but these samples have {bits} bits; give {(1 << bits) - 1} at most"
        raise InvalidOption(option="max_error", reason=reason)
    _check_size(stack)
    return stack


def alpha_apart(stack: SampleStack) -> SampleStack:
    """Return a stack of images whose alpha, if they have some, stands beside the samples instead of among them."""
    if stack.mode not in _BASES:
        return stack
    mode = _BASES[stack.mode]
    alpha = np.stack([np.asarray(picture.getchannel("A")) for picture in stack.pictures])  # type: ignore[union-attr]
    return replace(stack, mode=mode, format=replace(stack.format, planes=mode.planes), alpha=alpha)


def exact_of(stack: SampleStack) -> SampleStack:
    """Return the pictures of a stack as one whose samples do not change."""
    return _stacked(stack.pictures, 0)


def _stacked(pictures: Sequence[Any], max_error: int) -> SampleStack:
    return _of_arrays(pictures, max_error) if isinstance(pictures[0], np.ndarray) else _of_images(pictures, max_error)


def _with_alpha(image: Image.Image) -> Image.Image:
    is_kept = image.info.get("transparency") is None if image.mode in ("1", DEEP_GREY) else image.mode not in DEEP_MODES
    if is_kept and not is_negative(image):
        return with_alpha(image)
    converted = convert_exactly(image)
    if converted.image.mode in (image.mode, DEEP_GREY) and converted.note:
        warn_of([converted.note])
    return converted.image


def _of_arrays(arrays: Sequence[Any], max_error: int) -> SampleStack:
    planes = arrays[0].shape[2]
    if planes > MAX_PLANES:
        raise UnsupportedImage(detail=f"a picture has at most {MAX_PLANES} planes, this one {planes}")
    samples = SampleFormat(_bits_of(arrays, max_error), planes, max_error)
    return SampleStack(ColourMode.PLANES, samples, tuple(arrays))


def _of_images(images: Sequence[Any], max_error: int) -> SampleStack:
    for image in images:
        image.load()  # raises here, before anything is coded, if the file is damaged
    first = images[0]
    if first.mode not in _MODES:
        mode_with_alpha = ALPHA_MODES.get(first.mode)
        fitting = f"{mode_with_alpha}, it has transparency" if mode_with_alpha else f"one of {', '.join(EXACT_MODES)}"
        raise UnsupportedImage(
            detail=f"cannot write mode {first.mode} as NNC without loss; {advice(first.mode, fitting)}"
        )
    mode, palette = _MODES[first.mode], None
    if max_error and mode in (ColourMode.P, ColourMode.BILEVEL):
        reason = f"mode {first.mode} holds numbers of colours, which cannot change a little; convert to RGB or L"
        raise InvalidOption(option="max_error", reason=reason)
    if mode is ColourMode.P:
        palette = palette_of(first)
        if any(palette_of(image) != palette for image in images):
            raise UnsupportedImage(detail="its frames have different palettes; convert them to RGB or RGBA")
    bits = 1 if mode is ColourMode.BILEVEL else 8
    if first.mode == DEEP_GREY:
        bits = _bits_of([np.asarray(image) for image in images], max_error)
    elif mode is ColourMode.P:
        bits = max(1, max(image.getextrema()[1] for image in images).bit_length())
    stack = SampleStack(mode, SampleFormat(bits, mode.planes, max_error), tuple(images), palette)
    return alpha_apart(stack) if max_error else stack


def _bits_of(arrays: Sequence[NDArray[Any]], max_error: int) -> int:
    """Return the bits a sample: 8 for uint8, and for uint16 as few as hold all samples and the error, but over 8."""
    if arrays[0].dtype == np.uint8:
        return 8
    return max(9, max_error.bit_length(), int(max(int(array.max()) for array in arrays)).bit_length())


def palette_of(image: Image.Image) -> Palette | None:
    """Return the palette of an image of mode P with its transparency; None for other modes."""
    if image.mode != "P":
        return None
    colours = bytes(image.getpalette("RGB") or bytes(3))
    transparency = image.info.get("transparency")
    if image.palette is not None and image.palette.mode.endswith("A"):
        return Palette(colours, bytes((image.getpalette("RGBA") or bytes(4))[3::4]))
    if isinstance(transparency, int) and 0 <= transparency < len(colours) // 3:
        return Palette(colours, b"\xff" * transparency + b"\0")
    alphas = bytes(transparency) if isinstance(transparency, bytes | bytearray) else b""
    return Palette(colours, alphas[: len(colours) // 3])


def transparency_of(palette: Palette) -> int | bytes | None:
    """Return the transparency of a palette as Pillow's PNG reader puts it into `info`; None if all is opaque."""
    alphas = palette.alphas
    if alphas and alphas == b"\xff" * (len(alphas) - 1) + b"\0":
        return len(alphas) - 1
    return alphas or None


def _cut(picture: SamplePicture, area: Area) -> NDArray[Any]:
    if isinstance(picture, np.ndarray):
        return picture[area.slices()]
    whole = area.rows.size == picture.height and area.columns.size == picture.width
    box = (area.columns.start, area.rows.start, area.columns.stop, area.rows.stop)
    return np.asarray(picture if whole else picture.crop(box))


def _size_of(picture: SamplePicture) -> tuple[int, int]:
    return (picture.shape[1], picture.shape[0]) if isinstance(picture, np.ndarray) else picture.size


def _kind_of(picture: SamplePicture) -> object:
    return (picture.dtype, picture.shape[2:]) if isinstance(picture, np.ndarray) else picture.mode


def _described(picture: SamplePicture) -> str:
    kind = picture.mode if isinstance(picture, Image.Image) else f"{picture.dtype} of {picture.shape[2]} planes"
    return "{} {} x {}".format(kind, *_size_of(picture))


def _check_size(stack: SampleStack) -> None:
    width, height = stack.size
    pixels = width * height * len(stack.pictures) * stack.format.weight
    if pixels > DEFAULT_LIMITS.pixels:
        raise UnsupportedImage(
            detail=f"{pixels:,} pixels of 4 bytes are more than the {DEFAULT_LIMITS.pixels:,} that readers take; "
            "split the picture"
        )
