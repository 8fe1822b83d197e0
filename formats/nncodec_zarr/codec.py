"""A codec of Zarr format 3 that stores each chunk as an `.nnc` file, exactly, nearly so, or at a quality."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.codec import ArrayBytesCodec

from nncodec import InvalidOption, decode, decode_frames, encode, inspect
from nncodec._support.numbers import whole_number
from nncodec.coding.envelope import require_range
from nncodec.coding.request import check_request
from nncodec.format.samples import MAX_PLANES
from nncodec.limits import DEFAULT_LIMITS
from nncodec.picture.options import EncodeOptions

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME = "nncodec"
"""Of the codec, in metadata of arrays."""
_EXACT_TYPES = (np.dtype(np.uint8), np.dtype(np.uint16))
# A codec takes grey and RGB; two and four planes would be colour with alpha, and colour under alpha 0 is not kept.
_LOSSY_PLANES = (1, 3)
_ADVICE = "set planes=False if each (y, x) is a picture of its own, or move the axes by zarr.codecs.TransposeCodec"


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
        InvalidOption: an option is out of range, or `quality` and `max_error` are both given.
        ModelError: the model is not installed, or is of another kind.
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
        if not isinstance(self.planes, bool):
            raise InvalidOption(option="planes", reason=f"{self.planes!r} is not True or False")
        if self.quality is not None:
            require_range("quality", self.quality, 0, 100)
        options: EncodeOptions = {"effort": self.effort}
        if self.max_error is not None:
            options["max_error"] = self.max_error
        elif self.quality is None:
            options["lossless"] = True
        check_request(self.model, self.quality, None, None, None, options)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> NncCodec:
        """Return the codec of an array's metadata.

        Raises:
            InvalidOption: an option is unknown, as those of a later version are, or out of range.
        """
        given = data.get("configuration", {})
        if not isinstance(given, dict):
            raise InvalidOption(option="configuration", reason=f"expected an object, got {type(given).__name__}")
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                advice = "if a later version wrote the array, upgrade nncodec-image"
                raise InvalidOption(option=name, reason=f"the codec {NAME} has {', '.join(known)}; {advice}")
        # An array can be opened although its model is not installed; its chunks name those that they need.
        codec = cls(**{**given, "model": None})
        object.__setattr__(codec, "model", given.get("model"))
        return codec

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as metadata of an array: its name, and what differs from the default."""
        plain = NncCodec()
        given = {key: value for key, value in vars(self).items() if value != getattr(plain, key)}
        return {"name": NAME, **({"configuration": given} if given else {})}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Raise ValueError if an array cannot be stored; called when it is created or opened.

        Zarr does not say which filters chunks go through before. One may move the axes, so a chunk is refused only if
        it could be stored in no order of its axes; the others are told when they are written.
        """
        self._check(len(shape), dtype)
        chunk = getattr(chunk_grid, "chunk_shape", None)
        if chunk is None:  # another grid than the regular one
            return
        if self.planes and len(chunk) > 2 and not any(self._takes(planes) for planes in chunk):
            raise ValueError(f"{self._planes_taken()}, and {tuple(chunk)} has no such axis; set planes=False")
        most_planes = max((edge for edge in chunk if self.planes and self._takes(edge)), default=1)
        pixels = math.prod(chunk) // most_planes
        if pixels > DEFAULT_LIMITS.pixels:
            raise ValueError(
                f"readers refuse chunks of more than {DEFAULT_LIMITS.pixels} pixels, and one of {tuple(chunk)} has "
                f"{pixels}; make chunks smaller"
            )

    def evolve_from_array_spec(self, array_spec: ArraySpec) -> NncCodec:
        """Return the codec itself; raises ValueError as `validate` does, which Zarr does not call within shards."""
        self._check(len(array_spec.shape), array_spec.dtype)
        return self

    def _check(self, axes: int, dtype: Any) -> None:
        kind = dtype.to_native_dtype().newbyteorder("=")
        wanted = _EXACT_TYPES if self.quality is None else _EXACT_TYPES[:1]
        if kind not in wanted:
            names = " or ".join(map(str, wanted))
            raise ValueError(f"nncodec stores {names}{'' if self.quality is None else ' at a quality'}, not {kind}")
        if axes < 2:
            raise ValueError("nncodec stores pictures, which have two axes or more: (..., y, x)")
        top = np.iinfo(kind).max
        if (self.max_error or 0) > top:
            raise ValueError(f"max_error is {self.max_error}, and {kind} holds {top} at most; give no more than that")

    def _takes(self, planes: int) -> bool:
        return planes <= MAX_PLANES if self.quality is None else planes in _LOSSY_PLANES

    def _planes_taken(self) -> str:
        if self.quality is None:
            return f"chunks (..., planes, y, x) have {MAX_PLANES} planes at most"
        return "at a quality, chunks (..., planes, y, x) have one or three planes"

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
        if not self._takes(planes):
            raise ValueError(f"{self._planes_taken()}, not {planes}; {_ADVICE}")
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
