"""Images from whatever `encode` takes: Pillow images, picture files, NumPy arrays and torch tensors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec._support.files import end_of, path_of, seekable, stream_of
from nncodec._support.notes import warn_of
from nncodec._support.text import describe
from nncodec.errors import NncError, UnsupportedImage, first_line
from nncodec.format.header import MAGIC
from nncodec.format.samples import MAX_PLANES
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.options import EncodeOptions
from nncodec.picture.reading import read_picture_file, upright_if_untold
from nncodec.picture.samples import SamplePicture

if TYPE_CHECKING:
    from torch import Tensor

    # Arithmetic with arrays of uint8 and uint16, as `decode` returns them, has any integers to a type checker.
    _Samples = np.integer[Any] | np.bool_

    ImageSource = (
        Image.Image | str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[_Samples] | Tensor
    )
    """A picture, or a picture file that may hold several frames; see `images_from` and `samples_from`."""

_T = TypeVar("_T")

_PLANES = (1, 2, 3, 4)
_EXPECTED = "expected a Pillow image, the path or the bytes of a picture file, a NumPy array or a torch tensor"
# Sums of floats exceed 1 by rounding.
_TOLERANCE = 1e-3


def images_from(source: ImageSource | Sequence[ImageSource], options: EncodeOptions | None = None) -> list[Image.Image]:
    """Return the images of a source, or of several.

    Args:
        source: a Pillow image; the path or the bytes of a picture file, or a binary stream of one, which is read as the
            command line reads it, with all frames; an array, uint8 (H, W) or (H, W, 1 to 4); a tensor, uint8 or
            float from 0 to 1, (1 to 4, H, W). Two planes are grey and alpha, four colour and alpha.
        options: of the encoding; where they drop the orientation of a picture, its pixels are turned instead.

    Returns:
        Pillow images; what could not be kept of a file is told in `NncWarning`s.

    Raises:
        UnsupportedImage: the source is something else, or the file cannot be read as a picture.
        OSError: the path cannot be opened.
        ValueError: the stream is closed.
    """
    images = cast("list[Image.Image]", _pictures(source, None))
    return [upright_if_untold(image, options or {}) for image in images]


def samples_from(
    source: ImageSource | Sequence[ImageSource], max_error: int = 0, options: EncodeOptions | None = None
) -> list[SamplePicture]:
    """Return the pictures of a source, or of several, with all the bits and planes that it has.

    Args:
        source: as for `images_from`; arrays may also be bool (H, W), and uint8 or uint16 (H, W, C), tensors (C, H, W).
        max_error: the most by which samples will change.
        options: see `images_from`.

    Returns:
        Pillow images, and arrays (H, W, C) that no Pillow mode holds.

    Raises:
        UnsupportedImage, OSError, ValueError: see `images_from`.
    """
    return [
        upright_if_untold(picture, options or {}, keeps_colours=True) if isinstance(picture, Image.Image) else picture
        for picture in _pictures(source, max_error)
    ]


def seekable_source(source: Any) -> Any:
    """Return a source, or several, whose streams can seek: those that cannot, such as pipes, are read whole."""
    if isinstance(source, list | tuple):
        return [seekable_source(part) for part in source]
    return seekable(cast("BinaryIO", source)) if hasattr(source, "read") else source


def file_bytes_of(source: Any) -> int | None:
    """Return the size of the picture file that a source is; None if it is no file, or cannot be read."""
    return _found_in_file(source, end_of)


def is_nnc_source(source: Any) -> bool:
    """Return whether a source is an .nnc file, by its first bytes."""
    return _found_in_file(source, lambda stream: stream.read(len(MAGIC))) == MAGIC


def _found_in_file(source: Any, find: Callable[[BinaryIO], _T]) -> _T | None:
    """Return what a function finds in the file that a source is; a stream stays where it is."""
    try:
        if isinstance(source, str | os.PathLike):
            with path_of(source).open("rb") as stream:
                return find(stream)
        if isinstance(source, bytes | bytearray | memoryview):
            return find(stream_of(source))
        if not isinstance(source, Image.Image) and hasattr(source, "read") and hasattr(source, "seek"):
            place = source.tell()
            found = find(source)
            source.seek(place)
            return found
    except (OSError, ValueError):  # reading it will fail, with a message
        pass
    return None


def _pictures(source: Any, max_error: int | None) -> list[SamplePicture]:
    """Return pictures; if `max_error` is None, those that a codec takes, and files are converted."""
    if isinstance(source, Image.Image):
        return [source]
    if isinstance(source, str | os.PathLike):
        with path_of(source).open("rb") as stream:
            return _read(stream, max_error)
    if isinstance(source, bytes | bytearray | memoryview):
        return _read(stream_of(source), max_error)
    of_array = _of_array if max_error is None else _of_samples
    if isinstance(source, np.ndarray):
        if np.ma.is_masked(source):
            warn_of(["the mask of an array is not kept; its samples are"])
        return [of_array(source)]
    if _is_tensor(source):
        return [of_array(_samples_of_tensor(source, None if max_error is None else MAX_PLANES))]
    if isinstance(source, Sequence):
        return [picture for part in source for picture in _of_one(part, max_error)]
    if hasattr(source, "read"):
        return _read(cast("BinaryIO", source), max_error)
    raise UnsupportedImage(detail=f"{_EXPECTED}, got {type(source).__name__}")


def _of_one(source: Any, max_error: int | None) -> list[SamplePicture]:
    if isinstance(source, list | tuple):
        raise UnsupportedImage(detail=f"{_EXPECTED}, got {type(source).__name__} in a sequence")
    return _pictures(source, max_error)


def _read(stream: BinaryIO, max_error: int | None) -> list[SamplePicture]:
    if isinstance(stream, io.TextIOBase):
        raise UnsupportedImage(detail="the file is open as text; open it with mode 'rb'")
    try:
        picture = read_picture_file(
            stream, frame=None, max_pixels=DEFAULT_LIMITS.pixels, strip=False, max_error=max_error
        )
    except NncError:
        raise
    except Image.DecompressionBombError as error:
        raise UnsupportedImage(detail=f"the picture has more than {DEFAULT_LIMITS.pixels:,} pixels") from error
    except Exception as error:  # Pillow's decoders may raise anything
        if getattr(stream, "closed", False):
            raise
        raise UnsupportedImage(detail=describe(error)) from error
    warn_of(picture.notes)
    return [*picture.frames]


def _of_array(array: NDArray[Any]) -> Image.Image:
    if array.dtype != np.uint8:
        raise UnsupportedImage(
            detail=f"arrays hold uint8 samples, this one {array.dtype}; scale it to 0..255 and use astype('uint8')"
            + ("; lossless=True takes uint16 and bool" if array.dtype in (np.uint16, np.bool_) else "")
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in _PLANES):
        hint = "; pass list(array) for several frames" if array.ndim == 4 else ""
        hint += f"; lossless=True takes up to {MAX_PLANES} planes" if array.ndim == 3 else ""
        raise UnsupportedImage(detail=f"arrays have shape (H, W) or (H, W, 1 to 4), this one {array.shape}{hint}")
    if 0 in array.shape:
        raise UnsupportedImage(detail=f"cannot encode an empty array, shape {array.shape}")
    return Image.fromarray(np.ascontiguousarray(array))


def _of_samples(array: NDArray[Any]) -> SamplePicture:
    """Return an array as an image if a Pillow mode holds it, else as (H, W, C)."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype not in (np.uint8, np.uint16) and not (array.dtype == np.bool_ and array.ndim == 2):
        raise UnsupportedImage(
            detail=f"arrays hold uint8 or uint16 samples, or bool (H, W); this one {array.dtype}, shape {array.shape}"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3):
        hint = "; pass list(array) for several frames" if array.ndim == 4 else ""
        raise UnsupportedImage(detail=f"arrays have shape (H, W) or (H, W, planes), this one {array.shape}{hint}")
    if 0 in array.shape:
        raise UnsupportedImage(detail=f"cannot encode an empty array, shape {array.shape}")
    if array.ndim == 2 or (array.dtype == np.uint8 and array.shape[2] in _PLANES):
        return Image.fromarray(np.ascontiguousarray(array))
    return array


