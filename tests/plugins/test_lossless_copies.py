"""Blocks that repeat themselves: copies are found, save bytes, and come back, whatever they copy."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from lossless_blocks import coded, lossless_codec
from PIL import Image

import nncodec
from nncodec_lossless import copies, copy_search
from nncodec_lossless.codec import BlockCoder, LosslessCodec
from nncodec_lossless.copies import Copies, Copy

ASTRONAUT = skimage.data.astronaut()


@pytest.fixture(scope="module")
def model() -> LosslessCodec:
    return lossless_codec()


def block(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as the samples of a block, uint16 (1, H, W, C)."""
    return pixels.astype(np.uint16).reshape(1, *pixels.shape[:2], -1)


def tile_map(edge: int, offset: int) -> np.ndarray:
    """Return a map of eight tiles of a photograph, in any order; it begins within a tile."""
    rng = np.random.default_rng(edge)
    tiles = [ASTRONAUT[y : y + edge, x : x + edge] for y, x in rng.integers(0, 400, (8, 2))]
    rows = [np.concatenate([tiles[number] for number in rng.integers(0, 8, 10)], axis=1) for _ in range(10)]
    return np.concatenate(rows)[offset:, offset:]


@pytest.mark.parametrize(("edge", "offset", "share"), [(16, 0, 0.7), (16, 5, 0.7), (20, 3, 0.7), (27, 0, 0.7)])
def test_a_map_of_tiles_beside_lossless_webp(model: LosslessCodec, edge: int, offset: int, share: float) -> None:
    pixels = tile_map(edge, offset)
    payload = coded(model, block(pixels))
    assert payload[0] == BlockCoder.COPIES
    webp = BytesIO()
    Image.fromarray(pixels).save(webp, "WEBP", lossless=True, method=6, quality=100)
    assert len(payload) < share * webp.tell()


@pytest.mark.parametrize("period", [(64, 64), (33, 50), (100, 31)])
def test_a_pattern_is_one_tile(model: LosslessCodec, period: tuple[int, int]) -> None:
    tile = ASTRONAUT[40 : 40 + period[0], 180 : 180 + period[1]]
    payload = coded(model, block(np.tile(tile, (4, 5, 1))[:190, :240]))
    assert len(payload) < len(model.encode(block(tile), 8, 0)) + 64


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("is_grey", [False, True])
def test_a_photograph_shown_twice_is_coded_once(model: LosslessCodec, axis: int, is_grey: bool) -> None:
    photo = ASTRONAUT[40:168, 150:310, 1] if is_grey else ASTRONAUT[40:168, 150:310]
    once, twice = block(photo), block(np.concatenate([photo, photo], axis=axis))
    assert len(coded(model, twice)) < 1.02 * len(model.encode(once, 8, 0))


def test_sixteen_bits_and_frames(model: LosslessCodec) -> None:
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 65536, (2, 24, 40, 3)).astype(np.uint16)
    payload = coded(model, np.tile(tile, (1, 3, 4, 1)), 16)
    assert payload[0] == BlockCoder.COPIES
    assert len(payload) < tile.nbytes + 64


@pytest.mark.parametrize(
    ("ground", "most"), [(ASTRONAUT[:120, 150:310], 1.1), (tile_map(20, 0)[:120, :160], 2)], ids=["photograph", "tiles"]
)
def test_what_stays_the_same_in_eight_frames_is_coded_once(
    model: LosslessCodec, ground: np.ndarray, most: float
) -> None:
    frames = np.stack([ground] * 8)
    for number, frame in enumerate(frames):
        frame[30 + 3 * number : 46 + 3 * number, 10 + 15 * number : 26 + 15 * number] = (200, 30, 40)
    first = len(model.encode(block(ground), 8, 0))
    assert len(coded(model, frames.astype(np.uint16))) < most * first


