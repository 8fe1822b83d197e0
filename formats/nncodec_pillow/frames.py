"""Decodes single frames of an open file."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from nncodec import FormatError, Limits, NncError
from nncodec.coding.decoder import computed_pixels, decode_frames
from nncodec.coding.recommendation import enhancement_for
from nncodec.format.container import Container
from nncodec.format.header import ChunkType
from nncodec_pillow.options import enhancer_and_strength, opener_computing, pixels_together


class FrameReader:
    """Decodes frames in any order, and ahead if they are read in order.

    Frames are coded in groups. A single frame costs the entropy decoding of its group. From the second frame in a row
    on, the rest of the group is decoded with it and kept, so reading a whole stack decodes each group once.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._next = -1
        self._ahead: Iterator[Image.Image] | None = None

    def read(self, number: int) -> Image.Image:
        """Return a frame.

        Raises:
            OSError: the file is damaged, asks for too many pixels at once, or its model cannot be used.
        """
        in_order = number == self._next
        frames, self._ahead = self._ahead if in_order else None, None
        try:
            if frames is None:
                frames = self._decode(range(number, self._container.header.frames if in_order else number + 1))
            image = next(frames)
        except FormatError:
            raise
        except NncError as error:  # Pillow's users expect OSError if an image cannot be loaded
            raise OSError(str(error)) from error
        self._ahead, self._next = frames if in_order else None, number + 1
        return image

    def _decode(self, wanted: range) -> Iterator[Image.Image]:
        header = self._container.header
        limits = Limits(pixels=pixels_together())
        together = header.frame_pixels * header.frames_per_block
        if any(entry.type == ChunkType.ALPHA for entry in self._container.chunk_table):
            together = max(together, header.display_size[0] * header.display_size[1] * header.frames)
        with opener_computing().applied():
            enhancement = enhancement_for(self._container, *enhancer_and_strength())
        if enhancement is not None:
            together = max(together, enhancement.factor**2 * header.width * header.height)
        limits.check("pixels", together)
        limits.check("computed_pixels", computed_pixels(self._container) * header.frames_per_block)
        self._container.check_end()
        with opener_computing().applied():
            return decode_frames(self._container, wanted, None, enhancement)
