"""Blocks as numbers of a table, and without repeated rows and columns: smaller, and the same again."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from lossless_blocks import coded, lossless_codec
from PIL import Image

import nncodec
from nncodec_lossless import indexed, repeats
from nncodec_lossless.codec import BlockCoder, LosslessCodec
from nncodec_lossless.natural import block as natural

PHOTO = Image.fromarray(skimage.data.astronaut()).crop((150, 20, 310, 148))


@pytest.fixture(scope="module")
def model() -> LosslessCodec:
    return lossless_codec()


def block(image: Image.Image) -> np.ndarray:
    """Return the samples of a picture as a block, uint16 (1, H, W, C)."""
    samples = np.asarray(image).astype(np.uint16)
    return samples.reshape(1, image.height, image.width, -1)


def colour_map(levels: np.ndarray) -> np.ndarray:
    """Return grey levels as colours from blue to red, all different and not in the order of their brightness."""
    position = np.arange(256)
    table = np.stack([np.abs(position - 60), 255 - np.abs(2 * position - 255), 255 - position], axis=1)
    return table[levels].astype(np.uint16)


def natural_bytes(model: LosslessCodec, samples: np.ndarray, bits: int = 8) -> int:
    return len(natural.encode(model.networks, samples, bits))


# --- numbers of a table -------------------------------------------------------------------------------------------


def test_a_colour_map_takes_about_what_its_values_do(model: LosslessCodec) -> None:
    grey = block(PHOTO.convert("L"))
    coloured = colour_map(grey[..., 0])
    payload = coded(model, coloured)
    assert payload[0] == BlockCoder.INDEXED
    assert len(payload) < 1.02 * natural_bytes(model, grey) + 3 * 256
    assert len(payload) < 0.7 * natural_bytes(model, coloured)


def test_raised_contrast_costs_nothing(model: LosslessCodec) -> None:
    plain = block(PHOTO.point([level // 2 for level in range(256)] * 3))
    payload = coded(model, 2 * plain + 1)
    assert payload[0] == BlockCoder.INDEXED
    assert len(payload) < 1.02 * natural_bytes(model, plain, 7) + 64


def test_twelve_bits_in_sixteen_cost_what_twelve_do(model: LosslessCodec) -> None:
    noise = np.random.default_rng(0).integers(0, 9, (1, 128, 160, 1))
    plain = (16 * block(PHOTO.convert("L")) + noise).astype(np.uint16)
    payload = coded(model, 16 * plain, 16)
    assert payload[0] == BlockCoder.INDEXED
    assert len(payload) < 1.02 * natural_bytes(model, plain, 12) + 1024


def test_a_photograph_has_no_table(model: LosslessCodec) -> None:
    assert indexed.find(block(PHOTO), 8) is None
    assert coded(model, block(PHOTO))[0] == BlockCoder.NATURAL


@settings(max_examples=40, deadline=None)
@given(
    samples=st_numpy.arrays(
        np.uint16, st.tuples(*[st.integers(1, 2)] + [st.integers(1, 12)] * 2 + [st.integers(1, 4)])
    ),
    kept=st.integers(1, 6),
)
def test_numbers_stand_for_their_samples(samples: np.ndarray, kept: int) -> None:
    samples %= kept  # few, so that tables are worth having
    samples *= 1000
    found = indexed.find(samples, 16)
    if found is None:
        return
    payload = indexed.encode(found, 16, lambda numbers, bits: bytes([bits]) + numbers.tobytes())

    def numbers_of(content: bytes, shape: tuple[int, ...], bits: int) -> np.ndarray:
        assert content[0] == bits
        assert not found.numbers.max() >> bits
        return np.frombuffer(content[1:], np.uint16).reshape(shape)

    np.testing.assert_array_equal(indexed.decode(payload, samples.shape, 16, numbers_of), samples)


def two_tables() -> bytes:
    """Return the payload of 1 x 2 pixels of two planes with levels (5, 9) and (7,)."""
    found = indexed.Indexed(
        [np.array([[5], [9]], np.uint16), np.array([[7]], np.uint16)], np.zeros((1, 1, 2, 2), np.uint16)
    )
    return indexed.encode(found, 8, lambda numbers, bits: b"")


def decoded(payload: bytes, numbers: list[int], planes: int = 2) -> list[int]:
    found = indexed.decode(
        payload, (1, 1, 2, planes), 8, lambda content, shape, bits: np.array(numbers, np.uint16).reshape(shape)
    )
    return found.ravel().tolist()


def test_the_bytes_of_tables() -> None:
    payload = two_tables()
    assert payload[:5] == bytes.fromhex("02 0100 0000")  # two tables, of two levels and of one
    assert int.from_bytes(payload[5:9], "little") == len(payload) - 9
    assert decoded(payload, [1, 0, 0, 0]) == [9, 7, 5, 7]


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"", "ends within its header"),
        (two_tables()[:9], "ends within its header"),
        (b"\x00" + two_tables()[1:], "tables for other planes"),
        (b"\x03" + two_tables()[1:], "tables for other planes"),
        (two_tables()[:1] + b"\x02" + two_tables()[2:], "more entries than pixels"),
        (two_tables()[:5] + b"\x00" + two_tables()[6:], "not range-coded"),
        (two_tables()[:-1], "not range-coded|decisions"),
    ],
)
def test_damaged_tables_are_an_error(payload: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decoded(payload, [0, 0, 0, 0])


def test_a_number_outside_its_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside its table"):
        decoded(two_tables(), [0, 1, 0, 0])


# --- repeats ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(320, 256), (480, 128), (400, 301), (160, 256)])
def test_an_enlarged_picture_takes_what_it_did_before(model: LosslessCodec, size: tuple[int, int]) -> None:
    enlarged = block(PHOTO.resize(size, Image.Resampling.NEAREST))
    payload = coded(model, enlarged)
    assert payload[0] == BlockCoder.REPEATS
    assert len(payload) < natural_bytes(model, block(PHOTO)) + 128


def test_enlarged_sprites_are_exact_and_small() -> None:
    sprite = PHOTO.resize((40, 32)).quantize(12).convert("RGB")
    enlarged = sprite.resize((320, 256), Image.Resampling.NEAREST)
    data = nncodec.encode(enlarged)
    assert np.array_equal(np.asarray(nncodec.decode(data)), np.asarray(enlarged))
    assert len(data) < len(nncodec.encode(sprite, lossless=True)) + 64


def test_stripes_of_one_row(model: LosslessCodec) -> None:
    samples = np.zeros((2, 30, 40, 3), np.uint16)
    samples[:, :, ::3] = (1, 200, 3)
    assert len(coded(model, samples)) < 64


def test_pages_and_photographs_have_no_repeats(model: LosslessCodec) -> None:
    page = block(Image.fromarray(skimage.data.page()))
    for samples in (block(PHOTO), page):
        assert repeats.find(samples) is None


@settings(max_examples=60, deadline=None)
@given(
    samples=st_numpy.arrays(np.uint16, (2, 4, 5, 2), elements=st.integers(0, 2)),
    rows=st.lists(st.integers(0, 3), min_size=1, max_size=12).map(sorted),
    columns=st.lists(st.integers(0, 4), min_size=1, max_size=12).map(sorted),
)
def test_what_repeats_comes_back(samples: np.ndarray, rows: list[int], columns: list[int]) -> None:
    enlarged = samples[:, rows][:, :, columns]
    found = repeats.find(enlarged)
    if found is None:
        assert 2 * len(set(rows)) * len(set(columns)) > len(rows) * len(columns)
        return
    left = found.without(enlarged)
    payload = repeats.pack(found, b"left")

    def part(content: bytes, shape: tuple[int, ...]) -> np.ndarray:
        assert (content, shape) == (b"left", left.shape)
        return left

    np.testing.assert_array_equal(repeats.decode(payload, enlarged.shape, part), enlarged)


LITERAL = bytes.fromhex(
    "06"  # repeats
    "0A00 28B52FFD 2001 090000 C0"  # 10 bytes of Zstandard: the row and the first column repeat, the second does not
    "00 0708"  # plain samples
)


def test_the_bytes_of_a_block_with_repeats(model: LosslessCodec) -> None:
    samples = np.array([[7, 7, 8], [7, 7, 8]], np.uint16).reshape(1, 2, 3, 1)
    found = repeats.find(samples)
    assert found is not None
    assert b"\x06" + repeats.pack(found, b"\x00\x07\x08") == LITERAL
    np.testing.assert_array_equal(model.decode(LITERAL, samples.shape, 8), samples)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (LITERAL[:1], "within its header"),
        (LITERAL[:2], "within its header"),
        (LITERAL[:9], "Zstandard|frame|ends"),
        (LITERAL[:1] + b"\x09" + LITERAL[2:], "Zstandard|frame|ends"),
        (LITERAL[:13], "names no coder"),
        (LITERAL[:13] + LITERAL, "names no coder"),  # repeats within repeats
        (LITERAL[:-1], "bytes, not"),
    ],
)
def test_damaged_repeats_are_an_error(model: LosslessCodec, payload: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        model.decode(payload, (1, 2, 3, 1), 8)
