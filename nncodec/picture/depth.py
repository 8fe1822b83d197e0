"""How many bits a sample has in the file of an image: Pillow reads deeper ones than 8 bits as 8, and does not say so.

References: ISO/IEC 15444-1, annexes A.5.1 (SIZ) and I.5.3.1 (ihdr); ISO/IEC 23008-12, 6.5.6 (pixi).
"""

from __future__ import annotations

import re
from typing import BinaryIO

from PIL import ExifTags, Image

from nncodec.picture.in_file import enter, enter_properties, found_by_opening, found_in_file

_TOLD_BY_READER = ("PNG", "PPM", "SGI")
# How Pillow calls samples of a file: "L;4", "RGB;16B"; but "BGR;16" are pixels of 16 bits.
_BITS_OF_RAW_MODE = re.compile("(?:I|L|LA|RGB|RGBA)(?:;([0-9]+)[BLN]?)?")
_CODESTREAM, _SIZ_BITS = b"\xff\x4f\xff\x51", 42
_IHDR_BITS = 10
_BITS = 0x7F  # the bits, less one; beside the sign


def bits_of(image: Image.Image) -> int:
    """Return how many bits a sample of colour has in the file of an image; 8 if that is not known."""
    return known_bits_of(image) or 8


def known_bits_of(image: Image.Image) -> int:
    """Return how many bits a sample of colour has in the file of an image; 0 if that is not known."""
    if image.format == "HEIF":
        return int(image.info.get("bit_depth", 8))
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(ExifTags.Base.BitsPerSample, (8,))
        return int(max(bits, default=1)) if isinstance(bits, tuple) else 8
    if bits := _bits_of_reader(image):
        return bits
    find = {"AVIF": _in_avif, "JPEG2000": _in_jpeg_2000}.get(image.format or "")
    if find:
        return found_in_file(image, find) or 0
    was_read = image.format in _TOLD_BY_READER and not getattr(image, "tile", ())
    return (found_by_opening(image, _bits_of_reader) if was_read else None) or 0


def _bits_of_reader(image: Image.Image) -> int:
    """Return the bits that Pillow is about to read; 0 if it does not tell, or has read the pixels."""
    for codec, _, _, args in getattr(image, "tile", ()):
        if codec.startswith("ppm") and isinstance(args, tuple):
            return int(args[-1]).bit_length()  # the sample that is white
        if codec == "SGI16":
            return 16
        stored = args if isinstance(args, str) else args[0] if isinstance(args, tuple) and args else ""
        bits = _BITS_OF_RAW_MODE.fullmatch(str(stored))
        if bits and (bits[1] or codec == "zip"):  # others unpack pixels before
            return int(bits[1] or 8)
    return 0


def _in_avif(stream: BinaryIO) -> int:
    if not (enter_properties(stream) and enter(stream, b"pixi")):
        return 0
    planes = stream.read(5)[4:]
    return max(stream.read(planes[0]), default=0) if planes else 0


def _in_jpeg_2000(stream: BinaryIO) -> int:
    if stream.read(4) == _CODESTREAM:
        stream.seek(_SIZ_BITS)
    else:
        stream.seek(0)
        if not (enter(stream, b"jp2h") and enter(stream, b"ihdr")):
            return 0
        stream.seek(_IHDR_BITS, 1)
    return sum((bits & _BITS) + 1 for bits in stream.read(1))
