"""Metrics against second implementations and published values."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from nncodec.errors import NncError, UnsupportedImage
from nncodec.metrics import MS_SSIM_EDGE, SSIM_EDGE, ms_ssim, psnr, ssim, ssimulacra2

Array = NDArray[np.uint8]


def through(kind: str, image: Image.Image, **settings: object) -> tuple[int, Image.Image]:
    """Return bytes and decoded picture of a format."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return len(buffer.getvalue()), Image.open(buffer).convert(image.mode)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A photograph whose edges can be halved four times."""
    return Image.fromarray(skimage.data.chelsea()[60:236, 100:292])


# --- PSNR ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_psnr_of_a_constant_error(shape: tuple[int, ...]) -> None:
    original = np.full(shape, 100, np.uint8)
    assert psnr(original, original + np.uint8(5)) == pytest.approx(20 * math.log10(255 / 5), abs=1e-12)
    assert psnr(original + np.uint8(5), original) == psnr(original, original + np.uint8(5))
    assert psnr(original, original) == math.inf


def test_psnr_is_over_all_samples_of_all_planes() -> None:
    original = np.zeros((4, 4, 3), np.uint8)
    decoded = original.copy()
    decoded[..., 2] = 255  # a third of the samples is as wrong as can be
    assert psnr(original, decoded) == pytest.approx(10 * math.log10(3), abs=1e-12)


# --- SSIM and MS-SSIM ---------------------------------------------------------------------------------------------


def maps(before: NDArray[np.generic], after: NDArray[np.generic]) -> tuple[float, float]:
    """Return mean SSIM and mean contrast-structure term of two planes, from the formulas of Wang et al. 2004."""
    from scipy.signal import convolve2d  # takes a second to import, and every worker imports this file

    axis = np.arange(-5, 6)
    window = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(convolve2d(plane, window, mode="valid"), float)

    x, y = before.astype(float), after.astype(float)
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * cov + c2) / (vx + vy + c2)
    return float(np.mean((2 * mx * my + c1) / (mx**2 + my**2 + c1) * structure)), float(np.mean(structure))


def planes(image: Image.Image) -> list[Array]:
    return [np.asarray(band) for band in image.split()]


@pytest.mark.parametrize(("mode", "quality"), [("RGB", 10), ("RGB", 80), ("L", 30)])
def test_ssim_agrees_with_the_formulas(photo: Image.Image, mode: str, quality: int) -> None:
    original = photo.convert(mode)
    _, decoded = through("JPEG", original, quality=quality)
    expected = [maps(a, b)[0] for a, b in zip(planes(original), planes(decoded), strict=True)]
    assert ssim(original, decoded) == pytest.approx(np.mean(expected), abs=1e-7)
    assert ssim(original, original) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("mode", "quality"), [("RGB", 10), ("RGB", 80), ("L", 30)])
