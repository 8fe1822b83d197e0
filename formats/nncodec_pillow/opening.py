"""Opens files: checks the header at once, and decodes pixels on first use."""

from __future__ import annotations

import io
import operator
import os
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from PIL import Image, ImageFile

from nncodec import NotNnc
from nncodec.coding.exact_decoder import no_pillow_mode
from nncodec.coding.inspection import frame_info, image_info, pillow_mode
from nncodec.format.animation import Animation
from nncodec.format.container import Container
from nncodec.format.header import MAGIC, MIME, ChunkType, ColourMode
from nncodec.format.metadata import animation_of
from nncodec.format.preview import read_preview
from nncodec.picture.exif import exif_of
from nncodec_pillow.frames import FrameReader
from nncodec_pillow.options import header_limits

if TYPE_CHECKING:
    from PIL._imaging import PixelAccess


def accept(prefix: bytes) -> bool:
    """Return whether a file that begins with `prefix` is an .nnc file."""
    return prefix.startswith(MAGIC)


def _is_nnc(fp: object, format: str | None) -> bool:
    """Return whether `Image.save` writes an .nnc file with these arguments."""
    if format:
        return format.upper() == NncImageFile.format
    name = fp if isinstance(fp, str | bytes | os.PathLike) else getattr(fp, "name", "")
    return isinstance(name, str | bytes | os.PathLike) and Path(os.fsdecode(name)).suffix.lower() == ".nnc"


def _is_on_disk(stream: IO[bytes]) -> bool:
    try:
        stream.fileno()
    except (AttributeError, OSError, ValueError):  # io.UnsupportedOperation is both of the latter
        return False
    return True


