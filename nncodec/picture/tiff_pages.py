"""The directories of a TIFF file, one for each page: numbers of their tags, read without what Pillow makes of them.

So pages that Pillow cannot read can be told from others.

References: TIFF 6.0, sections 2 and 8 (NewSubfileType); BigTIFF.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

_ORDERS = {b"II": "<", b"MM": ">"}
_MAGIC, _BIG_MAGIC = 42, 43
_NUMBERS = {3: "H", 4: "I"}  # types SHORT and LONG
_MOST_PAGES = 1 << 16
_MOST_VALUES = 1 << 8
_NEW_SUBFILE_TYPE, _SUBFILE_TYPE = 254, 255
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2

Tags = Mapping[int, tuple[int, ...]]
"""Numbers of the tags of a page that have whole numbers of 16 or 32 bits."""


def tags_of_pages(stream: BinaryIO) -> Iterator[Tags]:
    """Yield the tags of each page in a TIFF file, up to where it is malformed; nothing for other files."""
    stream.seek(0)
    head = stream.read(16)
    order = _ORDERS.get(head[:2])
    if order is None or len(head) < 16:
        return
    (magic,) = struct.unpack_from(f"{order}H", head, 2)
    if magic not in (_MAGIC, _BIG_MAGIC):
        return
    layout = _Layout(order, is_big=magic == _BIG_MAGIC)
    place, seen = layout.first(head), set[int]()
    while place and place not in seen and len(seen) < _MOST_PAGES:
        seen.add(place)
        try:
            tags, place = layout.read(stream, place)
        except (OSError, OverflowError, struct.error):  # it is cut, or no such place
            return
        yield tags


def is_companion(tags: Tags) -> bool:
    """Return whether a page is a smaller copy of another one, or its mask."""
    (kind, *_) = tags.get(_NEW_SUBFILE_TYPE, (0,))
    (old_kind, *_) = tags.get(_SUBFILE_TYPE, (0,))
    return bool(kind & (_REDUCED | _MASK)) or old_kind == _OLD_REDUCED


class _Layout:
    """How directories are laid out: TIFF has places of 4 bytes, BigTIFF of 8."""

    def __init__(self, order: str, *, is_big: bool) -> None:
        self._order = order
        self._place = "Q" if is_big else "I"
        self._count = "Q" if is_big else "H"
        self._inline = 8 if is_big else 4

    def first(self, head: bytes) -> int:
        """Return the place of the first directory."""
        (place,) = struct.unpack_from(f"{self._order}{self._place}", head, self._inline)
        return int(place)

    def read(self, stream: BinaryIO, place: int) -> tuple[Tags, int]:
        """Return the tags of a directory, and the place of the next one, 0 for none."""
        stream.seek(place)
        (count,) = self._unpack(stream, self._count)
        entries = [self._unpack(stream, f"HH{self._place}{self._inline}s") for _ in range(min(count, 0xFFFF))]
        (following,) = self._unpack(stream, self._place)
        tags = {
            tag: self._numbers(stream, form, values, content)
            for tag, form, values, content in entries
            if form in _NUMBERS
        }
        return tags, following

    def _numbers(self, stream: BinaryIO, form: int, count: int, content: bytes) -> tuple[int, ...]:
        numbers = f"{min(count, _MOST_VALUES)}{_NUMBERS[form]}"
        if struct.calcsize(f"<{count}{_NUMBERS[form]}") > self._inline:
            (place,) = struct.unpack(f"{self._order}{self._place}", content)
            stream.seek(place)
            return self._unpack(stream, numbers)
        return struct.unpack_from(f"{self._order}{numbers}", content)

    def _unpack(self, stream: BinaryIO, form: str) -> tuple[Any, ...]:
        form = self._order + form
        return struct.unpack(form, stream.read(struct.calcsize(form)))
