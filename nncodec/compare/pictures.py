"""Any picture as every codec can take it: 8-bit grey or RGB, without alpha or metadata."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nncodec.compare.results import PictureInfo
from nncodec.errors import InvalidOption, UnsupportedImage
from nncodec.limits import DEFAULT_LIMITS
from nncodec.metrics import SSIM_EDGE
from nncodec.picture.reading import read_picture_file

_BACKGROUND = "white"


@dataclass(frozen=True)
class PictureSource:
    """Where a picture comes from.

    Args:
        name: unique within a comparison.
        data: its file, or the picture itself.
    """

    name: str
    data: Path | Image.Image


@dataclass(frozen=True)
class Original:
    """A picture as it is handed to the codecs.

    Args:
        image: mode L or RGB, without metadata.
        notes: what was done to it, for people.
    """

    info: PictureInfo
    image: Image.Image
    notes: tuple[str, ...]


def sources_of(pictures: Mapping[str, Image.Image | Path] | Iterable[Path | str]) -> list[PictureSource]:
    """Return pictures under the names they are given, or files under theirs, longer where two would be the same.

    Raises:
        InvalidOption: a file is given twice.
    """
    if isinstance(pictures, Mapping):
        return [PictureSource(name, data) for name, data in pictures.items()]
    paths = [Path(picture) for picture in pictures]
    names = [path.name for path in paths]
    named = [PictureSource(str(path) if names.count(path.name) > 1 else path.name, path) for path in paths]
    twice = next((one.name for n, one in enumerate(named) if one.name in {other.name for other in named[:n]}), None)
    if twice is not None:
        raise InvalidOption(option="pictures", reason=f"{twice} is given twice")
    return named


def load(source: PictureSource, *, max_pixels: int = DEFAULT_LIMITS.pixels) -> Original:
    """Read a picture, of several frames the first, and convert it as `nncodec encode` does.

    It is turned upright as its EXIF says, and transparency is flattened onto white, since not every codec has it.

    Raises:
        UnsupportedImage: it cannot be converted, has more than `max_pixels`, or is too small for SSIM.
        OSError, Image.DecompressionBombError, ...: Pillow cannot read it, whatever its decoders raise.
    """
    if isinstance(source.data, Image.Image):
        image, notes = source.data.copy(), []
    else:
        with source.data.open("rb") as stream:
            found = read_picture_file(stream, frame=0, max_pixels=max_pixels, strip=True)
        image, notes = found.frames[0], list(found.notes)
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