def test_an_enlarged_map_of_tiles_is_both(model: LosslessCodec) -> None:
    small = tile_map(16, 0)
    large = np.asarray(Image.fromarray(small).resize((320, 320), Image.Resampling.NEAREST))
    payload = coded(model, block(large))
    assert payload[0] == BlockCoder.REPEATS
    assert len(payload) < len(model.encode(block(small), 8, 0)) + 64


def test_a_page_with_tables_twice_keeps_its_letters(model: LosslessCodec) -> None:
    page = skimage.data.page()[:180, :320] // 32 * 32
    assert len(coded(model, block(np.concatenate([page, page])))) < 1.05 * len(model.encode(block(page), 8, 0))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "camera", "page", "brick", "text"])
def test_photographs_have_no_copies(name: str) -> None:
    assert copy_search.find(block(getattr(skimage.data, name)())) is None


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 7), (8, 8), (8, 16), (40, 9)])
def test_blocks_of_any_size(shape: tuple[int, int]) -> None:
    samples = block(np.resize(ASTRONAUT[50, 200:213], (*shape, 3)))
    found = copy_search.find(samples)
    if found is not None:
        np.testing.assert_array_equal(found.filled(found.without(samples)), samples)
        assert min(shape) >= 8


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_a_mirrored_photograph_is_coded_once(model: LosslessCodec, axes: tuple[int, ...]) -> None:
    photo = mirrored = ASTRONAUT[40:136, 150:310]
    for axis in axes:
        mirrored = np.concatenate([mirrored, np.flip(mirrored, axis)], axis=axis)
    assert len(coded(model, block(mirrored))) < 1.02 * len(model.encode(block(photo), 8, 0)) + 300 * len(axes)


def test_a_symmetric_drawing_is_coded_in_part(model: LosslessCodec) -> None:
    y, x = np.ogrid[:256, :256]
    rings = ((x - 128) ** 2 + (y - 128) ** 2) // 512 % 2 * 255
    assert len(coded(model, block(rings[..., None]))) < 0.6 * len(model._whole(block(rings[..., None]), 8))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("period", [7, 16, 40])
def test_stripes_that_recur_come_back(model: LosslessCodec, axis: int, period: int) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (period, 3))
    stripes = np.repeat(np.tile(colours, (6, 1))[:, None], 96, axis=1)
    assert len(coded(model, block(stripes.swapaxes(0, axis)))) < 3 * colours.size + 64


@settings(max_examples=100, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_random_patterns_come_back(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    edge, count, colours = (data.draw(st.integers(*limits)) for limits in ((1, 20), (1, 4), (2, 300)))
    tiles = rng.integers(0, colours, (count, edge, edge, data.draw(st.integers(1, 3)))).astype(np.uint16)
    rows, columns, frames = (data.draw(st.integers(1, most)) for most in (6, 6, 3))
    places = tiles[rng.integers(0, count, (frames, rows, columns))].transpose(0, 1, 3, 2, 4, 5)
    samples = places.reshape(frames, rows * edge, columns * edge, -1)
    found = copy_search.find(samples)
    if found is not None:
        payload = copies.pack(found, b"left")
        left = found.without(samples)
        np.testing.assert_array_equal(copies.decode(payload, samples.shape, lambda content, shape: left), samples)


def test_a_file_with_tiles_comes_back_and_is_chosen() -> None:
    image = Image.fromarray(tile_map(16, 0))
    data = nncodec.encode(image, lossless=True)
    np.testing.assert_array_equal(np.asarray(nncodec.decode(data)), np.asarray(image))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), height=st.integers(1, 9), width=st.integers(1, 9))
