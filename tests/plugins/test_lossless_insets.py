"""Pages with photographs in them: each part has the coder that suits it, and damage is an error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lossless_blocks import lossless_codec

import nncodec
from nncodec.format.container import Container
from nncodec_lossless.codec import BlockCoder, LosslessCodec
from nncodec_lossless.insets import Inset, decode, find, pack, without
from nncodec_lossless.natural import block as natural
from nncodec_lossless.repetition import repeated

PLACES = (Inset(37, 21, 90, 80), Inset(50, 130, 66, 70))


@pytest.fixture(scope="module")
def model() -> LosslessCodec:
    return lossless_codec()


def photograph(height: int, width: int, planes: int = 3) -> np.ndarray:
    y, x, plane = np.ogrid[:height, :width, :planes]
    waves = 120 + 60 * np.sin(y / 9 + plane) + 50 * np.cos(x / 13)
    return np.rint(waves + np.random.default_rng(0).normal(0, 3, (height, width, planes))).astype(np.uint16)


def page(height: int, width: int, *places: Inset) -> np.ndarray:
    """Return a page of glyphs with photographs in it, uint16 (1, H, W, 3)."""
    rng = np.random.default_rng(1)
    glyphs = np.kron(rng.random((26, 4, 3)) < 0.4, np.ones((2, 2), bool))
    samples = np.full((1, height, width, 3), 250, np.uint16)
    for y in range(2, height - 8, 11):
        for x in range(2, width - 6, 8):
            samples[0, y : y + 8, x : x + 6][glyphs[rng.integers(26)]] = 20
    for place in places:
        samples[place.place] = photograph(place.height, place.width)
    return samples


def test_a_page_with_photographs_comes_back_in_far_fewer_bytes(model) -> None:
    samples = page(180, 230, *PLACES)
    payload = model.encode(samples, 8, 0)
    assert payload[0] == BlockCoder.INSETS
    np.testing.assert_array_equal(model.decode(payload, samples.shape, 8), samples)
    assert len(payload) < 0.65 * len(natural.encode(model.networks, samples, 8))
    alone = [len(natural.encode(model.networks, photograph(*place[2:])[None], 8)) for place in PLACES]
    assert len(payload) < 1.15 * sum(alone)


def test_blocks_of_one_file_have_coders_of_their_own() -> None:
    samples = page(80, 1100)[0]
    samples[:, 1024:] = photograph(80, 76)
    data = nncodec.encode(samples.astype(np.uint8), lossless=True)
    container = Container(data)
    assert [container.block(number)[0] for number in range(2)] == [BlockCoder.REPEATS, BlockCoder.NATURAL]
    np.testing.assert_array_equal(nncodec.decode(data, as_array=True), samples)


def test_photographs_are_found_to_a_few_pixels_in_the_order_of_their_size() -> None:
    found = find(page(180, 230, *PLACES))
    assert len(found) == 2
    for inset, place in zip(found, PLACES, strict=True):
        assert np.abs(np.subtract(inset, place)).max() <= 4


def test_a_photograph_in_two_parts_is_found_once() -> None:
    samples = page(180, 230, PLACES[0])
    samples[0, 70:90, 21:101] = np.arange(20)[:, None, None] + np.arange(80)[None, :, None] // 4  # smooth, and repeats
    found = find(samples)
    assert len(found) == 1
    assert np.abs(np.subtract(found[0], PLACES[0])).max() <= 4


@pytest.mark.parametrize(
    ("samples", "case"),
    [
        (page(180, 230), "a page alone"),
        (photograph(100, 120)[None], "a photograph alone"),
        (np.pad(photograph(100, 120)[None], ((0, 0), (3, 3), (3, 3), (0, 0))), "a photograph with a thin border"),
        (page(180, 230, Inset(40, 60, 50, 60)), "a picture that is too small"),
        (np.zeros((1, 1, 1, 3), np.uint16), "a pixel"),
        (page(180, 230, *PLACES)[:, :, :9], "a narrow strip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_blocks_have_no_insets(samples: np.ndarray, case: str) -> None:
    assert find(samples) == []


def test_a_plain_border_is_coded_with_its_photograph(model) -> None:
    samples = np.pad(photograph(70, 100)[None], ((0, 0), (24, 24), (0, 0), (0, 0)))
    assert find(samples)
    assert model.encode(samples, 8, 0)[0] in (BlockCoder.NATURAL, BlockCoder.FILTERED)


def test_a_page_without_its_photographs_has_one_colour_there() -> None:
    samples = page(180, 230, *PLACES)
    drawn = without(samples, list(PLACES))
    for place in PLACES:
        assert (drawn[place.place] == samples[0, 0, 0]).all()
        samples[place.place] = drawn[place.place]
    np.testing.assert_array_equal(drawn, samples)


def test_a_pixel_repeats_the_one_to_the_left_or_above() -> None:
    samples = np.array([[[1, 1, 2], [3, 1, 1]], [[5, 5, 5], [5, 6, 6]]], np.uint16)[..., None]
    samples = np.concatenate([samples, np.zeros_like(samples)], axis=3)
    expected = [[[0, 1, 0], [0, 1, 1]], [[0, 1, 1], [1, 0, 1]]]
    np.testing.assert_array_equal(repeated(samples), np.array(expected, bool))
    samples[..., 1] = np.arange(12).reshape(2, 2, 3)  # another plane differs everywhere
    assert not repeated(samples).any()


# --- the payload --------------------------------------------------------------------------------------------------

LITERAL = bytes.fromhex(
    "04"  # insets
    "02"  # two of them
    "0000 0100 0100 0200 03000000"  # top 0, left 1, height 1, width 2; a payload of 3 bytes
    "0100 0000 0100 0100 02000000"  # top 1, left 0, height 1, width 1; 2 bytes
    "00 0708"  # plain samples
    "00 09"
    "00 010101020202"  # the page
)


def test_the_bytes_of_a_block_with_insets(model) -> None:
    parts = [b"\x00\x07\x08", b"\x00\x09"]
    insets = [Inset(0, 1, 1, 2), Inset(1, 0, 1, 1)]
    assert b"\x04" + pack(insets, parts, bytes.fromhex("00010101020202")) == LITERAL
    assert model.decode(LITERAL, (1, 2, 3, 1), 8).tolist() == [[[[1], [7], [8]], [[9], [2], [2]]]]


@pytest.mark.parametrize(
    ("place", "replacement", "problem"),
    [
        (1, b"\x00", "within their table"),
        (1, b"\x11", "within their table"),
        (2, b"\x02", "beyond its block"),
        (4, b"\x02", "beyond its block"),
        (6, b"\x00", "is empty"),
        (8, b"\x00", "is empty"),
        (16, b"\x03", "beyond its block"),
        (10, b"\x02", "names no coder"),
        (10, b"\xff\xff\xff\xff", "names no coder"),
        (26, b"\x04", "names no coder"),
        (31, b"\x04", "names no coder"),
    ],
)
def test_damage_is_an_error(model, place: int, replacement: bytes, problem: str) -> None:
    damaged = LITERAL[:place] + replacement + LITERAL[place + len(replacement) :]
    with pytest.raises(ValueError, match=problem):
        model.decode(damaged, (1, 2, 3, 1), 8)


@pytest.mark.parametrize("length", [1, 2, 26, 30])
def test_a_payload_that_ends_early_is_an_error(model, length: int) -> None:
    with pytest.raises(ValueError, match=r"table|names no coder|bytes, not"):
        model.decode(LITERAL[:length], (1, 2, 3, 1), 8)


def test_insets_together_are_no_larger_than_their_block() -> None:
    whole = Inset(0, 0, 2, 3)
    payload = pack([whole, Inset(0, 0, 1, 1)], [b"", b""], b"x")
    with pytest.raises(ValueError, match="larger than their block"):
        decode(payload, (1, 2, 3, 1), lambda part, shape: np.zeros(shape, np.uint16))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(40, 150), st.integers(40, 150), st.integers(1, 4)),
    insets=st.lists(
        st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(1, 90), st.integers(1, 90)), max_size=3
    ),
    seed=st.integers(0, 9),
)
def test_what_is_found_lies_in_the_block_and_leaves_a_page(shape, insets, seed) -> None:
    rng = np.random.default_rng(seed)
    samples = np.zeros(shape, np.uint16)
    for top, left, height, width in insets:
        area = samples[:, top : top + height, left : left + width]
        area[:] = rng.integers(0, 200, area.shape)
    found = find(samples)
    for inset in found:
        assert inset.top >= 0 <= inset.left
        assert inset.top + inset.height <= shape[1]
        assert inset.left + inset.width <= shape[2]
    if found:
        assert sum(inset.pixels for inset in found) <= shape[1] * shape[2]
        assert (without(samples, found)[:, :, :, :] == samples)[:, ~_covered(found, shape)].all()


def _covered(found: list[Inset], shape: tuple[int, ...]) -> np.ndarray:
    covered = np.zeros(shape[1:3], bool)
    for inset in found:
        covered[inset.place[1:]] = True
    return covered
