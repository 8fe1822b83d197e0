"""Colours that a file states by numbers of ITU-T H.273, as HDR pictures do: Pillow passes them on for HEIC only.

References: PNG, third edition, 11.3.2.6 (cICP); ISO/IEC 14496-12 (colr), 23008-12 (iprp, ipco).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from PIL import Image

from nncodec.picture.in_file import enter, enter_properties, found_in_file

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_CHUNKS_BEFORE_PIXELS = 1000


def cicp_of(image: Image.Image) -> bytes | None:
    """Return primaries, transfer, matrix and range of an image, a byte each, as PNG has them; None if it has none.

    Those of PNG and AVIF are in the file only, which must still be there; `info["cicp"]` of a copy may hold them.
    """
    told = image.info.get("cicp")
    if isinstance(told, bytes):
        return told
    nclx = image.info.get("nclx_profile")
    if isinstance(nclx, Mapping):
        return _of_nclx(nclx["color_primaries"], nclx["transfer_characteristics"])
    find = {"PNG": _in_png, "AVIF": _in_avif}.get(image.format or "")
    return None if find is None else found_in_file(image, find)


def _of_nclx(primaries: int, transfer: int) -> bytes:
    return bytes((min(primaries, 0xFF), min(transfer, 0xFF), 0, 1))  # numbers of two bytes, of which few are taken


def _in_png(stream: BinaryIO) -> bytes | None:
    if stream.read(len(_PNG_MAGIC)) != _PNG_MAGIC:
        return None
    for _ in range(_CHUNKS_BEFORE_PIXELS):
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            break
        size = int.from_bytes(head[:4])
        if head[4:] == b"cICP":
            return stream.read(min(size, 1 << 10))
        stream.seek(size + 4, 1)
    return None


def _in_avif(stream: BinaryIO) -> bytes | None:
    if enter_properties(stream) and enter(stream, b"colr") and stream.read(4) == b"nclx":
        return _of_nclx(int.from_bytes(stream.read(2)), int.from_bytes(stream.read(2)))
    return None
