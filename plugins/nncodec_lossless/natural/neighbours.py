"""Which places a stage sees, and copying what stands there.

A grid splits into four phases of a 2 x 2 square. A place is (phase, row, column) in the arrays of the phases, relative
to the coded sample. Places are listed in the order of the networks' inputs.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # what a network sees is known without torch
    from torch import Tensor

# Row and column of each phase in its square.
PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
# Planes before the coded one that it sees.
EARLIER = 2
# Rows and columns that stand around the arrays of the phases.
PAD = 2
# How many times the pixels of a block its phases may hold with their edges, unless they are few.
_MOST_PADDED, _FREE_PADDING = 4, 1 << 22

Place = tuple[int, int, int]
Places = tuple[Place, ...]
Part = tuple[slice, slice, slice]
"""Some frames, rows and columns of the samples of a phase; all have a start."""
# Neighbours of phases 1, 2 and 3; the nearest four come first.
_NEIGHBOURS: tuple[Places, ...] = (
    (
        *((0, y, x) for y in (0, 1) for x in (0, 1)),
        *((0, y, x) for y in (-1, 0, 1, 2) for x in (-1, 0, 1, 2) if not (y in (0, 1) and x in (0, 1))),
    ),
    (
        *((0, 0, 0), (0, 0, 1), (1, -1, 0), (1, 0, 0)),
        *((0, -1, 0), (0, -1, 1), (0, 1, 0), (0, 1, 1)),
        *((1, -1, -1), (1, -1, 1), (1, 0, -1), (1, 0, 1)),
        *((0, 0, -1), (0, 0, 2), (1, -2, 0), (1, 1, 0)),
    ),
    (
        *((0, 0, 0), (0, 1, 0), (1, 0, -1), (1, 0, 0)),
        *((2, 0, -1), (2, 0, 0), (2, 1, -1), (2, 1, 0)),
        *((0, 0, -1), (0, 0, 1), (0, 1, -1), (0, 1, 1)),
        *((1, -1, -1), (1, -1, 0), (1, 1, -1), (1, 1, 0)),
        *((0, -1, 0), (0, 2, 0), (1, 0, -2), (1, 0, 1)),
    ),
)
# Of an earlier plane: the sample at the same place, the first eight neighbours, and those that its own phase lacks.
_SHARED = 8
_LATER: tuple[Places, ...] = (
    ((2, 0, 0), (2, 1, 0), (3, 0, 0), (3, 0, 1)),
    ((3, -1, 0), (3, -1, 1), (3, 0, 0), (3, 0, 1)),
    (),
)
# Where the errors of earlier means are looked up.
_ERRORS: tuple[Places, ...] = (
    ((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)),
    ((1, -1, 0), (1, 0, 0), (0, 0, 0), (0, 0, 1)),
    ((1, 0, -1), (1, 0, 0), (2, 0, 0), (2, 1, 0)),
)


class Seen(NamedTuple):
    """The places that a phase sees.

    Args:
        own: in its own plane; the nearest four come first.
        earlier: in an earlier plane, whose phases are all known; the place itself comes first, then the nearest four.
        errors: where errors of means are looked up in its own plane.
    """

    own: Places
    earlier: Places
    errors: Places


@cache
def seen_by(phase: int) -> Seen:
    """Return the places that phase 1, 2 or 3 sees."""
    own = _NEIGHBOURS[phase - 1]
    return Seen(own, ((phase, 0, 0), *own[:_SHARED], *_LATER[phase - 1]), _ERRORS[phase - 1])


def feature_count(plane: int, phase: int) -> int:
    """Return the number of inputs of a network; planes beyond the third are like the third."""
    seen, planes = seen_by(phase), min(plane, EARLIER)
    return len(seen.own) + len(seen.errors) + 1 + planes * (len(seen.earlier) + 1) + (1 if planes else 0)


def suits(shape: tuple[int, ...]) -> bool:
    """Return whether blocks (N, H, W, C) of a shape are coded this way: not if edges that are repeated cost too much.

    That is so in large stacks of tiny pictures and in pictures of a few rows or columns.
    """
    count, height, width, _ = shape
    padded = count * len(PHASES) * ((height + 1) // 2 + 2 * PAD) * ((width + 1) // 2 + 2 * PAD)
    return padded <= max(_FREE_PADDING, _MOST_PADDED * count * height * width)


def gather(phases: Tensor, places: Places, part: Part, target: Tensor) -> None:
    """Copy what stands at some places around each sample of a part.

    Args:
        phases: arrays of the phases, (planes, phases, N, h + 2 PAD, w + 2 PAD).
        places: relative to the sample.
        part: of the samples.
        target: (planes, places, frames, rows, columns).
    """
    plane, phase, frame, row, column = phases.stride()
    planes, area = phases.shape[0], target.shape[2:]
    frames, rows, columns = part
    origin = phases.storage_offset() + frames.start * frame + (PAD + rows.start) * row + (PAD + columns.start) * column
    done = 0
    for first, shape, steps in _lattices(places):
        # One strided copy instead of one for each place, which would take three times as long.
        source = phases.as_strided(
            (planes, *shape, *area),
            (plane, steps[0] * row, steps[1] * column, frame, row, column),
            origin + first[0] * phase + first[1] * row + first[2] * column,
        )
        count = shape[0] * shape[1]
        target[:, done : done + count].view(source.shape).copy_(source)
        done += count


class _Lattice(NamedTuple):
    """Places of one phase, row after row, at equal distances: the first, rows and columns, and their steps."""

    first: Place
    shape: tuple[int, int]
    steps: tuple[int, int]


@cache
def _lattices(places: Places) -> tuple[_Lattice, ...]:
    """Return lattices that are together these places in their order, the largest first."""
    found = []
    while places:
        lattice = next(one for count in range(len(places), 0, -1) if (one := _lattice(places[:count])))
        found.append(lattice)
        places = places[lattice.shape[0] * lattice.shape[1] :]
    return tuple(found)


def _lattice(places: Places) -> _Lattice | None:
    phase, top, left = places[0]
    rows, columns = (sorted({place[axis] for place in places}) for axis in (1, 2))
    steps = [values[1] - values[0] if len(values) > 1 else 1 for values in (rows, columns)]
    made = tuple(
        (phase, top + steps[0] * y, left + steps[1] * x) for y in range(len(rows)) for x in range(len(columns))
    )
    return _Lattice(places[0], (len(rows), len(columns)), (steps[0], steps[1])) if made == places else None
