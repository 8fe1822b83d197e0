"""A codec of Zarr format 3 that stores each chunk as an `.nnc` file, exactly, nearly so, or at a quality."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.codec import ArrayBytesCodec

from nncodec import InvalidOption, decode, decode_frames, encode, inspect
from nncodec._support.numbers import whole_number

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME = "nncodec"
"""Of the codec, in metadata of arrays."""
_EXACT_TYPES = (np.dtype(np.uint8), np.dtype(np.uint16))
# A codec takes grey and RGB; two and four planes would be colour with alpha, and colour under alpha 0 is not kept.
_LOSSY_PLANES = (1, 3)


@dataclass(frozen=True)
class NncCodec(ArrayBytesCodec):
    """Stores chunks (..., y, x) of uint8 or uint16.

    Args:
        quality: 0 to 100 for uint8 of one or three planes; None stores chunks exactly.
        max_error: instead of a quality: the most by which a sample may change. By default no sample changes.
        model: name or alias of an installed model; by default the default one of its kind.
        effort: 0 to 9; higher is smaller and slower.
        planes: whether the third axis from the end holds the planes of a picture, which are coded together, as in
            (c, y, x); at most 32. Otherwise, and for all axes before it, each (y, x) is a picture of its own.

    Raises:
        InvalidOption: `quality` and `max_error` are both given.
    """

    is_fixed_size = False

    quality: int | None = None
    max_error: int | None = None
    model: str | None = None
    effort: int = 0
    planes: bool = True

    def __post_init__(self) -> None:
        if self.quality is not None and self.max_error is not None:
            raise InvalidOption(option="max_error", reason="it and 'quality' are both given; choose one")
        for name in ("quality", "max_error", "effort"):  # NumPy's numbers have no JSON
            if (number := whole_number(getattr(self, name))) is not None:
                object.__setattr__(self, name, number)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NncCodec:
        """Return the codec of an array's metadata."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as metadata of an array: its name, and what differs from the default."""
        plain = NncCodec()
        given = {key: value for key, value in vars(self).items() if value != getattr(plain, key)}
        return {"name": NAME, **({"configuration": given} if given else {})}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Raise ValueError if an array cannot be stored; called when it is created or opened."""
        kind = dtype.to_native_dtype().newbyteorder("=")
        wanted = _EXACT_TYPES if self.quality is None else _EXACT_TYPES[:1]
        if kind not in wanted:
            names = " or ".join(map(str, wanted))
            raise ValueError(f"nncodec stores {names}{'' if self.quality is None else ' at a quality'}, not {kind}")
        if len(shape) < 2:
            raise ValueError("nncodec stores pictures, which have two axes or more: (..., y, x)")

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Raise NotImplementedError: the size of a file depends on the picture."""
        raise NotImplementedError

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        data = await asyncio.to_thread(self.encoded, chunk_array.as_numpy_array())
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        kind = chunk_spec.dtype.to_native_dtype()
        array = await asyncio.to_thread(self.decoded, chunk_bytes.to_bytes(), chunk_spec.shape, kind)
        return chunk_spec.prototype.nd_buffer.from_numpy_array(array)

    def encoded(self, chunk: NDArray[Any]) -> bytes:
        """Return a chunk as a file.

        Raises:
            ValueError: it has a number of planes that is not stored.
            NncError: see `nncodec.encode`.
        """
        frames, height, width, planes = self._extents(chunk.shape)
        if self.quality is not None and planes not in _LOSSY_PLANES:
            raise ValueError(f"at a quality, chunks have one or three planes, not {planes}; set planes=False")
        stack = chunk.astype(chunk.dtype.newbyteorder("="), copy=False).reshape(frames, planes, height, width)
        pictures = list(stack.transpose(0, 2, 3, 1))  # (H, W, C) each
        if self.quality is not None:
            return encode(pictures, self.model, self.quality, effort=self.effort)
        max_error = 0 if self.max_error is None else self.max_error
        return encode(pictures, self.model, max_error=max_error, effort=self.effort)

    def decoded(self, data: bytes, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
        """Return the chunk of a file.

        Raises:
            ValueError: the file holds something else than a chunk of this shape.
            NncError: see `nncodec.decode`.
        """
        frames, height, width, planes = self._extents(shape)
        info = inspect(data)
        if (info.frames, info.height, info.width, info.planes) != (frames, height, width, planes):
            raise ValueError(
                f"the chunk holds {info.frames} pictures of {info.width} x {info.height} pixels and {info.planes} "
                f"planes instead of {frames} of {width} x {height} and {planes}"
            )
        if info.mode == "planes":
            parts = [decode(data, frame=number, as_array=True) for number in range(frames)]
        else:  # frames are coded in groups, and each group is decoded once
            parts = [np.asarray(image) for image in decode_frames(data)]
        stack = np.stack(parts).reshape(frames, height, width, planes)
        return np.ascontiguousarray(stack.transpose(0, 3, 1, 2).reshape(shape), kind)

    def _extents(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return frames, height, width and planes of a chunk."""
        *leading, height, width = shape
        planes = leading.pop() if self.planes and leading else 1
        return math.prod(leading), height, width, planes
