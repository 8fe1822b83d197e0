"""Roughly how many bytes a picture takes without loss, in a fraction of the time that it takes to encode it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from nncodec.picture.area import Area, Span
from nncodec.picture.samples import SampleStack
from nncodec.plugin.lossless import Samples
from nncodec.plugin.squares import pixel_keys, seen_squares

# What is estimated from: strips of rows, up to so many.
_STRIPS, _STRIP_ROWS, _STRIP_COLUMNS = 8, 32, 1024
# A strip of more colours is no drawing.
_MOST_COLOURS = 256
# Every 29th pixel of a photograph shows that there are more.
_SAMPLED = 29
# By estimate, photographs take 1.6 times as much exactly as with errors up to 2, or more.
_ALIKE = 1.6
# Pixels of a row that are looked for in the other rows of all strips, and the share of them that shows a pattern.
_RUN, _PATTERN_SHARE = 16, 1 / 8
# Squares that are then looked for in an area of so many rows and columns.
_SQUARE, _AREA_EDGE = 8, 1024
# So few are coded twice in no time.
_FEW_SAMPLES = 1 << 14
# What a model spends to learn of a colour that it can follow another.
_BITS_A_PAIR = 6


def estimated_bytes(stack: SampleStack, most: float = math.inf) -> float:
    """Return roughly how many bytes a picture takes without loss, from a sample of it; a model takes fewer.

    A strip costs what Zstandard makes of its samples, of their differences from the left, or of those from above, too,
    or what few colours cost as numbers, whichever is least. Enlarged drawings cost what they did before, and patterns
    what they show for the first time.

    Args:
        stack: the picture.
        most: an estimate that exceeds this may be any number that does.
    """
    strips = list(_strips(stack))
    width, height = stack.size
    share = sum(area.pixels for _, area in strips) / (len(stack.pictures) * width * height * _new_share(stack))
    estimate: float = 0
    for frame, area in strips:
        samples = _without_repeats(stack.window(frame, area))
        from_left = _differences(samples, 2)
        simple = map(_zstd_bytes, (samples, from_left, _differences(from_left, 1)))
        estimate += min(*simple, _colour_bytes(samples)) / share
        if estimate > most:
            break
    return estimate


def may_be_smaller(exact: SampleStack, coarse: SampleStack) -> bool:
    """Return whether an exact file may well be as small as one of the same pictures with errors.

    Errors blur what repeats and what follows from its neighbours: gradients and drawings take up to twice as much with
    them.
    """
    if exact.samples <= _FEW_SAMPLES or is_drawn(exact):
        return True
    return estimated_bytes(exact) <= _ALIKE * estimated_bytes(coarse)


def is_drawn(stack: SampleStack) -> bool:
    """Return whether most pixels equal the one to the left, as in drawings, plots and pages, smooth edges or not."""
    return flat_share(stack) > 1 / 2


def flat_share(stack: SampleStack) -> float:
    """Return the share of pixels that equal the one to the left."""
    if stack.size[0] < 2:
        return 0.0
    equal = [(np.diff(stack.window(frame, area), axis=2) == 0).all(axis=3).ravel() for frame, area in _strips(stack)]
    return float(np.concatenate(equal).mean())


def fine_contrast(stack: SampleStack) -> float:
    """Return how much pixels differ from both neighbours, in squared levels; about 0 for anything that is smooth.

    It is the sum, over both directions, of the mean square of second differences: 520,200 for a checkerboard of single
    black and white pixels, a few hundred for most photographs, and more for the sharpest ones.
    """
    sums = np.zeros(2)
    for frame, area in _strips(stack):
        samples = stack.window(frame, area).astype(np.int32)
        for axis in (1, 2):
            if samples.shape[axis] > 2:
                sums[axis - 1] += np.square(np.diff(samples, 2, axis)).mean() * area.pixels
    return float(sums.sum()) / sum(area.pixels for _, area in _strips(stack))


def _new_share(stack: SampleStack) -> float:
    """Return the share of busy squares that are not seen before nearby, above 0; 1 if a few rows show no pattern.

    So photographs are not searched.
    """
    width, height = stack.size
    if min(width, height) < _RUN:
        return 1.0
    rows = np.concatenate([stack.window(frame, area)[:, ::_SQUARE] for frame, area in _strips(stack)], axis=1)
    if seen_squares(pixel_keys(rows), 1, _RUN).share < _PATTERN_SHARE or is_drawn(stack):
        return 1.0
    area = Area(*(Span(0, min(edge, _AREA_EDGE)) for edge in (height, width)))
    seen = seen_squares(pixel_keys(stack.window(Span(0, 1), area)), _SQUARE, _SQUARE)
    return max(1 - seen.share, 1 / max(1, seen.busy))


def _without_repeats(samples: Samples) -> Samples:
    """Return a strip without the rows and columns that equal the one before, if those hold half of its pixels."""
    rows, columns = (
        np.concatenate([[True], (lines[1:] != lines[:-1]).any(axis=(1, 2, 3))])
        for lines in (samples.swapaxes(0, 1), samples.transpose(2, 0, 1, 3))
    )
    return samples[:, rows][:, :, columns] if rows.mean() * columns.mean() <= 1 / 2 else samples


def _differences(samples: Samples, axis: int) -> Samples:
    return np.diff(samples, axis=axis, prepend=samples.dtype.type(0))


def _strips(stack: SampleStack) -> Iterator[tuple[Span, Area]]:
    width, height = stack.size
    count = min(_STRIPS, math.ceil(height / _STRIP_ROWS) * len(stack.pictures))
    for number in range(count):
        place = (2 * number + 1) / (2 * count)
        frame = int(place * len(stack.pictures))
        top = int((place * len(stack.pictures) - frame) * max(0, height - _STRIP_ROWS))
        left = int((number * 0.618) % 1 * max(0, width - _STRIP_COLUMNS))
        rows, columns = Span(top, min(height, top + _STRIP_ROWS)), Span(left, min(width, left + _STRIP_COLUMNS))
        yield Span(frame, frame + 1), Area(rows, columns)


def _zstd_bytes(samples: NDArray[Any]) -> int:
    planar = np.ascontiguousarray(samples.transpose(0, 3, 1, 2))
    return len(zstandard.ZstdCompressor(level=1).compress(planar.astype(np.uint8).tobytes()))


def _colour_bytes(samples: Samples) -> float:
    """Return what Zstandard makes of the numbers of few colours, or their entropy under the one to the left or above.

    Thin lines and dithers, in which nothing repeats along a row, have a tenth of the entropy that Zstandard sees.

    Returns:
        Bytes, infinitely many for many colours.
    """
    if _colours(samples.reshape(1, 1, -1, samples.shape[3])[:, :, ::_SAMPLED]).max() >= _MOST_COLOURS:
        return math.inf  # a photograph, for nearly no time
    colours = _colours(samples)
    count = int(colours.max()) + 1
    if count > _MOST_COLOURS:
        return math.inf
    before = [np.pad(colours, edge)[:, : colours.shape[1], : colours.shape[2]] for edge in _BEFORE]
    entropy_bits = min(_conditional_bits(colours, context, count) for context in before)
    return min(entropy_bits / 8, _zstd_bytes(colours[..., None]))


_BEFORE = (((0, 0), (0, 0), (1, 0)), ((0, 0), (1, 0), (0, 0)))


def _colours(samples: Samples) -> NDArray[np.intp]:
    """Return the number of each pixel's colour, (N, H, W)."""
    keys = np.zeros(samples.shape[:3], np.int64)
    for plane in np.moveaxis(samples, 3, 0):
        keys = keys << 8 | plane
    if samples.shape[3] > 1:
        return np.unique(keys, return_inverse=True)[1].reshape(keys.shape)
    return (np.cumsum(np.bincount(keys.ravel()) > 0) - 1)[keys]


def _conditional_bits(values: NDArray[np.intp], contexts: NDArray[np.intp], count: int) -> float:
    """Return the empirical entropy of values below `count` under contexts below it, and what learning it takes."""
    pairs = np.bincount((contexts * count + values).ravel(), minlength=count * count).reshape(count, count)
    seen, sums = pairs[pairs > 0], pairs.sum(1)
    sums = sums[sums > 0]
    return float(sums @ np.log2(sums) - seen @ np.log2(seen)) + _BITS_A_PAIR * seen.size
