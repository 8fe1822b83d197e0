"""The block coder for pictures with few colours or exact repetition."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from nncodec.plugin.lossless import Samples
from nncodec_lossless.synthetic import decode, encode
from nncodec_lossless.synthetic.palette import MOST_COLOURS, find_palette
from nncodec_lossless.synthetic.probabilities import BitReader, BitWriter, Contexts

WORDS = ("the", "block", "of", "this", "text", "has", "words", "that", "come", "again", "and", "as", "letters", "do")


def text_page(width: int, height: int, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    page = Image.new("L", (width, height), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for y in range(8, height - 16, 16):
        draw.text((8, y), " ".join(rng.choice(WORDS, width // 34)), font=font, fill=0)
    return page


def screenshot() -> Image.Image:
    screen = Image.new("RGB", (240, 160), (40, 80, 120))
    screen.paste(text_page(150, 100, 1), (20, 30))
    draw = ImageDraw.Draw(screen)
    for y in range(16):
        draw.line((20, 14 + y, 169, 14 + y), fill=(220 - 3 * y, 220 - 3 * y, 235 - 3 * y))
    for x in range(10, 220, 30):
        draw.rounded_rectangle((x, 136, x + 20, 156), 4, fill=(x, 255 - x, 90), outline=(0, 0, 0))
    return screen


def sprite() -> Image.Image:
    y, x = np.mgrid[:32, :32]
    radius = (y - 15.5) ** 2 + (x - 15.5) ** 2
    indices = (radius < 220) * 1 + (radius < 180) * (1 + (y > 16) + ((x + y) % 2) * (y > 20))
    indices[10:14, [9, 10, 21, 22]] = 5
    colours = np.array([(255, 0, 255), (10, 10, 20), (230, 180, 60), (200, 140, 40), (90, 60, 30), (255, 255, 255)])
    return Image.fromarray(colours[indices].astype(np.uint8))


def bilevel_page() -> Image.Image:
    return text_page(400, 240, 2).point(lambda value: 255 * (value > 128)).convert("1")


def ordered_dither() -> Image.Image:
    """A photograph in four levels of each colour, by the pattern of Bayer's matrix of 4 x 4 places."""
    levels = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((128, 128))) / 255
    thresholds = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) / 16
    steps = np.floor(3 * levels + np.tile(thresholds, (32, 32))[..., None])
    return Image.fromarray((85 * np.minimum(steps, 3)).astype(np.uint8))


def samples_of(image: Image.Image) -> Samples:
    pixels = np.asarray(image).astype(np.uint16)
    return pixels.reshape(1, image.height, image.width, -1)


def coded(samples: Samples, bits: int) -> bytes:
    payload = encode(samples, bits)
    assert payload is not None
    return payload


# --- round trips --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12), st.integers(1, 5)),
    bits=st.integers(1, 16),
    colours=st.sampled_from((1, 2, 3, 4, 5, 16, 17, 300)),
    seed=st.integers(0, 99),
)
def test_round_trip(shape: tuple[int, int, int, int], bits: int, colours: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 1 << bits, (colours, shape[-1]))
    samples = palette[rng.integers(0, colours, shape[:-1]) // rng.integers(1, 4)].astype(np.uint16)
    payload = encode(samples, bits)
    if payload is None:
        assert len(np.unique(samples.reshape(-1, shape[-1]), axis=0)) > 16
    else:
        assert np.array_equal(decode(payload, shape, bits), samples)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (300, 1), (2, 2), (768, 3), (400, 5), (3, 400)])
@pytest.mark.parametrize("colours", [2, 5])
def test_any_edges(height: int, width: int, colours: int) -> None:
    samples = (np.arange(height * width) ** 2 % 7 % colours).astype(np.uint16).reshape(1, height, width, 1)
    assert np.array_equal(decode(coded(samples, 3), samples.shape, 3), samples)


def test_32_planes_of_16_bits() -> None:
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 1 << 16, (9, 32)).astype(np.uint16)[rng.integers(0, 9, (1, 20, 30))]
    payload = coded(samples, 16)
    assert np.array_equal(decode(payload, samples.shape, 16), samples)
    assert len(payload) < 1.1 * (9 * 32 * 2 + 600 * np.log2(9) / 8) + 100  # the palette, the indices, and learning


def test_a_page_in_strips() -> None:
    samples = samples_of(text_page(400, 384, 3))
    payload = coded(samples, 8)
    assert payload[0] == 2  # strips
    assert np.array_equal(decode(payload, samples.shape, 8), samples)


def test_one_colour_takes_no_pixels() -> None:
    samples = np.full((2, 500, 700, 3), 200, np.uint16)
    payload = coded(samples, 8)
    assert len(payload) <= 10
    assert np.array_equal(decode(payload, samples.shape, 8), samples)


