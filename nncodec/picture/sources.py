"""Images from whatever `encode` takes: Pillow images, picture files, NumPy arrays and torch tensors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nncodec._support.notes import warn_of
from nncodec._support.text import describe
from nncodec.errors import NncError, UnsupportedImage
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.reading import read_picture_file

if TYPE_CHECKING:
    from torch import Tensor

    ImageSource = (
        Image.Image | str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[np.uint8] | Tensor
    )
    """A picture, or a picture file that may hold several frames; see `images_from`."""

_PLANES = (1, 2, 3, 4)
_EXPECTED = "expected a Pillow image, the path or the bytes of a picture file, a NumPy array or a torch tensor"
# Sums of floats exceed 1 by rounding.
_TOLERANCE = 1e-3


def images_from(source: ImageSource | Sequence[ImageSource]) -> list[Image.Image]:
    """Return the images of a source, or of several.

    Args:
        source: a Pillow image; the path or the bytes of a picture file, or a binary stream of one, which is read as the
            command line reads it, with all frames; an array, uint8 (H, W) or (H, W, 1 to 4); a tensor, uint8 or
            float from 0 to 1, (1 to 4, H, W). Two planes are grey and alpha, four colour and alpha.

    Returns:
        Pillow images; what could not be kept of a file is told in `NncWarning`s.

    Raises:
        UnsupportedImage: the source is something else, or the file cannot be read as a picture.
        OSError: the path cannot be opened.
        ValueError: the stream is closed.
    """
    if isinstance(source, Image.Image):
        return [source]
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as stream:
            return _read(stream)
    if isinstance(source, bytes | bytearray | memoryview):
        return _read(io.BytesIO(source))
    if isinstance(source, np.ndarray):
        return [_of_array(source)]
    if _is_tensor(source):
        return [_of_tensor(source)]
    if isinstance(source, Sequence):
        return [image for part in source for image in _of_one(part)]
    if hasattr(source, "read"):
        return _read(cast("BinaryIO", source))
    raise UnsupportedImage(detail=f"{_EXPECTED}, got {type(source).__name__}")


def _of_one(source: Any) -> list[Image.Image]:
    if isinstance(source, list | tuple):
        raise UnsupportedImage(detail=f"{_EXPECTED}, got {type(source).__name__} in a sequence")
    return images_from(source)


def _read(stream: BinaryIO) -> list[Image.Image]:
    try:
        picture = read_picture_file(stream, frame=None, max_pixels=DEFAULT_LIMITS.pixels, strip=False)
    except NncError:
        raise
    except Image.DecompressionBombError as error:
        raise UnsupportedImage(detail=f"the picture has more than {DEFAULT_LIMITS.pixels:,} pixels") from error
    except Exception as error:  # Pillow's decoders may raise anything
        if getattr(stream, "closed", False):
            raise
        raise UnsupportedImage(detail=describe(error)) from error
    warn_of(picture.notes)
    return picture.frames


def _of_array(array: NDArray[Any]) -> Image.Image:
    if array.dtype != np.uint8:
        raise UnsupportedImage(
            detail=f"arrays hold uint8 samples, this one {array.dtype}; scale it to 0..255 and use astype('uint8')"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in _PLANES):
        hint = "; pass list(array) for several frames" if array.ndim == 4 else ""
        raise UnsupportedImage(detail=f"arrays have shape (H, W) or (H, W, 1 to 4), this one {array.shape}{hint}")
    if 0 in array.shape:
        raise UnsupportedImage(detail=f"cannot encode an empty array, shape {array.shape}")
    return Image.fromarray(np.ascontiguousarray(array))


def _is_tensor(source: object) -> bool:
    """Return whether an object is a torch tensor; if torch is not imported, there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _of_tensor(tensor: Any) -> Image.Image:
    if tensor.ndim != 3 or tensor.shape[0] not in _PLANES:
        hint = "; pass list(tensor) for several frames" if tensor.ndim == 4 else ""
        raise UnsupportedImage(detail=f"tensors have shape (1 to 4, H, W), this one {tuple(tensor.shape)}{hint}")
    samples = tensor.detach().cpu().permute(1, 2, 0)  # (H, W, C)
    if samples.is_floating_point():
        levels = samples.float().numpy()
        if levels.size and not (levels.min() >= -_TOLERANCE and levels.max() <= 1 + _TOLERANCE):
            raise UnsupportedImage(
                detail="tensors of floats hold samples from 0 to 1; this one exceeds that, or is NaN"
            )
        return _of_array(np.round(levels.clip(0, 1) * 255).astype(np.uint8))
    return _of_array(samples.numpy())
