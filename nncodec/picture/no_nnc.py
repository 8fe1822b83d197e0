"""Says what a file is that was taken for an .nnc file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

from nncodec.errors import FormatError, NotNnc
from nncodec.picture.openers import open_picture, what_it_is

_HEAD_BYTES = 4096


@contextlib.contextmanager
def telling_what_else(stream: BinaryIO) -> Iterator[None]:
    """Turn NotNnc of the block into a FormatError that says what the stream, which can seek, holds instead."""
    try:
        yield
    except NotNnc as error:
        stream.seek(0)
        head = stream.read(_HEAD_BYTES)
        raise FormatError(detail=_what_else(stream, head, str(error))) from None


def _what_else(stream: BinaryIO, head: bytes, otherwise: str) -> str:
    with contextlib.suppress(Exception):  # Pillow's decoders may raise anything
        stream.seek(0)
        kind = open_picture(stream).format
        return f"a picture of the format {kind}, not an .nnc file; 'nncodec encode' makes one of it"
    found = what_it_is(head)
    return found.replace("not a picture that Pillow can read", otherwise).replace("not a picture", "not an .nnc file")
