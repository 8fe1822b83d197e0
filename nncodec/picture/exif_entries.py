"""Entries of EXIF changed in place, so that nothing else moves and notes of the camera's maker stay readable."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from PIL import ExifTags

from nncodec.picture.exif import PREFIX, UPRIGHT

_SHORT, _LONG = 3, 4
_FORMS = {_SHORT: "H", _LONG: "I"}
_WIDTHS = (ExifTags.Base.ImageWidth, ExifTags.Base.ExifImageWidth)
_HEIGHTS = (ExifTags.Base.ImageLength, ExifTags.Base.ExifImageHeight)
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation\s*(?:=\s*["']|>\s*))[0-9]""")

# Where the thumbnail lies, and of how many bytes: as JPEG, and as strips of samples.
_THUMBNAIL_TAGS = (
    (ExifTags.Base.JpegIFOffset, ExifTags.Base.JpegIFByteCount),
    (ExifTags.Base.StripOffsets, ExifTags.Base.StripByteCounts),
)


def with_size(exif: bytes, size: tuple[int, int]) -> bytes:
    """Return EXIF whose tags of width and height, where it has them, say the size of the image.

    Unless they said it before, the image may have been cut, and the thumbnail would show what was cut off: it goes. The
    bytes are changed in place, so nothing else moves.
    """
    tiff = exif.removeprefix(PREFIX)
    order = _byte_order(tiff)
    if order is None:
        return exif
    out = bytearray(tiff)
    entries = list(_entries_of(tiff, order, (*_WIDTHS, *_HEIGHTS)))
    for entry in entries:
        value = size[0] if entry.tag in _WIDTHS else size[1]
        if entry.form == _SHORT and value > 0xFFFF:
            struct.pack_into(f"{order}HII", out, entry.place + 2, _LONG, 1, value)  # the field has room for 4 bytes
        else:
            struct.pack_into(f"{order}{_FORMS[entry.form]}", out, entry.place + 8, value)
    if out != tiff or not entries:
        with contextlib.suppress(struct.error):  # malformed
            _drop_thumbnail(out, order)
    return exif[: len(exif) - len(tiff)] + out


def said_upright(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata whose EXIF and XMP, where they give an orientation, say that the picture is upright."""
    said = dict(metadata)
    if exif := said.get("exif"):
        tiff = exif.removeprefix(PREFIX)
        out = bytearray(tiff)
        if order := _byte_order(tiff):
            for entry in _entries_of(tiff, order, (ExifTags.Base.Orientation,)):
                struct.pack_into(f"{order}{_FORMS[entry.form]}", out, entry.place + 8, UPRIGHT)
        said["exif"] = exif[: len(exif) - len(tiff)] + out
    if xmp := said.get("xmp"):
        said["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)
    return said


class _Entry(NamedTuple):
    tag: int
    form: int
    values: int
    place: int


def _byte_order(tiff: bytes) -> str | None:
    return {b"II": "<", b"MM": ">"}.get(tiff[:2])


def _entries(tiff: bytes | bytearray, order: str, offset: int) -> Iterator[_Entry]:
    """Yield the entries of a directory; raises struct.error where it is malformed."""
    (count,) = struct.unpack_from(f"{order}H", tiff, offset)
    for place in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, form, values, _ = struct.unpack_from(f"{order}HHII", tiff, place)
        yield _Entry(tag, form, values, place)


def _numbers(tiff: bytes | bytearray, order: str, entry: _Entry) -> tuple[int, ...]:
    """Return the numbers of an entry, none if it has others than SHORT or LONG."""
    if entry.form not in _FORMS:
        return ()
    numbers, place = f"{order}{entry.values}{_FORMS[entry.form]}", entry.place + 8
    if struct.calcsize(numbers) > 4:
        (place,) = struct.unpack_from(f"{order}I", tiff, place)
    return struct.unpack_from(numbers, tiff, place)


def _entries_of(tiff: bytes, order: str, tags: Container[int]) -> Iterator[_Entry]:
    """Yield entries of one number in the first directory and in that of EXIF; none from where it is malformed."""
    try:
        waiting = [*struct.unpack_from(f"{order}I", tiff, 4)]
        for offset in waiting:
            for entry in _entries(tiff, order, offset):
                if entry.tag == ExifTags.IFD.Exif and len(waiting) == 1:
                    waiting += _numbers(tiff, order, entry)[:1]
                elif entry.tag in tags and entry.form in _FORMS and entry.values == 1:
                    yield entry
    except struct.error:
        return


def _drop_thumbnail(tiff: bytearray, order: str) -> None:
    """Blank the thumbnail and unlink the second directory, which describes it; raises struct.error if malformed."""
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, first)
    link = first + 2 + 12 * count
    (second,) = struct.unpack_from(f"{order}I", tiff, link)
    if not second:
        return
    struct.pack_into(f"{order}I", tiff, link, 0)
    numbers = {entry.tag: _numbers(tiff, order, entry) for entry in _entries(tiff, order, second)}
    for places, sizes in _THUMBNAIL_TAGS:
        for place, size in zip(numbers.get(places, ()), numbers.get(sizes, ()), strict=False):
            tiff[place : place + size] = bytes(len(tiff[place : place + size]))
            if place + size >= len(tiff):
                del tiff[place:]
