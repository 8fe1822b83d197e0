"""Picture files whose metadata is where programs hide it."""

from __future__ import annotations

import importlib.util
import io
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import nncodec
import nncodec_pillow  # noqa: F401 (registers the format)

needs_jxl = pytest.mark.skipif(importlib.util.find_spec("pillow_jxl") is None, reason="needs pillow-jxl-plugin")

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
    return png[:33] + _png_chunk(name, data) + png[33:]


def png_of_rows(rows: list[bytes], size: tuple[int, int], bits: int, colour: int = 0, **chunks: bytes) -> bytes:
    """Return a PNG of rows of samples of so many bits, with further chunks before them.

    Args:
        colour: type of PNG: 0 is grey, 2 is RGB.
    """
    parts = {"IHDR": struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, 0), **chunks}
    parts |= {"IDAT": zlib.compress(b"".join(b"\0" + row for row in rows)), "IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(name.encode(), data) for name, data in parts.items())


def tiff_of(*pages: tuple[np.ndarray, dict[int, int]], big: bool = False) -> bytes:
    """Return a TIFF file of pages, each of samples (H, W) or (H, W, C) and of further tags or other values of them.

    Args:
        big: whether it is a BigTIFF.
    """
    place, count, inline = ("Q", "Q", 8) if big else ("I", "H", 4)
    out = bytearray(b"II+\0" + struct.pack("<HHQ", 8, 0, 16) if big else b"II*\0" + struct.pack("<I", 8))
    for number, (samples, tags) in enumerate(pages):
        planes, kinds = samples.shape[2] if samples.ndim == 3 else 1, {"u": 1, "i": 2, "f": 3}
        values: dict[int, int | list[int]] = {256: samples.shape[1], 257: samples.shape[0], 259: 1, 273: 0, 277: planes}
        values |= {258: [samples.dtype.itemsize * 8] * planes, 339: [kinds[samples.dtype.kind]] * planes}
        values |= {262: 2 if planes > 2 else 1, 278: samples.shape[0], 279: samples.nbytes} | tags
        if planes > 3:
            values[338] = [0] * (planes - 3)
        size = struct.calcsize(f"<{count}{place}") + len(values) * struct.calcsize(f"<HH{place}{inline}s")
        beside, directory = bytearray(), bytearray(struct.pack(f"<{count}", len(values)))
        start = len(out) + size
        values[273] = start + 256
        for tag, value in sorted(values.items()):
            several = value if isinstance(value, list) else [value]
            data = struct.pack(f"<{len(several)}{'I' if tag == 273 else 'H'}", *several)
            if len(data) > inline:
                data, beside = struct.pack(f"<{place}", start + len(beside)), beside + data
            kind = 4 if tag == 273 else 3
            directory += struct.pack(f"<HH{place}", tag, kind, len(several)) + data.ljust(inline, b"\0")
        end = start + 256 + samples.nbytes
        directory += struct.pack(f"<{place}", end if number < len(pages) - 1 else 0)
        out += directory + beside.ljust(256, b"\0") + samples.tobytes()
    return bytes(out)


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def jxl_boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return name and content of the boxes of a JPEG XL file."""
    boxes, place = [], 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4]) or len(data) - place  # 0: to the end
        boxes.append((data[place + 4 : place + 8], data[place + 8 : place + size]))
        place += size
    return boxes


def turned_jxl(*boxes: tuple[bytes, bytes]) -> bytes:
    """Return a JPEG XL file of 48 x 32 pixels, whose codestream turns them by orientation 6, with further boxes."""
    importlib.import_module("pillow_jxl")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the plugin, that it takes a JPEG as it is: only then it turns one
        path = Path(folder) / "turned.jpg"
        photo().save(path, exif=turned_exif())
        with Image.open(path) as image:
            made = jxl_boxes(file_of(image, "JXL"))
    kept = [box for box in made if box[0] not in (b"brob", b"jbrd")]  # else the plugin would read the JPEG
    return b"".join(struct.pack(">I", len(content) + 8) + name + content for name, content in (*kept, *boxes))


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
