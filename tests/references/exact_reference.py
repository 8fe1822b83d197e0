"""A second decoder of exact blocks, written from docs/format.md with Python numbers.

Only what the page leaves to the model comes from the plugin: the mean, scale and shape that its networks give a sample.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
import zstandard
from numpy.typing import NDArray
from rans_reference import AnsReader

from nncodec_lossless.natural.grids import Grid
from nncodec_lossless.natural.network import Matrix, Networks, StageLayers

Shape = tuple[int, int, int, int]
Samples = NDArray[np.int64]
A, B, C, D = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93
MASK = (1 << 64) - 1


def decode_block(payload: bytes, shape: Shape, bits: int, networks: Networks) -> Samples:
    """Return the samples (frames, rows, columns, planes) of a block."""
    content = payload[1:]
    match payload[0]:
        case 0:
            return plain(content, shape, bits)
        case 1:
            return natural(content, shape, bits, networks)
        case 2:
            return synthetic(content, shape, bits)
        case 3:
            return filtered(content, shape, bits)
        case 4:
            return with_insets(content, shape, bits, networks)
        case 5:
            return indexed(content, shape, bits, networks)
        case 6:
            return with_repeats(content, shape, bits, networks)
        case 7:
            return with_copies(content, shape, bits, networks)
    raise ValueError("no such block coder")


def with_insets(content: bytes, shape: Shape, bits: int, networks: Networks) -> Samples:
    parts, start = [], 1 + 12 * content[0]
    for number in range(content[0]):
        top, left, height, width, size = struct.unpack("<4HI", content[1 + 12 * number : 13 + 12 * number])
        parts.append((top, left, height, width, content[start : start + size]))
        start += size
    page = decode_block(content[start:], shape, bits, networks)
    for top, left, height, width, part in parts:
        inset = decode_block(part, (shape[0], height, width, shape[3]), bits, networks)
        page[:, top : top + height, left : left + width] = inset
    return page


def indexed(content: bytes, shape: Shape, bits: int, networks: Networks) -> Samples:
    count = content[0]
    *entries, size = struct.unpack(f"<{count}HI", content[1 : 5 + 2 * count])
    start = 5 + 2 * count
    reader = AnsReader(content[start : start + size])
    tables = [palette(Decisions(reader, 16), number + 1, shape[3] // count, bits) for number in entries]
    assert reader.at_end
    numbers = natural(content[start + size :], (*shape[:3], count), max(1, max(entries).bit_length()), networks)
    return np.concatenate([table[numbers[..., plane]] for plane, table in enumerate(tables)], axis=3)


def with_repeats(content: bytes, shape: Shape, bits: int, networks: Networks) -> Samples:
    frames, rows, columns, planes = shape
    size = int.from_bytes(content[:2], "little")
    flags = zstandard.ZstdDecompressor().decompress(content[2 : 2 + size])
    repeats = [flags[place // 8] >> (7 - place % 8) & 1 for place in range(rows - 1 + columns - 1)]
    parts = repeats[: rows - 1], repeats[rows - 1 :]
    sources = [list(itertools.accumulate(1 - bit for bit in [1, *part])) for part in parts]
    left = decode_block(content[2 + size :], (frames, sources[0][-1] + 1, sources[1][-1] + 1, planes), bits, networks)
    return left[:, sources[0]][:, :, sources[1]]


def with_copies(content: bytes, shape: Shape, bits: int, networks: Networks) -> Samples:
    rows, columns, planes = shape[0] * shape[1], *shape[2:]
    count, size = content[0] + 256 * content[1] + 1, int.from_bytes(content[2:6], "little")
    table = zstandard.ZstdDecompressor().decompress(content[6 : 6 + size])
    fields = struct.unpack(f"<{6 * count}H", table)
    origin: dict[tuple[int, int], tuple[int, int]] = {}
    for number in range(count):
        top, left, height, width, from_top, from_left = fields[number::count]
        for y, x in itertools.product(range(height), range(width)):
            origin[top + y, left + x] = from_top + y, from_left + x
    own = [place for place in itertools.product(range(rows), range(columns)) if place not in origin]
    own_rows, own_columns = (sorted({place[axis] for place in own}) for axis in (0, 1))
    rest = decode_block(content[6 + size :], (1, len(own_rows), len(own_columns), planes), bits, networks)[0]
    samples = np.zeros((rows, columns, planes), np.int64)
    for y, x in itertools.product(range(rows), range(columns)):
        if (y, x) in origin:
            samples[y, x] = samples[origin[y, x]]
        else:
            samples[y, x] = rest[own_rows.index(y), own_columns.index(x)]
    return samples.reshape(shape)


def plain(content: bytes, shape: Shape, bits: int) -> Samples:
    if bits in (8, 16):
        numbers = [int.from_bytes(content[i : i + bits // 8], "little") for i in range(0, len(content), bits // 8)]
    else:
        stream = [byte >> place & 1 for byte in content for place in range(7, -1, -1)]
        count = math.prod(shape)
        numbers = [sum(stream[i * bits + place] << place for place in range(bits)) for i in range(count)]
    return np.array(numbers).reshape(shape)


def filtered(content: bytes, shape: Shape, bits: int) -> Samples:
    frames, rows, columns, planes = shape
    size = 1 if bits <= 8 else 2
    data = zstandard.ZstdDecompressor().decompress(content[1:])
    count = math.prod(shape)
    numbers = [sum(data[part * count + i] << 8 * part for part in range(size)) for i in range(count)]
    values = np.array(numbers).reshape(planes, frames, rows, columns)
    for axis in {0: (), 1: (3,), 2: (2,), 3: (2, 3)}[content[0]]:
        values = values.cumsum(axis)
    return np.moveaxis(values % (1 << 8 * size), 0, 3)


# --- natural ------------------------------------------------------------------------------------------------------


class NaturalReader(AnsReader):
    """Reads stages of symbols -127..127 and escapes, with the tables of the page's formula."""

    def stage(self, tables: list[int]) -> NDArray[np.int64]:
        return np.array(self.symbols(tables, frequencies, -127, 256), np.int64)

    def uniform(self, count: int, bits: int) -> NDArray[np.int64]:
        """Return numbers of so many bits."""
        result = np.zeros(count, np.int64)
        for start in range(0, bits, 7):
            size = min(7, bits - start)
            result += self.stage([3 * PER_SHAPE - 1 + size] * count) << start
        return result


