"""Find the rectangles of a block that equal an earlier place of it, by keys of squares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nncodec.plugin.lossless import Samples
from nncodec.plugin.squares import Keys, pixel_keys, seen_squares
from nncodec_lossless.copies import MOST_COPIES, Copies, Copy, stacked
from nncodec_lossless.repetition import is_drawn

# Edges of the squares that are looked for, one after another, in photographs and in drawings. Letters and thin lines
# repeat too, but the coder of drawings knows that.
_SQUARES, _DRAWN_SQUARES = (8, 4, 2), (32,)
# A small copy in which fewer pixels differ from the one to the left, and from the one above, is not worth its place in
# the table: flat parts of photographs recur by chance, and cost next to nothing.
_LEAST_CHANGES, _SMALL_PIXELS = 24, 128
# Share of the busy squares, or of the lines of more than one colour, that must have been seen before.
_LEAST_SHARE = 1 / 4
_MOST_EDGE = (1 << 16) - 1
_LINE_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def find(samples: Samples) -> Copies | None:
    """Return the copies in a block, uint16 (N, H, W, C), or None if there are few."""
    frame_rows = samples.shape[1]
    samples = stacked(samples)
    _, height, width, _ = samples.shape
    edges = _DRAWN_SQUARES if is_drawn(samples) else _SQUARES
    if min(height, width) < edges[0] or max(height, width) > _MOST_EDGE:
        return None
    keys = pixel_keys(samples)
    found = _equal_lines(keys)
    is_free = np.ones(keys.shape, bool)
    for copy in found:
        is_free[copy.place] = False
    for edge in edges:
        seen = seen_squares(keys, edge, edge)
        if edge == edges[0] and seen.share <= _LEAST_SHARE:
            break
        # Later squares fill what is left beside copies; elsewhere, so small ones recur by chance.
        places = seen.places if edge == edges[0] else seen.places[_beside(is_free, seen.places, edge)]
        for copy in _grown(keys, is_free, places, edge, frame_rows):
            is_free[copy.place] = False
            found.append(copy)
    if not found:
        return None
    copies = Copies(found[:MOST_COPIES], height, width)
    # Two squares may have one key by chance.
    return copies if np.array_equal(copies.filled(copies.without(samples)), samples) else None


def _equal_lines(keys: Keys) -> list[Copy]:
    """Return the rows, and then the columns, that equal an earlier one: mirrored pictures consist of them."""
    rows = _earlier_rows(keys)
    own = np.flatnonzero(rows < 0)
    columns = _earlier_rows(keys[own].T)
    bottom = int(own[-1]) + 1  # rows above it copy rows with equal columns, if they are not such rows themselves
    return [Copy(top, 0, count, keys.shape[1], source, 0) for top, count, source in _line_runs(rows)] + [
        Copy(0, left, bottom, count, 0, source) for left, count, source in _line_runs(columns)
    ]


def _line_runs(earlier: NDArray[np.intp]) -> Iterator[tuple[int, int, int]]:
    """Yield runs of lines that equal as many earlier ones in the same order: first line, number, first earlier one."""
    lines = np.flatnonzero(earlier >= 0)
    ends = np.flatnonzero((np.diff(lines) != 1) | (np.diff(earlier[lines]) != 1)) + 1
    for run in np.split(lines, ends) if len(lines) else []:
        yield int(run[0]), len(run), int(earlier[run[0]])


def _earlier_rows(keys: Keys) -> NDArray[np.intp]:
    """Return the last earlier row that each row equals, or -1; all -1 if few rows of more than one colour have one."""
    factors = _LINE_FACTOR ** np.arange(1, keys.shape[1] + 1, dtype=np.uint64)
    lines = (keys * factors).sum(axis=1, dtype=np.uint64)
    order = np.argsort(lines, kind="stable")
    earlier = np.full(len(lines), -1, np.intp)
    is_equal = lines[order[1:]] == lines[order[:-1]]
    earlier[order[1:][is_equal]] = order[:-1][is_equal]
    is_busy = (keys != keys[:, :1]).any(axis=1)
    if np.count_nonzero(is_busy & (earlier >= 0)) <= _LEAST_SHARE * np.count_nonzero(is_busy):
        earlier[:] = -1
    return earlier


def _beside(is_free: NDArray[np.bool_], places: NDArray[np.intp], edge: int) -> NDArray[np.bool_]:
    """Return whether squares of a grid touch what is not free."""
    taken = np.pad(~is_free, 1)
    beside = taken[1:-1, :-2] | taken[1:-1, 2:] | taken[:-2, 1:-1] | taken[2:, 1:-1]
    rows, columns = (size // edge for size in is_free.shape)
    squares = np.asarray(beside[: rows * edge, : columns * edge].reshape(rows, edge, columns, edge).any(axis=(1, 3)))
    return np.asarray(squares[places[:, 0] // edge, places[:, 1] // edge])


def _grown(
    keys: Keys, is_free: NDArray[np.bool_], places: NDArray[np.intp], edge: int, frame_rows: int
) -> Iterator[Copy]:
    """Yield a copy, as large as it can be, for each square that is still free; the caller marks what it takes."""
    for top, left, *earlier in places.tolist():
        square = Copy(top, left, edge, edge, *earlier[:2])
        if not is_free[square.place].all():
            continue
        # An early place may lie at the edge of the block, which cuts off what else is equal; the last one may be
        # another tile of the same frame, where all of the frame before is equal.
        choices = {square, square._replace(from_top=earlier[2], from_left=earlier[3])}
        before = square._replace(from_top=top - frame_rows, from_left=left)
        if before.from_top >= 0 and np.array_equal(
            keys[before.place], keys[before._replace(top=before.from_top).place]
        ):
            choices.add(before)
        largest = max((_largest(keys, is_free, choice) for choice in sorted(choices)), key=lambda copy: copy.pixels)
        if largest.pixels > _SMALL_PIXELS or _changes(keys[largest.place]) >= _LEAST_CHANGES:
            yield largest


def _largest(keys: Keys, is_free: NDArray[np.bool_], square: Copy) -> Copy:
    """Return the copy that a square is part of: it grows to the right, then down, to the left and up."""
    top, left, height, width, from_top, from_left = square
    bottom, right = top + height, left + width
    up, back = top - from_top, left - from_left

    def same(rows: slice, columns: slice) -> NDArray[np.bool_]:
        above, before = (slice(at.start - by, at.stop - by) for at, by in ((rows, up), (columns, back)))
        return np.asarray((keys[rows, columns] == keys[above, before]) & is_free[rows, columns])

    right += _run(same(slice(top, bottom), slice(right, keys.shape[1] + min(0, back))))
    bottom += _run(same(slice(bottom, keys.shape[0]), slice(left, right)).T)
    left -= _run(same(slice(top, bottom), slice(max(0, back), left))[:, ::-1])
    top -= _run(same(slice(up, top), slice(left, right))[::-1].T)
    return Copy(top, left, bottom - top, right - left, top - up, left - back)


def _changes(keys: Keys) -> int:
    """Return how many pixels differ from the one to the left, or from the one above if those are more."""
    return max(int(np.count_nonzero(np.diff(keys, axis=axis))) for axis in (0, 1))


def _run(flags: NDArray[np.bool_]) -> int:
    """Return how many columns are all true before the first that is not."""
    columns = np.asarray(flags.all(axis=0))
    return len(columns) if columns.all() else int(np.argmin(columns))
