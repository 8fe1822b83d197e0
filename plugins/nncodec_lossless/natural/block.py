"""Codes a block with the networks: a byte for the colour transform, then all samples range coded, coarse to fine."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nncodec.errors import Corrupt
from nncodec.nn.threads import Team
from nncodec.plugin.lossless import Samples
from nncodec_lossless.natural import colour, density
from nncodec_lossless.natural.adaptation import Change, code_change, fitted
from nncodec_lossless.natural.grids import MEAN_STEPS, Grid, View, sizes
from nncodec_lossless.natural.neighbours import PHASES, Part, suits
from nncodec_lossless.natural.network import Density, Networks, StageLayers
from nncodec_lossless.natural.symbols import Direction, Plan, Reader, Writer, code_uniform, code_values, fraction_of

# Places whose features fit the cache of a core together.
_PLACES_AT_ONCE = 17 << 10
# Fewer would take longer to hand over than to compute.
_LEAST_PLACES = 1 << 11
# Samples of a plane that are worth starting a thread; threads beyond so many wait for the range coder.
_WORTH_A_THREAD = 1 << 13
_MOST_THREADS = 4
# Samples of a stage that are worth changing its outputs for; some, in bands of rows, suffice to find the change.
_LEAST_CHANGED = 1 << 13
_SAMPLED_PLACES, _BAND_ROWS = 3 << 11, 4


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
    writer = Writer()
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
        reader = Reader(payload[1:])
        planes = _code(networks, unknown, colour.limits(depth, bits, transform), reader)
        reader.finish()
    except Corrupt as error:
        raise ValueError(str(error)) from error
    restored = colour.inverse(planes, transform)
    top = (1 << bits) - 1
    return np.stack([np.clip(plane, 0, top).astype(np.uint16) for plane in restored], axis=3)


def _code(
    networks: Networks, planes: colour.Planes, ranges: list[tuple[int, int]], direction: Direction
) -> colour.Planes:
    """Code planes, int32 (N, H, W) each, and return them; a reader ignores what they hold."""
    with Team(min(_MOST_THREADS, planes[0].size // _WORTH_A_THREAD)) as team:
        return team.run(lambda: _code_grids(team, networks, planes, ranges, direction))


def _code_grids(
    team: Team, networks: Networks, planes: colour.Planes, ranges: list[tuple[int, int]], direction: Direction
) -> colour.Planes:
    grids = sizes(*planes[0].shape[1:])
    step = 1 << (len(grids) - 1)
    ends = []
    for plane, (low, high) in zip(planes, ranges, strict=True):
        part = plane[:, ::step, ::step]
        digits = code_uniform(part.ravel() - low, (high - low).bit_length(), direction)
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
    direction: Direction,
) -> None:
    top, left = PHASES[phase]
    part = plane[:, top::2, left::2]
    if not part.size:
        grid.add(number, phase, torch.empty(part.shape), torch.empty(part.shape))
        return
    layers = networks.of(number, phase).layers
    if part.size >= _LEAST_CHANGED:
        change = _fitted(team, layers, grid, number, phase, part) if direction.fits else None
        layers = code_change(layers, change, direction)
    fields: list[NDArray[Any]] = [np.empty(part.shape, kind) for kind in (np.int32, np.int16, np.int16)]
    plan = Plan(*fields)

    def plan_some(few: Part) -> None:
        found = _plan(layers(grid.view(number, phase, few)), limits, part[few].shape)
        for field, values in zip(fields, found, strict=True):
            field[few] = values

    team.each(plan_some, _parts(part.shape, team.size))
    coded = np.minimum(np.maximum(code_values(part, plan, direction), limits[0]), limits[1])
    distance = np.abs(coded * MEAN_STEPS - plan.mean)
    grid.add(number, phase, torch.from_numpy(coded), torch.from_numpy(distance) / MEAN_STEPS)


def _fitted(
    team: Team, layers: StageLayers, grid: Grid, number: int, phase: int, part: NDArray[np.int32]
) -> Change | None:
    """Return the change that suits a stage; see `adaptation.fitted`."""
    frames, height, width = part.shape
    bands = [
        (slice(frame, frame + 1), slice(top, min(top + _BAND_ROWS, height)), slice(0, width))
        for frame in range(frames)
        for top in range(0, height, _BAND_ROWS)
    ][:: max(1, part.size // _SAMPLED_PLACES)]
    views: dict[int, View] = {}

    def look(place: int) -> None:
        views[place] = grid.view(number, phase, bands[place])

    team.each(look, range(len(bands)))
    view = View(*(torch.cat(parts, -1) for parts in zip(*(views[place] for place in range(len(bands))), strict=True)))
    values = np.concatenate([part[band].ravel() for band in bands])
    return fitted(layers, view, torch.from_numpy(values).float(), values.size / part.size)


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


def _plan(found: Density, limits: tuple[int, int], shape: tuple[int, ...]) -> Plan:
    low, high = limits
    index = (found.scale - density.FIRST_SCALE).mul_(1 / density.STEPS_PER_INDEX).floor_().clamp_(0, density.LAST_INDEX)
    kind = found.shape.round().clamp_(-1, 1).add_(1).add_(index, alpha=density.SHAPES)
    mean, kinds = (
        one.to(torch.int32).numpy().reshape(shape)
        for one in (found.mean.clamp_(low * MEAN_STEPS, high * MEAN_STEPS), kind)
    )
    return Plan(mean, density.shift_of(kinds), density.table_of(kinds, np.abs(fraction_of(mean))))