def test_what_is_no_picture_of_this_kind_is_declined() -> None:
    rng = np.random.default_rng(0)
    assert encode(rng.integers(0, 256, (1, 64, 64, 1)).astype(np.uint16), 8) is None
    assert encode(rng.integers(0, 1 << 16, (1, 200, 200, 3)).astype(np.uint16), 16) is None
    assert encode(np.zeros((1, 1, 1 << 16, 1), np.uint16), 1) is None  # steps of one pixel


@pytest.mark.parametrize(
    ("shape", "colours", "bits", "payload"),
    [
        ((1, 8, 6, 1), 6, 3, "810500b353fdfdc761f065be2def6b88d21901df7d1900f003e453"),
        ((1, 6, 8, 1), 2, 1, "010100fee640154c57131186"),
    ],
)
def test_literal_bytes(shape: tuple[int, int, int, int], colours: int, bits: int, payload: str) -> None:
    samples = (np.arange(48) ** 2 // 5 % colours).astype(np.uint16).reshape(shape)
    assert coded(samples, bits).hex() == payload
    assert np.array_equal(decode(bytes.fromhex(payload), shape, bits), samples)


# --- probabilities ------------------------------------------------------------------------------------------------


def test_decisions_cost_what_they_tell() -> None:
    rng = np.random.default_rng(0)
    decisions = rng.random((100, 200)) < 0.03
    keys = rng.integers(0, 1 << 63, (3, 1)).astype(np.uint64) + np.zeros((3, 200), np.uint64)
    writer, contexts = BitWriter(), Contexts(3, 4)
    for step in decisions:
        writer.code(contexts, keys, step)
    payload = writer.finish()
    assert len(payload) * 8 < 1.02 * 20_000 * 0.1944 + 300  # the entropy of 3%, and learning it
    reader, contexts = BitReader(payload), Contexts(3, 4)
    assert all(np.array_equal(reader.code(contexts, keys, np.zeros(200, bool)), step) for step in decisions)
    reader.finish()


def test_the_palette_is_sorted_and_bounded() -> None:
    samples = np.array([[3, 1], [0, 9], [3, 0], [0, 9]], np.uint16).reshape(1, 2, 2, 2)
    found = find_palette(samples, 4)
    assert found is not None
    assert found.colours.tolist() == [[0, 9], [3, 0], [3, 1]]
    assert found.indices.ravel().tolist() == [2, 0, 1, 0]
    assert find_palette(np.arange(MOST_COLOURS + 1, dtype=np.uint16).reshape(1, 1, -1, 1), 16) is None


# --- damage -------------------------------------------------------------------------------------------------------


def test_damage_is_an_error_or_another_picture() -> None:
    samples = samples_of(sprite())
    payload = coded(samples, 8)
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(payload)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        try:
            found = decode(bytes(damaged), samples.shape, 8)
        except ValueError:
            continue
        assert found.shape == samples.shape
        assert found.max() < 256


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "within its header"),
        (b"\x01\x01\x00", "within its header"),
        (b"\x00\x01\x00\x01", "strips"),
        (b"\x03\x01\x00\x01", "strips"),
        (b"\x01\xff\xff\x01", "more colours than pixels"),
        (b"\x01\x05\x00\x00", "not range-coded"),
        (b"\x01\x05\x00\x01", "fewer decisions"),
        (b"\x01\x00\x00" + bytes(range(1, 60)), "more decisions"),
    ],
)
def test_malformed_payloads(payload: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(payload, (1, 32, 32, 1), 8)


def test_every_cut_is_found() -> None:
    samples = samples_of(sprite())
    payload = coded(samples, 8)
    for length in range(0, len(payload), 7):
        with pytest.raises(ValueError, match="synthetic block"):
            decode(payload[:length], samples.shape, 8)


def test_a_short_payload_stops_early() -> None:
    start = time.process_time()
    with pytest.raises(ValueError, match="fewer decisions"):
        decode(b"\x01\xff\x00" + b"\x9c" * 200, (1, 1024, 1024, 1), 8)
    assert time.process_time() - start < 1
    with pytest.raises(ValueError, match="strips"):
        decode(b"\x01\x01\x00\xff", (1, 1, 1 << 20, 1), 8)


# --- sizes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [lambda: text_page(300, 200, 0), screenshot, sprite, bilevel_page, ordered_dither])
def test_no_more_bytes_than_lossless_webp(draw: Callable[[], Image.Image]) -> None:
    image = draw()
    webp = io.BytesIO()
    image.convert("RGB").save(webp, "WEBP", lossless=True, method=6, quality=100)
    payload = coded(samples_of(image), 1 if image.mode == "1" else 8)
    assert len(payload) <= 0.95 * webp.tell()
    if image.mode == "1":
        fax = io.BytesIO()
        image.save(fax, "TIFF", compression="group4")
        assert len(payload) <= 0.7 * fax.tell()