class NncImageFile(ImageFile.ImageFile):
    """An open .nnc file. Its header has been read and checked; `load` decodes the chosen frame.

    A file on a disk has been read whole, so that it may be overwritten.

    Copies and pickles hold this frame only, as those of Pillow's own formats do.

    Attributes:
        n_frames: number of pictures in the file.
        is_animated: whether it has several.
    """

    format = "NNC"
    format_description = "Neural image codec"
    # Class attributes, because an unpickled image has pixels and info but was never opened.
    custom_mimetype: str | None = MIME
    n_frames = 1
    is_animated = False
    _frame = 0
    _container: Container | None = None
    _held: io.BytesIO | None = None
    _reader: FrameReader | None = None
    _preview: Image.Image | None = None
    _fits_a_box = False
    _animation: Animation | None = None
    # Several threads may use one image. An image that was never opened has nothing to decode, and may share a lock.
    _loading = threading.RLock()

    def _open(self) -> None:
        file = cast("BinaryIO", self.fp)
        start = file.tell()
        try:
            container = Container(file, header_limits())
        except NotNnc as error:
            raise SyntaxError(str(error)) from error
        header = container.header
        if header.mode is ColourMode.PLANES:
            raise OSError(str(no_pillow_mode(container)))
        if header.display_size != (header.width, header.height):
            Image._decompression_bomb_check((header.width, header.height))  # Pillow checks the display size itself
        if _is_on_disk(file):
            # Any image's `save` may overwrite this file, by any of its names, and then ask for the pixels of this one.
            # A byte more shows that something follows the end.
            file.seek(start)
            self._held = io.BytesIO(file.read(container.size_bytes + 1))
            container = Container(self._held, header_limits())
        self.info.update(image_info(container))
        self.custom_mimetype = MIME
        self.n_frames = header.frames
        self.is_animated = header.frames > 1
        self._close_exclusive_fp_after_loading = not self.is_animated
        self._container, self._reader = container, FrameReader(container)
        self._animation = animation_of(container)
        self._loading = threading.RLock()
        self._choose(container, 0)

    def _choose(self, container: Container, frame: int) -> None:
        self._frame, self._preview = frame, None
        self._size, self._mode = container.header.display_size, pillow_mode(container)
        self.info.update(frame_info(self._animation, frame))
        # Pillow loads an image only if it has tiles.
        self.tile = [ImageFile._Tile("nnc", (0, 0, *self._size))]

    def seek(self, frame: int) -> None:
        """Choose the frame to load next; raises EOFError if the file has no such frame."""
        if not 0 <= frame < self.n_frames:
            raise EOFError(f"there is no frame {frame}; the file has frames 0 to {self.n_frames - 1}")
        if frame != self._frame and self._container is not None:
            self._choose(self._container, operator.index(frame))

    def tell(self) -> int:
        """Return the number of the chosen frame."""
        return self._frame

    def load(self) -> PixelAccess | None:
        """Decode the chosen frame, unless it has been decoded.

        Raises:
            OSError: the file is damaged or its model cannot be used.
            ValueError: the file is closed.
        """
        with self._loading:
            if self.tile and self._reader is not None:
                if self._held is not None and getattr(self.fp, "closed", False):
                    raise ValueError("I/O operation on closed file")  # as if the file were read now
                image = self._preview or self._reader.read(self._frame)
                self.im = image.im
                self.palette = image.palette
                self.readonly = 0
                self.tile = []
                self._preview = None
                if self._close_exclusive_fp_after_loading:
                    if self._exclusive_fp:
                        self._close_fp()
                    self.fp = self._container = self._reader = self._held = None
            return super().load()

    def save(
        self,
        fp: str | bytes | os.PathLike[str] | os.PathLike[bytes] | IO[bytes],
        format: str | None = None,
        **params: Any,
    ) -> None:
        """Save the image, see `Image.save`; with `quality="keep"` alone, copy the .nnc file if nothing was changed."""
        if params.get("quality") != "keep" or not self._is_as_opened(params) or not _is_nnc(fp, format):
            super().save(fp, format, **params)
            return
        assert self._container is not None
        data = self._container.copy()
        if isinstance(fp, str | bytes | os.PathLike):
            Path(os.fsdecode(fp)).write_bytes(data)
        else:
            fp.write(data)

    def _is_as_opened(self, params: dict[str, Any]) -> bool:
        """Return whether `save` with these options means the file as it is, with all of its frames."""
        container = self._container
        if container is None or not self.tile or self._preview is not None:
            return False
        whole = bool(params.get("save_all")) or (self.n_frames == 1 and "save_all" not in params)
        opened = image_info(container) | frame_info(self._animation, self._frame)
        edited = self.info != opened or exif_of(self) != (container.chunk(ChunkType.EXIF) or None)
        return whole and not edited and params.keys() <= {"quality", "save_all"}

    def load_seek(self, pos: int) -> None:
        """Do nothing; this method tells `ImageFile.Parser` that the format is not decoded incrementally."""

    def verify(self) -> None:
        """Compare all checksums, without the model, and close the file.

        Raises:
            FormatError: the file is incomplete or damaged, or bytes follow its end.
            RuntimeError: the file is no longer open.
        """
        if self.fp is None or self._container is None:
            raise RuntimeError("verify must be called directly after open")
        try:
            self._container.check()
        finally:
            if self._exclusive_fp:
                self._close_fp()
            super().verify()

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> tuple[str, tuple[int, int, float, float]] | None:
        """Load the preview instead of the picture, if the file has one of at least this size.

        The mode stays. The preview shows the first frame without alpha, so it never replaces other frames, alpha, or
        samples other than grey and RGB of 8 bits.
        """
        if not (self.tile and size and self._container) or self._preview is not None:
            return None
        if self._frame or self.mode not in ("L", "RGB"):
            return None
        chunk = self._container.chunk(ChunkType.PREVIEW)
        if chunk is None:
            return None
        preview = read_preview(chunk, header_limits())
        width, height = self.size
        if self._fits_a_box:
            scale = min(size[0] / width, size[1] / height)
            size = int(width * scale), int(height * scale)
        if not (size[0] <= preview.width <= width and size[1] <= preview.height <= height):
            return None
        self._preview = preview if preview.mode == self.mode else preview.convert(self.mode)
        self._size = preview.size
        return self.mode, (0, 0, *preview.size)

    def thumbnail(
        self,
        size: tuple[float, float],
        resample: Image.Resampling = Image.Resampling.BICUBIC,
        reducing_gap: float | None = 2.0,
    ) -> None:
        """Make this picture a thumbnail, see `Image.thumbnail`; from the preview if that is large enough."""
        # Here the size is a box to fit into; for other callers of `draft` it is the least size.
        self._fits_a_box = True
        try:
            super().thumbnail(size, resample, reducing_gap)
        finally:
            self._fits_a_box = False

    def _close_fp(self) -> None:
        if self._held is not None:
            self._held.close()
        super()._close_fp()