PER_SHAPE = 20 * 5 + 8 * 3 + 8


def table_number(index: int, shape: int, fraction: int) -> int:
    if index < 20:
        place = index * 5 + (fraction + 1) // 2
    elif index < 28:
        place = 100 + (index - 20) * 3 + fraction // 3
    else:
        place = 124 + index - 28
    return shape * PER_SHAPE + place


@cache
def frequencies(table: int) -> list[int]:
    if table >= 3 * PER_SHAPE:
        bits = table - 3 * PER_SHAPE + 1
        chances = [1 / 2**bits if 0 <= symbol < 2**bits else 0.0 for symbol in range(-127, 129)]
    else:
        shape, place = divmod(table, PER_SHAPE)
        if place < 100:
            index, fraction = place // 5, (0, 2, 4, 6, 8)[place % 5]
        elif place < 124:
            index, fraction = 20 + (place - 100) // 3, (1, 4, 7)[(place - 100) % 3]
        else:
            index, fraction = 28 + place - 124, 0
        share = 1 / (1 + exponential(float(3 - shape)))
        root = math.sqrt(2.0)
        quarter = (1.0, math.sqrt(root), root, root * math.sqrt(root))[index % 4]
        scale = 2.0 ** (index // 4 - 5) * quarter
        edges = [symbol - (0.5 + fraction / 16) for symbol in range(-127, 129)]
        below = [(1 - share) * logistic(edge / scale) + share * logistic(edge / (3.0 * scale)) for edge in edges]
        chances = [high - low for low, high in itertools.pairwise(below)]
        chances.append(1 - (below[-1] - below[0]))
    counts = [math.floor(max(chance, 0) * (2**24 - 256)) + 1 for chance in chances]
    counts[counts.index(max(counts))] += 2**24 - sum(counts)
    return counts


def logistic(value: float) -> float:
    small = exponential(-abs(value))
    return (small if value < 0 else 1.0) / (1 + small)


def exponential(value: float) -> float:
    reduced = min(max(value, -700.0), 700.0) / 1024
    result = 1.0
    for order in range(8, 0, -1):
        result = 1 + reduced * result / order
    for _ in range(10):
        result = result * result
    return result


def natural(content: bytes, shape: Shape, bits: int, networks: Networks) -> Samples:
    frames, height, width, depth = shape
    reader = NaturalReader(content[1:])
    top = (1 << bits) - 1
    ranges = [(0, top)] * depth
    if content[0] == 1:
        ranges[1:] = [(-top, top)] * 2
    grids = [(height, width)]
    while max(grids[0]) > 8:
        grids.insert(0, (-(-grids[0][0] // 2), -(-grids[0][1] // 2)))
    rows, columns = grids[0]
    planes = np.empty((depth, frames, rows, columns), np.int64)
    for plane, (low, high) in enumerate(ranges):
        numbers = reader.uniform(frames * rows * columns, (high - low).bit_length())
        planes[plane] = np.clip(numbers + low, low, high).reshape(planes.shape[1:])
    errors = None
    for size in grids[1:]:
        grid = Grid(torch.from_numpy(planes.astype(np.float32)), errors, size)
        finer = np.empty((depth, frames, *size), np.int64)
        finer[:, :, ::2, ::2] = planes
        for plane in range(depth):
            for phase, (y, x) in ((1, (1, 1)), (2, (0, 1)), (3, (1, 0))):
                part = finer[plane, :, y::2, x::2]
                means = part.copy()
                if part.size:
                    view = grid.view(plane, phase, tuple(slice(0, size) for size in part.shape))
                    layers = networks.of(plane, phase).layers
                    if part.size >= 8192 and reader.uniform(1, 1)[0]:
                        layers = changed(layers, reader, len(view.features))
                    with torch.inference_mode():
                        told = layers(view)
                    bounded = told.mean.clamp(16 * ranges[plane][0], 16 * ranges[plane][1])
                    shapes = told.shape.round().clamp(-1, 1) + 1
                    given = [[int(one) for one in values] for values in (bounded, told.scale, shapes)]
                    means = np.array(given[0]).reshape(part.shape)
                    part[:] = np.clip(phase_samples(reader, *given), *ranges[plane]).reshape(part.shape)
                off = np.abs(part - means / 16)
                grid.add(plane, phase, *(torch.from_numpy(one.astype(np.float32)) for one in (part, off)))
        planes, errors = finer, grid.joined()[1]
    assert reader.at_end
    if content[0] == 1:
        luma, orange, green = planes
        middle = luma - (green >> 1)
        blue = middle - (orange >> 1)
        planes = np.stack([orange + blue, green + middle, blue])
    return np.moveaxis(np.clip(planes, 0, top), 0, 3)


def changed(layers: StageLayers, reader: NaturalReader, inputs: int) -> StageLayers:
    weights = [((layer.weight * 512).long(), (layer.bias * 512).long()) for layer in (layers.first, layers.outer)]
    (first, first_bias), (outer, outer_bias) = weights
    runs = [inputs + 1, 32] * 2
    indices = [min(int(index), 84) for index in reader.uniform(4, 7)]
    scales = [4 * index - 80 for index, run in zip(indices, runs, strict=True) for _ in range(run)]
    numbers = phase_samples(reader, [0] * len(scales), scales, [1] * len(scales)).reshape(2, -1)
    assert (np.abs(numbers).sum(axis=1) <= 4924).all()
    for output, row in enumerate(torch.from_numpy(2 * numbers)):
        first[32 + output] += row[:inputs]
        first_bias[32 + output] += 64 * row[inputs]
        outer[output] += row[inputs + 1 :]
    steps = [values.float() / 512 for values in (first, first_bias, outer, outer_bias)]
    return StageLayers(Matrix(*steps[:2]), layers.middle, Matrix(*steps[2:]))


def phase_samples(reader: NaturalReader, means: list[int], scales: list[int], shapes: list[int]) -> NDArray[np.int64]:
    lows, tables, bases, fractions = [], [], [], []
    for mean, scale, shape in zip(means, scales, shapes, strict=True):
        index = min(max(0, (scale + 80) // 4), 84)
        low = max(0, (index - 32) // 4)
        base = (mean + 8) // 16
        lows.append(low)
        bases.append(base)
        fractions.append(mean - 16 * base)
        tables.append(table_number(index - 4 * low, shape, abs(fractions[-1])))
    distances = [int(symbol) << low for symbol, low in zip(reader.stage(tables), lows, strict=True)]
    for low in sorted(set(lows) - {0}):
        members = [place for place, one in enumerate(lows) if one == low]
        for place, number in zip(members, reader.uniform(len(members), low), strict=True):
            distances[place] += int(number) - (1 << low - 1)
    return np.array(
        [
            base - distance if fraction < 0 else base + distance
            for base, distance, fraction in zip(bases, distances, fractions, strict=True)
        ]
    )


# --- synthetic ----------------------------------------------------------------------------------------------------


class Decisions:
    """Reads groups of decisions, and counts them in their contexts."""

    def __init__(self, reader: AnsReader, slot_bits: int) -> None:
        self.reader, self.slot_bits = reader, slot_bits
        self.counts: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])

    def group(self, chains: list[list[int]]) -> list[int]:
        slots = [[(level, key >> 64 - self.slot_bits) for level, key in enumerate(chain)] for chain in chains]
        found = []
        for chain in slots:
            chance = 1 << 21
            for slot in chain:
                seen, true = self.counts[slot]
                chance = ((true << 22) + 4 * chance) // (seen + 4)
            no = (2**22 - chance) * (2**24 - 2) // 2**22 + 1
            found.append(self.reader.column([no, 2**24 - no]))
        for chain, decision in zip(slots, found, strict=True):
            for slot in chain:
                self.counts[slot][0] += 1
                self.counts[slot][1] += decision
        return found


def synthetic(content: bytes, shape: Shape, bits: int) -> Samples:
    frames, height, width, planes = shape
    transposed, strips = content[0] >= 128, content[0] % 128
    count = int.from_bytes(content[1:3], "little") + 1
    reader = AnsReader(content[3:])
    colours = palette(Decisions(reader, 16), count, planes, bits)
    rows, columns = (width, height) if transposed else (height, width)
    indices = np.zeros((frames * strips, rows // strips, columns), np.int64)
    if count > 1:
        coder = TwoColours(reader) if count == 2 else ManyColours(reader, (count - 1).bit_length())
        for places in steps(indices.shape):
            for place, index in zip(places, coder.step(indices, places), strict=True):
                indices[place] = index
    assert reader.at_end
    whole = indices.reshape(frames, rows, columns)
    return colours[whole.swapaxes(1, 2) if transposed else whole]


def palette(decisions: Decisions, count: int, planes: int, bits: int) -> Samples:
    colours = np.zeros((count, planes), np.int64)
    for plane in range(planes):
        differences: list[int] = []
        while len(differences) < count:
            run = min(max(16, len(differences)), 256, count - len(differences))
            nodes = [1] * run
            for _ in range(bits):
                chains = [[node * A & MASK, (node * A + plane) * B & MASK] for node in nodes]
                nodes = [2 * node + one for node, one in zip(nodes, decisions.group(chains), strict=True)]
            differences += [node - (1 << bits) for node in nodes]
        colours[:, plane] = np.cumsum(differences) % (1 << bits)
    return colours


Pixel = tuple[int, int, int]


def steps(shape: tuple[int, int, int]) -> Iterator[list[Pixel]]:
    frames, rows, columns = shape
    for step in range(columns + 2 * (rows - 1)):
        taken = [y for y in range(rows) if 0 <= step - 2 * y < columns]
        yield [(frame, y, step - 2 * y) for y in taken for frame in range(frames)]


def pixel(indices: Samples, frame: int, y: int, x: int) -> int:
    inside = 0 <= y < indices.shape[1] and 0 <= x < indices.shape[2]
    return int(indices[frame, y, x]) if inside else 0


def keys(indices: Samples, place: Pixel, bits: int, levels: list[list[tuple[int, int] | None]]) -> list[int]:
    frame, y, x = place
    found = []
    for level in levels:
        key = 0
        for above, (seen, factor) in enumerate(zip(level, (A, B, C, D), strict=False)):
            if seen is not None:
                for back in range(seen[0], seen[1] + 1):
                    index = pixel(indices, frame, y - above, x - 1 + 2 * above - back)
                    key += ((index & (1 << bits) - 1) << bits * back) * factor
        key &= MASK
        found.append((key ^ key >> 32) * A & MASK)
    return found


class TwoColours:
    LEVELS: tuple = (
        [(0, 1), (0, 2), (3, 3), None],
        [(0, 2), (0, 3), (2, 4), None],
        [(0, 3), (0, 4), (1, 5), None],
        [(0, 5), (0, 6), (0, 6), (3, 7)],
    )

    def __init__(self, reader: AnsReader) -> None:
        self.decisions = Decisions(reader, 18)

    def step(self, indices: Samples, places: list[Pixel]) -> list[int]:
        return self.decisions.group([keys(indices, place, 1, list(self.LEVELS)) for place in places])


class ManyColours:
    LEVELS: tuple = (
        [(0, 0), (1, 1), None],
        [(0, 0), (0, 2), None],
        [(0, 1), (0, 2), (3, 3)],
        [(0, 2), (0, 3), (2, 4)],
        [(0, 3), (0, 4), (1, 5)],
    )

    def __init__(self, reader: AnsReader, bits: int) -> None:
        self.bits, self.pixel_bits = bits, min(one for one in (1, 2, 4, 8) if one >= bits or one == 8)
        self.first, self.second, self.spelling = (Decisions(reader, slot_bits) for slot_bits in (18, 18, 20))
        self.memories: tuple[dict[int, int], dict[int, int]] = ({}, {})

    def step(self, indices: Samples, places: list[Pixel]) -> list[int]:
        chains = [keys(indices, place, self.pixel_bits, list(self.LEVELS)) for place in places]
        beside = [
            [pixel(indices, f, y + down, x + right) for down, right in ((0, -1), (-1, 0), (-1, -1), (-1, 1))]
            for f, y, x in places
        ]
        guesses, seconds = [], []
        for chain, (w, n, nw, _) in zip(chains, beside, strict=True):
            p = n if w == nw else w
            q = self.recall(0, chain[3], p)
            guess = self.recall(1, chain[4], q)
            guesses.append(guess)
            seconds.append((q, p))
        remembered = [chain[3:] for chain in chains]
        chains = [[(key + guess * C) & MASK for key in chain] for chain, guess in zip(chains, guesses, strict=True)]
        right = self.first.group([[key * B & MASK for key in chain] for chain in chains])
        found = list(guesses)
        wrong = [i for i, one in enumerate(right) if not one]
        others = {}
        for i in wrong:
            (q, p), (w, n, nw, ne) = seconds[i], beside[i]
            others[i] = next((one for one in (q, p, w, nw, n, ne) if one != guesses[i]), q)
        if wrong:
            chosen = [[(key + others[i] * D) * B & MASK for key in chains[i]] for i in wrong]
            second = self.second.group(chosen)
            for i in wrong:
                found[i] = others[i]
            left = [i for i, one in zip(wrong, second, strict=True) if not one]
            for i, index in zip(left, self.spell([(*beside[i], guesses[i], others[i]) for i in left]), strict=True):
                found[i] = index
        for memory, level in zip(self.memories, (0, 1), strict=True):
            new: dict[int, int] = {}
            for chain, index in zip(remembered, found, strict=True):
                slot, entry = chain[level] >> 46, (chain[level] >> 24 | 1 << 39) * 65536 + index
                new[slot] = max(new.get(slot, 0), entry)
            memory.update(new)
        return found

    def recall(self, level: int, key: int, otherwise: int) -> int:
        entry = self.memories[level].get(key >> 46, 0)
        return entry % 65536 if entry // 65536 == (key >> 24 | 1 << 39) else otherwise

    def spell(self, beside: list[tuple[int, ...]]) -> list[int]:
        nodes = [1] * len(beside)
        for _ in range(self.bits if beside else 0):
            chains = []
            for node, (w, n, nw, ne, guess, other) in zip(nodes, beside, strict=True):
                left, above = (w + 1) * B, (n + 1) * D
                around = (left + above) * A + (nw + 1) * B + (ne + 1) * D
                guessed = around * A + (guess + 1) * B + (other + 1) * D
                chains.append([(node * C + e) * B & MASK for e in (0, left, above, left + above, around, guessed)])
            nodes = [2 * node + one for node, one in zip(nodes, self.spelling.group(chains), strict=True)]
        return [node - (1 << self.bits) for node in nodes]
