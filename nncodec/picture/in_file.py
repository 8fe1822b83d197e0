"""Looks into the file of an open image for what Pillow does not pass on."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from PIL import Image

from nncodec._support.filtered_warnings import filtered_warnings

_MOST_BOXES = 1000
_MOST_BYTES = 1 << 26  # of metadata
_LONGEST_BOX = 1 << 62  # streams cannot seek farther

# The way to the properties of an AVIF picture, with the bytes between a box's head and the boxes in it.
_PROPERTIES = ((b"meta", 4), (b"iprp", 0), (b"ipco", 0))

_T = TypeVar("_T")


def found_in_file(image: Image.Image, find: Callable[[BinaryIO], _T | None]) -> _T | None:
    """Return what is found in the file of an image, None if it is gone or cannot seek."""
    whole = getattr(image, "fc", None)  # of the plugin for JPEG XL, whose `fp` becomes one of pixels
    if isinstance(whole, bytes):
        return find(io.BytesIO(whole))
    paths = [getattr(image, "filename", "")]
    for name in ("_fp", "fp"):  # Pillow drops `fp` once it has read the pixels
        try:
            stream: Any = getattr(image, name, None)
            if hasattr(stream, "seek"):
                raw = getattr(stream, "raw", stream)
                paths += [raw.name] if isinstance(raw, io.FileIO) else []  # others have names that are no paths
                place = stream.tell()
                stream.seek(0)
                found = find(stream)
                stream.seek(place)
                return found
        except (OSError, ValueError):  # it is closed, or cannot seek
            pass
    for path in paths:
        try:
            with Path(os.fsdecode(path)).open("rb") as again:
                return find(again)
        except (OSError, TypeError, ValueError):  # it is no path, or of a file that is gone
            pass
    return None


def is_file_gone(image: Image.Image) -> bool:
    """Return whether nothing can be found in the file of an image any more."""
    return found_in_file(image, lambda _: True) is None


def found_by_opening(image: Image.Image, find: Callable[[Image.Image], _T]) -> _T | None:
    """Return what is found in an image after its file was opened again, None if it cannot be.

    The image itself stays as it is: it may have been edited, and looking at other frames would drop its pixels.
    """

    def opened(stream: BinaryIO) -> _T | None:
        try:
            with filtered_warnings("ignore"):  # all were told when the image was opened
                return find(Image.open(stream))
        except Exception:  # the file may be another one by now, and Pillow's decoders may raise anything
            return None

    return found_in_file(image, opened)


def boxes_of(stream: BinaryIO, size: int = -1) -> Iterator[tuple[bytes, int]]:
    """Yield name and size of the boxes from here on; each time, the stream stands before what the box holds.

    Args:
        stream: of a file that is made of boxes: AVIF, JPEG 2000 or JPEG XL.
        size: of the boxes together; -1 for all to the end, also of a box that is the last.

    References:
        ISO/IEC 14496-12, 4.2; 15444-1, annex I.4.
    """
    end = stream.tell() + size if size >= 0 else None
    for _ in range(_MOST_BOXES):
        head = stream.read(8)
        if len(head) < 8:
            return
        length, name = int.from_bytes(head[:4]), head[4:]
        held = length - 8
        if length == 1:
            held = int.from_bytes(stream.read(8)) - 16
        place = stream.tell()
        if length == 0:
            yield name, -1
        if not 0 <= held < _LONGEST_BOX or (end is not None and place + held > end):
            return
        yield name, held
        if place + held == end:
            return
        stream.seek(place + held)


def enter(stream: BinaryIO, name: bytes) -> bool:
    """Move to what the next box of a name holds; return whether there is one."""
    return any(found == name for found, _ in boxes_of(stream))


def enter_properties(stream: BinaryIO) -> bool:
    """Move to the properties of an AVIF picture; return whether there are any."""
    for name, skipped in _PROPERTIES:
        if not enter(stream, name):
            return False
        stream.seek(skipped, 1)
    return True


def read_at_most(stream: BinaryIO, size: int) -> bytes:
    """Return so many bytes, -1 for all to the end; none if there are fewer, or too many to be metadata."""
    data = stream.read(min(size, _MOST_BYTES) if size >= 0 else _MOST_BYTES)
    return data if size in (len(data), -1) and len(data) < _MOST_BYTES else b""