def test_ms_ssim_agrees_with_the_formulas(photo: Image.Image, mode: str, quality: int) -> None:
    original = photo.convert(mode)
    _, decoded = through("JPEG", original, quality=quality)
    expected = []
    for before, after in zip(planes(original), planes(decoded), strict=True):
        product, x, y = 1.0, before.astype(float), after.astype(float)
        for weight in (0.0448, 0.2856, 0.3001, 0.2363):
            product *= maps(x, y)[1] ** weight
            x, y = ((p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4 for p in (x, y))
        expected.append(product * maps(x, y)[0] ** 0.1333)
    assert ms_ssim(original, decoded) == pytest.approx(np.mean(expected), abs=2e-5)
    assert ms_ssim(original, original) == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_metrics_give_what_compressai_published_for_webp_on_kodak(data_folder: Path) -> None:
    """InterDigitalInc/CompressAI, results/image/kodak/webp.json, quality 50: Pillow's defaults, means over 24."""
    folder = data_folder / "kodak"
    if not folder.is_dir():
        pytest.skip("the data folder has no kodak/")
    rates, psnrs, ms_ssims = [], [], []
    for path in sorted(folder.glob("*.png")):
        original = Image.open(path).convert("RGB")
        size_bytes, decoded = through("WEBP", original, quality=50)
        rates.append(8 * size_bytes / (original.width * original.height))
        psnrs.append(psnr(original, decoded))
        ms_ssims.append(ms_ssim(original, decoded))
    assert len(rates) == 24
    assert np.mean(psnrs) == pytest.approx(33.237553, abs=0.005)
    assert np.mean(np.asarray(ms_ssims, float)) == pytest.approx(0.975059, abs=2e-5)
    assert np.mean(rates) == pytest.approx(0.721817, rel=0.005)  # another libwebp may pack a little differently


def test_pictures_below_the_windows(photo: Image.Image) -> None:
    tiny = photo.crop((0, 0, SSIM_EDGE, SSIM_EDGE))
    assert ssim(tiny, tiny) == pytest.approx(1)
    with pytest.raises(UnsupportedImage, match="11 x 11"):
        ssim(*[photo.crop((0, 0, 40, SSIM_EDGE - 1))] * 2)
    large_enough = photo.crop((0, 0, 170, MS_SSIM_EDGE))
    assert ms_ssim(large_enough, large_enough) == pytest.approx(1, abs=1e-6)
    assert ms_ssim(*[photo.crop((0, 0, 170, MS_SSIM_EDGE - 1))] * 2) is None


# --- SSIMULACRA2 --------------------------------------------------------------------------------------------------


def noise(edge: int, seed: int) -> Array:
    """Return the noise that the scores below were measured on: a linear congruential generator of 64 bits."""
    samples = []
    for _ in range(edge * edge * 3):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        samples.append((seed >> 33) & 255)
    return np.array(samples, np.uint8).reshape(edge, edge, 3)


def uniform(edge: int, level: int) -> Array:
    return np.full((edge, edge, 3), level, np.uint8)


def ramp(edge: int) -> Array:
    return np.broadcast_to((np.arange(edge) * 255 // (edge - 1)).astype(np.uint8)[None, :, None], (edge, edge, 3))


@pytest.mark.parametrize(
    ("original", "decoded", "published", "within"),
    [
        (noise(64, 42), uniform(64, 128), -47.33572558, 0.01),
        (ramp(64), uniform(64, 128), -64.56872148, 0.01),
        # Flat pictures are all border, where the reference's 32-bit recursion does not quite return to its level.
        (uniform(64, 128), uniform(64, 178), -8.75942256, 0.1),
        (uniform(128, 128), uniform(128, 148), 54.27883917, 0.1),
        (uniform(256, 128), uniform(256, 148), 59.77892918, 0.1),
        (uniform(256, 128), uniform(256, 178), -0.39085784, 0.1),
    ],
)
def test_ssimulacra2_gives_the_scores_of_the_reference_program(
    original: Array, decoded: Array, published: float, within: float
) -> None:
    """Scores of libjxl's program, as listed in imazen/ssimulacra2, ssimulacra2/src/reference_data.rs."""
    assert ssimulacra2(original, decoded) == pytest.approx(published, abs=within)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_ssimulacra2_is_100_for_equal_pictures_and_falls_with_quality(photo: Image.Image, mode: str) -> None:
    original = photo.convert(mode)
    scores = [ssimulacra2(original, through("JPEG", original, quality=q)[1]) for q in (10, 30, 60, 90)]
    assert None not in scores
    assert scores == sorted(scores, key=lambda score: score or 0)
    assert ssimulacra2(original, original) == pytest.approx(100)


def test_ssimulacra2_needs_8_pixels_and_its_package(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    small = photo.crop((0, 0, 8, 30))
    assert ssimulacra2(small, small) == pytest.approx(100)
    assert ssimulacra2(*[photo.crop((0, 0, 7, 30))] * 2) is None
    monkeypatch.setitem(sys.modules, "ssimulacra2", None)
    assert ssimulacra2(small, small) is None


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim, ssimulacra2])
@pytest.mark.parametrize(
    ("original", "decoded"),
    [
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20, 3), np.uint8)),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 21), np.uint8)),
        (np.zeros((20, 20, 4), np.uint8), np.zeros((20, 20, 4), np.uint8)),
        (np.zeros((20, 20), np.uint16), np.zeros((20, 20), np.uint16)),
        (np.zeros((0, 20), np.uint8), np.zeros((0, 20), np.uint8)),
    ],
    ids=["modes", "sizes", "alpha", "16 bits", "empty"],
)
def test_pictures_that_cannot_be_compared(metric: object, original: Array, decoded: Array) -> None:
    assert callable(metric)
    with pytest.raises(UnsupportedImage):
        metric(original, decoded)


def test_ms_ssim_without_its_extra_says_what_to_install(photo: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_msssim", None)
    with pytest.raises(NncError, match=r'pip install "nncodec-image\[compare\]"$'):
        ms_ssim(photo, photo)