def test_copies_of_copies_in_any_order_come_back(data: st.DataObject, height: int, width: int) -> None:
    def one() -> Copy | None:
        top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        rows, columns = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
        from_top, from_left = data.draw(st.integers(0, top)), data.draw(st.integers(0, width - columns))
        return Copy(top, left, rows, columns, from_top, from_left) if (from_top, from_left) < (top, left) else None

    wanted = [copy for _ in range(data.draw(st.integers(1, 3))) if (copy := one())]
    if not wanted or sum(copy.height * copy.width for copy in wanted) > height * width:
        return
    found = Copies(wanted, height, width)
    left = np.arange(2 * np.prod(found.shape_left), dtype=np.uint16).reshape(1, *found.shape_left, 2)
    # The definition: pixel after pixel.
    rows, columns = (iter(range(size)) for size in found.shape_left)
    origin = {}
    for copy in wanted:
        for y in range(copy.height):
            for x in range(copy.width):
                origin[copy.top + y, copy.left + x] = copy.from_top + y, copy.from_left + x
    own = [(y, x) for y in range(height) for x in range(width) if (y, x) not in origin]
    row_of = dict(zip(sorted({y for y, _ in own}), rows, strict=True))
    column_of = dict(zip(sorted({x for _, x in own}), columns, strict=True))
    expected = np.zeros((1, height, width, 2), np.uint16)
    for y in range(height):
        for x in range(width):
            place = origin.get((y, x))
            expected[:, y, x] = left[:, row_of[y], column_of[x]] if place is None else expected[:, place[0], place[1]]

    def part(content: bytes, shape: tuple[int, ...]) -> np.ndarray:
        assert (content, shape) == (b"left", left.shape)
        return left

    np.testing.assert_array_equal(copies.decode(copies.pack(found, b"left"), expected.shape, part), expected)
    np.testing.assert_array_equal(found.filled(found.without(expected)), expected)


LITERAL = bytes.fromhex(
    "07"  # copies
    "0000 15000000"  # one, 21 bytes
    "28B52FFD 200C 610000"  # Zstandard, of twelve bytes as they are
    "0000 0200 0100 0300 0000 0000"  # top 0, left 2, height 1, width 3; from top 0, left 0
    "00 0708"  # plain samples
)


def test_the_bytes_of_a_block_with_copies(model: LosslessCodec) -> None:
    samples = np.array([7, 8, 7, 8, 7], np.uint16).reshape(1, 1, 5, 1)
    found = Copies([Copy(0, 2, 1, 3, 0, 0)], 1, 5)
    assert b"\x07" + copies.pack(found, b"\x00\x07\x08") == LITERAL
    np.testing.assert_array_equal(model.decode(LITERAL, samples.shape, 8), samples)


def changed(**fields: int) -> bytes:
    """Return the literal with other fields."""
    copy = Copy(0, 2, 1, 3, 0, 0)._replace(**fields)
    return LITERAL[:16] + np.array(copy, "<u2").tobytes() + LITERAL[28:]


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (LITERAL[:1], "within its header"),
        (LITERAL[:6], "within its header"),
        (LITERAL[:20], "Zstandard|frame|ends"),
        (LITERAL[:1] + b"\x01" + LITERAL[2:], "Zstandard|frame|ends"),
        (LITERAL[:1] + b"\xff\xff" + LITERAL[3:], "65536 copies"),
        (LITERAL[:28], "names no coder"),
        (LITERAL[:28] + LITERAL, "names no coder"),  # copies within copies
        (LITERAL[:-1], "bytes, not"),
        (changed(height=0), "is empty"),
        (changed(width=0), "is empty"),
        (changed(width=4), "reaches beyond"),
        (changed(top=1), "reaches beyond"),
        (changed(left=0), "comes from later"),
        (changed(from_left=2), "comes from later"),
        (changed(from_top=1), "comes from later"),
    ],
)
def test_damaged_copies_are_an_error(model: LosslessCodec, payload: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        model.decode(payload, (1, 1, 5, 1), 8)


def test_copies_larger_than_their_block_are_an_error() -> None:
    table: Any = Copies([Copy(0, 1, 1, 4, 0, 0)] * 3, 1, 5)
    with pytest.raises(ValueError, match="larger than their block"):
        copies.decode(copies.pack(table, b""), (1, 1, 5, 1), lambda content, shape: np.zeros(shape, np.uint16))
