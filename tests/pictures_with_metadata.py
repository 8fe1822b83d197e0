"""Picture files whose metadata is where programs hide it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import skimage.data
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)

Stored = Callable[..., tuple[Image.Image, list[str]]]
"""What the fixture `stored` is: it encodes a file and returns what that decodes to, and the notes."""

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
GAIN_MAP_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description hdrgm:Version="1.0"/></x:xmpmeta>'


def photo(size: tuple[int, int] = (48, 32)) -> Image.Image:
    """Return a photograph, RGB."""
    return Image.fromarray(skimage.data.chelsea()).resize(size)


def profile_of(space: bytes) -> bytes:
    """Return the head of an ICC profile of a colour space, which is all that is looked at."""
    return SRGB[:16] + space + SRGB[20:]


def turned_exif(**tags: Any) -> Image.Exif:
    """Return EXIF with a maker, orientation 6 and a size."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif).update({0xA002: 160, 0xA003: 100})
    return exif


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_with_raw_profiles() -> bytes:
    """Return a PNG as ImageMagick writes metadata: hexadecimal in text chunks."""
    text = PngInfo()
    for name, data in (("exif", turned_exif().tobytes()), ("xmp", XMP)):
        text.add_text(f"Raw profile type {name}", f"\n{name}\n{len(data):8}\n{data.hex()}\n", zip=True)
    return file_of(photo(), "PNG", pnginfo=text)


def png_with_chunk(name: bytes, data: bytes, image: Image.Image | None = None) -> bytes:
    """Return a PNG with a chunk right after its header."""
    png = file_of(image or photo(), "PNG")
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]


def frames(alpha: bool = False) -> list[Image.Image]:
    """Return five frames of which the second and third are equal, and so are the last two."""
    base = Image.new("RGBA" if alpha else "RGB", (48, 32), (0, 0, 0, 0) if alpha else (20, 30, 40))
    result = []
    for left in (0, 10, 10, 20, 20):
        frame = base.copy()
        frame.paste((250, 200, 10, 255) if alpha else (250, 200, 10), (left, 8, left + 12, 24))
        result.append(frame)
    return result


DURATIONS = [40, 100, 200, 300, 500]


# --- ways from a picture file to an .nnc file ------------------------------------------------------------------------


def by_pillow(data: bytes, path: Path, **options: object) -> bytes:
    """Return the .nnc file of a picture file, opened by Pillow from memory."""
    with Image.open(io.BytesIO(data)) as image:
        image.save(path / "x.nnc", **options)
    return (path / "x.nnc").read_bytes()


def by_pillow_from_disk(data: bytes, path: Path, **options: object) -> bytes:
    """Return the .nnc file of a picture file, opened by Pillow from a path."""
    (path / "in").write_bytes(data)
    with Image.open(path / "in") as image:
        image.save(path / "x.nnc", **options)
    return (path / "x.nnc").read_bytes()


def by_encode(data: bytes, path: Path, **options: object) -> bytes:
    """Return the .nnc file of a picture file, opened by Pillow, for `encode`."""
    with Image.open(io.BytesIO(data)) as image:
        return nncodec.encode(image, **options)


def by_batch(data: bytes, path: Path, **options: object) -> bytes:
    """Return the .nnc file of a picture file, opened by Pillow, for `encode_batch`."""
    with Image.open(io.BytesIO(data)) as image:
        return nncodec.encode_batch([image], **options)[0]


def by_target(data: bytes, path: Path, **options: object) -> bytes:
    """Return the .nnc file of a picture file, opened by Pillow, with a target."""
    with Image.open(io.BytesIO(data)) as image:
        return nncodec.encode(image, target_size=100_000, **options)


def from_bytes(data: bytes, path: Path, **options: object) -> bytes:
    """Return the .nnc file of a picture file, as it is."""
    return nncodec.encode(data, **options)
