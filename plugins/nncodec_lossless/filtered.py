"""The baseline: differences of neighbouring samples, then Zstandard; and samples as they are."""

from __future__ import annotations

import numpy as np
import zstandard
from numpy.typing import NDArray

from nncodec.errors import Corrupt
from nncodec.format.entropy.zstd import compress, decompress
from nncodec.plugin.lossless import Samples

# Axes of (N, H, W, C) along which neighbours are subtracted, for each number in a payload.
_AXES: tuple[tuple[int, ...], ...] = ((), (2,), (1,), (1, 2))
# Samples that show how well Zstandard's slow level does: it takes two seconds for a megapixel.
_SAMPLED = 1 << 16


def encode(samples: Samples, bits: int) -> bytes:
    """Return the payload of a block: the number of the filter, then a Zstandard frame.

    Args:
        samples: uint16 (N, H, W, C), no axis empty.
        bits: of each sample, 1..16.
    """
    values = samples.astype(_sample_type(bits))
    found = [_differences(values, axes) for axes in _AXES]
    number = min(range(len(_AXES)), key=lambda number: _spread(found[number]))
    return min((bytes([one]) + compress(_split(found[one])) for one in sorted({0, number})), key=len)


def estimate_bytes(samples: Samples, bits: int) -> int:
    """Return about the length of `encode`'s payload, in a fraction of its time."""
    values = samples.astype(_sample_type(bits))
    return min(len(zstandard.compress(_split(_differences(values, axes)), 1)) for axes in (_AXES[0], _AXES[-1]))


def sampled_bytes(samples: Samples, bits: int) -> float:
    """Return about the length of `encode`'s payload, from some rows in the middle; 0 for a block that is no larger."""
    count, rows, columns, planes = samples.shape
    taken: int = max(1, _SAMPLED // (count * columns * planes))
    if taken >= rows:
        return 0
    first = (rows - taken) // 2
    return float(len(encode(samples[:, first : first + taken], bits)) * rows / taken)


def decode(payload: bytes, shape: tuple[int, int, int, int], bits: int) -> Samples:
    """Return the samples of a payload.

    Raises:
        ValueError: the payload is damaged.
    """
    kind = _sample_type(bits)
    if not payload or payload[0] >= len(_AXES):
        raise ValueError("a filtered block names no filter")
    try:
        content = decompress(payload[1:], int(np.prod(shape)) * kind.itemsize, exact=True)
    except Corrupt as error:
        raise ValueError(str(error)) from error
    values = _joined(content, shape, kind)
    for axis in _AXES[payload[0]]:
        values = np.cumsum(values, axis=axis, dtype=kind)
    return _bounded(values, bits)


def encode_raw(samples: Samples, bits: int) -> bytes:
    """Return samples as they are, packed without gaps."""
    if bits in (8, 16):
        return samples.astype(_sample_type(bits)).tobytes()
    digits = (samples.reshape(-1, 1) >> np.arange(bits, dtype=np.uint16)) & 1
    return np.packbits(digits.astype(np.uint8)).tobytes()


def decode_raw(payload: bytes, shape: tuple[int, int, int, int], bits: int) -> Samples:
    """Return the samples of `encode_raw`.

    Raises:
        ValueError: the payload has another length.
    """
    count = int(np.prod(shape))
    if len(payload) != (count * bits + 7) // 8:
        raise ValueError(f"a block of plain samples has {len(payload)} bytes, not {(count * bits + 7) // 8}")
    if bits in (8, 16):
        return np.frombuffer(payload, _sample_type(bits)).reshape(shape).astype(np.uint16)
    digits = np.unpackbits(np.frombuffer(payload, np.uint8), count=count * bits).reshape(count, bits)
    samples = np.zeros(count, np.uint16)
    for bit in range(bits):
        samples |= digits[:, bit].astype(np.uint16) << bit
    return samples.reshape(shape)


def _sample_type(bits: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("u1" if bits <= 8 else "<u2")


def _differences(values: NDArray[np.unsignedinteger], axes: tuple[int, ...]) -> NDArray[np.unsignedinteger]:
    """Return differences along some axes, modulo the type's range."""
    for axis in axes:
        values = np.diff(values, axis=axis, prepend=values.dtype.type(0))
    return values


def _spread(values: NDArray[np.unsignedinteger]) -> float:
    """Return the mean distance from 0, where large numbers are small negative ones."""
    return float(np.abs(values.view(f"i{values.itemsize}").astype(np.int32)).mean())


def _split(values: NDArray[np.unsignedinteger]) -> bytes:
    """Return planes one after another, low and high bytes apart."""
    planes = np.ascontiguousarray(np.moveaxis(values, 3, 0))
    return np.moveaxis(planes.view(np.uint8).reshape(*planes.shape, values.itemsize), 4, 0).tobytes()


def _joined(
    content: bytes, shape: tuple[int, int, int, int], kind: np.dtype[np.unsignedinteger]
) -> NDArray[np.unsignedinteger]:
    count, height, width, depth = shape
    digits = np.frombuffer(content, np.uint8).reshape(kind.itemsize, depth, count, height, width)
    planes = np.ascontiguousarray(np.moveaxis(digits, 0, 4)).view(kind)[..., 0]
    return np.moveaxis(planes, 0, 3)


def _bounded(values: NDArray[np.unsignedinteger], bits: int) -> Samples:
    samples = values.astype(np.uint16)
    if int(samples.max()) >> bits:
        raise ValueError(f"a filtered block has a sample of more than {bits} bits")
    return samples
