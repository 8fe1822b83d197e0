"""What is no picture for a transform codec is stored exactly by the bundled models, and no larger than elsewhere."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageDraw, ImageFont

import nncodec


def text_page(width: int = 240, height: int = 120) -> Image.Image:
    page = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(page)
    for line in range(height // 12):
        draw.text((8, 2 + 12 * line), f"{line:02d} The quick brown fox jumps over the lazy dog {line * 7919}", fill=0)
    return page


def printed_page(width: int, height: int, *, font_size: int, bilevel: bool) -> Image.Image:
    """Return a page of random words, all different, with smooth edges unless it is bilevel."""
    rng = np.random.default_rng(0)
    page = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(page)
    draw.fontmode = "1" if bilevel else "L"
    font = ImageFont.load_default(font_size)
    for y in range(font_size, height - 2 * font_size, font_size * 5 // 4):
        lengths = rng.integers(2, 10, width // (4 * font_size) + 1)
        words = ["".join(map(chr, rng.integers(ord("a"), ord("z") + 1, length))) for length in lengths]
        draw.text((font_size, y), " ".join(words), fill=0, font=font)
    return page


def astronaut() -> Image.Image:
    return Image.fromarray(skimage.data.astronaut()).crop((150, 0, 350, 160))


def checkerboard() -> Image.Image:
    return Image.fromarray((np.indices((128, 128)).sum(axis=0) % 2 * 255).astype(np.uint8))


def stripes() -> Image.Image:
    return Image.fromarray(np.tile(np.array([0, 255], np.uint8), (128, 64)))


PICTURES = {
    "dither": lambda: astronaut().convert("1").convert("L"),
    "page": lambda: text_page(),
    "fax": lambda: text_page().convert("1").convert("L"),
    "screenshot": lambda: text_page().convert("RGB"),
    "checkerboard": checkerboard,
    "stripes": stripes,
}


def psnr_db(found: Image.Image, original: Image.Image) -> float:
    error = np.square(np.asarray(found, float) - np.asarray(original, float)).mean()
    return float(10 * np.log10(255**2 / error)) if error else np.inf


@pytest.mark.parametrize("name", PICTURES)
def test_pages_and_dithers_are_exact_or_near(name: str) -> None:
    original = PICTURES[name]()
    exact = nncodec.encode(original, lossless=True)
    assert nncodec.decode(exact).tobytes() == original.tobytes()
    for quality in (50, 100):
        data = nncodec.encode(original, quality=quality)
        assert len(data) <= len(exact)
        assert quality < 100 or psnr_db(nncodec.decode(data), original) >= 40
    if name in ("dither", "fax", "checkerboard", "stripes"):
        assert nncodec.inspect(nncodec.encode(original, quality=100)).lossless


def test_a_fax_page_takes_fewer_bytes_than_group_4() -> None:
    page = printed_page(1728, 960, font_size=12, bilevel=True)
    out = io.BytesIO()
    page.convert("1").save(out, "TIFF", compression="group4")
    assert 105_000 < out.tell() < 120_000
    data = nncodec.encode(page)
    assert len(data) < out.tell() / 2
    assert nncodec.decode(data).tobytes() == page.tobytes()


def test_a_page_of_text_takes_fewer_bytes_than_png() -> None:
    page = printed_page(940, 490, font_size=14, bilevel=False)
    out = io.BytesIO()
    page.save(out, "PNG", optimize=True)
    assert 37_000 < out.tell() < 48_000
    data = nncodec.encode(page)
    assert len(data) < out.tell() / 2
    assert nncodec.decode(data).tobytes() == page.tobytes()


@pytest.mark.parametrize(("name", "least"), [("checkerboard", 20), ("stripes", 36), ("dither", 20)])
def test_psnr_never_falls_with_quality(name: str, least: float) -> None:
    original = PICTURES[name]()
    reached = [psnr_db(nncodec.decode(nncodec.encode(original, quality=q)), original) for q in (0, 50, 80, 100)]
    assert reached == sorted(reached)
    assert reached[1] >= least
    assert reached[-1] == np.inf


@pytest.mark.parametrize("name", ["dither", "page", "fax"])
def test_no_more_bytes_than_png(name: str) -> None:
    original = PICTURES[name]()
    out = io.BytesIO()
    original.save(out, "PNG", optimize=True)
    assert len(nncodec.encode(original)) <= out.tell()


@pytest.mark.parametrize("size", [(1, 1), (6, 6), (13, 2)])
def test_a_tiny_picture_is_close_and_no_larger_than_its_samples(size: tuple[int, int]) -> None:
    original = astronaut().crop((0, 0, *size))
    data = nncodec.encode(original, quality=100)
    assert len(data) <= 3 * size[0] * size[1] + 64
    assert len(data) <= len(nncodec.encode(original, lossless=True))
    assert psnr_db(nncodec.decode(data), original) > 42


@pytest.mark.parametrize(("mode", "size"), [("L", (6, 6)), ("LA", (6, 6)), ("RGB", (3, 5)), ("L", (12, 3))])
def test_a_few_pixels_of_noise_are_best_at_the_best_quality(mode: str, size: tuple[int, int]) -> None:
    samples = np.random.default_rng(size[0]).integers(1, 256, (size[1], size[0], 4), np.uint8)
    original = Image.fromarray(samples).convert(mode)
    files = [nncodec.encode(original, quality=quality) for quality in (0, 50, 75, 100)]
    reached = [psnr_db(nncodec.decode(data), original) for data in files]
    assert reached == sorted(reached)
    assert len(files[-1]) <= len(nncodec.encode(original, lossless=True))


@pytest.mark.parametrize("seed", range(4))
def test_noise_of_eight_by_eight_pixels_is_not_lost_where_quality_rises(seed: int) -> None:
    original = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8))
    qualities = (20, 40, 55, 70, 90, 100)
    reached = [psnr_db(nncodec.decode(nncodec.encode(original, quality=quality)), original) for quality in qualities]
    assert reached == sorted(reached)


def test_noise_is_best_at_the_best_quality() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8))
    reached = [psnr_db(nncodec.decode(nncodec.encode(noise, quality=quality)), noise) for quality in (90, 95, 99, 100)]
    assert reached == sorted(reached)


def test_a_photograph_stays_lossy_below_the_top() -> None:
    original = astronaut()
    infos: list[Any] = [nncodec.inspect(nncodec.encode(original, quality=quality)) for quality in (50, 95, 100)]
    assert [info.max_error for info in infos] == [None, None, 2]
    assert psnr_db(nncodec.decode(nncodec.encode(original, quality=100)), original) > 45


def test_a_file_is_at_most_64_bytes_larger_than_its_samples() -> None:
    rng = np.random.default_rng(5)
    for shape, kind, bits in [((50, 60, 3), np.uint8, 8), ((40, 30, 5), np.uint16, 16), ((33, 31), np.uint16, 16)]:
        noise = rng.integers(0, 1 << bits, shape).astype(kind)
        data = nncodec.encode(noise, lossless=True)
        assert len(data) <= noise.nbytes + 64
        np.testing.assert_array_equal(nncodec.decode(data, as_array=True), noise)


@pytest.mark.parametrize("colour", [(255, 0, 0), (255, 255, 0), (10, 200, 30)])
@pytest.mark.parametrize("size", [(16, 16), (130, 70)])
def test_a_flat_colour_is_kept(size: tuple[int, int], colour: tuple[int, int, int]) -> None:
    decoded = np.asarray(nncodec.decode(nncodec.encode(Image.new("RGB", size, colour), quality=50)), int)
    assert np.abs(decoded - colour).max() <= 3


def test_thin_lines_take_no_more_bytes_than_png() -> None:
    lines = Image.new("L", (200, 150), 255)
    draw = ImageDraw.Draw(lines)
    for x in range(0, 200, 20):
        draw.line((x, 0, x, 150))
    out = io.BytesIO()
    lines.save(out, "PNG", optimize=True)
    assert len(nncodec.encode(lines)) <= out.tell()
