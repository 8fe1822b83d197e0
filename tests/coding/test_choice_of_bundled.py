"""The bundled models: patterns, gradients and noise get nearly exact files where the codec would be larger or worse."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import nncodec
import nncodec.metrics
from nncodec.coding import choice


def random() -> np.random.Generator:
    return np.random.default_rng(3)


def array_of(image: Image.Image) -> NDArray[Any]:
    return np.asarray(image).astype(int)


def checkerboard(noise: int = 3) -> Image.Image:
    """Single pixels with faint noise, which no codec for photographs holds."""
    y, x, _ = np.ogrid[:64, :64, :3]
    samples = (x + y) % 2 * 255 + random().integers(-noise, noise + 1, (64, 64, 3))
    return Image.fromarray(np.clip(samples, 0, 255).astype(np.uint8))


def test_a_nearly_exact_file_is_written_if_it_is_smaller_and_better() -> None:
    image = checkerboard(noise=8)
    near = nncodec.encode(image, max_error=2)
    assert len(near) < len(nncodec.encode(image, lossless=True))
    assert nncodec.encode(image, "photo", 98) == near
    assert len(nncodec.encode(image, "photo", 98, lossless=False)) > len(near)


def test_a_larger_error_is_permitted_where_a_pattern_is_left_alone_by_it() -> None:
    data = nncodec.encode(checkerboard(), "photo", 60)
    assert nncodec.inspect(data).max_error == 3
    assert len(data) < 100


def patterns() -> dict[str, NDArray[Any]]:
    """Shares of the second colour, 64 x 64."""
    y, x = np.mgrid[:64, :64]
    thresholds = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
    return {
        "checkerboard": (x + y) % 2,
        "rows": y % 2,
        "dither": (x / 64 > np.tile(thresholds, (16, 16))),
        "random": random().integers(0, 2, (64, 64)),
    }


@pytest.mark.parametrize(
    ("pattern", "colours"),
    [
        ("checkerboard", ((0, 0, 0), (255, 255, 255))),
        ("rows", ((200, 30, 30), (30, 40, 200))),
        ("dither", ((200, 30, 30), (30, 40, 200))),
        ("random", ((0, 0, 0), (255, 255, 255))),
    ],
)
def test_psnr_of_noisy_patterns_never_falls_with_quality(pattern: str, colours: tuple[tuple[int, ...], ...]) -> None:
    first, second = np.array(colours)
    share = patterns()[pattern][..., None].astype(int)
    samples = first + (second - first) * share + random().integers(-3, 4, (64, 64, 3))
    image = Image.fromarray(np.clip(samples, 0, 255).astype(np.uint8))
    reached = []
    for quality in range(5, 96, 15):
        data = nncodec.encode(image, "photo", quality)
        codec_bytes = len(nncodec.encode(image, "photo", quality, lossless=False))
        assert len(data) <= max(64 * 64 * 1.5 / 8, 2 * codec_bytes)
        reached.append(nncodec.metrics.psnr(image, nncodec.decode(data)))
    assert all(after > before - 0.05 for before, after in itertools.pairwise(reached))
    assert reached[-1] > 35
    assert nncodec.encode_batch([image, image], "photo", 95)[1] == data


def test_photographs_and_their_noise_are_not_decoded_to_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def difference(*_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(choice, "difference", difference)
    cat = skimage.data.chelsea()
    noise = random().normal(0, 10, cat.shape)
    for samples in (cat, np.clip(cat + noise, 0, 255).astype(np.uint8)):
        assert nncodec.inspect(nncodec.encode(samples, "photo", 50)).quality == 50


def test_noise_is_no_pattern() -> None:
    samples = np.clip(random().normal(128, 60, (96, 96, 3)), 0, 255).astype(np.uint8)
    for quality in (20, 50):
        assert nncodec.inspect(nncodec.encode(samples, "photo", quality)).quality == quality
    codec_bytes = len(nncodec.encode(samples, "photo", 80, lossless=False))
    assert len(nncodec.encode(samples, "photo", 80)) < 2 * codec_bytes


def smooth_lines() -> Image.Image:
    """Lines whose edges have many colours, as in plots."""
    image = Image.new("RGB", (1280, 960), "white")
    draw, places = ImageDraw.Draw(image), np.random.default_rng(0)
    for ends, colour in zip(
        places.integers(0, 960, (30, 4)).tolist(), places.integers(0, 255, (30, 3)).tolist(), strict=True
    ):
        draw.line(ends, tuple(colour), 8)
    return image.reduce(4)


def test_a_drawing_with_smooth_edges_is_nearly_exact_where_an_exact_file_is_larger() -> None:
    image = smooth_lines()
    near, exact = nncodec.encode(image, max_error=2), nncodec.encode(image, lossless=True)
    assert len(near) < len(nncodec.encode(image, "photo", 50, lossless=False)) < len(exact)
    assert nncodec.encode(image, "photo", 50) == near


def photo_with_caption() -> Image.Image:
    image = Image.new("RGB", (160, 120), "white")
    image.paste(Image.fromarray(skimage.data.astronaut()).resize((100, 80)), (30, 10))
    ImageDraw.Draw(image).text((30, 95), "Fig. 1 A caption", "black", ImageFont.load_default(12))
    return image


def test_a_photograph_on_flat_ground_is_nearly_exact_at_qualities_where_that_is_smaller() -> None:
    image = photo_with_caption()
    near = nncodec.encode(image, max_error=2)
    for quality in (92, 99):
        assert len(near) < len(nncodec.encode(image, "photo", quality, lossless=False))
        assert nncodec.encode(image, "photo", quality) == near
    assert nncodec.inspect(nncodec.encode(image, "photo", 60)).quality == 60
    assert nncodec.encode(image, "photo", target_size=len(near) + 400) == near


def glow(mode: str) -> Image.Image:
    """A disc of one colour that fades away."""
    disc = Image.new("L", (160, 160))
    ImageDraw.Draw(disc).ellipse((40, 40, 120, 120), fill=255)
    image = Image.new("RGBA", disc.size, (255, 180, 0, 0)).convert(mode)
    image.putalpha(disc.filter(ImageFilter.GaussianBlur(14)))
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_glow_of_one_colour_takes_no_more_than_without_loss(mode: str) -> None:
    image = glow(mode)
    exact = nncodec.encode(image, lossless=True)
    for quality in (50, 90):
        assert len(nncodec.encode(image, "photo", quality)) <= len(exact)


def gradient() -> Image.Image:
    """The photo codec holds it with a smaller error than 2, in fewer bytes."""
    return Image.radial_gradient("L").resize((96, 96))


def drawing() -> Image.Image:
    """A line and a disc, on transparent ground."""
    image = Image.new("RGBA", (120, 90))
    draw = ImageDraw.Draw(image)
    draw.line((5, 80, 110, 8), "red", 3)
    draw.ellipse((40, 30, 90, 70), "navy")
    return image


def colours_of_places() -> Image.Image:
    y, x = np.mgrid[:96, :128]
    return Image.fromarray(np.stack([2 * x, 2 * y, x + y], 2).astype(np.uint8))


def tiny() -> Image.Image:
    return Image.new("RGBA", (1, 1), "red")


@pytest.mark.parametrize("max_error", [1, 2, 20])
@pytest.mark.parametrize("image", [drawing(), colours_of_places(), tiny()], ids=["drawing", "colours", "tiny"])
def test_a_permitted_error_never_makes_a_file_larger(image: Image.Image, max_error: int) -> None:
    exact = nncodec.encode(image, lossless=True)
    assert nncodec.encode(image, max_error=max_error) == exact


def test_quality_100_of_a_transparent_drawing_is_exact_as_lower_ones_are() -> None:
    exact = nncodec.encode(drawing(), lossless=True)
    assert {nncodec.encode(drawing(), "photo", quality) for quality in (70, 99, 100)} == {exact}


def faint_noise() -> Image.Image:
    return Image.fromarray((128 + random().integers(-1, 2, (48, 64, 3))).astype(np.uint8))


BY_ITSELF: dict[str, dict[str, Any]] = {
    "`lossless=False`": {"lossless": False},
    "`coder`": {"coder": "zstd"},
    "`downscale`": {"downscale": 2},
    "`enhancer`": {"enhancer": "srgan/restore"},
    "default lossless model": {},
}
"""What leaves quality 100 to the model by itself, in the words of docs/python.md."""


@pytest.mark.parametrize("name", BY_ITSELF)
def test_the_page_names_what_leaves_quality_100_to_the_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "default lossless model":
        monkeypatch.setattr("nncodec.coding.choice.DEFAULT_LOSSLESS", "no-such-model")
    noise = Image.fromarray(random().integers(0, 256, (40, 50, 3)).astype(np.uint8))
    data = nncodec.encode(noise, "photo", 100, **BY_ITSELF[name])
    assert nncodec.inspect(data).max_error is None
    assert abs(array_of(nncodec.decode(data)) - array_of(noise)).max() > 2
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    (promise,) = re.findall(r"nearly exactly\. (With .*? by itself)", page, re.DOTALL)
    assert name in promise


@pytest.mark.parametrize("image", [gradient(), faint_noise()], ids=["gradient", "noise"])
def test_quality_100_is_no_worse_than_99(image: Image.Image) -> None:
    errors = [
        array_of(nncodec.decode(nncodec.encode(image, "photo", quality))) - array_of(image) for quality in (99, 100)
    ]
    assert np.square(errors[1]).mean() <= np.square(errors[0]).mean() < 2
    assert abs(errors[1]).max() <= 2
