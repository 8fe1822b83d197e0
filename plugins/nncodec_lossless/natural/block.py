"""Codes a block with the networks: a byte for the colour transform, then all samples range coded, coarse to fine."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from nncodec.errors import Corrupt
from nncodec.format.entropy.base import Alphabet, StageSymbols
from nncodec.format.entropy.rans import RansCoder
from nncodec.nn.threads import Team
from nncodec.plugin.latents import IntArray
from nncodec.plugin.lossless import Samples
from nncodec_lossless.natural import colour, density
from nncodec_lossless.natural.grids import MEAN_STEPS, Grid, sizes
from nncodec_lossless.natural.neighbours import PHASES, Part, suits
from nncodec_lossless.natural.network import Density, Networks

# Places whose features fit the cache of a core together.
_PLACES_AT_ONCE = 17 << 10
# Fewer would take longer to hand over than to compute.
_LEAST_PLACES = 1 << 11
# Samples of a plane that are worth starting a thread; threads beyond so many wait for the range coder.
_WORTH_A_THREAD = 1 << 13
_MOST_THREADS = 4
# Symbols beyond this decode to samples out of range anyway.
_FARTHEST = 1 << 18


def encode(networks: Networks, samples: Samples, bits: int) -> bytes:
    """Return the payload of a block of a shape that this suits.

    Args:
        networks: exact.
        samples: uint16 (N, H, W, C), no axis empty.
        bits: of each sample, 1..16.
    """
    planes = [plane.astype(np.int32) for plane in np.moveaxis(samples, 3, 0)]
    transform = colour.choose(planes)
    coded = colour.forward(planes, transform)
    writer = _Writer()
    _code(networks, coded, colour.limits(len(coded), bits, transform), writer)
    return bytes([transform]) + writer.finish()


def decode(networks: Networks, payload: bytes, shape: tuple[int, int, int, int], bits: int) -> Samples:
    """Return the samples of a payload.

    Raises:
        ValueError: the payload is damaged.
    """
    count, height, width, depth = shape
    if not suits(shape):
        raise ValueError("a natural block has too many edges for its size")
    if not payload or payload[0] >= len(colour.Transform):
        raise ValueError("a natural block names no colour transform")
    transform = colour.Transform(payload[0])
    if transform is not colour.Transform.NONE and depth != 3:
        raise ValueError(f"a natural block has a colour transform, but {depth} planes")
    unknown = [np.broadcast_to(np.int32(0), (count, height, width))] * depth
    try:
        reader = _Reader(payload[1:])
        planes = _code(networks, unknown, colour.limits(depth, bits, transform), reader)
        reader.finish()
    except Corrupt as error:
        raise ValueError(str(error)) from error
    restored = colour.inverse(planes, transform)
    top = (1 << bits) - 1
    return np.stack([np.clip(plane, 0, top).astype(np.uint16) for plane in restored], axis=3)


class _Direction(Protocol):
    """Coding symbols: a writer takes them, a reader ignores what it is given and returns what it reads."""

    def code(self, symbols: IntArray, tables: NDArray[np.int16]) -> IntArray: ...


class _Writer:
    def __init__(self) -> None:
        self._stages: list[StageSymbols] = []

    def code(self, symbols: IntArray, tables: NDArray[np.int16]) -> IntArray:
        self._stages.append(StageSymbols(symbols, tables))
        return symbols

    def finish(self) -> bytes:
        return RansCoder().encode(self._stages, _alphabet())


class _Reader:
    def __init__(self, payload: bytes) -> None:
        self._reader = RansCoder().reader(payload, _alphabet())

    def code(self, symbols: IntArray, tables: NDArray[np.int16]) -> IntArray:
        return self._reader.take(tables)

    def finish(self) -> None:
        self._reader.finish()


def _alphabet() -> Alphabet:
    return Alphabet(density.tables(), 0, 0, 0)


def _code(
    networks: Networks, planes: colour.Planes, ranges: list[tuple[int, int]], direction: _Direction
) -> colour.Planes:
    """Code planes, int32 (N, H, W) each, and return them; a reader ignores what they hold."""
    with Team(min(_MOST_THREADS, planes[0].size // _WORTH_A_THREAD)) as team:
        return team.run(lambda: _code_grids(team, networks, planes, ranges, direction))


def _code_grids(
    team: Team, networks: Networks, planes: colour.Planes, ranges: list[tuple[int, int]], direction: _Direction
) -> colour.Planes:
    grids = sizes(*planes[0].shape[1:])
    step = 1 << (len(grids) - 1)
    ends = []
    for plane, (low, high) in zip(planes, ranges, strict=True):
        part = plane[:, ::step, ::step]
        digits = _code_uniform(part.ravel() - low, (high - low).bit_length(), direction)
        ends.append(np.clip(digits + low, low, high).reshape(part.shape))
    coarse, errors = torch.from_numpy(np.stack(ends).astype(np.float32)), None
    for size in grids[1:]:
        step //= 2
        grid = Grid(coarse, errors, size)
        for number, plane in enumerate(planes):
            for phase in range(1, len(PHASES)):
                _code_phase(team, networks, grid, number, phase, plane[:, ::step, ::step], ranges[number], direction)
        coarse, errors = grid.joined()
    return list(coarse.to(torch.int32).numpy())


def _code_phase(
    team: Team,
    networks: Networks,
    grid: Grid,
    number: int,
    phase: int,
    plane: NDArray[np.int32],
    limits: tuple[int, int],
    direction: _Direction,
) -> None:
    top, left = PHASES[phase]
    part = plane[:, top::2, left::2]
    if not part.size:
        grid.add(number, phase, torch.empty(part.shape), torch.empty(part.shape))
        return
    network = networks.of(number, phase)
    fields: list[NDArray[Any]] = [np.empty(part.shape, kind) for kind in (np.int32, np.int16, np.int16)]
    plan = _Plan(*fields)

    def plan_some(few: Part) -> None:
        found = _plan(network(grid.view(number, phase, few)), limits, part[few].shape)
        for field, values in zip(fields, found, strict=True):
            field[few] = values

    team.each(plan_some, _parts(part.shape, team.size))
    coded = np.minimum(np.maximum(_code_values(part, plan, direction), limits[0]), limits[1])
    distance = np.abs(coded * MEAN_STEPS - plan.mean)
    grid.add(number, phase, torch.from_numpy(coded), torch.from_numpy(distance) / MEAN_STEPS)


def _parts(shape: tuple[int, ...], threads: int) -> list[Part]:
    """Return parts of an array (N, h, w) that hold few places each, whatever its shape, and as many for each thread."""
    left, counts = _PLACES_AT_ONCE, [1, 1, 1]
    for axis in (2, 0, 1):  # whole rows first, then those of all frames
        counts[axis] = min(shape[axis], left)
        left = max(1, left // counts[axis])
    pieces = threads * math.ceil(math.ceil(shape[1] / counts[1]) / threads)
    if pieces * _LEAST_PLACES <= math.prod(shape):
        counts[1] = math.ceil(shape[1] / pieces)
    spans = (
        [slice(start, min(start + count, size)) for start in range(0, size, count)]
        for size, count in zip(shape, counts, strict=True)
    )
    return list(itertools.product(*spans))


class _Plan(NamedTuple):
    """How each sample of a stage is coded, (N, h, w) each.

    Args:
        mean: in sixteenths, int32.
        shift: low bits that are coded uniformly.
        table: of the rest.
    """

    mean: IntArray
    shift: NDArray[np.int16]
    table: NDArray[np.int16]


def _plan(found: Density, limits: tuple[int, int], shape: tuple[int, ...]) -> _Plan:
    low, high = limits
    index = (found.scale - density.FIRST_SCALE).mul_(1 / density.STEPS_PER_INDEX).floor_().clamp_(0, density.LAST_INDEX)
    kind = found.shape.round().clamp_(-1, 1).add_(1).add_(index, alpha=density.SHAPES)
    mean, kinds = (
        one.to(torch.int32).numpy().reshape(shape)
        for one in (found.mean.clamp_(low * MEAN_STEPS, high * MEAN_STEPS), kind)
    )
    return _Plan(mean, density.shift_of(kinds), density.table_of(kinds, np.abs(_fraction(mean))))


def _fraction(mean: IntArray) -> IntArray:
    """Return what a mean in sixteenths lies beyond the nearest level, -8..7."""
    return ((mean + MEAN_STEPS // 2) & (MEAN_STEPS - 1)) - MEAN_STEPS // 2


def _code_values(part: NDArray[np.int32], plan: _Plan, direction: _Direction) -> IntArray:
    """Code samples and return them."""
    base = (plan.mean + MEAN_STEPS // 2) // MEAN_STEPS
    # All bits of a negative fraction's sign: with them `x ^ flip - flip` is -x, without them x.
    flip = _fraction(plan.mean) >> 31
    distance = ((part - base) ^ flip) - flip
    if not plan.shift.any():
        symbols = direction.code(distance.ravel(), plan.table.ravel()).reshape(part.shape)
        return (symbols ^ flip) - flip + base
    shift, distance = plan.shift.ravel().astype(np.int32), distance.ravel()
    half = (1 << shift) >> 1
    distance += half
    symbols = np.clip(direction.code(distance >> shift, plan.table.ravel()), -_FARTHEST, _FARTHEST)
    coded = symbols.astype(np.int64) << shift
    lows = distance & ((1 << shift) - 1)
    for bits in np.unique(shift[shift > 0]).tolist():
        members = np.flatnonzero(shift == bits)
        coded[members] += _code_uniform(lows[members], bits, direction)
    whole = np.clip(coded - half, -_FARTHEST, _FARTHEST).astype(np.int32).reshape(part.shape)
    return (whole ^ flip) - flip + base


def _code_uniform(values: IntArray, bits: int, direction: _Direction) -> IntArray:
    """Code numbers of so many bits, all equally likely, and return them."""
    result = np.zeros(values.size, np.int32)
    for start in range(0, bits, density.UNIFORM_BITS):
        count = min(density.UNIFORM_BITS, bits - start)
        digits = (values >> start) & ((1 << count) - 1)
        table = np.full(values.size, density.UNIFORM_FIRST + count, np.int16)
        result += np.clip(direction.code(digits, table), 0, (1 << count) - 1) << start
    return result