def _is_tensor(source: object) -> bool:
    """Return whether an object is a torch tensor; if torch is not imported, there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _samples_of_tensor(tensor: Any, most_planes: int | None) -> NDArray[Any]:
    if tensor.ndim != 3 or tensor.shape[0] not in (range(1, most_planes + 1) if most_planes else _PLANES):
        hint = "; pass list(tensor) for several frames" if tensor.ndim == 4 else ""
        raise UnsupportedImage(detail=f"tensors have shape (1 to 4, H, W), this one {tuple(tensor.shape)}{hint}")
    try:
        samples = tensor.detach().cpu().permute(1, 2, 0)  # (H, W, C)
        samples = (samples.float() if samples.is_floating_point() else samples).numpy()
    except (NotImplementedError, RuntimeError, TypeError) as error:  # it is quantized, sparse, or of device "meta"
        reason = f"pass its samples as a dense tensor or an array ({first_line(error)})"
        raise UnsupportedImage(detail=f"the tensor holds no samples that can be read; {reason}") from error
    if not tensor.is_floating_point():
        return np.asarray(samples)
    if samples.size and not (samples.min() >= -_TOLERANCE and samples.max() <= 1 + _TOLERANCE):
        raise UnsupportedImage(detail="tensors of floats hold samples from 0 to 1; this one exceeds that, or is NaN")
    return np.asarray(np.round(samples.clip(0, 1) * 255).astype(np.uint8))
