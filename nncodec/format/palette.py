"""The palette chunk: colours, and the alpha of some of them."""

from __future__ import annotations

from typing import NamedTuple

from nncodec.errors import Corrupt

_RGB = 3


class Palette(NamedTuple):
    """The colours that a picture's samples number from 0 on.

    Args:
        colours: RGB, 3 bytes each, 1 to 256 of them.
        alphas: alpha of the first colours, one byte each; the others are opaque.
    """

    colours: bytes
    alphas: bytes = b""

    def to_bytes(self) -> bytes:
        """Return the chunk's data: number of colours minus 1 (1 byte), colours, alphas."""
        return bytes((len(self.colours) // _RGB - 1,)) + self.colours + self.alphas

    @classmethod
    def of_bytes(cls, chunk: bytes) -> Palette:
        """Return the palette of a chunk; raises Corrupt if it is malformed."""
        count = chunk[0] + 1 if chunk else 0
        end = 1 + _RGB * count
        if not count or not end <= len(chunk) <= end + count:
            raise Corrupt(detail="its palette has the wrong size")
        return cls(chunk[1:end], chunk[end:])
