"""Reads pictures in a form that every codec takes: 8-bit grey or RGB, without alpha and metadata."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nncodec.compare.results import PictureInfo
from nncodec.errors import InvalidOption, UnsupportedImage
from nncodec.limits import DEFAULT_LIMITS
from nncodec.metrics import SSIM_EDGE
from nncodec.picture.conversion import with_alpha
from nncodec.picture.reading import read_picture_file

_BACKGROUND = "white"


@dataclass(frozen=True)
class PictureSource:
    """Where a picture comes from.

    Args:
        name: unique within a comparison.
        data: the file, or the picture itself.
    """

    name: str
    data: Path | Image.Image


@dataclass(frozen=True)
class Original:
    """A picture as the codecs get it.

    Args:
        image: mode L or RGB, without metadata.
        notes: conversions, for people.
    """

    info: PictureInfo
    image: Image.Image
    notes: tuple[str, ...]


def sources_of(pictures: Mapping[str, Image.Image | Path] | Iterable[Path | str]) -> list[PictureSource]:
    """Return pictures by their given names, or files by their own: the whole path where two names would be equal.

    Raises:
        InvalidOption: a file is given twice.
    """
    if isinstance(pictures, Mapping):
        return [PictureSource(name, data) for name, data in pictures.items()]
    paths = [Path(picture) for picture in pictures]
    names = [path.name for path in paths]
    named = [PictureSource(str(path) if names.count(path.name) > 1 else path.name, path) for path in paths]
    if twice := [name for name, count in Counter(source.name for source in named).items() if count > 1]:
        raise InvalidOption(option="pictures", reason=f"{twice[0]} is given twice")
    return named


def load(source: PictureSource, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Original:
    """Read a picture, of several frames the first, and convert it as `nncodec encode` does.

    EXIF orientation is applied, and transparency is flattened onto white, since not every codec has it.

    Raises:
        UnsupportedImage: it cannot be converted, has more than `max_pixels`, or is too small for SSIM.
        OSError, Image.DecompressionBombError, ...: Pillow cannot read it; its decoders raise anything.
    """
    if isinstance(source.data, Image.Image):
        image, notes = with_alpha(source.data.copy()), []
    else:
        with source.data.open("rb") as stream:
            picture_file = read_picture_file(stream, frame=0, max_pixels=max_pixels, strip=True)
        image, notes = picture_file.frames[0], list(picture_file.notes)
    if image.mode in ("LA", "RGBA"):
        image = _flattened(image, notes)
    if image.mode not in ("L", "RGB"):
        raise UnsupportedImage(detail=f"mode {image.mode} cannot be compared; convert it to L or RGB first")
    if min(image.size) < SSIM_EDGE:
        raise UnsupportedImage(
            detail=f"{image.width} x {image.height} pixels are too few to compare; it takes {SSIM_EDGE} x {SSIM_EDGE}"
        )
    image.info.clear()
    info = PictureInfo(source.name, *image.size, image.mode, _raw_bytes(image), _png_bytes(image))
    return Original(info, image, tuple(notes))


def _flattened(image: Image.Image, notes: list[str]) -> Image.Image:
    alpha = image.getchannel("A")
    colour = image.convert(image.mode.removesuffix("A"))
    if alpha.getextrema() != (255, 255):
        notes.append(f"transparency is flattened onto {_BACKGROUND}")
        colour = Image.composite(colour, Image.new(colour.mode, colour.size, _BACKGROUND), alpha)
    return colour


def _raw_bytes(image: Image.Image) -> int:
    return image.width * image.height * len(image.getbands())


def _png_bytes(image: Image.Image) -> int:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return len(buffer.getvalue())
